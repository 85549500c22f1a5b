"""On tiny instances of every mode the engine finds what trying every plan finds, and proves it."""

from collections.abc import Callable
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
NEXT_SEED = 1_000
PLANS_MAX = 20_000


def small_enough(make: Callable[[int], dict[str, Any] | None], seed: int) -> tuple[dict[str, Any], BruteForce]:
    """The first city, from a seed on, that has few enough plans to try them all."""
    while True:
        if (content := make(seed)) is not None:
            try:
                return content, BruteForce(instance_from_json(content), PLANS_MAX)
            except TooMany:
                pass
        seed += NEXT_SEED


def assert_optimal(content: dict[str, Any], force: BruteForce) -> None:
    instance, best = instance_from_json(content), force.best_objective()
    if best is None:
        with pytest.raises(InstanceFaults):
            solve(instance, seconds=60)
        return
    plan = solve(instance, seconds=60)
    assert check(instance, plan) == []
    assert (plan.objective_cents, plan.bound_cents, plan.status) == (best, best, "OPTIMAL")


def with_pins(seed: int) -> dict[str, Any] | None:
    """A city with some slots of its plan pinned, and one need more; None where nothing is, or the pins are at fault."""
    content, pick = tiny_instance(seed), Random(seed)
    plan = solve(instance_from_json(content), seconds=60)
    content["pinned"] = [slot for slot in plan_to_json(plan)["slots"] if pick.random() < 0.6]
    newcomers = [need for need in tiny_instance(seed + 100_000)["needs"] if need["service"] in content["services"]]
    if newcomers and len(content["needs"]) < 4:
        content["needs"].append({**newcomers[0], "id": "newcomer", "excludes": []})
    return content if content["pinned"] and not pin_faults(instance_from_json(content)) else None


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_is_better(seed):
    assert_optimal(*small_enough(tiny_instance, seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_around_pinned_slots_is_better(seed):
    assert_optimal(*small_enough(with_pins, seed))
