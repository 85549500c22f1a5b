"""What the API answers: pydantic models, from which the description is written too."""

import re
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from marketplace.needs.models import Need, NeedState, Service
from marketplace.slots.models import PlaceKind, ProposalState
from marketplace.slots.queries import ProposalFacts, ProposedSession


def whole(given: Any) -> Any:
    """JSON has one kind of number: 3000.0 is the integer 3000, as the description's `integer` says."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def written(pattern: str) -> BeforeValidator:
    """A text of that form and nothing else: a number is no date, a braced id no id."""
    form = re.compile(pattern)

    def read(given: Any) -> Any:
        if not isinstance(given, str) or form.fullmatch(given) is None:
            raise ValueError(pattern)
        return given

    return BeforeValidator(read)


Whole = BeforeValidator(whole)
Count = Annotated[int, Whole, Field(strict=True, ge=0, le=10**9)]
Flag = Annotated[bool, Field(strict=True)]
Id = Annotated[UUID, written(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")]
Day = Annotated[date, written(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")]
Words = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Next = Annotated[UUID | None, Field(description="Give it as `after` to have the next page; null on the last.")]
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


class Place(Answer):
    """Where a group meets; at a host's, without address until the group is confirmed."""

    kind: PlaceKind
    name: str
    address: str


class SessionAnswer(Answer):
    """One weekly session of a proposal; cents for one meeting, minutes local and the member's own."""

    slot_id: UUID
    service: Service
    topic: str | None
    provider_name: str
    day: Annotated[int, Field(ge=0, le=6, description="0 is Monday.")]
    start_minute: Minute
    end_minute: Minute
    place: Place
    dates: list[date]
    seats: int
    fellows: Annotated[int, Field(description="How many other families are in the group.")]
    share_cents: int
    subsidy_cents: int
    net_cents: int
    cap_cents: int

    @classmethod
    def of(cls, one: ProposedSession) -> "SessionAnswer":
        """The answer for a session as the family's page shows it."""
        slot = one.slot
        return cls(
            slot_id=slot.slot_id,
            service=Service(slot.service),
            topic=slot.topic,
            provider_name=slot.provider_name,
            day=slot.day,
            start_minute=one.start_minute,
            end_minute=one.end_minute,
            place=Place.model_validate(slot.spot),
            dates=list(one.dates),
            seats=one.seats,
            fellows=one.fellows,
            share_cents=one.share_cents,
            subsidy_cents=one.subsidy_cents,
            net_cents=one.net_cents,
            cap_cents=one.cap_cents,
        )


class ProposalAnswer(Answer):
    """A proposal with its price and cap: cents a week, and the most that a month and the whole term can cost."""

    id: UUID
    need_id: UUID
    state: ProposalState
    deadline: datetime
    decided_at: datetime | None
    alone_cents: int | None
    share_cents: int
    subsidy_cents: int
    net_cents: int
    cap_cents: Annotated[int, Field(description="Never more than this a week; give it back to accept.")]
    month_max_cents: int
    term_max_cents: int
    first_date: date
    last_date: date
    sessions: list[SessionAnswer]

    @classmethod
    def of(cls, facts: ProposalFacts) -> "ProposalAnswer":
        """The answer for a proposal as the family's page shows it."""
        plain = (name for name in cls.model_fields if name not in ("id", "sessions"))
        return cls(
            id=facts.proposal_id,
            sessions=[SessionAnswer.of(one) for one in facts.sessions],
            **{name: getattr(facts, name) for name in plain},
        )


class ProposalPage(Answer):
    """Proposals, by deadline."""

    items: list[ProposalAnswer]
    next: Annotated[UUID | None, Field(description="Give it as `after` to have the next page; null on the last.")]


class Acceptance(Answer):
    """Consent to a price: it binds the family to pay up to the cap."""

    cap_cents: Annotated[
        int, Whole, Field(strict=True, ge=0, le=10**9, description="The proposal's `cap_cents` as it was read.")
    ]


class Refusal(Answer):
    """A no, free of charge."""

    reason: Annotated[str, Field(max_length=400, pattern=r"^[^\x00]*$")] = ""


class Problem(Answer):
    """What went wrong (RFC 9457), in the language of the key's owner."""

    type: str
    title: str
    status: int
    detail: str
