"""Synthetic cities of several kinds and any size: the same kind, size and seed give the same city."""

from dataclasses import dataclass
from random import Random
from typing import Any

CENTRE_LAT, CENTRE_LON = 44.70, 10.63
TUTORING, BABYSITTING, HOME_CARE = "tutoring", "babysitting", "home_care"
SERVICES: dict[str, dict[str, Any]] = {
    TUTORING: {"mode": "class", "level_gap_max": 2, "same_topic": True},
    BABYSITTING: {"mode": "presence", "age_gap_max": 5},
    HOME_CARE: {"mode": "round", "walk_km_max": 0.5, "walk_minutes": 15},
}


@dataclass(frozen=True)
class Kind:
    """What one kind of city has: the parts of the services, needs to a provider, how its people are spread."""

    parts: tuple[int, int, int] = (66, 21, 13)
    needs_a_provider: float = 7.0
    quarters: bool = True
    spread_km: float = 4.0
    volunteers: float = 0.0
    budget_cents: int = 400
    shared_people: float = 0.05


KINDS = {
    "clustered": Kind(),
    "uniform": Kind(quarters=False),
    "tight": Kind(needs_a_provider=13.0),
    "village": Kind(needs_a_provider=7.0, spread_km=1.2),
    "volunteers": Kind(volunteers=0.5, budget_cents=20),
    "elders": Kind(parts=(10, 10, 80)),
    "nurseries": Kind(parts=(10, 80, 10), shared_people=0.3),
}


def make_city(kind: str, needs: int, seed: int) -> dict[str, Any]:
    """An instance as its JSON object."""
    pick, of = Random(f"{kind} {needs} {seed}"), KINDS[kind]
    spread = of.spread_km * max(1.0, (needs / 1000) ** 0.5)
    quarters = [_around(pick, CENTRE_LAT, CENTRE_LON, spread) for _ in range(max(2, needs // 80))]

    def somewhere() -> dict[str, float]:
        lat, lon = pick.choice(quarters) if of.quarters else (CENTRE_LAT, CENTRE_LON)
        lat, lon = _around(pick, lat, lon, 0.6 if of.quarters else spread)
        return {"lat": round(lat, 5), "lon": round(lon, 5)}

    venues = [_venue(pick, f"v{i}", somewhere()) for i in range(max(2, needs // 35))]
    services = [pick.choices([*SERVICES], of.parts)[0] for _ in range(needs)]
    asked = [_need(pick, of, i, service, somewhere()) for i, service in enumerate(services)]
    count = max(2, round(needs / of.needs_a_provider))
    providers = [_provider(pick, of, f"q{i}", somewhere(), venues) for i in range(count)]
    for need in pick.sample(asked, needs // 60):
        need["excludes"] = [pick.choice([*asked, *providers])["id"]]
    return {
        "format": "instance/1", "name": f"{kind}-{needs}-{seed}", "grid_minutes": 15,
        "policy": {"unserved_cents_per_hour": 6000, "travel_cents_per_km": 50}, "services": SERVICES,
        "programmes": [{"id": "p0", "weekly_budget_cents": of.budget_cents * needs}],
        "needs": asked, "providers": providers, "venues": venues, "pinned": [],
    }  # fmt: skip


def _around(pick: Random, lat: float, lon: float, km: float) -> tuple[float, float]:
    return lat + pick.gauss(0, km / 2) / 111.2, lon + pick.gauss(0, km / 2) / 79.0


def _windows(pick: Random, days: list[int], first: int, last: int, lengths: list[int]) -> list[dict[str, int]]:
    windows = []
    for day in sorted(days):
        length = pick.choice(lengths)
        start = first + 15 * pick.randrange((last - first - length) // 15 + 1)
        windows.append({"day": day, "start": start, "end": start + length})
    return windows


def _hours(service: str) -> tuple[int, int]:
    return (450, 1140) if service == HOME_CARE else (840, 1200)


def _need(pick: Random, kind: Kind, index: int, service: str, at: dict[str, float]) -> dict[str, Any]:
    minutes = {TUTORING: [60, 90, 90, 120], BABYSITTING: [120, 180, 240], HOME_CARE: [30, 45, 60, 60, 90]}[service]
    sessions = pick.choices([1, 2, 3, 5], [46, 34, 15, 5])[0]
    days = pick.sample(range(5), min(5, sessions + pick.choice([0, 1, 1, 2])))
    level = pick.randint(1, 13)
    subsidy = {
        "programme": "p0", "percent": pick.choice([20, 30, 50, 80]),
        "cap_cents_per_hour": pick.choice([None, 300, 500, 800]),
    }  # fmt: skip
    ages = {TUTORING: level + 5, BABYSITTING: pick.randint(1, 10), HOME_CARE: pick.randint(65, 95)}
    prices = [500, 600, 800, 1000, 1200, 1600, 2000, None]
    return {
        "id": f"n{index}", "person": f"m{index if pick.random() > kind.shared_people else index // 2 * 2}",
        "service": service, "seats": pick.choices([1, 2], [92, 8])[0], "sessions": sessions,
        "minutes": pick.choice(minutes), "windows": _windows(pick, days, *_hours(service), [120, 150, 180, 240]), **at,
        "travel_km_max": 0.0 if service == HOME_CARE else pick.choice([0.0, 0.5, 1.0, 1.5, 2.0, 3.0]),
        "host_seats": 0 if service == HOME_CARE else pick.choice([0, 0, 0, 3, 4]),
        "topic": pick.choice(["maths", "english", "italian", "latin"]) if service == TUTORING else None,
        "level": level if service == TUTORING else None, "age": ages[service],
        "languages": pick.choice([["it"]] * 8 + [["it", "ar"], ["uk"]]), "requires": [],
        "group_max": pick.choice([None, None, 2, 3, 4]), "price_max_cents_per_hour": pick.choice(prices),
        "priority": pick.choice([1.0, 1.0, 1.25, 1.5]), "subsidy": subsidy if pick.random() < 0.35 else None,
        "excludes": [],
    }  # fmt: skip


def _provider(
    pick: Random, kind: Kind, name: str, at: dict[str, float], venues: list[dict[str, Any]]
) -> dict[str, Any]:
    service = pick.choices([*SERVICES], kind.parts)[0]
    rate = 0 if pick.random() < kind.volunteers else pick.choice([1000, 1200, 1400, 1600, 1900])
    ages = {TUTORING: (0, 99), BABYSITTING: (0, 13), HOME_CARE: (18, 110)}[service]
    near = sorted(venues, key=lambda one: (one["lat"] - at["lat"]) ** 2 + (one["lon"] - at["lon"]) ** 2 / 2)
    offer = {
        "service": service, "topics": pick.sample(["maths", "english", "italian", "latin"], 2),
        "level_min": pick.choice([1, 1, 6]), "level_max": pick.choice([8, 13, 13]), "age_min": ages[0],
        "age_max": ages[1], "seats_max": pick.choice([2, 3, 4, 5]), "seats_min": pick.choices([1, 2], [9, 1])[0],
        "rate_cents_per_hour": rate,
        "extra_seat_cents_per_hour": 0 if service == HOME_CARE or not rate else pick.choice([0, 100, 200, 300]),
        "minutes_min": pick.choice([30, 60, 60, 90]),
    }  # fmt: skip
    return {
        "id": name, **at, "travel_km_max": pick.choice([2.0, 3.0, 5.0]),
        "languages": pick.choice([["it"]] * 4 + [["it", "ar"], ["it", "uk"]]), "qualifications": [],
        "minutes_max_per_week": pick.choice([600, 900, 1200, 1500, 2100]),
        "minutes_max_per_day": pick.choice([240, 300, 480]), "gap_minutes": pick.choice([15, 30]),
        "venues": [] if service == HOME_CARE else [one["id"] for one in near[: pick.randint(1, 4)]],
        "visits_homes": service == HOME_CARE or pick.random() < 0.5,
        "windows": _windows(pick, pick.sample(range(5), pick.randint(3, 5)), *_hours(service), [180, 240, 300]),
        "offers": [offer],
    }  # fmt: skip


def _venue(pick: Random, name: str, at: dict[str, float]) -> dict[str, Any]:
    return {
        "id": name, **at, "seats": pick.choice([6, 8, 12, 20]), "services": [TUTORING, BABYSITTING],
        "cost_cents_per_hour": pick.choice([0, 150, 300]),
        "windows": [{"day": day, "start": 840, "end": 1200} for day in range(5)],
    }  # fmt: skip


def make_region(cities: list[dict[str, Any]]) -> dict[str, Any]:
    """One instance of several cities of the same services, each a degree north of the last and with ids of its own."""
    parts = [_moved(city, index) for index, city in enumerate(cities)]
    lists = ("programmes", "needs", "providers", "venues", "pinned")
    return parts[0] | {name: [one for part in parts for one in part[name]] for name in lists}


def _moved(city: dict[str, Any], north: int) -> dict[str, Any]:
    names = {one["id"] for name in ("programmes", "needs", "providers", "venues") for one in city[name]}
    names |= {need["person"] for need in city["needs"]}

    def moved(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: moved(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [moved(one) for one in value]
        if key == "lat":
            return value + north
        return f"c{north}.{value}" if isinstance(value, str) and value in names else value

    return city | {name: moved(city[name]) for name in ("programmes", "needs", "providers", "venues", "pinned")}
