"""What a screen may know of a slot: seats and bands of age or class before all have confirmed, first names only after.

The values here are all that leaves this room; the rows that they come from are read for the whole municipality.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, seeing
from marketplace.households.models import Household, Person
from marketplace.needs.models import Need
from marketplace.places.models import Venue
from marketplace.providers.models import Provider
from marketplace.slots.models import (
    Answer,
    Membership,
    PlaceKind,
    Proposal,
    ProposalState,
    Slot,
    SlotState,
)
from matching.distance import distance_km

LEVEL_BANDS = ((1, 5), (6, 8), (9, 13))
AGE_BANDS = ((0, 2), (3, 5), (6, 10), (11, 13), (14, 17), (18, 64), (65, 79), (80, 110))
IN_THE_GROUP = (ProposalState.PROPOSED, ProposalState.ACCEPTED, ProposalState.CONFIRMED, ProposalState.LEFT)
OPEN_TO_FELLOWS = (SlotState.CONFIRMED, SlotState.RUNNING, SlotState.ENDED)
NAMED = (ProposalState.CONFIRMED, ProposalState.LEFT)
BLUR_DEGREES = 0.005


@dataclass(frozen=True, slots=True)
class Band:
    """`kind` "level" (school classes 1-13) or "age" (years), both ends included."""

    kind: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Fellow:
    """A member as the others see it; `first_name` is empty until the slot is confirmed."""

    membership_id: UUID
    need_id: UUID
    seats: int
    band: Band | None
    start_minute: int
    end_minute: int
    state: ProposalState
    first_name: str = ""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a slot meets. At a host's, before confirmation: no address, coordinates blurred to about 500 m.

    `homes`: the provider comes to each member; name and address are empty, coordinates None.
    """

    kind: PlaceKind
    name: str
    address: str
    lat: float | None
    lon: float | None
    is_blurred: bool = False


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """A slot for anybody in it; money in cents for one full meeting, minutes local."""

    slot_id: UUID
    round_id: UUID
    state: SlotState
    service: str
    mode: str
    topic: str | None
    provider_id: UUID
    provider_name: str
    provider_answer: Answer
    deadline: datetime
    day: int
    start_minute: int
    end_minute: int
    spot: Spot
    first_date: date
    last_date: date
    cost_cents: int
    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    venue_cents_per_hour: int
    minutes_min: int
    seats_limit: int
    members: tuple[Fellow, ...]

    @property
    def accepted(self) -> int:
        """How many members have said yes."""
        return sum(1 for one in self.members if one.state in (ProposalState.ACCEPTED, ProposalState.CONFIRMED))


@dataclass(frozen=True, slots=True)
class Home:
    """Where a need wants to be served, or a group may meet."""

    address: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A membership with whom it serves: for this room only."""

    membership: Membership
    need: Need
    household: Household
    person: Person
    left_on: date | None

    def is_expected_on(self, day: date) -> bool:
        """Whether the member counts at a meeting on a day: it has its place since then, and has not left."""
        first = self.membership.first_date or day
        return self.membership.state in NAMED and first <= day and (self.left_on is None or day < self.left_on)

    @property
    def first_name(self) -> str:
        """The first name of the person served, else of who asked."""
        return self.person.name.split(" ")[0] if self.person.name else self.household.given_name

    @property
    def home(self) -> Home:
        """Where the care is wanted."""
        return home_of(self.need, self.household)

    @property
    def band(self) -> Band | None:
        """The class band of a pupil, else the age band."""
        if self.need.level is not None:
            return band_of("level", LEVEL_BANDS, self.need.level)
        return None if self.need.age is None else band_of("age", AGE_BANDS, self.need.age)


def band_of(kind: str, bands: Sequence[tuple[int, int]], value: int) -> Band | None:
    """The band in which a value lies."""
    return next((Band(kind, low, high) for low, high in bands if low <= value <= high), None)


def may_act_for(by: Actor, household_id: UUID) -> bool:
    """Whether the actor is of this household, or an officer or operator who acts on its behalf."""
    if by.role in (Role.OFFICER, Role.OPERATOR):
        return by.on_behalf_of == household_id
    return by.household_id is not None and by.household_id == household_id


def home_of(need: Need, household: Household) -> Home:
    """Where a need's care is wanted: a place of its own, else the household's home."""
    if need.address is not None and need.lat is not None and need.lon is not None:
        return Home(need.address, need.lat, need.lon)
    return Home(household.address, household.lat, household.lon)


def read_slots(
    session: Session, municipality_id: str, slot_ids: Collection[UUID]
) -> tuple[dict[UUID, SlotFacts], dict[UUID, list[MemberRow]]]:
    """Facts of slots by id, and the rows behind their members, in the slots' order."""
    with seeing(session, Scope(municipality_id)):
        slots = session.exec(
            select(Slot).where(Slot.municipality_id == municipality_id, col(Slot.id).in_(slot_ids))
        ).all()
        members = _read_members(session, municipality_id, [slot.id for slot in slots])
        providers = {
            found.id: found
            for found in session.exec(
                select(Provider).where(
                    Provider.municipality_id == municipality_id,
                    col(Provider.id).in_({slot.provider_id for slot in slots}),
                )
            )
        }
        venues = {
            found.id: found
            for found in session.exec(
                select(Venue).where(
                    Venue.municipality_id == municipality_id,
                    col(Venue.id).in_({slot.venue_id for slot in slots if slot.venue_id}),
                )
            )
        }
        hosts = _read_hosts(session, municipality_id, {slot.host_need_id for slot in slots if slot.host_need_id})
        facts = {
            slot.id: _facts(slot, members[slot.id], providers[slot.provider_id], _spot(slot, venues, hosts))
            for slot in slots
        }
    return facts, members


def distance_between(spot: Spot, home: Home) -> float | None:
    """Kilometres from a home to where the slot meets, to 100 m; None in a round, which comes home."""
    if spot.lat is None or spot.lon is None:
        return None
    return round(distance_km(home.lat, home.lon, spot.lat, spot.lon), 1)


def _read_members(session: Session, municipality_id: str, slot_ids: Sequence[UUID]) -> dict[UUID, list[MemberRow]]:
    found: dict[UUID, list[MemberRow]] = defaultdict(list)
    rows = session.exec(
        select(Membership, Need, Household, Person)
        .join(Need, (col(Need.municipality_id) == Membership.municipality_id) & (col(Need.id) == Membership.need_id))
        .join(
            Household,
            (col(Household.municipality_id) == Need.municipality_id) & (col(Household.id) == Need.household_id),
        )
        .join(Person, (col(Person.municipality_id) == Need.municipality_id) & (col(Person.id) == Need.person_id))
        .where(Membership.municipality_id == municipality_id, col(Membership.slot_id).in_(slot_ids))
        .order_by(col(Membership.rank), col(Membership.id))
    )
    leaving = _read_leaving(session, municipality_id, slot_ids)
    for membership, need, household, person in rows:
        left_on = leaving.get(membership.proposal_id)
        found[membership.slot_id].append(MemberRow(membership, need, household, person, left_on))
    return found


def _read_leaving(session: Session, municipality_id: str, slot_ids: Sequence[UUID]) -> dict[UUID, date | None]:
    mine = select(Membership.proposal_id).where(
        Membership.municipality_id == municipality_id, col(Membership.slot_id).in_(slot_ids)
    )
    return dict(
        session.exec(
            select(col(Proposal.id), col(Proposal.left_on)).where(
                Proposal.municipality_id == municipality_id,
                col(Proposal.id).in_(mine),
                col(Proposal.left_on).is_not(None),
            )
        ).all()
    )


def _read_hosts(session: Session, municipality_id: str, need_ids: Collection[UUID]) -> dict[UUID, Home]:
    rows = session.exec(
        select(Need, Household)
        .join(
            Household,
            (col(Household.municipality_id) == Need.municipality_id) & (col(Household.id) == Need.household_id),
        )
        .where(Need.municipality_id == municipality_id, col(Need.id).in_(need_ids))
    )
    return {need.id: home_of(need, household) for need, household in rows}


def _spot(slot: Slot, venues: Mapping[UUID, Venue], hosts: Mapping[UUID, Home]) -> Spot:
    if slot.venue_id is not None:
        venue = venues[slot.venue_id]
        return Spot(slot.place, venue.name, venue.address, venue.lat, venue.lon)
    if slot.host_need_id is not None:
        home = hosts[slot.host_need_id]
        if slot.state in OPEN_TO_FELLOWS:
            return Spot(slot.place, "", home.address, home.lat, home.lon)
        return Spot(slot.place, "", "", _blurred(home.lat), _blurred(home.lon), is_blurred=True)
    return Spot(slot.place, "", "", None, None)


def _blurred(degrees: float) -> float:
    return round(round(degrees / BLUR_DEGREES) * BLUR_DEGREES, 4)


def _facts(slot: Slot, members: Sequence[MemberRow], provider: Provider, spot: Spot) -> SlotFacts:
    named = slot.state in OPEN_TO_FELLOWS
    return SlotFacts(
        slot_id=slot.id,
        round_id=slot.round_id,
        state=slot.state,
        service=slot.service,
        mode=slot.mode,
        topic=slot.topic,
        provider_id=slot.provider_id,
        provider_name=provider.name,
        provider_answer=slot.provider_answer,
        deadline=slot.deadline,
        day=slot.day,
        start_minute=slot.start_minute,
        end_minute=slot.end_minute,
        spot=spot,
        first_date=slot.first_date,
        last_date=slot.last_date,
        cost_cents=slot.cost_cents,
        rate_cents_per_hour=slot.rate_cents_per_hour,
        extra_seat_cents_per_hour=slot.extra_seat_cents_per_hour,
        venue_cents_per_hour=slot.venue_cents_per_hour,
        minutes_min=slot.minutes_min,
        seats_limit=slot.seats_limit,
        members=tuple(
            Fellow(
                membership_id=row.membership.id,
                need_id=row.need.id,
                seats=row.membership.seats,
                band=row.band,
                start_minute=row.membership.start_minute,
                end_minute=row.membership.end_minute,
                state=row.membership.state,
                first_name=row.first_name if named and row.membership.state in NAMED else "",
            )
            for row in members
            if row.membership.state in IN_THE_GROUP
        ),
    )
