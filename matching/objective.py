"""What a plan costs the city: each term is summed exactly, and the total is rounded half up, once."""

from collections.abc import Iterable
from fractions import Fraction
from math import floor

from matching.distance import distance_km
from matching.instance import Instance, Need, PlaceAtHost, PlaceAtVenue, Venue
from matching.plan import Slot

MINUTES_PER_HOUR = 60
TIE_TOLERANCE = Fraction(1, 10**6)
"""So near to a half cent, either neighbour is right."""


def unserved_cost(instance: Instance, need: Need) -> Fraction:
    """What it costs to leave a need unserved, in cents; waiting raises it where the policy says so."""
    seat_minutes = need.seats * need.sessions * need.minutes
    cents = instance.policy.unserved_cents_per_hour * need.priority * Fraction(seat_minutes, MINUTES_PER_HOUR)
    if need.waiting_weeks and instance.policy.waiting_percent_per_week:
        cents *= 1 + Fraction(need.waiting_weeks * instance.policy.waiting_percent_per_week, 100)
    return cents


def travel_cost(instance: Instance, slot: Slot) -> Fraction:
    """What the members' ways to a `venue` or `host` slot cost, in cents; distances are doubles, taken as they are."""
    place: Need | Venue
    if isinstance(slot.place, PlaceAtVenue):
        place = instance.venues[slot.place.venue]
    elif isinstance(slot.place, PlaceAtHost):
        place = instance.needs[slot.place.need]
    else:
        return Fraction(0)
    homes = (instance.needs[member.need] for member in slot.members)
    km = sum((Fraction(distance_km(home.lat, home.lon, place.lat, place.lon)) for home in homes), Fraction(0))
    return instance.policy.travel_cents_per_km * km


def exact_objective(instance: Instance, slots: Iterable[Slot]) -> Fraction:
    """Cost, travel and unserved needs of a plan with these slots, before it is rounded."""
    total = Fraction(0)
    served: set[str] = set()
    for slot in slots:
        total += slot.cost_cents + travel_cost(instance, slot)
        served.update(member.need for member in slot.members)
    return total + sum(
        (unserved_cost(instance, need) for need in instance.needs.values() if need.id not in served), Fraction(0)
    )


def objective_cents(instance: Instance, slots: Iterable[Slot]) -> int:
    """The objective of a plan with these slots."""
    return round_half_up(exact_objective(instance, slots))


def round_half_up(exact: Fraction) -> int:
    """An exact objective in whole cents."""
    return floor(exact + Fraction(1, 2))


def is_objective(stated_cents: int, exact: Fraction) -> bool:
    """Whether a stated objective is the exact one rounded half up; next to a half cent, either neighbour."""
    return stated_cents in {
        floor(exact + Fraction(1, 2) - TIE_TOLERANCE),
        floor(exact + Fraction(1, 2)),
        floor(exact + Fraction(1, 2) + TIE_TOLERANCE),
    }
