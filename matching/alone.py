"""The reasons that look at one need alone: `no_provider`, `too_far`, `no_common_time`, the first that holds.

They ignore capacity, groups and money; the definitions are the table of matching.md, read literally.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from math import cos, pi, radians
from typing import TypeVar

from matching.distance import EARTH_RADIUS_KM, Address, is_within
from matching.instance import Instance, Mode, Need, Provider, Venue, Window
from matching.offers import offer_suits, provider_suits

NO_PROVIDER = "no_provider"
TOO_FAR = "too_far"
NO_COMMON_TIME = "no_common_time"

KM_PER_DEGREE = EARTH_RADIUS_KM * pi / 180
MARGIN_DEGREES = 1e-6
"""How far the sieve errs on the safe side."""

Located = TypeVar("Located", bound=Address)


class Alone:
    """An instance, indexed for asking about one need at a time."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def reason(self, need: Need) -> str | None:
        """The first of the three reasons that holds for the need; None if none does."""
        if any(
            self.covers(provider, need) and _has_time(provider, need, None if venue is None else [venue])
            for provider, venue in self._first_places(need)
        ):
            return None
        placed = False
        for provider, at_a_home, venues in self.places(need):
            if not self.covers(provider, need):
                continue
            placed = True
            if _has_time(provider, need, None if at_a_home else venues):
                return None
        if placed:
            return NO_COMMON_TIME
        if any(self.covers(provider, need) for provider in self._instance.providers.values()):
            return TOO_FAR
        return NO_PROVIDER

    def covers(self, provider: Provider, need: Need) -> bool:
        """Whether the provider has an offer that covers the need alone (rule 2)."""
        return any(offer_suits(offer, need) for offer in provider.offers) and provider_suits(provider, need)

    def _first_places(self, need: Need) -> Iterator[tuple[Provider, Venue | None]]:
        """Providers with one of their venues, or else its own home, within both limits: enough for most needs."""
        if self._instance.services[need.service].mode != Mode.ROUND:
            for venue in _within(self._venues, need, float(need.travel_km_max)):
                if need.service in venue.services:
                    yield from ((provider, venue) for provider in self._providers_at[venue.id])
        for provider in _within(self._visiting, need, self._reach_km):
            if is_within(provider, need, float(provider.travel_km_max)):
                yield provider, None

    def places(self, need: Need) -> Iterator[tuple[Provider, bool, list[Venue]]]:
        """Providers with a place within both limits: whether that is a home, else the venues; the likeliest first."""
        is_round = self._instance.services[need.service].mode == Mode.ROUND
        if not is_round:
            at: dict[str, list[Venue]] = defaultdict(list)
            for venue in _within(self._venues, need, float(need.travel_km_max)):
                if need.service in venue.services:
                    for provider in self._providers_at[venue.id]:
                        at[provider.id].append(venue)
            for name, venues in at.items():
                yield self._instance.providers[name], False, venues
        for provider in _within(self._visiting, need, self._reach_km):
            if is_within(provider, need, float(provider.travel_km_max)):
                yield provider, True, []
        if not is_round:
            for provider in self._visiting_a_host_of(need):
                yield provider, True, []

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


def _has_time(provider: Provider, need: Need, venues: list[Venue] | None) -> bool:
    """Whether on as many days as the need asks for, its session fits (at one of the venues, if any are given)."""
    days = set()
    for window in need.windows:
        if window.day in days or window.end - window.start < need.minutes:
            continue
        for common in _overlaps(window, provider.windows, need.minutes):
            if venues is None or any(_overlaps(common, venue.windows, need.minutes) for venue in venues):
                days.add(window.day)
                break
    return len(days) >= need.sessions


def _overlaps(window: Window, others: tuple[Window, ...], minutes: int) -> list[Window]:
    """What the window has in common with others, where it is at least so long."""
    found = []
    for other in others:
        if other.day == window.day:
            start, end = max(window.start, other.start), min(window.end, other.end)
            if end - start >= minutes:
                found.append(Window(window.day, start, end))
    return found
