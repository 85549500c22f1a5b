"""Fairness: whom the cheapest plan would leave out is served as far as the policy promises, at a known price."""

import signal
from dataclasses import replace
from fractions import Fraction

import pytest

from matching.check import check
from matching.formats import instance_from_json, instance_to_json, plan_from_json, plan_to_json
from matching.objective import objective_cents
from matching.progress import Watch
from matching.solve import solve, solve_proved
from tests.matching.examples import PRESENCE, instance, need, offer, provider, window

POLICY = {"unserved_cents_per_hour": 6000, "travel_cents_per_km": 50}


def two_districts(**fairness):
    """One provider with two hours, no groups; the north's needs weigh less than the south's."""
    alone = {"service": PRESENCE, "group_max": 1, "windows": [window(0, 840, 960)]}
    needs = [need(f"s{i}", **alone, district="south", priority=1.2) for i in range(3)]
    needs += [need(f"n{i}", **alone, district="north") for i in range(3)]
    policy = POLICY | ({"fairness": fairness} if fairness else {})
    return instance(needs, [provider("q1", offer(service=PRESENCE), visits_homes=False)], policy=policy)


def served(plan):
    return sorted(member.need[0] for slot in plan.slots for member in slot.members)


def test_without_fairness_the_dearest_needs_are_served():
    plan = solve(instance_from_json(two_districts()), seconds=10)
    assert (served(plan), plan.fairness) == (["s", "s"], None)


def test_no_district_is_left_out_and_the_price_is_told():
    of = instance_from_json(two_districts(by=["district"], served_part_min=0.5))
    plan = solve(of, seconds=20)
    assert served(plan) == ["n", "s"]
    assert plan.fairness["kept"]
    assert plan.fairness["price_cents"] == 1200
    rows = {row["group"]: (row["served"], row["served_without"], row["attainable"]) for row in plan.fairness["groups"]}
    assert rows == {"north": (1, 0, 2), "south": (1, 2, 2)}
    assert check(of, plan) == []
    assert plan.objective_cents == objective_cents(of, plan.slots)
    assert plan.bound_cents is None or plan.bound_cents <= plan.objective_cents - 1200
    assert plan_from_json(plan_to_json(plan)) == replace(plan, proof=None)  # how a bound was proved is not in the file


def test_a_promise_that_cannot_be_kept_is_said_to_be_broken():
    plan = solve(instance_from_json(two_districts(by=["district"], served_part_min=1)), seconds=20)
    assert not plan.fairness["kept"]


def test_one_interruption_ends_the_search_for_a_fair_plan(monkeypatch):
    of, begun = instance_from_json(two_districts(by=["district"], served_part_min=0.5)), []

    def solve_and_interrupt(*args):
        begun.append(args)
        with Watch(1):
            signal.raise_signal(signal.SIGINT)
        return solve_proved(*args)

    monkeypatch.setattr("matching.solve.solve_proved", solve_and_interrupt)
    plan = solve(of, seconds=20)
    assert len(begun) == 1
    assert check(of, plan) == []
    assert not plan.fairness["kept"]  # what could be served of each district was not measured


def test_who_waits_weighs_more_where_the_policy_says_so():
    child = {"service": PRESENCE, "group_max": 1, "windows": [window(0, 840, 900)]}
    needs = [need("a", **child, priority=1.2), need("b", **child, waiting_weeks=6)]
    providers = [provider("q1", offer(service=PRESENCE), visits_homes=False)]
    for percent, first in ((0, "a"), (5, "b")):
        of = instance_from_json(instance(needs, providers, policy=POLICY | {"waiting_percent_per_week": percent}))
        plan = solve(of, seconds=10)
        assert [member.need for slot in plan.slots for member in slot.members] == [first]
        assert check(of, plan) == []


@pytest.mark.parametrize(
    "fairness", [{"by": ["age"], "served_part_min": 0.5}, {"by": ["service"], "served_part_min": 2}, {"by": []}, 3]
)
def test_what_is_no_fairness_is_a_fault(fairness):
    content = two_districts()
    content["policy"]["fairness"] = fairness
    from matching.fields import InstanceFaults

    with pytest.raises(InstanceFaults):
        instance_from_json(content)


def test_fairness_is_written_with_the_instance():
    of = instance_from_json(two_districts(by=["district", "subsidy"], served_part_min=0.5))
    again = instance_from_json(instance_to_json(of))
    assert again.policy == of.policy
    assert of.policy.fairness.served_part_min == Fraction(1, 2)
    assert [need.district for need in again.needs.values()] == [need.district for need in of.needs.values()]
