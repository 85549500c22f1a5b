"""What the API answers: pydantic models, from which the description is written too."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from marketplace.needs.models import Need, NeedState, Service

Minute = Annotated[int, Field(ge=0, le=1440, description="Minutes after local midnight.")]


class Answer(BaseModel):
    """An answer has the fields that are described, no others."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Window(Answer):
    """Hours of one weekday in which a need may be met."""

    day: Annotated[int, Field(ge=0, le=6, description="0 is Monday.")]
    start: Minute
    end: Minute


class NeedAnswer(Answer):
    """What the family asked for, and where it stands."""

    id: UUID
    code: str
    person_id: UUID
    service: Service
    state: NeedState
    seats: int
    sessions: Annotated[int, Field(description="A week.")]
    minutes: Annotated[int, Field(description="Of one session.")]
    windows: list[Window]
    travel_km_max: Annotated[str, Field(description="A decimal number.")]
    topic: str | None
    group_max: int | None
    price_max_cents_per_hour: int | None
    created_at: datetime

    @classmethod
    def of(cls, need: Need) -> "NeedAnswer":
        """The answer for a row."""
        return cls.model_validate(need)


class NeedPage(Answer):
    """Needs, newest first."""

    items: list[NeedAnswer]
    next: Annotated[UUID | None, Field(description="Give it as `after` to have the next page; null on the last.")]


class Problem(Answer):
    """What went wrong (RFC 9457), in the language of the key's owner."""

    type: str
    title: str
    status: int
    detail: str
