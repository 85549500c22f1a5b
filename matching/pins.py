"""Pinned slots stand: they keep every rule as they are, and a plan keeps every one of them."""

from collections import defaultdict
from collections.abc import Iterator

from billing.split import subsidy_cents
from matching.instance import Instance, Mode, PinnedSlot
from matching.plan import Member, Slot
from matching.rules import RULES, broken, budget_of, one_session_a_day
from matching.week import Week

STANDING = ((1, one_session_a_day), *(rule for rule in RULES if rule[0] in {2, 3, 4, 5, 6, 7, 12}))
"""What pinned slots must keep by themselves; more members may still settle the rest."""


def pin_faults(instance: Instance) -> list[str]:
    """Why the pinned slots make the instance faulty, a line a fault; whether they can be completed, solving tells."""
    if not instance.pinned:
        return []
    week = standing_week(instance)
    faults = [f"pinned: {line}" for line in broken(week, STANDING)]
    if not faults:
        faults.extend(f"pinned: {line}" for line in _budget_faults(instance, week))
    return faults


def standing_week(instance: Instance) -> Week:
    """The pinned slots alone, priced anew where an offer applies."""
    return Week(instance, tuple(_slot(instance, pinned) for pinned in instance.pinned))


def _slot(instance: Instance, pinned: PinnedSlot) -> Slot:
    members = tuple(Member(one.need, one.start, one.end, 0, 0) for one in pinned.members)
    return Slot(
        pinned.id, pinned.provider, pinned.service, pinned.place, pinned.day, pinned.start, pinned.end, 0, members
    )


def _budget_faults(instance: Instance, week: Week) -> Iterator[str]:
    """Budgets that no longer hold what the pinned members' subsidies come to, computed anew."""
    spent: dict[str, int] = defaultdict(int)
    for pinned, view in zip(instance.pinned, week.views, strict=True):
        for index, (member, need) in enumerate(zip(pinned.members, view.needs, strict=True)):
            if not member.subsidised:
                continue
            if need.subsidy is None:
                yield f"slot {pinned.id}: {need.id} is subsidised and has no programme"
                continue
            spent[need.subsidy.programme] += subsidy_cents(
                week.share_cents(view, index),
                need.subsidy.percent,
                need.subsidy.cap_cents_per_hour,
                member.end - member.start,
                need.seats,
            )
    for programme, cents in spent.items():
        if cents > budget_of(instance, programme):
            yield (
                f"programme {programme} has a budget of {budget_of(instance, programme)} cents,"
                f" the pinned subsidies come to {cents}"
            )


def unpinned(week: Week) -> list[str]:
    """What a plan's week changed of the pinned slots, a line each."""
    by_id = {slot.id: slot for slot in week.slots}
    lines: list[str] = []
    for pinned in week.instance.pinned:
        lines.extend(f"pinned: slot {pinned.id}: {line}" for line in _changes(week.instance, pinned, by_id))
        lines.extend(
            f"pinned: slot {pinned.id}: {one.need} is no longer subsidised"
            for one in pinned.members
            if one.subsidised and _lost_its_subsidy(week, one.need)
        )
    return lines


def _lost_its_subsidy(week: Week, need: str) -> bool:
    members = [view.slot.members[index] for view, index in week.sessions.get(need, [])]
    return any(member.share_cents for member in members) and not any(member.subsidy_cents for member in members)


def _changes(instance: Instance, pinned: PinnedSlot, slots: dict[str, Slot]) -> Iterator[str]:
    slot = slots.get(pinned.id)
    if slot is None:
        yield "is missing"
        return
    for what in ("provider", "service", "place", "day"):
        if getattr(slot, what) != getattr(pinned, what):
            yield f"has another {what}"
    if instance.services[pinned.service].mode == Mode.CLASS:
        if (slot.start, slot.end) != (pinned.start, pinned.end):
            yield "has other times"
    elif slot.start > pinned.start or slot.end < pinned.end:
        yield "is cut short"
    members = {member.need: member for member in slot.members}
    for one in pinned.members:
        member = members.get(one.need)
        if member is None:
            yield f"{one.need} is no longer in it"
        elif (member.start, member.end) != (one.start, one.end):
            yield f"{one.need} has other times"
