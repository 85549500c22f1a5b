"""What a family's programs are answered and may send beyond needs and proposals."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from marketplace.api.schemas import Answer, Count, Day, Flag, Id, Next, Whole, Words
from marketplace.documents.models import Document, DocumentKind
from marketplace.hours import GRID
from marketplace.households.models import Household, Person
from marketplace.needs.drafts import Wish
from marketplace.needs.models import Service
from marketplace.rounds.joining import Opening
from marketplace.slots.agenda import MeetingFacts
from marketplace.slots.models import MeetingState, Presence
from marketplace.statements.models import Statement, StatementState
from marketplace.statements.queries import StatementFacts
from matching.instance import Window

DAYS_MAX = 92
GridMinute = Annotated[int, Whole, Field(strict=True, ge=0, le=1440, multiple_of=GRID)]


class WishedHours(Answer):
    """Hours of one weekday (0 is Monday), in minutes after local midnight, in quarters of an hour."""

    day: Annotated[Count, Field(le=6)]
    start: GridMinute
    end: GridMinute

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("end")
        return self


class NewNeed(Answer):
    """What a family asks for: `sessions` a week of `minutes`, within `windows`; limits left out are none."""

    service: Service
    person_id: Id
    sessions: Annotated[Count, Field(ge=1, le=6)]
    minutes: Annotated[Count, Field(ge=30, le=720, multiple_of=GRID)]
    windows: Annotated[list[WishedHours], Field(min_length=1, max_length=50)]
    travel_km_max: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?$", description="A decimal number.")]
    seats: Annotated[Count, Field(ge=1, le=6)] = 1
    topic: Annotated[str, Field(max_length=40, pattern=r"^[!-~]+$")] | None = None
    host_seats: Annotated[Count, Field(le=6)] = 0
    group_max: Annotated[Count, Field(ge=1, le=6)] | None = None
    price_max_cents_per_hour: Annotated[Count, Field(ge=1, le=20_000)] | None = None
    languages: Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]], Field(min_length=1, max_length=10)] = (
        Field(default_factory=lambda: ["it"])
    )
    notes: Words = ""

    def wish(self) -> Wish:
        """As the operation takes it."""
        told = self.model_dump(exclude={"windows", "travel_km_max", "languages"})
        return Wish(
            **told,
            windows=tuple(Window(one.day, one.start, one.end) for one in self.windows),
            travel_km_max=Decimal(self.travel_km_max),
            languages=tuple(self.languages),
        )


class OpeningAnswer(Answer):
    """A group that a need could join now, as a stranger may see it; cents a session."""

    slot_id: UUID
    provider_name: str
    place: str
    share_cents: int
    net_cents: int
    saving_cents: Annotated[int, Field(description="By how much at least each of the others would pay less.")]
    others: int

    @classmethod
    def of(cls, one: Opening) -> "OpeningAnswer":
        """The answer for an opening."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class Openings(Answer):
    """The groups that a need could join now, the cheapest for it first; five at most."""

    openings: list[OpeningAnswer]


class Joining(Answer):
    """Which group."""

    slot_id: Id


class PersonAnswer(Answer):
    """Somebody of the family who may need help."""

    id: UUID
    name: str
    age: int | None
    level: int | None
    languages: list[str]


class HouseholdAnswer(Answer):
    """The family: how it is reached, where it lives, who belongs to it."""

    id: UUID
    given_name: str
    family_name: str
    email: str | None
    phone: str | None
    address: str
    people: list[PersonAnswer]

    @classmethod
    def of(cls, row: Household, people: list[Person], today: date) -> "HouseholdAnswer":
        """The answer for rows."""
        told = [
            PersonAnswer(
                id=one.id, name=one.name, age=one.age_at(today), level=one.level, languages=list(one.languages)
            )
            for one in people
        ]
        plain = ("id", "given_name", "family_name", "email", "phone", "address")
        return cls(people=told, **{name: getattr(row, name) for name in plain})


class OwnData(Answer):
    """All that is kept of the family, by table."""

    tables: dict[str, list[dict[str, Any]]]


class Days(Answer):
    """Which days: 92 at most, both included."""

    first: Day
    last: Day

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        if not 0 <= (self.last - self.first).days < DAYS_MAX:
            raise ValueError("last")
        return self


class MeetingAnswer(Answer):
    """A dated meeting of one of the family; `presence` null is unrecorded."""

    meeting_id: UUID
    membership_id: UUID
    slot_id: UUID
    need_id: UUID
    service: Service
    topic: str | None
    first_name: str
    provider_name: str
    place_name: str
    place_address: str
    held_on: date
    starts_at: datetime
    ends_at: datetime
    state: MeetingState
    presence: Presence | None
    reason: str
    is_substituted: bool
    moved_days: int

    @classmethod
    def of(cls, one: MeetingFacts) -> "MeetingAnswer":
        """The answer for a meeting as the family's calendar shows it."""
        return cls(**{name: getattr(one, name) for name in cls.model_fields})


class Calendar(Answer):
    """The family's meetings on the days asked for, in order, cancelled ones too."""

    meetings: list[MeetingAnswer]


class NewAbsence(Answer):
    """Who will not come; an illness told by 8:00 of its day is free twice a term."""

    membership_id: Id
    illness: Flag = False


class AbsenceAnswer(Answer):
    """What the absence counts as: `absent_notified` is in time."""

    meeting_id: UUID
    membership_id: UUID
    presence: Presence


class StatementAnswer(Answer):
    """What the family owes for a closed month."""

    id: UUID
    month: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$")]
    year: int
    number: int
    state: StatementState
    total_cents: int
    due_on: date
    closed_at: datetime | None
    paid_at: datetime | None

    @classmethod
    def of(cls, row: Statement) -> "StatementAnswer":
        """The answer for a row."""
        told = {name: getattr(row, name) for name in cls.model_fields if name != "month"}
        return cls(month=f"{row.month:%Y-%m}", **told)


class StatementPage(Answer):
    """Statements, newest first."""

    items: list[StatementAnswer]
    next: Next


class LineAnswer(Answer):
    """One member at one meeting: share = voucher + guarantee + net, in cents; corrections are lines of later months."""

    line_id: UUID | None
    held_on: date
    kind: str
    share_cents: int
    subsidy_cents: int
    guarantee_cents: int
    net_cents: int
    contest_state: str | None


class StatementGroup(Answer):
    """The lines of one need, by date."""

    service: Service
    topic: str | None
    provider_name: str
    lines: list[LineAnswer]


class StatementFile(Answer):
    """A closed month with every line."""

    statement: StatementAnswer
    groups: list[StatementGroup]

    @classmethod
    def of(cls, facts: StatementFacts) -> "StatementFile":
        """The answer for a statement as the family's page shows it."""
        groups = [
            StatementGroup(
                service=Service(one.service),
                topic=one.topic,
                provider_name=one.provider_name,
                lines=[LineAnswer(**{name: getattr(line, name) for name in LineAnswer.model_fields})
                       for line in one.lines],
            )
            for one in facts.groups
        ]  # fmt: skip
        return cls(statement=StatementAnswer.of(facts.statement), groups=groups)


class NewContest(Answer):
    """Which line is wrong, and why."""

    line_id: Id
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


class DocumentAnswer(Answer):
    """A receipt, an invoice, a credit note or a certificate."""

    id: UUID
    kind: DocumentKind
    year: int
    number: int
    issued_on: date
    total_cents: int
    stamp_cents: int
    original_id: UUID | None

    @classmethod
    def of(cls, row: Document) -> "DocumentAnswer":
        """The answer for a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class DocumentPage(Answer):
    """Documents, newest first."""

    items: list[DocumentAnswer]
    next: Next
