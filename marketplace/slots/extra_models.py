"""Extra sessions of a standing slot, and who said yes to one at which cap: the database bounds both."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from marketplace.db import Row, cents, check, choice, refers


class ExtraState(StrEnum):
    """States of an extra session; from ACCEPTED on it has a meeting."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    HELD = "held"


class ExtraSession(Row, table=True):
    """One more session of a standing slot: its provider says yes by `answer_by`, its members join by `join_until`."""

    __tablename__ = "extra_session"
    __table_args__ = (
        refers("slot"),
        refers("household"),
        Index(
            "one_extra_a_day",
            "municipality_id",
            "slot_id",
            "held_on",
            unique=True,
            postgresql_where=text("state in ('asked', 'accepted')"),
        ),
        check("extra_times", "0 <= start_minute and start_minute < end_minute and end_minute <= 1440"),
        check("extra_deadlines", "created_at < answer_by and answer_by < join_until"),
    )

    slot_id: UUID
    household_id: UUID
    held_on: date
    start_minute: int
    end_minute: int
    state: ExtraState = Field(default=ExtraState.ASKED, sa_type=choice(ExtraState))
    answer_by: datetime
    join_until: datetime
    created_at: datetime


class SeatState(StrEnum):
    """Whether a seat in an extra session counts."""

    TAKEN = "taken"
    WITHDRAWN = "withdrawn"


class ExtraSeat(Row, table=True):
    """A member's consent to an extra session: it pays at most `cap_cents`, what the session costs it alone.

    `instead_of`: the slot's own meeting from which the asker stays away once the provider has said yes.
    """

    __tablename__ = "extra_seat"
    __table_args__ = (
        refers("extra_session", "extra_id"),
        refers("membership"),
        refers("meeting", "instead_of"),
        refers("household"),
        UniqueConstraint("municipality_id", "extra_id", "membership_id", name="one_extra_seat"),
        check("extra_seat_counts", "seats > 0 and cap_cents >= 0"),
    )

    extra_id: UUID
    membership_id: UUID
    household_id: UUID
    seats: int
    cap_cents: int = cents()
    state: SeatState = Field(default=SeatState.TAKEN, sa_type=choice(SeatState))
    created_at: datetime
    instead_of: UUID | None = None
