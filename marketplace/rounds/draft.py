"""What of a plan can still be promised: what changed since it was made falls away, with all that hangs on it.

Drafted under locks on the needs and on the programmes' weeks: what is promised is still there when it is written.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session
from uuid_utils.compat import uuid7

from marketplace.accounts.policy import get_policy
from marketplace.rounds.city import City
from marketplace.rounds.standing import Json
from marketplace.slots.calendar import first_possible, local_day, mondays_of
from marketplace.slots.group import (
    Cap,
    Circle,
    Member,
    Price,
    Terms,
    caps,
    most_voucher_cents,
    own_limit,
    price_group,
    stands,
    survivors,
)
from marketplace.slots.models import Slot
from marketplace.slots.settlement import STANDING, member_of, terms_of
from marketplace.vouchers.operations import lock_weeks
from matching.instance import Instance, Need, Offer, PlaceAtHost, PlaceAtVenue
from matching.plan import Member as PlanMember
from matching.plan import Plan
from matching.plan import Slot as PlanSlot
from matching.quotes import offers_that_cover, quote

LETTER_HOURS = 7 * 24


@dataclass
class DraftSlot:
    """A slot to be, or (`row`) one that stands and is joined: who is asked, until when, for which dates and caps."""

    circle: Circle
    plan: PlanSlot
    limits: dict[UUID, int]
    row: Slot | None = None
    seats_limit: int = 1
    group: tuple[Member, ...] = ()
    deadline: datetime | None = None
    dates: list[date] = field(default_factory=list)
    caps: dict[UUID, Cap] = field(default_factory=dict)

    @property
    def newcomers(self) -> list[Member]:
        """Those who are asked."""
        return [member for member in self.group if member.need not in self.circle.fixed]

    @property
    def price(self) -> Price:
        """What a full meeting of the group costs."""
        return price_group(self.circle.terms, self.group)

    def hold(self, cents: Mapping[UUID, int]) -> None:
        """Let the vouchers of these needs pay no more of a meeting than is held for them."""
        self.group = tuple(replace(one, held_cents=cents[one.need]) if one.need in cents else one for one in self.group)


@dataclass
class Draft:
    """Slots as they are being drafted; `gone` needs and `fallen` slots (by the circle's id) will not be."""

    slots: list[DraftSlot]
    gone: set[UUID]
    fallen: set[UUID]

    def settle(self) -> None:
        """Let go of whatever cannot be without what is gone."""
        limits = {one.circle.id: one.limits for one in self.slots}
        left, gone = survivors(
            [one.circle for one in self.slots],
            self.gone,
            self.fallen,
            lambda circle, group: stands(circle.terms, group, limits[circle.id]),
        )
        self.gone |= gone
        for one in self.slots:
            one.group = left.get(one.circle.id, ())

    @property
    def asked(self) -> list[DraftSlot]:
        """The slots in which somebody is asked."""
        return [one for one in self.slots if one.newcomers]


def draft_slots(
    session: Session,
    municipality_id: str,
    now: datetime,
    plan: Plan,
    instance: Instance,
    city: City,
    changed: Collection[str],
) -> Draft:
    """The plan's new memberships that can be promised now. `changed`: codes as `list_changed` gives them."""
    draft = _draft_of(plan, instance, city)
    draft.gone |= {need.id for code, need in city.needs.items() if f"need {code}" in changed}
    draft.fallen |= {one.circle.id for one in draft.slots if _rests_on(one.plan) & set(changed)}
    draft.settle()
    _set_dates(session, municipality_id, now, draft, city)
    draft.settle()
    _hold_vouchers(session, municipality_id, draft, instance, city)
    for one in draft.asked:
        one.caps = caps(one.circle.terms, one.group, one.limits)
    return draft


def list_changed(then: Json, today: Json) -> set[str]:
    """What of the instance `then` is not the same `today`: "need n1", "provider q1", "venue v1"."""
    found = set()
    for kind in ("need", "provider", "venue"):
        known = {one["id"]: one for one in today[f"{kind}s"]}
        found |= {f"{kind} {one['id']}" for one in then[f"{kind}s"] if known.get(one["id"]) != one}
    return found


def _rests_on(slot: PlanSlot) -> set[str]:
    place = {f"venue {slot.place.venue}"} if isinstance(slot.place, PlaceAtVenue) else set()
    return {f"provider {slot.provider}"} | place


def _draft_of(plan: Plan, instance: Instance, city: City) -> Draft:
    """Each slot of the plan that has somebody new in it; who would join what does not stand (any more) is gone."""
    pinned = {slot.id: {member.need for member in slot.members} for slot in instance.pinned}
    sessions: dict[str, list[tuple[str, PlanMember]]] = defaultdict(list)
    for slot in plan.slots:
        for member in slot.members:
            sessions[member.need].append((slot.id, member))
    limits = {code: _limits(instance.needs[code], of) for code, of in sessions.items()}
    subsidised = {code for code, of in sessions.items() if any(member.subsidy_cents for _, member in of)}
    draft = Draft([], set(), set())
    for slot in plan.slots:
        new = [member for member in slot.members if member.need not in pinned.get(slot.id, ())]
        row = city.slots.get(slot.id)
        if slot.id in pinned and (row is None or row.state not in STANDING or row.id in city.leaving):
            draft.gone |= {city.needs[member.need].id for member in new}
        elif new:
            members = [_new_member(member, instance, city, member.need in subsidised) for member in new]
            one = _new_slot(slot, members, instance, city) if row is None else _joined_slot(slot, members, row, city)
            for member in new:
                if slot.id in limits[member.need]:
                    one.limits[city.needs[member.need].id] = limits[member.need][slot.id]
            draft.slots.append(one)
    return draft


def _limits(need: Need, sessions: list[tuple[str, PlanMember]]) -> dict[str, int]:
    """The most that a need pays of a meeting of each slot (by its id in the plan); empty without a limit."""
    nets = [(need.minutes, need.seats, member.share_cents - member.subsidy_cents) for _, member in sessions]
    limits = own_limit(need.price_max_cents_per_hour, nets)
    return {} if limits is None else {slot: limit for (slot, _), limit in zip(sessions, limits, strict=True)}


def _new_member(member: PlanMember, instance: Instance, city: City, subsidised: bool) -> Member:
    need = instance.needs[member.need]
    subsidy = need.subsidy if subsidised else None
    return Member(
        city.needs[member.need].id,
        member.start,
        member.end,
        need.seats,
        None if subsidy is None else subsidy.percent,
        None if subsidy is None else subsidy.cap_cents_per_hour,
    )


def _new_slot(slot: PlanSlot, members: list[Member], instance: Instance, city: City) -> DraftSlot:
    service = instance.services[slot.service]
    needs = [instance.needs[member.need] for member in slot.members]
    presences = [(member.start, member.end, member.seats) for member in members]
    offers = offers_that_cover(instance.providers[slot.provider], slot.service, service, needs)
    quoted = quote(instance, offers, slot.place, presences)
    assert quoted is not None, f"slot {slot.id} of a checked plan has an offer"
    offer = quoted.offer
    terms = Terms(
        offer.rate_cents_per_hour,
        offer.extra_seat_cents_per_hour,
        instance.venues[slot.place.venue].cost_cents_per_hour if isinstance(slot.place, PlaceAtVenue) else 0,
        offer.minutes_min,
        service.mode.value,
        offer.seats_min,
        service.walk_minutes or 0,
        city.needs[slot.place.need].id if isinstance(slot.place, PlaceAtHost) else None,
    )
    limit = _seats_limit(slot, _most_seats(offer, offers), instance)
    return DraftSlot(Circle(uuid7(), terms, tuple(members)), slot, {}, seats_limit=limit)


def _most_seats(offer: Offer, offers: list[Offer]) -> int:
    """The safety table splits an offer by age: the part with the most seats that still covers all of the group."""
    alike = [one for one in offers if replace(one, age_min=offer.age_min, seats_max=offer.seats_max) == offer]
    return max(one.seats_max for one in alike)


def _seats_limit(slot: PlanSlot, seats_max: int, instance: Instance) -> int:
    """The most seats that may ever be present at once (rule 5), whoever comes later."""
    if isinstance(slot.place, PlaceAtVenue):
        return min(seats_max, instance.venues[slot.place.venue].seats)
    if isinstance(slot.place, PlaceAtHost):
        host = instance.needs[slot.place.need]
        return min(seats_max, max(host.host_seats, host.seats))
    return seats_max


def _joined_slot(slot: PlanSlot, members: list[Member], row: Slot, city: City) -> DraftSlot:
    """A slot that stands, with newcomers behind those who are in it, who agree to no more than their caps."""
    there = city.members[row.id]
    circle = Circle(
        row.id,
        terms_of(row),
        (*(member_of(one) for one in there), *members),
        frozenset(one.need_id for one in there),
    )
    return DraftSlot(circle, slot, {one.need_id: one.cap_cents for one in there}, row, row.seats_limit)


def _set_dates(session: Session, municipality_id: str, now: datetime, draft: Draft, city: City) -> None:
    """Deadlines, alike for all that is linked, and the dates that they leave; a slot without any has fallen."""
    hours = get_policy(session, municipality_id, local_day(now)).proposal_hours
    for linked in _linked(draft.asked):
        letters = any(city.is_reached_by_letter(member.need) for one in linked for member in one.newcomers)
        deadline = city.calendar.deadline(now, max(hours, LETTER_HOURS) if letters else hours)
        for one in linked:
            one.deadline = deadline
            one.dates = _dates(one, first_possible(deadline), city)
            if not one.dates:
                draft.fallen.add(one.circle.id)
                draft.gone |= {member.need for member in one.newcomers}


def _dates(one: DraftSlot, earliest: date, city: City) -> list[date]:
    if one.row is None:
        return city.calendar.term_dates(one.plan.day, one.plan.service, earliest)
    return city.calendar.meeting_dates(one.plan.day, one.plan.service, earliest, one.row.last_date)


def _linked(slots: list[DraftSlot]) -> list[list[DraftSlot]]:
    """Slots grouped so that whoever is asked has all its sessions in one group."""
    groups: list[tuple[set[UUID], list[DraftSlot]]] = []
    for one in slots:
        needs, together = {member.need for member in one.newcomers}, [one]
        apart = []
        for other in groups:
            if other[0] & needs:
                needs |= other[0]
                together = other[1] + together
            else:
                apart.append(other)
        groups = [*apart, (needs, together)]
    return [together for _, together in groups]


def _hold_vouchers(session: Session, municipality_id: str, draft: Draft, instance: Instance, city: City) -> None:
    """Give each newcomer what is held of its programme: what the plan promised, and up to its most where it is left.

    Whose promise a week cannot keep (its budget went elsewhere meanwhile) is gone.
    """
    programmes = {
        need.id: city.programmes[subsidy.programme].id
        for code, need in city.needs.items()
        if (subsidy := instance.needs[code].subsidy) is not None and subsidy.programme in city.programmes
    }
    weeks = {week for one in draft.asked for week in mondays_of(one.dates)}
    left = lock_weeks(session, municipality_id, set(programmes.values()), weeks)
    while True:
        purse = dict(left)
        lacking = {
            need for need, mine in _subsidised(draft).items() if not _take_promised(need, mine, programmes, purse)
        }
        if not lacking:
            break
        draft.gone |= lacking
        draft.settle()
    for one in draft.asked:
        price, most = one.price, most_voucher_cents(one.circle.terms, one.group, one.limits)
        held = {}
        for member in one.newcomers:
            if member.percent is not None:
                keys = [(programmes[member.need], week) for week in mondays_of(one.dates)]
                more = min(most[member.need] - price.vouchers[member.need], *(purse[key] for key in keys))
                for key in keys:
                    purse[key] -= more
                held[member.need] = price.vouchers[member.need] + more
        one.hold(held)


def _subsidised(draft: Draft) -> dict[UUID, list[DraftSlot]]:
    """The subsidised newcomers, in the plan's order, with their slots."""
    found: dict[UUID, list[DraftSlot]] = defaultdict(list)
    for one in draft.asked:
        for member in one.newcomers:
            if member.percent is not None:
                found[member.need].append(one)
    return found


def _take_promised(
    need: UUID, slots: list[DraftSlot], programmes: Mapping[UUID, UUID], purse: dict[tuple[UUID, date], int]
) -> bool:
    """Take a need's subsidies of all its sessions and weeks from the purse; False, and nothing taken, if one lacks."""
    if need not in programmes:
        return False
    wanted: Counter[tuple[UUID, date]] = Counter()
    for one in slots:
        for week in mondays_of(one.dates):
            wanted[programmes[need], week] += one.price.vouchers[need]
    if any(purse[key] < cents for key, cents in wanted.items()):
        return False
    for key, cents in wanted.items():
        purse[key] -= cents
    return True
