"""Fairness as data: no group of needs has fewer served than a part of the most that could be served of it.

The engine knows weights only: those of groups that lack are raised until the plan keeps the promise, or it is said that
it does not. What that costs, by the weights of the instance, is reported.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

from matching.instance import Fairness, Instance, Need
from matching.objective import objective_cents, unserved_cost
from matching.plan import Plan, Slot
from matching.progress import Watch

PLAIN_PART, ATTAINABLE_PART, FAIR_PART = 0.3, 0.3, 0.35
"""Of the time: for the plan without fairness, for what could be served of each group, for fair plans."""
ROUNDS, RAISED_BY = 6, 3
"""How often a fair plan is looked for, and by how much a weight is raised each time."""
CENTS_EACH = 10**6
"""What each need of a group weighs when as many of them as possible are to be served."""

Group = tuple[str, str]
"""What needs are grouped by, and the group's name."""
Search = Callable[[Instance, float], Plan]
"""Finds a plan for an instance in so many seconds."""


@dataclass(frozen=True)
class Fair:
    """The slots of a plan that is as fair as was found, the plan without fairness, and the report for people."""

    slots: tuple[Slot, ...]
    plain: Plan
    report: Mapping[str, Any]


def groups_of(needs: Mapping[str, Need], fairness: Fairness) -> dict[Group, frozenset[str]]:
    """The ids of the needs of each group; a need without a district is in no group of districts."""
    found: dict[Group, set[str]] = defaultdict(set)
    for need in needs.values():
        subsidy = "subsidised" if need.subsidy else "unsubsidised"
        names = {"service": need.service, "district": need.district, "subsidy": subsidy}
        for by in dict.fromkeys(fairness.by):
            if (name := names[by]) is not None:
                found[by, name].add(need.id)
    return {group: frozenset(ids) for group, ids in sorted(found.items())}


def be_fair(instance: Instance, fairness: Fairness, watch: Watch, search: Search) -> Fair:
    """The cheapest plan found that keeps the promise; where none does, the one that lacks the fewest needs.

    An interruption ends it with the best so far; a promise that was not measured for every group is not called kept.
    """
    seconds = watch.limit_seconds
    blind = replace(instance, policy=replace(instance.policy, fairness=None))
    plain = search(blind, PLAIN_PART * seconds)
    groups = groups_of(instance.needs, fairness)
    most = dict.fromkeys(groups, plain.slots)
    for group, ids in groups.items():
        if not watch.interrupted:
            most[group] = search(_for_the_most(blind, ids), ATTAINABLE_PART * seconds / len(groups)).slots
    is_measured = not watch.interrupted
    attainable = {group: len(_served(slots, groups[group])) for group, slots in most.items()}
    wanted = {group: ceil(fairness.served_part_min * count) for group, count in attainable.items()}
    best = slots = plain.slots
    least = _rank(blind, slots, groups, wanted)
    weights: dict[str, Fraction] = {}
    for _ in range(ROUNDS):
        if not least[0] or watch.interrupted:
            break
        for group, ids in groups.items():
            likely = _served(most[group], ids)
            _raise(blind, weights, wanted[group], ids, _served(slots, ids), likely)
        slots = search(_raised(blind, weights), FAIR_PART * seconds / ROUNDS).slots
        if (rank := _rank(blind, slots, groups, wanted)) < least:
            best, least = slots, rank
    report = _report(blind, plain, best, groups, attainable, wanted)
    return Fair(best, plain, report | {"kept": report["kept"] and is_measured})


def _raise(
    instance: Instance,
    weights: dict[str, Fraction],
    wanted: int,
    ids: frozenset[str],
    served: frozenset[str],
    likely: frozenset[str],
) -> None:
    """Raise the weight of as many needs of a group as it lacks: once more of those that were raised in vain."""
    in_vain = [name for name in weights if name in ids and name not in served]
    new = [name for name in ids if name not in served and name not in weights]
    new.sort(key=lambda name: (name not in likely, -unserved_cost(instance, instance.needs[name]), name))
    lacking = max(0, wanted - len(served))
    for name in [*in_vain, *new][: max(lacking, len(in_vain) if lacking else 0)]:
        weights[name] = weights.get(name, Fraction(1)) * RAISED_BY


def _served(slots: tuple[Slot, ...], ids: frozenset[str]) -> frozenset[str]:
    """Those of the needs that the slots serve."""
    return ids & {member.need for slot in slots for member in slot.members}


def _rank(
    instance: Instance, slots: tuple[Slot, ...], groups: dict[Group, frozenset[str]], wanted: dict[Group, int]
) -> tuple[int, int]:
    """How many needs lack in all groups, then the objective."""
    lacking = sum(max(0, wanted[group] - len(_served(slots, ids))) for group, ids in groups.items())
    return lacking, objective_cents(instance, slots)


def _for_the_most(instance: Instance, ids: frozenset[str]) -> Instance:
    """The instance in which only serving as many as possible of the group counts."""
    cents = max(1, instance.policy.unserved_cents_per_hour)
    policy = replace(instance.policy, unserved_cents_per_hour=cents, waiting_percent_per_week=0)
    needs = {
        name: replace(
            need,
            priority=Fraction(60 * CENTS_EACH, cents * need.seats * need.minutes * need.sessions)
            if name in ids
            else Fraction(0),
        )
        for name, need in instance.needs.items()
    }
    return replace(instance, policy=policy, needs=needs)


def _raised(instance: Instance, weights: Mapping[str, Fraction]) -> Instance:
    needs = {
        name: replace(need, priority=need.priority * weights.get(name, 1)) for name, need in instance.needs.items()
    }
    return replace(instance, needs=needs)


def _report(
    instance: Instance,
    plain: Plan,
    slots: tuple[Slot, ...],
    groups: dict[Group, frozenset[str]],
    attainable: dict[Group, int],
    wanted: dict[Group, int],
) -> dict[str, Any]:
    rows = [
        {
            "by": by,
            "group": name,
            "needs": len(ids),
            "served": len(_served(slots, ids)),
            "served_without": len(_served(plain.slots, ids)),
            "attainable": attainable[by, name],
            "wanted": wanted[by, name],
        }
        for (by, name), ids in groups.items()
    ]
    return {
        "kept": all(len(_served(slots, ids)) >= wanted[group] for group, ids in groups.items()),
        "price_cents": objective_cents(instance, slots) - objective_cents(instance, plain.slots),
        "groups": rows,
    }
