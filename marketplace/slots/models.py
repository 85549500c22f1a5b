"""Seats never exceed a slot's limit at any moment, a provider never meets twice at once: both are database rules."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlmodel import Field
from sqlmodel._compat import SQLModelConfig

from marketplace.db import Row, cents, check, choice, refers
from marketplace.sealed import IndexOf, SealedText

ACTIVE = "state in ('proposed', 'accepted', 'confirmed')"


class SlotState(StrEnum):
    """States of product.md."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    RUNNING = "running"
    ENDED = "ended"
    DISSOLVED = "dissolved"


class PlaceKind(StrEnum):
    """Where a slot meets."""

    VENUE = "venue"
    HOST = "host"
    HOMES = "homes"


class Answer(StrEnum):
    """A provider's answer to a proposed slot."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class Slot(Row, table=True):
    """One weekly group. Prices are frozen on it; `first_date` and `last_date` are set when it is proposed.

    `day` 0 is Monday; `start_minute`, `end_minute` are local (Europe/Rome). `cost_cents`: one full meeting.
    """

    __table_args__ = (
        refers("round"),
        refers("provider"),
        refers("venue"),
        refers("need", "host_need_id"),
        Index("slot_by_provider", "municipality_id", "provider_id", "state"),
        check("slot_times", "0 <= start_minute and start_minute < end_minute and end_minute <= 1440"),
        check("slot_day", "day between 0 and 6"),
        check("slot_at_venue", "(place = 'venue') = (venue_id is not null)"),
        check("slot_at_host", "(place = 'host') = (host_need_id is not null)"),
    )

    round_id: UUID = Field(index=True)
    plan_slot: str = Field(max_length=80)
    provider_id: UUID
    service: str = Field(max_length=40)
    mode: str = Field(max_length=20)
    place: PlaceKind = Field(sa_type=choice(PlaceKind))
    venue_id: UUID | None = None
    host_need_id: UUID | None = None
    day: int
    start_minute: int
    end_minute: int
    cost_cents: int = cents()
    rate_cents_per_hour: int = cents()
    extra_seat_cents_per_hour: int = cents()
    minutes_min: int
    venue_cents_per_hour: int = cents(0)
    walk_minutes: int = 0
    seats_limit: int
    seats_min: int = 1
    topic: str | None = Field(default=None, max_length=40)
    first_date: date
    last_date: date
    state: SlotState = Field(default=SlotState.PROPOSED, sa_type=choice(SlotState))
    provider_answer: Answer = Field(default=Answer.ASKED, sa_type=choice(Answer))
    provider_answered_at: datetime | None = None
    deadline: datetime
    created_at: datetime


class ProposalState(StrEnum):
    """What became of a proposal; its memberships follow."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    CONFIRMED = "confirmed"
    DISSOLVED = "dissolved"
    LEFT = "left"


class Proposal(Row, table=True):
    """One need's memberships in one round: accepted, confirmed and dissolved together.

    `alone_cents`, `share_cents`, `subsidy_cents` are a week's; `cap_cents` a week's most, net, in the smallest
    group that still stands within every member's limit; `term_max_cents` is the most that the whole term can cost.
    From `left_on` it is over; `reopens` says that the need is then open again, first in line.
    """

    __table_args__ = (
        refers("need"),
        refers("round"),
        Index("one_active_proposal_per_need", "municipality_id", "need_id", unique=True, postgresql_where=text(ACTIVE)),
        Index("proposal_by_deadline", "municipality_id", "state", "deadline"),
    )

    need_id: UUID = Field(index=True)
    household_id: UUID = Field(index=True)
    round_id: UUID
    state: ProposalState = Field(default=ProposalState.PROPOSED, sa_type=choice(ProposalState))
    alone_cents: int | None = cents(None)
    share_cents: int = cents()
    subsidy_cents: int = cents()
    cap_cents: int = cents()
    meetings_count: int
    term_max_cents: int = cents()
    deadline: datetime
    decided_at: datetime | None = None
    decided_by: UUID | None = None
    reason: str = Field(default="", max_length=500)
    left_on: date | None = None
    reopens: bool = False
    created_at: datetime


class Membership(Row, table=True):
    """A need's part of one slot: its own times, share and subsidy of a full meeting, and the net cap it accepts.

    The cap is what it pays when only `cap_seats` are left in the group; `held_cents` a meeting is held for its voucher.
    Who joins a running slot counts from `first_date` on (else from the start), until the proposal's `left_on`.
    """

    __table_args__ = (
        refers("slot"),
        refers("proposal"),
        refers("need"),
        refers("programme"),
        Index(
            "one_active_membership", "municipality_id", "slot_id", "need_id", unique=True, postgresql_where=text(ACTIVE)
        ),
        check("membership_times", "start_minute < end_minute"),
        check("membership_money", "0 <= subsidy_cents and subsidy_cents <= share_cents and cap_cents >= 0"),
    )

    slot_id: UUID = Field(index=True)
    proposal_id: UUID = Field(index=True)
    need_id: UUID = Field(index=True)
    household_id: UUID
    rank: int = 0
    seats: int
    start_minute: int
    end_minute: int
    share_cents: int = cents()
    subsidy_cents: int = cents()
    held_cents: int = cents(0)
    programme_id: UUID | None = None
    subsidy_percent: str | None = None
    subsidy_cap_cents_per_hour: int | None = cents(None)
    alone_cents: int | None = cents(None)
    cap_cents: int = cents()
    cap_seats: int = 1
    first_date: date | None = None
    state: ProposalState = Field(default=ProposalState.PROPOSED, sa_type=choice(ProposalState))
    created_at: datetime


class MeetingState(StrEnum):
    """What became of a dated meeting; DISSOLVED: its slot ended before it, and nobody pays or is paid."""

    SCHEDULED = "scheduled"
    HELD = "held"
    CANCELLED_BY_PROVIDER = "cancelled_by_provider"
    CANCELLED_BY_MUNICIPALITY = "cancelled_by_municipality"
    DISSOLVED = "dissolved"


class Meeting(Row, table=True):
    """One dated occurrence; `during` is its instant range (aware UTC), `held_on` its local date.

    With an `extra_id` it is one more than the week's own: those who have a seat in it are there, nobody else.
    """

    __table_args__ = (
        refers("slot"),
        refers("provider"),
        refers("extra_session", "extra_id"),
        Index(
            "meeting_once_a_day",
            "municipality_id",
            "slot_id",
            "held_on",
            unique=True,
            postgresql_where=text("extra_id is null"),
        ),
        UniqueConstraint("municipality_id", "extra_id", name="extra_meets_once"),
        ExcludeConstraint(
            ("municipality_id", "="),
            ("provider_id", "="),
            ("during", "&&"),
            where=text("state in ('scheduled', 'held')"),
            name="provider_meets_once",
        ),
        Index("meeting_by_day", "municipality_id", "held_on"),
    )
    model_config = SQLModelConfig(arbitrary_types_allowed=True)

    slot_id: UUID = Field(index=True)
    provider_id: UUID
    held_on: date
    during: Range[datetime] = Field(sa_type=TSTZRANGE)
    state: MeetingState = Field(default=MeetingState.SCHEDULED, sa_type=choice(MeetingState))
    reason: str = Field(default="", max_length=300)
    extra_id: UUID | None = None

    @property
    def starts_at(self) -> datetime:
        """The instant at which it begins."""
        assert self.during.lower is not None
        return self.during.lower

    @property
    def ends_at(self) -> datetime:
        """The instant at which it ends."""
        assert self.during.upper is not None
        return self.during.upper


class Presence(StrEnum):
    """A member at a meeting; without a row it is unrecorded."""

    PRESENT = "present"
    ABSENT_NOTIFIED = "absent_notified"
    ABSENT = "absent"


class Attendance(Row, table=True):
    """What was recorded of a member at a meeting, and when; the newest row of a pair counts, none is edited."""

    __table_args__ = (
        refers("meeting"),
        refers("membership"),
        Index("attendance_by_meeting", "municipality_id", "meeting_id", "membership_id"),
    )

    meeting_id: UUID
    membership_id: UUID
    presence: Presence = Field(sa_type=choice(Presence))
    illness: bool = False
    recorded_at: datetime
    recorded_by: UUID | None = None


class SearchState(StrEnum):
    """What became of the search for a substitute."""

    SEEKING = "seeking"
    FOUND = "found"
    ENDED = "ended"


class Substitution(Row, table=True):
    """Who cannot hold a meeting (`absent_id`) asks colleagues to; whoever takes it is the meeting's provider then."""

    __table_args__ = (
        refers("meeting"),
        refers("provider", "absent_id"),
        refers("provider", "substitute_id"),
        Index(
            "one_search_per_meeting",
            "municipality_id",
            "meeting_id",
            unique=True,
            postgresql_where=text("state = 'seeking'"),
        ),
        Index("substitution_by_meeting", "municipality_id", "meeting_id"),
        check("substitution_found", "(state = 'found') = (substitute_id is not null)"),
        check("substitution_by_another", "substitute_id <> absent_id"),
    )

    meeting_id: UUID
    absent_id: UUID
    substitute_id: UUID | None = None
    state: SearchState = Field(default=SearchState.SEEKING, sa_type=choice(SearchState))
    created_at: datetime
    ended_at: datetime | None = None


class CalendarFeed(Row, table=True):
    """A secret address at which a phone reads one person's calendar of its household, until it is revoked."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        refers("household"),
        UniqueConstraint("municipality_id", "secret_index", name="calendar_feed_secret_once"),
        Index(
            "one_calendar_feed",
            "municipality_id",
            "household_id",
            "user_id",
            unique=True,
            postgresql_where=text("revoked_at is null"),
        ),
    )

    household_id: UUID
    user_id: UUID
    secret: str = Field(sa_type=SealedText)
    secret_index: bytes = Field(sa_type=IndexOf("secret", is_folded=False))
    created_at: datetime
    revoked_at: datetime | None = None


class Invitation(Row, table=True):
    """A member's word to neighbours: a code that shows its group, no more than a stranger may see, until revoked."""

    __table_args__ = (
        refers("household"),
        refers("slot"),
        UniqueConstraint("municipality_id", "code", name="invitation_code_once"),
        Index(
            "one_invitation",
            "municipality_id",
            "household_id",
            "slot_id",
            unique=True,
            postgresql_where=text("revoked_at is null"),
        ),
    )

    household_id: UUID
    slot_id: UUID
    code: str = Field(max_length=20)
    created_at: datetime
    revoked_at: datetime | None = None
