"""A city with confirmed groups that met in November 2026, written row by row, for the tests of months and money."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor, Municipality, Role
from marketplace.db import Scope, set_scope
from marketplace.households.models import Household, Person
from marketplace.needs.models import Need, NeedState, Service
from marketplace.places.models import Venue
from marketplace.providers.models import Accreditation, Provider
from marketplace.rounds.models import Round, RoundState
from marketplace.slots.calendar import instant, monday_of
from marketplace.slots.models import (
    Attendance,
    Meeting,
    MeetingState,
    Membership,
    PlaceKind,
    Presence,
    Proposal,
    ProposalState,
    Slot,
    SlotState,
)
from marketplace.vouchers.models import Programme, ProgrammeWeek, VoucherHold

CITY = "035033"
NOVEMBER = date(2026, 11, 1)
TUESDAYS = [date(2026, 11, day) for day in (3, 10, 17, 24)]
LONG_AGO = datetime(2026, 9, 1, 8, tzinfo=UTC)
CLOSED_AT = datetime(2026, 12, 1, 8, tzinfo=UTC)
OFFICER = Actor(CITY, Role.OFFICER)
START, END = 16 * 60, 17 * 60 + 30


@dataclass
class Group:
    """A slot with its meetings and memberships, in rank order."""

    slot: Slot
    provider: Provider
    meetings: list[Meeting]
    memberships: list[Membership] = field(default_factory=list)


@dataclass
class City:
    """What the tests of a month start from."""

    session: Session
    venue: Venue
    round: Round
    programme: Programme
    count: int = 0
    groups: list[Group] = field(default_factory=list)

    def household(self, email: str | None = None) -> Household:
        self.count += 1
        household = Household(
            municipality_id=CITY,
            family_name=f"Famiglia {self.count}",
            given_name="Maria",
            email=email or f"f{self.count}@example.org",
            address="Via Emilia 1",
            lat=44.7,
            lon=10.63,
            created_at=LONG_AGO,
        )
        self.session.add(household)
        self.session.flush()
        return household

    def group(self, days: list[date] | None = None, at_venue: bool = True, start: int = START) -> Group:
        self.count += 1
        provider = Provider(
            municipality_id=CITY,
            code=f"q{self.count}",
            name=f"Laura Neri {self.count}",
            address="Via Roma 2",
            lat=44.7,
            lon=10.62,
            accreditation=Accreditation.ACCREDITED,
            created_at=LONG_AGO,
        )
        self.session.add(provider)
        self.session.flush()
        slot = Slot(
            municipality_id=CITY,
            round_id=self.round.id,
            plan_slot=f"s{self.count}",
            provider_id=provider.id,
            service="tutoring",
            mode="class",
            place=PlaceKind.VENUE if at_venue else PlaceKind.HOMES,
            venue_id=self.venue.id if at_venue else None,
            day=1,
            start_minute=start,
            end_minute=start + 90,
            cost_cents=3900,
            rate_cents_per_hour=1800,
            extra_seat_cents_per_hour=300,
            minutes_min=60,
            venue_cents_per_hour=200 if at_venue else 0,
            seats_limit=6,
            topic="maths",
            first_date=TUESDAYS[0],
            last_date=date(2027, 5, 25),
            state=SlotState.RUNNING,
            deadline=LONG_AGO,
            created_at=LONG_AGO,
        )
        self.session.add(slot)
        self.session.flush()
        group = Group(slot, provider, [])
        self.meet(group, TUESDAYS if days is None else days)
        return group

    def meet(self, group: Group, days: list[date]) -> list[Meeting]:
        """More meetings of a group; they are its newest."""
        start = group.slot.start_minute
        meetings = [
            Meeting(
                municipality_id=CITY,
                slot_id=group.slot.id,
                provider_id=group.provider.id,
                held_on=day,
                during=Range(instant(day, start), instant(day, start + 90)),
                state=MeetingState.HELD,
            )
            for day in days
        ]
        self.session.add_all(meetings)
        self.session.flush()
        group.meetings += meetings
        return meetings

    def join(
        self, group: Group, household: Household, cap: int = 100_000, percent: str | None = None, held: int = 0
    ) -> Membership:
        person = Person(
            municipality_id=CITY, household_id=household.id, name="Luca", age_on=TUESDAYS[0], created_at=LONG_AGO
        )
        self.session.add(person)
        self.session.flush()
        need = Need(
            municipality_id=CITY,
            code=str(uuid7()),
            household_id=household.id,
            person_id=person.id,
            service=Service.TUTORING,
            minutes=90,
            state=NeedState.SERVED,
            created_at=LONG_AGO,
        )
        self.session.add(need)
        self.session.flush()
        proposal = Proposal(
            municipality_id=CITY,
            need_id=need.id,
            household_id=household.id,
            round_id=self.round.id,
            state=ProposalState.CONFIRMED,
            share_cents=1300,
            subsidy_cents=0,
            cap_cents=cap,
            meetings_count=24,
            term_max_cents=24 * cap,
            deadline=LONG_AGO,
            decided_at=LONG_AGO,
            created_at=LONG_AGO,
        )
        self.session.add(proposal)
        self.session.flush()
        membership = Membership(
            municipality_id=CITY,
            slot_id=group.slot.id,
            proposal_id=proposal.id,
            need_id=need.id,
            household_id=household.id,
            rank=len(group.memberships),
            seats=1,
            start_minute=group.slot.start_minute,
            end_minute=group.slot.end_minute,
            share_cents=1300,
            subsidy_cents=0,
            programme_id=self.programme.id if percent else None,
            subsidy_percent=percent,
            subsidy_cap_cents_per_hour=600 if percent else None,
            cap_cents=cap,
            state=ProposalState.CONFIRMED,
            created_at=LONG_AGO,
        )
        self.session.add(membership)
        self.session.flush()
        group.memberships.append(membership)
        if percent:
            for meeting in group.meetings:
                self.hold(membership, meeting, held)
        return membership

    def hold(self, membership: Membership, meeting: Meeting, held: int) -> None:
        """Reserve a voucher for a meeting's week."""
        self.session.add(
            VoucherHold(
                municipality_id=CITY,
                programme_id=self.programme.id,
                membership_id=membership.id,
                need_id=membership.need_id,
                week=monday_of(meeting.held_on),
                held_cents=held,
                created_at=LONG_AGO,
            )
        )
        self.session.flush()

    def attend(self, meeting: Meeting, presences: dict[UUID, Presence], at: datetime | None = None) -> None:
        self.session.add_all(
            Attendance(
                municipality_id=CITY,
                meeting_id=meeting.id,
                membership_id=membership_id,
                presence=presence,
                recorded_at=at or instant(meeting.held_on, 18 * 60),
            )
            for membership_id, presence in presences.items()
        )
        self.session.flush()

    def everybody_came(self, group: Group) -> None:
        for meeting in group.meetings:
            self.attend(meeting, {one.id: Presence.PRESENT for one in group.memberships})


def build(session: Session) -> City:
    """An empty city, seen as its staff see it."""
    session.add(Municipality(id=CITY, name="Reggio Emilia", lat=44.698, lon=10.631, created_at=LONG_AGO))
    session.flush()
    set_scope(session, Scope(CITY))
    venue = Venue(
        municipality_id=CITY,
        code="v1",
        name="Biblioteca",
        address="Via Farini 3",
        lat=44.7,
        lon=10.63,
        seats=12,
        created_at=LONG_AGO,
    )
    round_ = Round(municipality_id=CITY, state=RoundState.SETTLED, started_at=LONG_AGO)
    programme = Programme(
        municipality_id=CITY,
        code="p1",
        name="Buono compiti",
        service="tutoring",
        weekly_budget_cents=100_000,
        percent="50",
        cap_cents_per_hour=600,
        created_at=LONG_AGO,
    )
    session.add_all([venue, round_, programme])
    session.flush()
    weeks = [monday_of(TUESDAYS[0]) + timedelta(days=7 * number) for number in range(-6, 60)]
    session.add_all(
        ProgrammeWeek(municipality_id=CITY, programme_id=programme.id, week=week, budget_cents=100_000)
        for week in weeks
    )
    session.flush()
    return City(session, venue, round_, programme)
