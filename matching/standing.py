"""What of a plan's slots can stand when some members are gone: every rule still holds, and nobody pays too much.

Whoever cannot stay leaves all its slots: a need is served whole or not at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from billing.split import subsidy_cents
from matching.company import is_affordable
from matching.instance import Instance, Mode, Need
from matching.plan import Member, Slot
from matching.rules import as_a_group, at_a_place, broken, budget_of, covered_by_an_offer, in_time
from matching.week import SlotView, Week

SLOT_RULES = ((2, covered_by_an_offer), (3, in_time), (4, at_a_place), (5, as_a_group))


def stands(instance: Instance, slots: Iterable[Slot], valid: Iterable[Slot]) -> tuple[Slot, ...]:
    """The slots with the members that can stay, at their times, priced anew; who was subsidised still is.

    Those that are `valid` as they are keep the rules that look at one slot.
    """
    standing, kept = tuple(slots), set(valid)
    while True:
        standing = tuple(_together(instance, slot) for slot in standing)
        week = Week(instance, standing)
        leaving = {name for view in week.views if view.slot not in kept for name in _cannot_stay(view)}
        leaving |= {name for name, sessions in week.sessions.items() if len(sessions) < instance.needs[name].sessions}
        if not leaving:
            standing = tuple(view.slot if view.slot in kept else _priced(view) for view in week.views)
            leaving = _cannot_pay(instance, standing)
        if not leaving:
            return standing
        standing = tuple(_without(standing, leaving))


def _without(slots: Iterable[Slot], leaving: set[str]) -> Iterator[Slot]:
    for slot in slots:
        members = tuple(one for one in slot.members if one.need not in leaving)
        if members:
            yield replace(slot, members=members)


def _together(instance: Instance, slot: Slot) -> Slot:
    """The slot with those of its members who still follow one another without a gap, as many as there are."""
    service = instance.services[slot.service]
    if service.mode == Mode.CLASS:
        return slot
    runs: list[list[Member]] = []
    until = -1
    for member in sorted(slot.members, key=lambda one: (one.start, one.end)):
        follows = member.start <= until
        if service.mode == Mode.ROUND:
            follows = member.start == until + (service.walk_minutes or 0)
        if runs and follows:
            runs[-1].append(member)
        else:
            runs.append([member])
        until = max(until, member.end)
    longest = max(runs, key=len)
    members = tuple(member for member in slot.members if member in longest)
    return replace(slot, start=longest[0].start, end=max(one.end for one in longest), members=members)


def _cannot_stay(view: SlotView) -> list[str]:
    """All members of a slot that breaks a rule without those who are gone."""
    alone = Week(view.instance, (view.slot,))
    if view.quote is None or broken(alone, SLOT_RULES):
        return [member.need for member in view.slot.members]
    return []


def _priced(view: SlotView) -> Slot:
    """The slot at its own price, with the subsidies of those who had one."""
    slot, price = view.slot, view.quote
    if price is None:
        return slot
    members = tuple(
        replace(
            member, share_cents=share, subsidy_cents=_subsidy(need, share, member) if member.subsidy_cents > 0 else 0
        )
        for member, need, share in zip(slot.members, view.needs, price.shares_cents, strict=True)
    )
    return replace(slot, cost_cents=price.cost_cents, members=members)


def _subsidy(need: Need, share: int, member: Member) -> int:
    if need.subsidy is None:
        return 0
    minutes = member.end - member.start
    return subsidy_cents(share, need.subsidy.percent, need.subsidy.cap_cents_per_hour, minutes, need.seats)


def _cannot_pay(instance: Instance, slots: Iterable[Slot]) -> set[str]:
    """Who would pay more than its limit; the last of those whose programme would pay more than its budget."""
    pays: dict[str, int] = defaultdict(int)
    subsidies: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for slot in slots:
        for member in slot.members:
            need = instance.needs[member.need]
            pays[need.id] += member.share_cents - member.subsidy_cents
            if need.subsidy is not None:
                subsidies[need.subsidy.programme][need.id] += member.subsidy_cents
    leaving = {name for name, cents in pays.items() if not is_affordable(instance.needs[name], cents)}
    for programme, paid in subsidies.items():
        if sum(paid.values()) > budget_of(instance, programme):
            leaving.add(max(paid, key=lambda name: paid[name]))
    return leaving
