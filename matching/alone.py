"""Where and at which price one need could be served alone: its providers, their places, their common time.

Capacity and other needs are ignored; one need is asked about at a time.
"""

from billing.split import subsidy_cents
from matching.distance import is_within
from matching.instance import (
    Instance,
    Mode,
    Need,
    Place,
    PlaceAtHomes,
    PlaceAtHost,
    PlaceAtVenue,
    Provider,
    Window,
)
from matching.quotes import offer_suits, provider_suits, quote

SIEVE_KM = 1e-6
"""By so much more than two distances the third may be, as they are rounded."""


class Alone:
    """An instance, asked about one need at a time."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def covers(self, provider: Provider, need: Need) -> bool:
        """Whether the provider has an offer that covers the need alone (rule 2)."""
        return any(offer_suits(offer, need) for offer in provider.offers) and provider_suits(provider, need)

    def places(self, provider: Provider, need: Need) -> list[Place]:
        """Where the two can meet without another host: at the need's home, at venues of the provider's."""
        found: list[Place] = []
        is_round = self._instance.services[need.service].mode == Mode.ROUND
        if provider.visits_homes and is_within(provider, need, float(provider.travel_km_max)):
            found.append(PlaceAtHomes() if is_round else PlaceAtHost(need.id))
        for name in dict.fromkeys(() if is_round else provider.venues):
            venue = self._instance.venues[name]
            if need.service in venue.services and is_within(need, venue, float(need.travel_km_max)):
                found.append(PlaceAtVenue(name))
        return found

    def is_in_reach(self, provider: Provider, need: Need) -> bool:
        """Whether there could be a place for the two, at whoever's home: errs on the safe side, by the whole way."""
        way = float(provider.travel_km_max) + float(need.travel_km_max)
        if provider.visits_homes and is_within(provider, need, way + SIEVE_KM):
            return True
        venues = (self._instance.venues[name] for name in provider.venues)
        return any(is_within(need, one, float(need.travel_km_max)) for one in venues if need.service in one.services)

    def windows(self, provider: Provider, need: Need, place: Place) -> tuple[Window, ...]:
        """When the need, the provider and the venue are all free for as long as a session."""
        shared = common_windows(need.windows, provider.windows, need.minutes)
        if isinstance(place, PlaceAtVenue):
            shared = common_windows(shared, self._instance.venues[place.venue].windows, need.minutes)
        return shared

    def net_cents(self, provider: Provider, need: Need, place: Place) -> int | None:
        """What the need pays for one session alone, net of its full subsidy; None where it is too large or small."""
        offers = [offer for offer in provider.offers if offer_suits(offer, need)]
        if need.group_max is not None and need.seats > need.group_max:
            return None
        if isinstance(place, PlaceAtVenue) and need.seats > self._instance.venues[place.venue].seats:
            return None
        price = quote(self._instance, offers, place, [(0, need.minutes, need.seats)])
        if price is None:
            return None
        if (subsidy := need.subsidy) is None:
            return price.cost_cents
        return price.cost_cents - subsidy_cents(
            price.cost_cents, subsidy.percent, subsidy.cap_cents_per_hour, need.minutes, need.seats
        )


def common_windows(some: tuple[Window, ...], others: tuple[Window, ...], minutes: int) -> tuple[Window, ...]:
    """What windows have in common with others, where it is at least so long."""
    found = []
    for one in some:
        for other in others:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if one.day == other.day and end - start >= minutes:
                found.append(Window(one.day, start, end))
    return tuple(found)
