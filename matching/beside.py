"""The cheapest way to serve one more need beside a plan: nothing of the plan moves, and every rule still holds.

The need joins slots that there are, or has slots of its own; nobody else comes with it.
"""

from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, islice, product
from typing import cast

from billing.split import subsidy_cents
from matching.alone import Alone
from matching.arrays import City
from matching.company import is_affordable
from matching.distance import distance_km, is_within
from matching.instance import Instance, Mode, Need, Place, PlaceAtHomes, PlaceAtVenue, Provider, Window
from matching.newcomers import Newcomers
from matching.objective import unserved_cost
from matching.openings import Standing, openings, stand
from matching.plan import Member, Slot
from matching.rules import (
    as_a_group,
    at_a_place,
    broken,
    budget_of,
    covered_by_an_offer,
    in_time,
    person,
    price,
    providers_week,
    venues_seats,
)
from matching.week import Week, lies_in_one

SLOT_RULES = ((2, covered_by_an_offer), (3, in_time), (4, at_a_place), (5, as_a_group))
PROVIDER_RULES = ((6, providers_week), (11, price))
TRIALS = 40
"""Combinations of days tried for one need with one provider, the cheapest first."""


@dataclass(frozen=True)
class Option:
    """A slot with the need in it, new or widened, and what it adds to costs and travel."""

    slot: Slot
    extra_cents: Fraction


@dataclass(frozen=True)
class Opening:
    """A provider with which a need may have room, and those of its slots that it may join."""

    provider: Provider
    slots: list[Slot]


@dataclass(frozen=True)
class Addition:
    """The slots that serve one more need, new or widened, what it pays, and by how much the objective would rise."""

    slots: tuple[Slot, ...]
    net_cents: int
    extra_cents: Fraction


@dataclass(frozen=True)
class Joining:
    """A slot as it would be with one more member (the last), each member's share and subsidy anew.

    `week` is all that the new member would join, this slot first: one slot for each of its sessions.
    """

    slot: Slot
    week: tuple[Slot, ...]


class Beside:
    """A plan's slots, indexed for asking what one more need would cost."""

    def __init__(self, instance: Instance, slots: tuple[Slot, ...], city: City) -> None:
        self._week = Week(instance, slots)
        self._instance = instance
        self._city = city
        self._alone = Alone(instance)

    def with_need(self, need: Need) -> "Beside":
        """The same with a need that the instance does not have, or in place of the one of that name."""
        self._index()
        other = copy(self)
        other._instance = replace(
            self._instance, needs=ChainMap({need.id: need}, cast(dict[str, Need], self._instance.needs))
        )
        return other

    def having_room(self, needs: Iterable[int]) -> dict[int, list[Opening]]:
        """By need (its index), for those that may have room beside the plan: where it may."""
        found = openings(self._city, self._standing, needs)
        return {need: self._as_openings(those) for need, those in found.items()}

    def openings_for(self, need: Need) -> list[Opening]:
        """Where the need, known to the instance or not, may have room beside the plan."""
        city = self._newcomers.city_with(need)
        last = len(city.needs) - 1
        return self._as_openings(openings(city, self._standing, [last]).get(last, {}))

    def _as_openings(self, found: dict[int, list[int]]) -> list[Opening]:
        slots = self._week.slots
        return [Opening(self._providers[index], [slots[row] for row in rows]) for index, rows in found.items()]

    def cheapest(
        self, need: Need, openings: Iterable[Opening], has_time: Callable[[], bool] = lambda: True
    ) -> Addition | None:
        """The addition at one of these openings with which the objective rises least.

        None if there is none, or time runs out before all are looked at.
        """
        best: Addition | None = None
        for opening in openings:
            if not has_time():
                return None
            provider = opening.provider
            days: dict[int, list[Option]] = defaultdict(list)
            for option in self._options(opening, need):
                days[option.slot.day].append(option)
            cheapest = [sorted(options, key=_extra)[:2] for options in days.values()]
            for chosen in _weeks(cheapest, need.sessions):
                extra = sum((option.extra_cents for option in chosen), -unserved_cost(self._instance, need))
                if best is not None and extra >= best.extra_cents:
                    break
                slots = [option.slot for option in chosen]
                if (paid := self._paid(provider, need, slots)) is not None:
                    best = Addition(tuple(slots), sum(net_cents(slot, need) for slot in paid), extra)
                    break
        return best

    def _index(self) -> None:
        """Find out what does not depend on the need that is asked about, once for all that are."""
        for name in (
            "_providers",
            "_standing",
            "_newcomers",
            "_shunned",
            "_sessions_of_person",
            "_has_subsidy",
            "_spent",
        ):
            getattr(self, name)

    @cached_property
    def _providers(self) -> list[Provider]:
        return list(self._instance.providers.values())

    @cached_property
    def _standing(self) -> Standing:
        return stand(self._week.instance, self._city, self._week.slots)

    @cached_property
    def _newcomers(self) -> Newcomers:
        return Newcomers(self._week.instance, self._city)

    def joinings(self, need: Need) -> Iterator[Joining]:
        """Every slot that the need could join now, at its best time, in a whole week of such slots."""
        for opening in self.openings_for(need):
            best: dict[str, Option] = {}
            for slot in opening.slots:
                options = sorted(self._joined(slot, need), key=_extra)
                if options:
                    best[slot.id] = options[0]
            for option in best.values():
                others: dict[int, list[Option]] = defaultdict(list)
                for other in best.values():
                    if other.slot.day != option.slot.day:
                        others[other.slot.day].append(other)
                for chosen in _weeks(list(others.values()), need.sessions - 1):
                    week = self._paid(opening.provider, need, [option.slot, *(other.slot for other in chosen)])
                    if week is not None:
                        yield Joining(week[0], tuple(week))
                        break

    def _options(self, opening: Opening, need: Need) -> Iterator[Option]:
        for slot in opening.slots:
            yield from self._joined(slot, need)
        for place in self._alone.places(opening.provider, need):
            yield from self._own(opening.provider, need, place)

    def _joined(self, slot: Slot, need: Need) -> Iterator[Option]:
        """The slot with the need as one more member, once for each time that it can come."""
        if not self._may_walk(slot, need):
            return
        open_ = self._instance.providers[slot.provider].windows
        for start in self._starts(slot, need):
            end = start + need.minutes
            first, last = min(slot.start, start), max(slot.end, end)
            if not (lies_in_one(need.windows, slot.day, start, end) and lies_in_one(open_, slot.day, first, last)):
                continue
            wider = replace(slot, start=first, end=last, members=(*slot.members, Member(need.id, start, end, 0, 0)))
            if (option := self._priced(wider, need, slot.cost_cents)) is not None:
                yield option

    def _may_walk(self, slot: Slot, need: Need) -> bool:
        """Whether all members of a round live near enough to the need (a first sieve: few rounds pass)."""
        service = self._instance.services[slot.service]
        if service.mode != Mode.ROUND:
            return True
        km = float(service.walk_km_max or 0)
        return all(is_within(need, self._instance.needs[member.need], km) for member in slot.members)

    def _starts(self, slot: Slot, need: Need) -> Iterator[int]:
        service = self._instance.services[slot.service]
        if service.mode == Mode.CLASS:
            if need.minutes == slot.end - slot.start:
                yield slot.start
        elif service.mode == Mode.ROUND:
            walk = service.walk_minutes or 0
            yield from (slot.start - walk - need.minutes, slot.end + walk)
        else:
            yield from range(slot.start - need.minutes, slot.end + 1, self._instance.grid_minutes)

    def _own(self, provider: Provider, need: Need, place: Place) -> Iterator[Option]:
        """A slot for the need alone at a place, each day at the first time that is free."""
        if not self._could_pay_alone(provider, need, place):
            return
        done: set[int] = set()
        for window in self._alone.windows(provider, need, place):
            for start in range(window.start, window.end - need.minutes + 1, self._instance.grid_minutes):
                if window.day in done or not self._is_free(
                    provider, need, place, Window(window.day, start, start + need.minutes)
                ):
                    continue
                slot = Slot(
                    f"+{need.id}/{window.day}",
                    provider.id,
                    need.service,
                    place,
                    window.day,
                    start,
                    start + need.minutes,
                    0,
                    (Member(need.id, start, start + need.minutes, 0, 0),),
                )
                if (option := self._priced(slot, need, 0)) is not None:
                    done.add(window.day)
                    yield option

    def _could_pay_alone(self, provider: Provider, need: Need, place: Place) -> bool:
        net = self._alone.net_cents(provider, need, place)
        return net is not None and is_affordable(need, net * need.sessions)

    def _is_free(self, provider: Provider, need: Need, place: Place, time: Window) -> bool:
        """Whether nothing of the provider's is in the way (a first sieve)."""
        for view in self._week.by_provider.get(provider.id, []):
            slot = view.slot
            if slot.day != time.day:
                continue
            same = slot.place == place and not isinstance(place, PlaceAtHomes)
            gap = 0 if same else provider.gap_minutes
            if slot.start < time.end + gap and time.start < slot.end + gap:
                return False
        return True

    def _priced(self, slot: Slot, need: Need, cost_before: int) -> Option | None:
        """The slot at its new price, if it keeps the rules that look at one slot, one venue or one person."""
        week = Week(self._instance, (slot,))
        view = week.views[0]
        if view.quote is None or broken(week, SLOT_RULES) or self._clashes(slot, need):
            return None
        extra = Fraction(view.quote.cost_cents - cost_before)
        if view.place is not None:
            km = Fraction(distance_km(need.lat, need.lon, view.place.lat, view.place.lon))
            extra += self._instance.policy.travel_cents_per_km * km
        members = tuple(
            replace(member, share_cents=share)
            for member, share in zip(slot.members, view.quote.shares_cents, strict=True)
        )
        return Option(replace(slot, cost_cents=view.quote.cost_cents, members=members), extra)

    def _clashes(self, slot: Slot, need: Need) -> bool:
        """Whether the slot breaks rule 2 or 7 at its venue, or rule 12 for the need's person."""
        if isinstance(slot.place, PlaceAtVenue):
            others = self._week.by_venue_and_day.get((slot.place.venue, slot.day), [])
            together = Week(self._instance, (slot, *(view.slot for view in others if view.slot.id != slot.id)))
            if broken(together, ((7, venues_seats),)):
                return True
            if (need.excludes or need.id in self._shunned) and broken(together, ((2, covered_by_an_offer),)):
                return True
        own = self._sessions_of_person.get(need.person or "", [])
        day = [other for other in own if other.day == slot.day and other.id != slot.id]
        return bool(day) and bool(broken(Week(self._instance, (slot, *day)), ((12, person),)))

    @cached_property
    def _shunned(self) -> frozenset[str]:
        """Who is on somebody's list of those that it must never meet."""
        return frozenset(name for need in self._week.instance.needs.values() for name in need.excludes)

    @cached_property
    def _sessions_of_person(self) -> dict[str, list[Slot]]:
        found: dict[str, list[Slot]] = defaultdict(list)
        for view in self._week.views:
            for one in {need.person for need in view.needs if need.person is not None}:
                found[one].append(view.slot)
        return found

    def _paid(self, provider: Provider, need: Need, slots: list[Slot]) -> list[Slot] | None:
        """The slots with their subsidies; None where the provider's week, a member's limit or a budget breaks."""
        changed = {slot.id: slot for slot in slots}
        kept = tuple(view.slot for view in self._week.by_provider.get(provider.id, []) if view.slot.id not in changed)
        paid, spent = [], dict(self._spent)
        for slot in slots:
            paid.append(replace(slot, members=tuple(self._subsidised(slot, member, spent) for member in slot.members)))
        if need.subsidy is not None:
            programme = need.subsidy.programme
            due = sum(self._subsidy(need, slot.members[-1]) for slot in paid)
            if spent.get(programme, 0) + due <= budget_of(self._instance, programme):
                spent[programme] = spent.get(programme, 0) + due
                paid = [_with_subsidies(slot, need.id, self._subsidy(need, slot.members[-1])) for slot in paid]
        if any(cents > budget_of(self._instance, programme) for programme, cents in spent.items()):
            return None
        if broken(Week(self._instance, (*kept, *paid)), PROVIDER_RULES):
            return None
        return paid

    def _subsidised(self, slot: Slot, member: Member, spent: dict[str, int]) -> Member:
        """A member with its subsidy anew, if it has one; the difference goes to its programme's account."""
        need = self._instance.needs[member.need]
        if need.subsidy is None or member.need not in self._has_subsidy:
            return replace(member, subsidy_cents=0)
        anew = self._subsidy(need, member)
        spent[need.subsidy.programme] = spent.get(need.subsidy.programme, 0) + anew - member.subsidy_cents
        return replace(member, subsidy_cents=anew)

    def _subsidy(self, need: Need, member: Member) -> int:
        if need.subsidy is None:
            return 0
        return subsidy_cents(
            member.share_cents, need.subsidy.percent, need.subsidy.cap_cents_per_hour, need.minutes, need.seats
        )

    @cached_property
    def _has_subsidy(self) -> frozenset[str]:
        return frozenset(member.need for slot in self._week.slots for member in slot.members if member.subsidy_cents)

    @cached_property
    def _spent(self) -> dict[str, int]:
        """By programme: what the plan's subsidies come to."""
        found: dict[str, int] = defaultdict(int)
        for slot in self._week.slots:
            for member in slot.members:
                subsidy = self._instance.needs[member.need].subsidy
                if subsidy is not None:
                    found[subsidy.programme] += member.subsidy_cents
        return dict(found)

    def left_cents(self, programme: str) -> int:
        """What the plan's subsidies leave of a programme's budget."""
        return budget_of(self._instance, programme) - self._spent.get(programme, 0)


def net_cents(slot: Slot, need: Need) -> int:
    """What the need pays in a slot."""
    return sum(member.share_cents - member.subsidy_cents for member in slot.members if member.need == need.id)


def _extra(option: Option) -> Fraction:
    return option.extra_cents


def _weeks(days: list[list[Option]], sessions: int) -> Iterator[tuple[Option, ...]]:
    """Choices of one option on each of so many days, the cheapest first; not more than are worth trying."""
    if len(days) < sessions:
        return
    choices = (week for some in combinations(days, sessions) for week in product(*some))
    tried = list(islice(choices, TRIALS * TRIALS))
    tried.sort(key=lambda week: sum((option.extra_cents for option in week), Fraction(0)))
    yield from tried[:TRIALS]


def _with_subsidies(slot: Slot, need: str, cents: int) -> Slot:
    members = tuple(replace(member, subsidy_cents=cents) if member.need == need else member for member in slot.members)
    return replace(slot, members=members)


def with_addition(slots: Sequence[Slot], addition: Addition) -> tuple[Slot, ...]:
    """A plan's slots with those of an addition; new ones take the next free numbers."""
    changed = {slot.id: slot for slot in addition.slots}
    names = {slot.id for slot in slots}
    merged = [changed.pop(slot.id, slot) for slot in slots]
    number = len(names)
    for slot in changed.values():
        while f"s{number}" in names:
            number += 1
        names.add(f"s{number}")
        merged.append(replace(slot, id=f"s{number}"))
    return tuple(merged)
