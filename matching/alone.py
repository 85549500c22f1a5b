"""Where and at which price one need could be served alone: its providers, their places, their common time.

Capacity and other needs are ignored; one need is asked about at a time.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from math import cos, radians
from typing import TypeVar

from billing.split import subsidy_cents
from matching.distance import Address, is_within
from matching.first_reasons import KM_PER_DEGREE
from matching.instance import (
    Instance,
    Mode,
    Need,
    Place,
    PlaceAtHomes,
    PlaceAtHost,
    PlaceAtVenue,
    Provider,
    Venue,
    Window,
)
from matching.offers import offer_suits, provider_suits, quote

MARGIN_DEGREES = 1e-6
"""How far the sieve errs on the safe side."""

Located = TypeVar("Located", bound=Address)


class Alone:
    """An instance, indexed for asking about one need at a time."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def covers(self, provider: Provider, need: Need) -> bool:
        """Whether the provider has an offer that covers the need alone (rule 2)."""
        return any(offer_suits(offer, need) for offer in provider.offers) and provider_suits(provider, need)

    def places(self, need: Need) -> dict[str, list[Place]]:
        """By provider that covers the need: where they can meet; nowhere, where only another's home is near enough."""
        found: dict[str, list[Place]] = defaultdict(list)
        is_round = self._instance.services[need.service].mode == Mode.ROUND
        if not is_round:
            for venue in _within(self._venues, need, float(need.travel_km_max)):
                if need.service in venue.services:
                    for provider in self._providers_at[venue.id]:
                        found[provider.id].append(PlaceAtVenue(venue.id))
        for provider in _within(self._visiting, need, self._reach_km):
            if is_within(provider, need, float(provider.travel_km_max)):
                found[provider.id].insert(0, PlaceAtHomes() if is_round else PlaceAtHost(need.id))
        if not is_round:
            for provider in self._visiting_a_host_of(need):
                found.setdefault(provider.id, [])
        providers = self._instance.providers
        return {name: places for name, places in found.items() if self.covers(providers[name], need)}

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

    def _visiting_a_host_of(self, need: Need) -> Iterator[Provider]:
        """Who can come to the home of another need for the same service that has host seats, near enough."""
        near = _within(self._hosts[need.service], need, float(need.travel_km_max))
        hosts = [host for host in near if host.id != need.id]
        if not hosts:
            return
        for provider in _within(self._visiting, need, self._reach_km + float(need.travel_km_max)):
            reach = float(provider.travel_km_max)
            if self.covers(provider, need) and any(is_within(provider, host, reach) for host in hosts):
                yield provider

    @cached_property
    def _venues(self) -> list[Venue]:
        return sorted(self._instance.venues.values(), key=_latitude)

    @cached_property
    def _providers_at(self) -> dict[str, list[Provider]]:
        """By venue: whose venue it is."""
        found: dict[str, list[Provider]] = defaultdict(list)
        for provider in self._instance.providers.values():
            for venue in dict.fromkeys(provider.venues):
                found[venue].append(provider)
        return found

    @cached_property
    def _visiting(self) -> list[Provider]:
        return sorted((one for one in self._instance.providers.values() if one.visits_homes), key=_latitude)

    @cached_property
    def _reach_km(self) -> float:
        return max((float(provider.travel_km_max) for provider in self._visiting), default=0.0)

    @cached_property
    def _hosts(self) -> dict[str, list[Need]]:
        """By service: the needs with host seats."""
        found: dict[str, list[Need]] = defaultdict(list)
        for need in sorted(self._instance.needs.values(), key=_latitude):
            if need.host_seats > 0:
                found[need.service].append(need)
        return found


def _within(addresses: list[Located], need: Need, km: float) -> Iterator[Located]:
    """Those of the addresses (from south to north) that lie within a distance; a box of degrees is a first sieve."""
    degrees = km / KM_PER_DEGREE + MARGIN_DEGREES
    first = bisect_left(addresses, need.lat - degrees, key=_latitude)
    last = bisect_right(addresses, need.lat + degrees, key=_latitude)
    lon, width = need.lon, 360.0
    if abs(need.lat) + degrees < 89:  # a box has a width, away from the poles
        width = degrees / cos(radians(abs(need.lat) + degrees))
    for one in addresses[first:last]:
        away = abs(one.lon - lon)
        if (away <= width or away >= 360 - width) and is_within(one, need, km):
            yield one


def _latitude(one: Address) -> float:
    return one.lat


def common_windows(some: tuple[Window, ...], others: tuple[Window, ...], minutes: int) -> tuple[Window, ...]:
    """What windows have in common with others, where it is at least so long."""
    found = []
    for one in some:
        for other in others:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if one.day == other.day and end - start >= minutes:
                found.append(Window(one.day, start, end))
    return tuple(found)
