"""`python -m matching.warm` compiles what is compiled, so that the first plan need not wait for it."""

from matching.arrays import flatten
from matching.company import companies, weeks_alone
from matching.first_reasons import first_reasons
from matching.formats import instance_from_json
from matching.openings import openings, stand
from matching.solve import prepare

NEED = {
    "person": "m", "seats": 1, "sessions": 1, "minutes": 60, "lat": 44.7, "lon": 10.6, "travel_km_max": 2.0,
    "host_seats": 3, "topic": None, "level": None, "age": None, "languages": ["it"], "requires": [], "group_max": None,
    "price_max_cents_per_hour": 2000, "priority": 1.0,
    "subsidy": {"programme": "p", "percent": 50, "cap_cents_per_hour": None}, "excludes": [],
    "windows": [{"day": 0, "start": 840, "end": 960}],
}  # fmt: skip
OFFER = {
    "topics": [], "level_min": 0, "level_max": 13, "age_min": 0, "age_max": 99, "seats_max": 2, "seats_min": 1,
    "rate_cents_per_hour": 1000, "extra_seat_cents_per_hour": 100, "minutes_min": 60,
}  # fmt: skip
SERVICES = {
    "tutoring": {"mode": "class"}, "babysitting": {"mode": "presence"},
    "home_care": {"mode": "round", "walk_km_max": 0.4, "walk_minutes": 15},
}  # fmt: skip
PINNED = {
    "id": "s1", "provider": "q", "service": "tutoring", "place": {"venue": "v"}, "day": 0, "start": 840, "end": 900,
    "cost_cents": 1000,
    "members": [{"need": "n0", "start": 840, "end": 900, "share_cents": 1000, "subsidy_cents": 0}],
}  # fmt: skip
WINDOW = {"day": 0, "start": 840, "end": 1200}
INSTANCE = {
    "format": "instance/1", "name": "warm", "grid_minutes": 15, "services": SERVICES,
    "policy": {"unserved_cents_per_hour": 6000, "travel_cents_per_km": 50},
    "programmes": [{"id": "p", "weekly_budget_cents": 1000}],
    "needs": [{**NEED, "id": f"n{i}", "service": service} for i, service in enumerate([*SERVICES, *SERVICES])],
    "providers": [{
        "id": "q", "lat": 44.7, "lon": 10.6, "travel_km_max": 5.0, "languages": ["it"], "qualifications": [],
        "minutes_max_per_week": 1500, "minutes_max_per_day": 480, "gap_minutes": 15, "venues": ["v"],
        "visits_homes": True, "windows": [WINDOW], "offers": [{**OFFER, "service": service} for service in SERVICES],
    }],
    "venues": [{
        "id": "v", "lat": 44.7, "lon": 10.6, "seats": 9, "services": [*SERVICES], "cost_cents_per_hour": 0,
        "windows": [WINDOW],
    }],
    "pinned": [PINNED],
}  # fmt: skip


if __name__ == "__main__":
    instance = instance_from_json(INSTANCE)
    prepare(instance)
    city, needs = flatten(instance), range(len(instance.needs))
    first_reasons(city, needs)
    companies(city, needs)
    weeks_alone(city, needs)
    openings(city, stand(instance, city, ()), needs)
