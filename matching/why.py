"""Why a member is where it is: what its group saves it, and whether some of the group would do better by themselves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from matching.arrays import flatten
from matching.company import weeks_alone
from matching.instance import Instance, PlaceAtHost
from matching.plan import Member, Slot
from matching.quotes import offers_that_cover, quote
from matching.rules import as_a_group, at_a_place, broken, budget_of, in_time
from matching.week import Week

MEMBERS_COMPARED = 10
"""In a larger group, sub-groups of all sizes are too many to try: none is named."""


@dataclass(frozen=True)
class SubGroup:
    """Some members of a slot who would pay less, together, in a slot of their own at the same times and place."""

    slot: str
    needs: tuple[str, ...]
    saves_cents: int


@dataclass(frozen=True)
class Why:
    """What a member pays a week, net; what it would pay alone (None: it could not be); who would do better.

    `better` is the sub-group with the member that would save most, None if there is none: the split is in the core.
    """

    need: str
    pays_cents: int
    alone_cents: int | None
    better: SubGroup | None

    @property
    def saves_cents(self) -> int | None:
        """What the group saves the member a week; None where it could not be served alone."""
        return None if self.alone_cents is None else self.alone_cents - self.pays_cents


def why_served(instance: Instance, slots: Iterable[Slot], needs: Iterable[str] | None = None) -> list[Why]:
    """A line of why for each of these needs that the slots serve (all of them, if none are named)."""
    sessions = Week(instance, tuple(slots)).sessions
    index = {name: number for number, name in enumerate(instance.needs)}
    wanted = [name for name in (sessions if needs is None else needs) if name in sessions]
    alone = _pays_alone(instance, [index[name] for name in wanted])
    found: dict[str, list[SubGroup]] = {}
    lines = []
    for name, alone_cents in zip(wanted, alone, strict=True):
        members = [view.slot.members[place] for view, place in sessions[name]]
        groups: list[SubGroup] = []
        for view, _ in sessions[name]:
            if view.slot.id not in found:
                found[view.slot.id] = list(_better(instance, view.slot))
            groups.extend(group for group in found[view.slot.id] if name in group.needs)
        pays = sum(member.share_cents - member.subsidy_cents for member in members)
        best = max(groups, key=lambda group: group.saves_cents, default=None)
        lines.append(Why(name, pays, alone_cents, best))
    return lines


def _pays_alone(instance: Instance, wanted: list[int]) -> list[int | None]:
    """What each of these would pay alone, net of its subsidy if its programme's budget holds that at all (rule 10)."""
    needs = list(instance.needs.values())
    net = weeks_alone(flatten(instance), wanted)
    if all(needs[number].subsidy is None for number in wanted):
        return net
    blind = {need.id: replace(need, subsidy=None) for need in needs}
    gross = weeks_alone(flatten(replace(instance, needs=blind, pinned=())), wanted)
    pays = []
    for number, with_subsidy, without in zip(wanted, net, gross, strict=True):
        subsidy = needs[number].subsidy
        due = (without or 0) - (with_subsidy or 0)
        pays.append(with_subsidy if subsidy is None or due <= budget_of(instance, subsidy.programme) else without)
    return pays


def _better(instance: Instance, slot: Slot) -> Iterator[SubGroup]:
    """The sub-groups of a slot that would pay less by themselves, before subsidies."""
    if len(slot.members) > MEMBERS_COMPARED:
        return
    for count in range(1, len(slot.members)):
        for some in combinations(slot.members, count):
            cents = _cost_cents(instance, slot, some)
            saves = sum(member.share_cents for member in some) - (cents or 0)
            if cents is not None and saves > 0:
                yield SubGroup(slot.id, tuple(member.need for member in some), saves)


def _cost_cents(instance: Instance, slot: Slot, members: tuple[Member, ...]) -> int | None:
    """What a slot of these members alone would cost; None where it would break a rule."""
    if isinstance(slot.place, PlaceAtHost) and all(member.need != slot.place.need for member in members):
        return None
    needs = [instance.needs[member.need] for member in members]
    service = instance.services[slot.service]
    offers = offers_that_cover(instance.providers[slot.provider], slot.service, service, needs)
    presences = [(one.start, one.end, need.seats) for one, need in zip(members, needs, strict=True)]
    price = quote(instance, offers, slot.place, presences)
    first, last = min(one.start for one in members), max(one.end for one in members)
    alone = Slot(slot.id, slot.provider, slot.service, slot.place, slot.day, first, last, 0, members)
    if price is None or broken(Week(instance, (alone,)), ((3, in_time), (4, at_a_place), (5, as_a_group))):
        return None
    return price.cost_cents
