"""Tiny random instances of every mode, in which every rule bites now and then."""

from random import Random
from typing import Any

SERVICES: dict[str, dict[str, Any]] = {
    "tutoring": {"mode": "class", "level_gap_max": 2, "same_topic": True},
    "babysitting": {"mode": "presence", "age_gap_max": 4},
    "home_care": {"mode": "round", "walk_km_max": 0.5, "walk_minutes": 30},
}
GRID = 30


def tiny_instance(seed: int) -> dict[str, Any]:
    """An instance of three or four needs and one or two providers; the same seed gives the same one."""
    pick = Random(seed)
    mode = pick.choice(["tutoring", "babysitting", "home_care", "mixed"])
    services = list(SERVICES) if mode == "mixed" else [mode]
    days = pick.choice([1, 2])
    venues = [_venue(pick, f"v{i}", services, days) for i in range(pick.choice([1, 1, 2]))]
    providers = [_provider(pick, f"q{i}", services, days, venues) for i in range(pick.choice([1, 1, 2]))]
    needs = [_need(pick, f"n{i}", services, days) for i in range(pick.choice([2, 3, 3, 4]))]
    for need in needs:
        if pick.random() < 0.15:
            need["excludes"] = [pick.choice([*(other["id"] for other in needs), "q0"])]
    return {
        "format": "instance/1", "name": f"tiny-{seed}", "grid_minutes": GRID,
        "policy": {
            "unserved_cents_per_hour": pick.choice([1500, 6000]), "travel_cents_per_km": pick.choice([0, 50, 333]),
        },
        "services": {name: SERVICES[name] for name in services},
        "programmes": [{"id": "p0", "weekly_budget_cents": pick.choice([0, 300, 700, 1500, 100_000])}],
        "needs": needs, "providers": providers, "venues": venues, "pinned": [],
    }  # fmt: skip


def _windows(pick: Random, days: int, count: int) -> list[dict[str, int]]:
    windows = []
    for day in pick.sample(range(days), min(count, days)):
        start = 900 + GRID * pick.randrange(3)
        windows.append({"day": day, "start": start, "end": start + GRID * pick.choice([2, 3, 4, 6])})
    return windows


def _at(pick: Random) -> dict[str, float]:
    return {"lat": round(44.7 + pick.random() * 0.006, 5), "lon": round(10.6 + pick.random() * 0.006, 5)}


def _need(pick: Random, name: str, services: list[str], days: int) -> dict[str, Any]:
    service, seats = pick.choice(services), pick.choice([1, 1, 1, 2])
    subsidy = {
        "programme": pick.choice(["p0", "p0", "p0", "p9"]), "percent": pick.choice([50, 33.3, 80]),
        "cap_cents_per_hour": pick.choice([None, 400]),
    }  # fmt: skip
    return {
        "id": name, "person": pick.choice([None, "m0", name]), "service": service, "seats": seats,
        "sessions": pick.choice([1, 1, 2]) if days > 1 else 1,
        "minutes": pick.choice([60, 60, 30, 90] if service != "tutoring" else [60, 60, 60, 30]),
        "windows": _windows(pick, days, 2), **_at(pick), "travel_km_max": pick.choice([0.2, 0.5, 2.0, 2.0, 2.0, 2.0]),
        "host_seats": pick.choice([0, 0, 3, 4]), "topic": pick.choice(["maths", "maths", "maths", None, None, "latin"]),
        "level": pick.choice([6, 7, 8, 8, 9, None]), "age": pick.choice([3, 5, 6, 7, 9, None]),
        "languages": pick.choice([["it"]] * 5 + [["it", "en"]] * 2 + [["en"]]),
        "requires": pick.choice([[]] * 7 + [["nurse"]]), "group_max": pick.choice([None, None, None, 1, 2, 3]),
        "price_max_cents_per_hour": pick.choice([None, 333, 500, 666, 667, 700, 1000, 1000, 1200, 1500]),
        "priority": pick.choice([1.0, 1.25, 1.5]), "subsidy": pick.choice([None, subsidy]), "excludes": [],
    }  # fmt: skip


def _offer(pick: Random, service: str) -> dict[str, Any]:
    rate = pick.choice([0, 1000, 1000, 1300, 2000])
    return {
        "service": service, "topics": pick.choice([["maths"], ["maths", "latin"]]), "level_min": 6,
        "level_max": pick.choice([8, 13]), "age_min": pick.choice([0, 4]), "age_max": 99,
        "seats_max": pick.choice([2, 3, 4]), "seats_min": pick.choice([1, 1, 1, 2]), "rate_cents_per_hour": rate,
        "extra_seat_cents_per_hour": pick.choice([0, 100, 307, 1000]) if rate else 0,
        "minutes_min": pick.choice([30, 60, 90]),
    }  # fmt: skip


def _provider(pick: Random, name: str, services: list[str], days: int, venues: list[dict[str, Any]]) -> dict[str, Any]:
    offered = [service for service in services if pick.random() < 0.8] or services[:1]
    return {
        "id": name, **_at(pick), "travel_km_max": pick.choice([0.4, 5.0, 5.0, 5.0]),
        "languages": pick.choice([["it"], ["it", "en"]]), "qualifications": pick.choice([[], ["nurse"]]),
        "minutes_max_per_week": pick.choice([120, 180, 1500]), "minutes_max_per_day": pick.choice([90, 120, 480]),
        "gap_minutes": pick.choice([0, 30, 60]), "venues": [v["id"] for v in venues if pick.random() < 0.85],
        "visits_homes": pick.random() < 0.8,
        "windows": [window for _ in range(pick.choice([1, 2])) for window in _windows(pick, days, days)],
        "offers": [_offer(pick, service) for service in offered for _ in range(pick.choice([1, 1, 2]))],
    }  # fmt: skip


def _venue(pick: Random, name: str, services: list[str], days: int) -> dict[str, Any]:
    return {
        "id": name, **_at(pick), "seats": pick.choice([1, 2, 3, 8, 8]), "services": services,
        "cost_cents_per_hour": pick.choice([0, 0, 200, 250]),
        "windows": [{"day": day, "start": 900, "end": pick.choice([1020, 1200])} for day in range(days)],
    }  # fmt: skip
