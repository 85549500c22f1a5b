"""The best plan of a tiny instance, by trying every plan: nothing of the engine, only the rules as `check` has them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain, combinations, permutations, product
from math import floor, prod

from billing.split import subsidy_cents
from matching.instance import Instance, Mode, Need, Place, PlaceAtHomes, PlaceAtHost, PlaceAtVenue, Provider
from matching.objective import exact_objective
from matching.pins import unpinned
from matching.plan import Member, Slot
from matching.rules import RULES, broken
from matching.week import Week

WITHIN_A_SLOT = tuple(rule for rule in RULES if rule[0] in {2, 3, 4, 5})
BETWEEN_SLOTS = tuple(rule for rule in RULES if rule[0] in {1, 2, 6, 7, 12})
MONEY = tuple(rule for rule in RULES if rule[0] in {8, 9, 10, 11})

Session = tuple[str, Place, int, int]
"""Provider, place, day and start."""


class TooMany(Exception):
    """More plans than can be tried."""


class BruteForce:
    """Every plan of one instance."""

    def __init__(self, instance: Instance, plans_max: int = 150_000) -> None:
        self.instance = instance
        self.slots: dict[object, Slot | None] = {}
        self.options = {name: [*self._weeks(need)] for name, need in instance.needs.items()}
        if prod(len(options) for options in self.options.values()) > plans_max:
            raise TooMany

    def best_objective(self) -> int | None:
        """The least objective of a plan without a fault; None if no plan completes the pinned slots."""
        plans: list[tuple[Fraction, tuple[Slot, ...]]] = []
        for weeks in product(*self.options.values()):
            plans.extend(self._plans(dict(zip(self.options, weeks, strict=True))))
        plans.sort(key=lambda plan: plan[0])
        for objective, slots in plans:
            if self._is_possible(slots):
                return floor(objective + Fraction(1, 2))
        return None

    def _weeks(self, need: Need) -> Iterator[tuple[Session, ...]]:
        """Every way to give a need its sessions, and no session at all if it is not pinned."""
        instance = self.instance
        pinned = [
            (slot.provider, slot.place, slot.day, member.start)
            for slot in instance.pinned
            for member in slot.members
            if member.need == need.id
        ]
        if not pinned:
            yield ()
        sessions = defaultdict(list)
        for provider in instance.providers.values():
            if all(offer.service != need.service for offer in provider.offers):
                continue
            places = self._places(need, provider)
            for window in need.windows:
                for start in range(window.start, window.end - need.minutes + 1, instance.grid_minutes):
                    if any(w.day == window.day and w.start <= start < w.end for w in provider.windows):
                        sessions[provider.id].extend((provider.id, place, window.day, start) for place in places)
        for options in sessions.values():
            for week in combinations(dict.fromkeys(options), need.sessions):
                if len({day for _, _, day, _ in week}) == need.sessions and set(pinned) <= set(week):
                    yield week

    def _places(self, need: Need, provider: Provider) -> list[Place]:
        if self.instance.services[need.service].mode == Mode.ROUND:
            return [PlaceAtHomes()]
        hosts = [other.id for other in self.instance.needs.values() if other.id == need.id or other.host_seats]
        return [*map(PlaceAtVenue, provider.venues), *map(PlaceAtHost, hosts)]

    def _plans(self, weeks: dict[str, tuple[Session, ...]]) -> Iterator[tuple[Fraction, tuple[Slot, ...]]]:
        """The plans in which the needs have these sessions: they differ in which neighbours in time make one slot."""
        days: dict[tuple[str, Place, int], list[Member]] = defaultdict(list)
        for name, week in weeks.items():
            for provider, place, day, start in week:
                days[provider, place, day].append(Member(name, start, start + self.instance.needs[name].minutes, 0, 0))
        choices = []
        for (provider, place, day), members in days.items():
            members.sort(key=lambda member: (member.start, member.end, member.need))
            cuts = []
            for cut in product((False, True), repeat=len(members) - 1):
                groups, begin = [], 0
                for index in range(1, len(members) + 1):
                    if index == len(members) or cut[index - 1]:
                        groups.append(self._slot(provider, place, day, tuple(members[begin:index])))
                        begin = index
                if None not in groups:
                    cuts.append(groups)
            choices.append(cuts)
        for groups in product(*choices):
            slots = tuple(slot for slot in chain(*groups) if slot is not None)
            yield exact_objective(self.instance, slots), slots

    def _slot(self, provider: str, place: Place, day: int, members: tuple[Member, ...]) -> Slot | None:
        key = (provider, place, day, members)
        if key not in self.slots:
            self.slots[key] = self._new_slot(*key)
        return self.slots[key]

    def _new_slot(self, provider: str, place: Place, day: int, members: tuple[Member, ...]) -> Slot | None:
        services = {self.instance.needs[member.need].service for member in members}
        pins = [
            slot
            for slot in self.instance.pinned
            if slot.provider == provider
            and slot.day == day
            and slot.place == place
            and {(m.need, m.start) for m in slot.members} <= {(m.need, m.start) for m in members}
        ]
        end = max(member.end for member in members)
        slot = Slot(
            pins[0].id if pins else "new", provider, min(services), place, day, members[0].start, end, 0, members
        )
        week = Week(self.instance, (slot,))
        if len(services) > 1 or len(pins) > 1 or broken(week, WITHIN_A_SLOT) or week.views[0].quote is None:
            return None
        return replace(slot, cost_cents=week.views[0].quote.cost_cents)

    def _is_possible(self, slots: tuple[Slot, ...]) -> bool:
        """Whether the plan breaks nothing, in some order of its members and with some of the subsidies."""
        week = Week(self.instance, slots)
        if broken(week, BETWEEN_SLOTS):
            return False
        served = list(week.sessions)
        entitled = [name for name in served if self.instance.needs[name].subsidy is not None]
        for orders in product(*(permutations(slot.members) for slot in slots)):
            ordered = tuple(
                replace(slot, id=slot.id if slot.id != "new" else f"new{index}", members=members)
                for index, (slot, members) in enumerate(zip(slots, orders, strict=True))
            )
            priced = self._priced(ordered)
            for count in range(len(entitled) + 1):
                for subsidised in combinations(entitled, count):
                    paid = Week(self.instance, self._subsidised(priced, subsidised))
                    if not broken(paid, MONEY) and not unpinned(paid):
                        return True
        return False

    def _priced(self, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        views = Week(self.instance, slots).views
        return tuple(
            replace(
                slot,
                members=tuple(
                    replace(member, share_cents=share)
                    for member, share in zip(slot.members, view.quote.shares_cents, strict=True)
                ),
            )
            for slot, view in zip(slots, views, strict=True)
        )

    def _subsidised(self, slots: tuple[Slot, ...], who: tuple[str, ...]) -> tuple[Slot, ...]:
        return tuple(
            replace(
                slot, members=tuple(self._paid(member) if member.need in who else member for member in slot.members)
            )
            for slot in slots
        )

    def _paid(self, member: Member) -> Member:
        need = self.instance.needs[member.need]
        minutes, subsidy = member.end - member.start, need.subsidy
        cents = subsidy_cents(member.share_cents, subsidy.percent, subsidy.cap_cents_per_hour, minutes, need.seats)
        return replace(member, subsidy_cents=cents)
