"""Parts that have nothing in common are solved apart, and the plan is the same wherever that is done."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest

from matching.apart import independent_parts, solve_apart
from matching.check import check
from matching.fields import InstanceFaults
from matching.formats import instance_from_json
from matching.solve import solve
from tests.benchmarks.cities import make_city, make_region
from tests.matching.examples import instance, need, provider, venue

FAR = {"lat": 45.69}


@pytest.fixture(scope="module")
def region():
    return instance_from_json(make_region([make_city("village", 24, seed) for seed in (1, 2, 3)]))


def timeless(plan):
    return replace(plan, seconds=0.0)


def names(part):
    return set(part.needs) | set(part.providers)


def two_towns(**of_b):
    return instance(
        [need("a"), need("b", **FAR, **of_b)],
        [provider("q1"), provider("q2", venues=["v2"], **FAR)],
        [venue(), venue("v2", **FAR)],
    )


def parts_of(content):
    return [names(part) for part in independent_parts(instance_from_json(content))]


def test_the_plan_of_a_region_is_the_same_on_any_executor_and_as_good_as_in_one_piece(region):
    with ThreadPoolExecutor(2) as threads:
        plan = solve_apart(region, seconds=20, executor=threads)
    assert check(region, plan) == []
    whole = solve(region, seconds=20)
    assert (plan.objective_cents, plan.bound_cents, plan.status) == (
        whole.objective_cents,
        whole.bound_cents,
        "OPTIMAL",
    )
    assert {one.need: one.reason for one in plan.unserved} == {one.need: one.reason for one in whole.unserved}
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        assert timeless(solve_apart(region, seconds=20, executor=processes)) == timeless(plan)
    assert timeless(solve_apart(region, seconds=20)) == timeless(plan)


def test_towns_that_nobody_travels_between_are_parts_of_their_own():
    assert parts_of(two_towns()) == [{"a", "q1"}, {"b", "q2"}]


@pytest.mark.parametrize(
    "tie",
    [
        {"person": "m-a"},
        {"excludes": ["a"]},
        {"travel_km_max": 120.0},
        {"subsidy": {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}},
    ],
)
def test_a_person_an_exclusion_a_way_or_a_budget_ties_two_towns(tie):
    city = two_towns(**tie)
    city["needs"][0] |= {"person": "m-a", "subsidy": {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}}
    assert parts_of(city) == [{"a", "b", "q1", "q2"}]


def test_a_need_that_no_provider_reaches_has_the_reason_that_it_has_in_the_whole():
    city = instance_from_json(instance([need("a"), need("b", **FAR)], [provider("q1")]))
    with ThreadPoolExecutor(1) as threads:
        plan = solve_apart(city, seconds=5, executor=threads)
    assert [(one.need, one.reason) for one in plan.unserved] == [("b", "too_far")]
    assert check(city, plan) == []


def test_faulty_pins_are_refused_before_anything_is_solved():
    pin = {
        "id": "s1", "provider": "q1", "service": "tutoring", "place": {"venue": "v1"}, "day": 0, "start": 0, "end": 60,
        "members": [{"need": "a", "start": 0, "end": 60, "share_cents": 0, "subsidy_cents": 0}], "cost_cents": 0,
    }  # fmt: skip
    with pytest.raises(InstanceFaults):
        solve_apart(instance_from_json(two_towns() | {"pinned": [pin]}), seconds=5)


def test_it_tells_how_it_goes_as_each_part_ends(region):
    told = []
    plan = solve_apart(region, seconds=20, progress=told.append)
    costs = [one.objective_cents for one in told]
    assert len(told) == len(list(independent_parts(region)))
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == plan.objective_cents
    assert told[-1].served == len(region.needs) - len(plan.unserved)
    assert [one.bound_cents for one in told] == [None] * len(told)


def test_a_part_is_found_whichever_way_its_places_lie():
    """Providers at the edges of what they reach, in all directions, at a latitude where a degree east is short."""
    near, far = 0.0134, 0.3  # degrees north: 1.5 and 33 km
    for lat, lon in ((near, 0), (-near, 0), (0, 2 * near), (0, -2 * near)):
        away = need("b", lat=60.0 + lat, lon=10.0 + lon, travel_km_max=1.6)
        content = instance(
            [need("a", lat=60.0, lon=10.0, travel_km_max=1.6), away, need("c", lat=60.0 + far, lon=10.0)],
            [provider("q", lat=60.0, lon=10.0, visits_homes=False), provider("r", lat=60.0 + far, lon=10.0, venues=[])],
            [venue(lat=60.0, lon=10.0)],
        )
        assert {"a", "b", "q"} in parts_of(content), (lat, lon)
