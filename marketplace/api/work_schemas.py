"""What a provider's programs are answered and may send."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from marketplace.api.family_schemas import WishedHours
from marketplace.api.schemas import Answer, Count, Day, Id, Minute, Next, Place, Whole
from marketplace.hours import GRID
from marketplace.needs.models import Service
from marketplace.providers.details import Terms
from marketplace.providers.models import Offer
from marketplace.slots import models as slots
from marketplace.slots.agenda import ProviderMeeting, ProviderWeek
from marketplace.slots.facts import SlotFacts
from marketplace.slots.models import MeetingState, Presence, SlotState
from marketplace.statements.earnings import Earnings


class WorkSlot(Answer):
    """A group of the provider's; cents for one meeting, minutes local."""

    slot_id: UUID
    state: SlotState
    service: Service
    topic: str | None
    provider_answer: slots.Answer
    deadline: datetime
    day: Annotated[int, Field(ge=0, le=6, description="0 is Monday.")]
    start_minute: Minute
    end_minute: Minute
    place: Place
    first_date: date
    last_date: date
    cost_cents: int
    seats_limit: int
    members: int
    accepted: int

    @classmethod
    def of(cls, slot: SlotFacts) -> "WorkSlot":
        """The answer for a slot as its provider's page shows it."""
        told = {name: getattr(slot, name) for name in cls.model_fields if name not in ("place", "members")}
        return cls(place=Place.model_validate(slot.spot), members=len(slot.members), **told)


class AttendeeAnswer(Answer):
    """A member on the sheet; `presence` null is unrecorded."""

    membership_id: UUID
    first_name: str
    seats: int
    start_minute: Minute
    end_minute: Minute
    address: str
    presence: Presence | None
    recorded_at: datetime | None
    notes: str


class WorkMeeting(Answer):
    """A dated meeting with everybody who is expected."""

    meeting_id: UUID
    slot_id: UUID
    service: Service
    topic: str | None
    held_on: date
    starts_at: datetime
    ends_at: datetime
    state: MeetingState
    reason: str
    attendees: list[AttendeeAnswer]

    @classmethod
    def of(cls, one: ProviderMeeting) -> "WorkMeeting":
        """The answer for a meeting as its provider's page shows it."""
        plain = ("meeting_id", "held_on", "starts_at", "ends_at", "state", "reason")
        return cls(
            slot_id=one.slot.slot_id,
            service=Service(one.slot.service),
            topic=one.slot.topic,
            attendees=[AttendeeAnswer.model_validate(each) for each in one.attendees],
            **{name: getattr(one, name) for name in plain},
        )


class WeekQuery(Answer):
    """Any day of the week; by default this one."""

    day: Day | None = None


class WorkWeek(Answer):
    """Seven days from a Monday, the meetings whose attendance is missing, and the groups that wait for an answer."""

    first_day: date
    meetings: list[WorkMeeting]
    to_record: list[UUID]
    answers_due: list[WorkSlot]

    @classmethod
    def of(cls, week: ProviderWeek) -> "WorkWeek":
        """The answer for a week."""
        return cls(
            first_day=week.first_day,
            meetings=[WorkMeeting.of(one) for one in week.meetings],
            to_record=[one.meeting_id for one in week.to_record],
            answers_due=[WorkSlot.of(one) for one in week.answers_due],
        )


class Mark(Answer):
    """Whether one member came."""

    membership_id: Id
    presence: Presence


class NewAttendance(Answer):
    """Who came; who is left out stays as it is."""

    marks: Annotated[list[Mark], Field(min_length=1, max_length=30)]


class Reason(Answer):
    """Why, in words that the families read."""

    reason: Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")] = ""


class OfferAnswer(Answer):
    """What the provider gives for one service, for whom and at which price; levels are school classes 1-13."""

    id: UUID
    service: Service
    topics: list[str]
    level_min: int
    level_max: int
    age_min: int
    age_max: int
    seats_min: int
    seats_max: int
    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    minutes_min: int

    @classmethod
    def of(cls, row: Offer) -> "OfferAnswer":
        """The answer for a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class OfferPage(Answer):
    """Offers, newest first."""

    items: list[OfferAnswer]
    next: Next


Level = Annotated[Count, Field(ge=1, le=13)]
Age = Annotated[Count, Field(le=110)]
Seats = Annotated[Count, Field(ge=1, le=30)]
Rate = Annotated[int, Whole, Field(strict=True, ge=0, le=100_000)]


class NewOffer(Answer):
    """One more offer; it counts from the next round."""

    service: Service
    topics: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=50)] = Field(default_factory=list)
    level_min: Level = 1
    level_max: Level = 13
    age_min: Age = 0
    age_max: Age = 110
    seats_min: Seats = 1
    seats_max: Seats
    rate_cents_per_hour: Rate
    extra_seat_cents_per_hour: Rate = 0
    minutes_min: Annotated[Count, Field(ge=30, le=240, multiple_of=GRID)] = 60

    def terms(self) -> Terms:
        """As the operation takes it."""
        told = self.model_dump(exclude={"topics", "service"})
        return Terms(service=self.service.value, topics=tuple(self.topics), **told)


class RemovedOffer(Answer):
    """An offer that is no longer there."""

    id: UUID


class Hours(Answer):
    """The provider's weekly hours."""

    windows: Annotated[list[WishedHours], Field(max_length=50)]


class HoursNow(Answer):
    """The provider's weekly hours, as rounds read them."""

    windows: list[dict[str, int]]


class EarningsQuery(Answer):
    """Which closed month; by default the newest."""

    month: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None


class EarnedAnswer(Answer):
    """What one meeting earned, or what a later closing changed of it."""

    held_on: date
    service: Service
    topic: str | None
    is_correction: bool
    cents: int


class PayoutAnswer(Answer):
    """Payouts due on one day from one side; `families` is 0 for what the municipality pays."""

    due_on: date
    families: int
    is_paid: bool
    cents: int
    reversed_cents: int


class EarningsAnswer(Answer):
    """What is still due, what a month earned meeting by meeting, and every payout, newest first."""

    due_cents: int
    months: list[date]
    month: date | None
    earned: list[EarnedAnswer]
    payouts: list[PayoutAnswer]

    @classmethod
    def of(cls, facts: Earnings) -> "EarningsAnswer":
        """The answer for a provider's account."""
        return cls(
            due_cents=facts.due_cents,
            months=list(facts.months),
            month=facts.month,
            earned=[EarnedAnswer.model_validate(one) for week in facts.weeks for one in week.earned],
            payouts=[PayoutAnswer.model_validate(one) for one in facts.payouts],
        )
