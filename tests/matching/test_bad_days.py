"""Days on which nothing is as it should be: the answer is a valid plan, or what is wrong, a line a fault."""

import pytest

from matching.check import check
from matching.fields import InstanceFaults
from matching.formats import instance_from_json
from matching.solve import solve
from tests.matching.examples import CLASS, PRESENCE, instance, member, need, offer, provider, slot, window

SUBSIDY = {"programme": "p1", "percent": 50, "cap_cents_per_hour": None}


def solved(content):
    of = instance_from_json(content)
    plan = solve(of, seconds=20)
    assert check(of, plan) == []
    return {one.need: one.reason for one in plan.unserved}


@pytest.mark.parametrize("service", [CLASS, PRESENCE])
def test_of_many_identical_needs_as_many_are_served_as_there_are_seats(service):
    hours = [window(0, 840, 960)]
    needs = [need(f"n{number}", service=service, windows=hours) for number in range(8)]
    left_out = solved(instance(needs, [provider("q1", offer(service=service, seats_max=3), windows=hours)]))
    assert list(left_out.values()) == ["outcompeted"] * 2


def test_a_crowd_that_wants_one_afternoon_fills_every_hour_of_it_though_not_all_groups_can_be_listed():
    afternoon = [window(0, 840, 1200)]
    wishes = {"windows": afternoon, "group_max": None, "price_max_cents_per_hour": None, "host_seats": 0}
    needs = [need(f"n{number}", service=PRESENCE, minutes=60, **wishes) for number in range(500)]
    city = instance_from_json(
        instance(needs, [provider("q1", offer(service=PRESENCE, seats_max=12), windows=afternoon)])
    )
    plan = solve(city, seconds=8)
    assert check(city, plan) == []
    assert len(needs) - len(plan.unserved) >= 60  # there are seats for 72


def test_who_may_not_meet_itself_is_left_out_or_served_but_the_plan_is_valid():
    left_out = solved(instance([need("a", excludes=["a"]), need("b")], [provider("q1")]))
    assert set(left_out) <= {"a"}


def test_a_programme_without_money_serves_nobody_who_cannot_pay_alone():
    needs = [need("poor", subsidy=SUBSIDY, price_max_cents_per_hour=1500), need("rich", windows=[window(0, 840, 900)])]
    city = instance(needs, [provider("q1", offer(seats_max=1))], programmes=[{"id": "p1", "weekly_budget_cents": 0}])
    assert solved(city) == {"poor": "budget_exhausted"}


def test_one_hour_for_everybody_goes_to_a_full_group():
    hour = [window(0, 840, 900)]
    needs = [need(f"n{number}", windows=hour) for number in range(12)]
    assert len(solved(instance(needs, [provider("q1", windows=hour)]))) == 12 - 5


def test_a_window_past_midnight_is_refused():
    with pytest.raises(InstanceFaults) as refused:
        instance_from_json(instance([need("a", windows=[window(0, 1380, 1500)])], [provider("q1")]))
    assert len(refused.value.lines) == 1
    assert "needs[0].windows[0]" in refused.value.lines[0]


def test_pins_that_nobody_can_complete_are_refused():
    """The need asks two sessions, its provider has one day: one is pinned, the other cannot be."""
    pinned = [slot("s1", member("a", 840, 900, 1))]
    city = instance([need("a", sessions=2, windows=[window(0), window(1)])], [provider("q1")], pinned=pinned)
    with pytest.raises(InstanceFaults) as refused:
        solve(instance_from_json(city), seconds=5)
    assert refused.value.lines == ["pinned: the pinned slots cannot be completed"]
