"""A need asks for `sessions` weekly sessions of `minutes` inside its `windows`; what is unfinished is a draft."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, cents, check, choice, json_list, json_object, refers


class Service(StrEnum):
    """The three services of the programme."""

    TUTORING = "tutoring"
    BABYSITTING = "babysitting"
    HOME_CARE = "home_care"


class NeedState(StrEnum):
    """States of product.md; an unfinished need is a NeedDraft."""

    OPEN = "open"
    PROPOSED = "proposed"
    SERVED = "served"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Need(Row, table=True):
    """What a family asks for; `windows` [{day, start, end}] in local minutes, distances in km as decimal text.

    `address`, `lat`, `lon` say where the care is wanted when that is not the household's home (a parent apart).
    """

    __table_args__ = (
        refers("household"),
        refers("person"),
        UniqueConstraint("municipality_id", "code", name="need_code_once"),
        Index("need_by_state", "municipality_id", "state"),
        check("need_seats", "seats between 1 and 6"),
        check("need_sessions", "sessions between 1 and 6"),
        check("need_minutes", "minutes between 30 and 720 and minutes % 15 = 0"),
        check("need_place_whole", "num_nulls(address, lat, lon) in (0, 3)"),
        check("need_price_positive", "price_max_cents_per_hour > 0"),
    )

    code: str = Field(max_length=60)
    household_id: UUID = Field(index=True)
    person_id: UUID
    address: str | None = Field(default=None, max_length=300)
    lat: float | None = None
    lon: float | None = None
    service: Service = Field(sa_type=choice(Service))
    seats: int = 1
    sessions: int = 1
    minutes: int
    windows: list[dict[str, int]] = json_list()
    travel_km_max: str = Field(default="1.5", max_length=20)
    host_seats: int = 0
    topic: str | None = Field(default=None, max_length=40)
    level: int | None = None
    age: int | None = None
    languages: list[str] = json_list()
    requires: list[str] = json_list()
    group_max: int | None = None
    price_max_cents_per_hour: int | None = cents(None)
    priority: str = Field(default="1", max_length=20)
    excludes: list[str] = json_list()
    notes: str = Field(default="", max_length=2000)
    state: NeedState = Field(default=NeedState.OPEN, sa_type=choice(NeedState))
    first_in_line: bool = False
    created_at: datetime


class NeedDraft(Row, table=True):
    """The answers of an unfinished need, step by step; one a household."""

    __tablename__ = "need_draft"
    __table_args__ = (refers("household"), UniqueConstraint("municipality_id", "household_id", name="one_draft"))

    household_id: UUID
    answers: dict[str, Any] = json_object()
    updated_at: datetime
