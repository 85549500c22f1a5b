"""The engine's plans on small instances with a known answer."""

from importlib import import_module

import pytest

from matching import enumeration
from matching.check import check
from matching.formats import instance_from_json
from matching.solve import solve

NEED = {
    "person": None, "service": "tutoring", "seats": 1, "sessions": 1, "minutes": 60,
    "windows": [{"day": 0, "start": 900, "end": 1020}], "lat": 44.7, "lon": 10.6, "travel_km_max": 2.0,
    "host_seats": 0, "topic": "maths", "level": 8, "age": 13, "languages": ["it"], "requires": [], "group_max": 4,
    "price_max_cents_per_hour": None, "priority": 1.0, "subsidy": None, "excludes": [],
}  # fmt: skip
OFFER = {
    "service": "tutoring", "topics": ["maths"], "level_min": 6, "level_max": 13, "age_min": 0, "age_max": 99,
    "seats_max": 5, "seats_min": 1, "rate_cents_per_hour": 1800, "extra_seat_cents_per_hour": 300, "minutes_min": 60,
}  # fmt: skip
PROVIDER = {
    "id": "q1", "lat": 44.7, "lon": 10.6, "travel_km_max": 5.0, "languages": ["it"], "qualifications": [],
    "minutes_max_per_week": 1500, "minutes_max_per_day": 480, "gap_minutes": 15, "venues": ["v1"],
    "visits_homes": False, "windows": [{"day": 0, "start": 840, "end": 1200}], "offers": [OFFER],
}  # fmt: skip
VENUE = {
    "id": "v1", "lat": 44.7, "lon": 10.6, "seats": 12, "services": ["tutoring"], "cost_cents_per_hour": 200,
    "windows": [{"day": 0, "start": 840, "end": 1200}],
}  # fmt: skip


def city(needs: list[dict], **changes: object) -> dict:
    """An instance with one provider at one venue, and these needs, each given by what it differs in."""
    return {
        "format": "instance/1", "name": "small", "grid_minutes": 15,
        "policy": {"unserved_cents_per_hour": 6000, "travel_cents_per_km": 50},
        "services": {"tutoring": {"mode": "class", "level_gap_max": 2, "same_topic": True}},
        "programmes": [], "needs": [{**NEED, "id": f"n{i}", **need} for i, need in enumerate(needs)],
        "providers": [PROVIDER], "venues": [VENUE], "pinned": [], **changes,
    }  # fmt: skip


def test_three_who_fit_share_one_slot_and_pay_equal_parts():
    plan = solve(instance_from_json(city([{}, {}, {}])), seconds=20)
    assert [member.share_cents for slot in plan.slots for member in slot.members] == [867, 867, 866]
    assert (plan.status, plan.objective_cents, plan.bound_cents, plan.gap) == ("OPTIMAL", 2600, 2600, 0)


def test_who_cannot_pay_a_cent_more_stands_last_in_the_slot():
    plan = solve(instance_from_json(city([{"price_max_cents_per_hour": 866}, {}, {}])), seconds=20)
    assert [(m.need, m.share_cents) for m in plan.slots[0].members] == [("n1", 867), ("n2", 867), ("n0", 866)]


def test_no_needs_no_providers_and_nobody_who_fits_are_plans_too():
    for instance in (city([]), city([{}], providers=[]), city([{"languages": ["zh"]}])):
        plan = solve(instance_from_json(instance), seconds=20)
        assert plan.slots == ()
        assert plan.status == "OPTIMAL"


def test_the_same_seed_gives_the_same_plan():
    instance = instance_from_json(city([{"topic": topic} for topic in ("maths", None, None, "maths", "maths", None)]))
    first, second = (solve(instance, seconds=20, seed=3) for _ in range(2))
    assert first.slots == second.slots


def test_a_pinned_slot_stands_and_takes_a_member_more():
    pinned = {
        "id": "s1", "provider": "q1", "service": "tutoring", "place": {"venue": "v1"}, "day": 0, "start": 930,
        "end": 990, "cost_cents": 2000,
        "members": [{"need": "n1", "start": 930, "end": 990, "share_cents": 2000, "subsidy_cents": 0}],
    }  # fmt: skip
    plan = solve(instance_from_json(city([{}, {}], pinned=[pinned])), seconds=20)
    assert [(slot.id, slot.start, len(slot.members)) for slot in plan.slots] == [("s1", 930, 2)]
    assert plan.status == "OPTIMAL"


def test_what_is_pinned_stands_also_when_there_is_no_time_to_look_for_anything(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(enumeration, "BLOCK", 1)
    for part in ("HURRY_PART", "STOP_PART"):
        monkeypatch.setattr(import_module("matching.solve"), part, -1)
    providers = [{**PROVIDER, "id": f"q{number}"} for number in range(4)]
    pinned = [
        {
            "id": f"s{number}", "provider": f"q{number}", "service": "tutoring", "place": {"venue": "v1"}, "day": 0,
            "start": 900, "end": 960, "cost_cents": 2300,
            "members": [
                {"need": need, "start": 900, "end": 960, "share_cents": 1150, "subsidy_cents": 0}
                for need in (f"n{number}", f"n{number + 4}")
            ],
        }
        for number in range(4)
    ]  # fmt: skip
    instance = instance_from_json(city([{}] * 12, providers=providers, pinned=pinned))
    plan = solve(instance, seconds=5)
    assert check(instance, plan) == []
    assert {slot.id for slot in plan.slots} >= {"s0", "s1", "s2", "s3"}


def test_weights_as_large_as_they_may_be_fit_the_arithmetic():
    policy = {"unserved_cents_per_hour": 10**9, "travel_cents_per_km": 10**9}
    plan = solve(instance_from_json(city([{"priority": 999}], policy=policy)), seconds=20)
    assert len(plan.slots) == 1
    fair = {"fairness": {"by": ["service"], "served_part_min": 1}}
    needs = [{"priority": 499, "excludes": ["n1"], "windows": [{"day": 0, "start": 900, "end": 960}]}] * 2
    plan = solve(instance_from_json(city(needs, policy=policy | fair)), seconds=20)
    assert plan.fairness is not None
