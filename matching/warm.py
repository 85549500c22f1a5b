"""`python -m matching.warm` compiles what is compiled, so that the first plan need not wait for it.

Processes do it side by side: each compiles functions that no other one calls.
"""

import subprocess
import sys

import numpy as np

from matching.arrays import flatten
from matching.columns import Columns
from matching.company import companies, weeks_alone
from matching.enumeration import Limits, enumerate_columns
from matching.first_reasons import first_reasons
from matching.formats import instance_from_json
from matching.openings import openings, stand
from matching.problem import Problem
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


def warm_columns() -> None:
    """Compile what finds columns."""
    enumerate_columns(flatten(instance_from_json(INSTANCE)), Limits(1 << 20, 1 << 20))


def warm_plans() -> None:
    """Compile what finds plans: for one column, made by hand (see `matching.groups`)."""
    instance = instance_from_json(INSTANCE)
    table = np.array([[0, 0, 56, 60, 1000, 0, -1, 0, 1]], np.int32)
    members = np.array([[1, 56, 60, 1000, 0]], np.int32)
    columns = Columns(np.zeros(1, np.int32), table, np.array([0, 1]), members, True)
    value = np.full(len(instance.needs), 60_000_000, np.int64)
    prepare(Problem(instance, flatten(instance), columns, np.array([10_000_000]), value))


def warm_reasons() -> None:
    """Compile what tells reasons."""
    instance = instance_from_json(INSTANCE)
    city, needs = flatten(instance), range(len(instance.needs))
    first_reasons(city, needs)
    companies(city, needs)
    weeks_alone(city, needs)
    openings(city, stand(instance, city, ()), needs)


PARTS = {"columns": warm_columns, "plans": warm_plans, "reasons": warm_reasons}


def main() -> int:
    """Compile the parts that are named, or all of them, each in a process of its own; the exit status."""
    if names := sys.argv[1:]:
        for name in names:
            PARTS[name]()
        return 0
    jobs = [subprocess.Popen([sys.executable, "-m", "matching.warm", name]) for name in PARTS]
    return max(job.wait() for job in jobs)


if __name__ == "__main__":
    sys.exit(main())
