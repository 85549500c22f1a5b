"""On tiny instances of every mode the engine finds what trying every plan finds, and proves it."""

from random import Random
from typing import Any

import pytest

from matching.check import check
from matching.fields import InstanceFaults
from matching.formats import instance_from_json, plan_to_json
from matching.pins import pin_faults
from matching.solve import solve
from tests.matching.brute_force import BruteForce, TooMany
from tests.matching.tiny import tiny_instance

SEEDS = range(40)
PLANS_MAX = 20_000


def assert_optimal(content: dict[str, Any]) -> None:
    instance = instance_from_json(content)
    try:
        best = BruteForce(instance, PLANS_MAX).best_objective()
    except TooMany:
        pytest.skip("too many plans to try")
    if best is None:
        with pytest.raises(InstanceFaults):
            solve(instance, seconds=60)
        return
    plan = solve(instance, seconds=60)
    assert check(instance, plan) == []
    assert (plan.objective_cents, plan.bound_cents, plan.status) == (best, best, "OPTIMAL")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_is_better(seed):
    assert_optimal(tiny_instance(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_around_pinned_slots_is_better(seed):
    content, pick = tiny_instance(seed), Random(seed)
    plan = solve(instance_from_json(content), seconds=60)
    content["pinned"] = [slot for slot in plan_to_json(plan)["slots"] if pick.random() < 0.6]
    if not content["pinned"]:
        pytest.skip("nothing is pinned")
    newcomers = [need for need in tiny_instance(seed + 100_000)["needs"] if need["service"] in content["services"]]
    if newcomers and len(content["needs"]) < 4:
        content["needs"].append({**newcomers[0], "id": "newcomer", "excludes": []})
    if pin_faults(instance_from_json(content)):
        pytest.skip("the pinned slots are at fault")
    assert_optimal(content)
