"""Small instances and plans as JSON, each field settable."""

from copy import deepcopy
from typing import Any

from matching.formats import instance_from_json

CLASS, PRESENCE, ROUND = "tutoring", "babysitting", "home_care"
SERVICES = {
    CLASS: {"mode": "class", "level_gap_max": 2, "same_topic": True},
    PRESENCE: {"mode": "presence", "age_gap_max": 4},
    ROUND: {"mode": "round", "walk_km_max": 0.4, "walk_minutes": 15},
}
HOME = (44.69, 10.63)


def window(day: int = 0, start: int = 840, end: int = 1200) -> dict[str, int]:
    return {"day": day, "start": start, "end": end}


def need(name: str, **fields: Any) -> dict[str, Any]:
    """One seat, one 60-minute session on Monday afternoon, in class, no limits."""
    base = {
        "id": name,
        "person": None,
        "service": CLASS,
        "seats": 1,
        "sessions": 1,
        "minutes": 60,
        "windows": [window()],
        "lat": HOME[0],
        "lon": HOME[1],
        "travel_km_max": 2.0,
        "host_seats": 0,
        "topic": None,
        "level": None,
        "age": None,
        "languages": ["it"],
        "requires": [],
        "group_max": None,
        "price_max_cents_per_hour": None,
        "priority": 1.0,
        "subsidy": None,
        "excludes": [],
    }
    return base | fields


def offer(**fields: Any) -> dict[str, Any]:
    base = {
        "service": CLASS,
        "topics": ["maths"],
        "level_min": 1,
        "level_max": 13,
        "age_min": 0,
        "age_max": 99,
        "seats_max": 5,
        "seats_min": 1,
        "rate_cents_per_hour": 1800,
        "extra_seat_cents_per_hour": 300,
        "minutes_min": 60,
    }
    return base | fields


def provider(name: str, *offers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Free on Monday afternoon, at the venue v1 and at homes."""
    base = {
        "id": name,
        "lat": HOME[0],
        "lon": HOME[1],
        "travel_km_max": 5.0,
        "languages": ["it"],
        "qualifications": [],
        "minutes_max_per_week": 1500,
        "minutes_max_per_day": 480,
        "gap_minutes": 15,
        "venues": ["v1"],
        "visits_homes": True,
        "windows": [window()],
        "offers": list(offers) or [offer()],
    }
    return base | fields


def venue(name: str = "v1", **fields: Any) -> dict[str, Any]:
    base = {
        "id": name,
        "lat": HOME[0],
        "lon": HOME[1],
        "seats": 12,
        "services": [CLASS, PRESENCE],
        "cost_cents_per_hour": 200,
        "windows": [window()],
    }
    return base | fields


def instance(needs: list[Any], providers: list[Any], venues: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    base = {
        "format": "instance/1",
        "name": "example",
        "grid_minutes": 15,
        "policy": {"unserved_cents_per_hour": 6000, "travel_cents_per_km": 50},
        "services": deepcopy(SERVICES),
        "programmes": [{"id": "p1", "weekly_budget_cents": 150000}],
        "needs": needs,
        "providers": providers,
        "venues": [venue()] if venues is None else venues,
        "pinned": [],
    }
    return base | fields


def member(name: str, start: int, end: int, share: int, subsidy: int = 0) -> dict[str, Any]:
    return {"need": name, "start": start, "end": end, "share_cents": share, "subsidy_cents": subsidy}


def slot(name: str, *members: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """At venue v1 on Monday, from its first to its last member."""
    base = {
        "id": name,
        "provider": "q1",
        "service": CLASS,
        "place": {"venue": "v1"},
        "day": 0,
        "start": min((one["start"] for one in members), default=0),
        "end": max((one["end"] for one in members), default=60),
        "cost_cents": sum(one["share_cents"] for one in members),
        "members": list(members),
    }
    return base | fields


def plan(
    of: dict[str, Any], slots: list[Any], objective: int, unserved: list[Any] = (), **fields: Any
) -> dict[str, Any]:
    base = {
        "format": "plan/1",
        "instance": instance_from_json(of).digest,
        "status": "OPTIMAL",
        "slots": slots,
        "unserved": list(unserved),
        "objective_cents": objective,
        "bound_cents": objective,
        "gap": 0.0,
        "seconds": 0.1,
        "seed": 0,
    }
    return base | fields
