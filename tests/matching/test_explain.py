"""Each unserved need has the first reason that holds: on tiny instances, the one that trying everything finds."""

from dataclasses import replace
from itertools import product

import pytest

from matching.check import check
from matching.fields import InstanceFaults
from matching.formats import instance_from_json
from matching.instance import PinnedMember, PinnedSlot, Programme
from matching.solve import solve
from tests.matching.brute_force import BruteForce, TooMany
from tests.matching.tiny import tiny_instance

PLANS_MAX = 4_000
SEATS_ADDED = 3


def reasons_of(content):
    read = instance_from_json(content)
    plan = solve(read, seconds=30)
    assert check(read, plan) == []
    return {one.need: (one.reason, dict(one.detail)) for one in plan.unserved}


def least_objective(of, name):
    """The least objective of a plan that serves the need, by trying every plan; None if there is none."""
    force = BruteForce(of, PLANS_MAX)
    force.options[name] = [week for week in force.options[name] if week]
    found = []
    for weeks in product(*force.options.values()):
        found.extend(force._plans(dict(zip(force.options, weeks, strict=True))))
    found.sort(key=lambda plan: plan[0])
    return next((objective for objective, slots in found if force._is_possible(slots)), None)


def all_else_empty(of):
    budgets = {name: Programme(name, 10**9) for name in [*of.programmes, "p9"]}
    return replace(of, pinned=(), programmes=budgets)


def with_seats_like(of, one, count):
    more = {f"{one.id}+{i}": replace(one, id=f"{one.id}+{i}", seats=1, person=None) for i in range(count)}
    return replace(of, needs=dict(of.needs) | more)


def beside(of, plan, name):
    """The instance with the plan pinned and one more need."""
    served = {member.need for slot in plan.slots for member in slot.members}
    pinned = tuple(
        PinnedSlot(
            slot.id,
            slot.provider,
            slot.service,
            slot.place,
            slot.day,
            slot.start,
            slot.end,
            tuple(PinnedMember(m.need, m.start, m.end, m.subsidy_cents > 0) for m in slot.members),
        )
        for slot in plan.slots
    )
    needs = {key: value for key, value in of.needs.items() if key in served or key == name}
    return replace(of, needs=needs, pinned=pinned)


def the_reason(of, name):
    """Among those after the third: the reason by trying everything, and its detail where that tells it."""
    one = of.needs[name]
    empty = all_else_empty(of)
    if least_objective(empty, name) is None:
        for count in range(1, SEATS_ADDED + 1):
            if least_objective(with_seats_like(empty, one, count), name) is not None:
                return "group_too_small", count
        return "too_expensive", None
    return None, None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_no_reason_before_it_holds(seed):
    content = tiny_instance(seed)
    of = instance_from_json(content)
    for name, (reason, detail) in reasons_of(content).items():
        if reason in {"no_provider", "too_far", "no_common_time"}:
            continue  # `check` has seen to these
        try:
            right, short_by = the_reason(of, name)
        except TooMany:
            continue
        if right is None:
            assert reason in {"budget_exhausted", "not_worth_it", "outcompeted"}, name
        else:
            assert reason == right, name
        if short_by is not None:
            assert detail == {"short_by": short_by}, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_what_is_not_worth_it_could_be_added_for_its_price(seed):
    content = tiny_instance(seed)
    of = instance_from_json(content)
    plan = solve(of, seconds=30)
    for one in plan.unserved:
        if one.reason not in {"not_worth_it", "outcompeted"}:
            continue
        try:
            objective = least_objective(beside(of, plan, one.need), one.need)
        except (TooMany, InstanceFaults):
            continue
        others = sum(
            of.policy.unserved_cents_per_hour * left.priority * left.seats * left.sessions * left.minutes / 60
            for left in of.needs.values()
            if left.id in {other.need for other in plan.unserved} - {one.need}
        )
        if objective is None:
            assert one.reason == "outcompeted"
        else:
            extra = objective + others - plan.objective_cents
            assert one.reason == "not_worth_it", (one, float(extra))
            assert abs(one.detail["extra_cents"] - extra) <= 1, one
