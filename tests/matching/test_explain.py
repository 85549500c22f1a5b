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
from tests.matching.examples import PRESENCE, ROUND, instance, need, offer, provider, venue, window
from tests.matching.tiny import tiny_instance

PLANS_MAX = 4_000
SEATS_ADDED = 3


def unserved_of(content):
    read = instance_from_json(content)
    plan = solve(read, seconds=30)
    assert check(read, plan) == []
    return plan.unserved


def reasons_of(content):
    """By need: the reason and its detail, but for the change that would help."""
    return {
        one.need: (one.reason, {key: value for key, value in one.detail.items() if key != "change"})
        for one in unserved_of(content)
    }


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
@pytest.mark.parametrize("seed", range(24))
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
@pytest.mark.parametrize("seed", range(24))
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


def test_a_group_is_short_by_the_seats_that_its_neighbours_do_not_bring():
    needs = [need("a"), need("b"), need("c", windows=[window(1)])]
    for seats_min, short_by in ((3, 1), (4, 2)):
        city = instance(needs, [provider("q1", offer(seats_min=seats_min))])
        reasons = reasons_of(city)
        assert reasons["a"] == reasons["b"] == ("group_too_small", {"short_by": short_by})
        assert reasons["c"] == ("no_common_time", {})


def test_a_need_that_no_company_makes_affordable_is_told_the_cheapest_price():
    half = {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}
    limits = {"price_max_cents_per_hour": 100, "group_max": 2}
    city = instance([need("a", **limits), need("b", **limits, subsidy=half)], [provider("q1", visits_homes=False)])
    reasons = reasons_of(city)
    assert reasons["a"] == ("too_expensive", {"price_cents_per_hour": (1800 + 300 + 200) // 2})
    assert reasons["b"] == ("too_expensive", {"price_cents_per_hour": (1800 + 300 + 200) // 4})


def test_a_round_is_short_of_members():
    elder = {"service": ROUND, "minutes": 30}
    city = instance([need("a", **elder), need("b", **elder)], [provider("q1", offer(service=ROUND, seats_min=3))])
    assert reasons_of(city) == {name: ("group_too_small", {"short_by": 1}) for name in "ab"}


def test_a_need_that_cannot_pay_without_its_subsidy_waits_for_the_budget():
    half = {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}
    pupil = {"subsidy": half, "price_max_cents_per_hour": 1000, "group_max": 1}
    city = instance(
        [need("a", **pupil, priority=2.0), need("b", **pupil)],
        [provider("q1", visits_homes=False)],
        programmes=[{"id": "p1", "weekly_budget_cents": 1999}],
    )
    assert reasons_of(city) == {"b": ("budget_exhausted", {})}


def test_a_need_that_costs_more_served_than_unserved_is_not_worth_it():
    city = instance([need("a", priority=0.25)], [provider("q1", visits_homes=False)])
    assert reasons_of(city) == {"a": ("not_worth_it", {"extra_cents": 500})}


def test_a_need_is_outcompeted_when_others_use_what_it_needs():
    child = {"service": PRESENCE, "windows": [window(0, 840, 960)], "group_max": 1, "minutes": 120}
    city = instance(
        [need("a", **child), need("b", **child, priority=2.0)], [provider("q1", offer(service=PRESENCE))], [venue()]
    )
    assert reasons_of(city) == {"a": ("outcompeted", {})}


def test_the_smallest_change_that_would_help_is_told():
    dear = need("a", price_max_cents_per_hour=1500, group_max=1)
    far = need("b", lat=44.705, travel_km_max=1.2, windows=[window(1)])
    early = need("c", windows=[window(2, 780, 885)])
    week = [window(0), window(1), window(2)]
    city = instance([dear, far, early], [provider("q1", visits_homes=False, windows=week)], [venue(windows=week)])
    assert {one.need: one.detail["change"] for one in unserved_of(city)} == {
        "a": {"price_cents_per_hour": 500},
        "b": {"travel_km": 0.5},
        "c": {"windows_minutes": 30, "day": 2},
    }
