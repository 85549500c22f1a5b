"""Places have coordinates (WGS84) and, for venues, seats that no overlapping meetings exceed."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, cents, check, choice, json_list


class Address(Row, table=True):
    """One house number of the register; `street_key` and `number_key` are folded for look-up (intake/addresses.py)."""

    __table_args__ = (
        Index("address_by_street", "municipality_id", "street_key", "number_key"),
        Index(
            "address_by_trigram", "street_key", postgresql_using="gin", postgresql_ops={"street_key": "gin_trgm_ops"}
        ),
    )

    street: str = Field(max_length=200)
    locality: str = Field(default="", max_length=120)
    number: str = Field(default="", max_length=20)
    exponent: str = Field(default="", max_length=20)
    street_key: str = Field(max_length=200)
    number_key: str = Field(max_length=40)
    lat: float
    lon: float


class Venue(Row, table=True):
    """A place where groups meet; `windows` are its weekly opening hours [{day, start, end}] in local minutes."""

    __table_args__ = (
        UniqueConstraint("municipality_id", "code", name="venue_code_once"),
        check("venue_seats", "seats between 1 and 1000"),
    )

    code: str = Field(max_length=60)
    name: str = Field(max_length=200)
    address: str = Field(max_length=300)
    lat: float
    lon: float
    seats: int
    services: list[str] = json_list()
    cost_cents_per_hour: int = cents(0)
    windows: list[dict[str, int]] = json_list()
    created_at: datetime


class CalendarKind(StrEnum):
    """What a stretch of the municipality's calendar means."""

    TERM = "term"
    CLOSURE = "closure"


class CalendarEntry(Row, table=True):
    """Days `first` to `last` (both included): a term in which slots run, or a closure in which nothing meets."""

    __tablename__ = "calendar_entry"
    __table_args__ = (check("calendar_forward", "first <= last"),)

    kind: CalendarKind = Field(sa_type=choice(CalendarKind))
    name: str = Field(max_length=120)
    first: date
    last: date
    services: list[str] = json_list()
