"""What a round tells of the needs without a place follows from its plan, and each verified change can be made."""

import pytest

from marketplace.rounds.outcomes import with_change
from marketplace.rounds.results import areas_of, read_result

WINDOWS = [{"day": 1, "start": 960, "end": 1140}, {"day": 2, "start": 960, "end": 1430}]
ANSWERS = {"windows": WINDOWS, "travel_km_max": "1.5", "price_max_cents_per_hour": 800, "group_max": 3}


def need(code: str, service: str = "tutoring") -> dict[str, object]:
    return {
        "id": code,
        "service": service,
        "lat": 44.9,
        "lon": 8.6,
        "seats": 1,
        "subsidy": None,
        "sessions": 2,
        "minutes": 90,
    }


def without_place(code: str, **change: object) -> dict[str, object]:
    return {"need": code, "reason": "outcompeted", "detail": {"change": change} if change else {}}


INSTANCE = {
    "needs": [need(f"n{number}") for number in range(6)] + [need("b1", "babysitting")],
    "pinned": [],
    "venues": [],
    "providers": [],
    "programmes": [],
}
PLAN = {
    "slots": [],
    "unserved": [
        without_place("n0", price_cents_per_hour=50),
        without_place("n1", price_cents_per_hour=180),
        without_place("n2", price_cents_per_hour=730),
        without_place("n3", windows_minutes=30, day=1),
        without_place("n4"),
        without_place("b1", seats=1),
    ],
    "objective_cents": 0,
    "status": "FEASIBLE",
    "seconds": 1.0,
    "seed": 0,
}


def test_a_step_counts_every_need_that_a_smaller_one_serves() -> None:
    found = [(one.kind, one.amount, one.day, one.needs) for one in read_result(INSTANCE, PLAN).changes]
    assert found == [
        ("price_cents_per_hour", 100, None, 1),
        ("price_cents_per_hour", 200, None, 2),
        ("price_cents_per_hour", 730, None, 3),
        ("seats", 1, None, 1),
        ("windows_minutes", 30, 1, 1),
    ]


def test_every_need_without_a_place_has_its_reason_and_its_own_change() -> None:
    unserved = {one.need: one for one in read_result(INSTANCE, PLAN).unserved}
    assert set(unserved) == {"n0", "n1", "n2", "n3", "n4", "b1"}
    assert unserved["n4"].change is None
    change = unserved["n3"].change
    assert change is not None
    assert (change.kind, change.amount, change.day) == ("windows_minutes", 30, 1)


def test_a_square_with_few_needs_is_on_no_map() -> None:
    assert [(one.served, one.unserved) for one in areas_of(INSTANCE, PLAN)] == [(1, 6)]
    assert [(one.served, one.unserved) for one in areas_of(INSTANCE, PLAN, "tutoring")] == [(1, 5)]
    assert areas_of(INSTANCE, PLAN, "babysitting") == ()


def test_a_verified_change_alters_the_answer_that_it_names_and_no_other() -> None:
    assert with_change(ANSWERS, {"windows_minutes": 30, "day": 2}) == {
        "windows": [WINDOWS[0], {"day": 2, "start": 930, "end": 1440}]
    }
    assert with_change(ANSWERS, {"travel_km": 0.3}) == {"travel_km_max": "1.8"}
    assert with_change(ANSWERS, {"price_cents_per_hour": 150}) == {"price_max_cents_per_hour": 950}
    assert with_change(ANSWERS, {"seats": 1}) == {"group_max": 4}
    assert with_change(ANSWERS, {}) == {}


def test_a_square_tells_how_much_is_offered_around_for_what_is_asked() -> None:
    teacher = {"lat": 44.9, "lon": 8.6, "minutes_max_per_week": 600, "offers": [{"service": "tutoring"}]}
    offering = INSTANCE | {"providers": [teacher | {"windows": [{"day": 1, "start": 0, "end": 1200}]}]}
    [area] = areas_of(offering, PLAN, "tutoring")
    assert area.offered == pytest.approx(10 / (6 * 3))
    [area] = areas_of(INSTANCE, PLAN, "tutoring")
    assert area.offered == 0
