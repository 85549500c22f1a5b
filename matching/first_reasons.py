"""The reasons that look at one need alone, of all needs at once, compiled: `no_provider`, `too_far`, `no_common_time`.

They ignore capacity, groups and money; the definitions are the table of matching.md, read literally.
"""

from collections.abc import Iterable
from math import pi
from typing import NamedTuple

import numpy as np

from matching.arrays import HOMES, NOTHING, ROUND, City, Degrees, Flags, Ints
from matching.compiled import compiled, inner, lean
from matching.distance import EARTH_RADIUS_KM, TOLERANCE_KM
from matching.pairs import distance_km
from matching.plan import NO_COMMON_TIME, NO_PROVIDER, TOO_FAR

FIRST_REASONS = (None, NO_PROVIDER, TOO_FAR, NO_COMMON_TIME)

KM_PER_DEGREE = EARTH_RADIUS_KM * pi / 180
SIEVE_KM = 1e-6
"""How far the sieve by latitude errs on the safe side."""


def first_reasons(city: City, needs: Iterable[int]) -> list[str | None]:
    """For each of these needs (by index) the first of the three reasons that holds; None if none does."""
    wanted = np.fromiter(needs, np.int64)
    codes = np.zeros(len(wanted), np.int64)
    _find(city, wanted, codes)
    return [FIRST_REASONS[code] for code in codes.tolist()]


@lean
def is_near(lat: float, lon: float, other_lat: float, other_lon: float, km: float) -> bool:
    """Whether two points are at most so far apart, within the contract's tolerance; most are told by latitude."""
    if abs(lat - other_lat) * KM_PER_DEGREE > km + SIEVE_KM:
        return False
    return bool(distance_km(lat, lon, other_lat, other_lon) <= km + TOLERANCE_KM)


@lean
def suits(city: City, provider: int, need: int) -> bool:
    """Whether the provider may serve the need at all: exclusions, qualifications, a common language (rule 2)."""
    own, asked = city.providers[provider], city.needs[need]
    for i in range(asked.without_from, asked.without_to):
        if city.lists[i] == provider:
            return False
    for i in range(asked.requires_from, asked.requires_to):
        if not city.held[provider, city.lists[i]]:
            return False
    for i in range(own.languages_from, own.languages_to):
        for j in range(asked.languages_from, asked.languages_to):
            if city.lists[i] == city.lists[j]:
                return True
    return False


@lean
def is_offered(city: City, offer: int, need: int) -> bool:
    """Whether the offer itself covers the need: service, topic, level and age."""
    given, asked = city.offers[offer], city.needs[need]
    return bool(
        given.service == asked.service
        and (asked.topic == NOTHING or city.taught[offer, asked.topic])
        and (asked.level == NOTHING or given.level_min <= asked.level <= given.level_max)
        and (asked.age == NOTHING or given.age_min <= asked.age <= given.age_max)
    )


@lean
def covers(city: City, provider: int, need: int) -> bool:
    """Whether the provider has an offer that covers the need alone (rule 2)."""
    for offer in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
        if is_offered(city, offer, need):
            return suits(city, provider, need)
    return False


@lean
def days_at_home(city: City, provider: int, need: int, length: int) -> int:
    """The days, as bits, on which so much time is inside a window of the need and one of the provider."""
    days = 0
    for i in range(city.needs[need].windows_from, city.needs[need].windows_to):
        day, start, end = city.windows[i]
        for j in range(city.providers[provider].windows_from, city.providers[provider].windows_to):
            if city.windows[j, 0] == day:
                if min(end, city.windows[j, 2]) - max(start, city.windows[j, 1]) >= length:
                    days |= 1 << day
    return days


@lean
def days_at_venue(city: City, provider: int, need: int, venue: int, length: int) -> int:
    """The days, as bits, on which so much time is inside a window of the need, the provider and the venue."""
    days = 0
    for i in range(city.needs[need].windows_from, city.needs[need].windows_to):
        day, start, end = city.windows[i]
        for j in range(city.providers[provider].windows_from, city.providers[provider].windows_to):
            if city.windows[j, 0] != day:
                continue
            first, last = max(start, city.windows[j, 1]), min(end, city.windows[j, 2])
            if last - first < length:
                continue
            for k in range(city.venues[venue].windows_from, city.venues[venue].windows_to):
                if city.windows[k, 0] == day:
                    if min(last, city.windows[k, 2]) - max(first, city.windows[k, 1]) >= length:
                        days |= 1 << day
    return days


@lean
def count_days(days: int) -> int:
    """How many days there are among bits."""
    count = 0
    while days:
        count += days & 1
        days >>= 1
    return count


class Nearby(NamedTuple):
    """The providers of one service, so that those with a place near a need are found without asking all.

    `at_venue[since[v]:since[v + 1]]` are those at venue v; `visiting` go to homes, from south to north (`south`).
    """

    providers: Ints
    since: Ints
    at_venue: Ints
    visiting: Ints
    south: Degrees
    reach_km: float


@inner
def providers_of(city: City, service: int) -> Ints:
    """The providers with an offer for the service."""
    found, count = np.zeros(len(city.providers), np.int64), 0
    for provider in range(len(city.providers)):
        for offer in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
            if city.offers[offer].service == service:
                found[count] = provider
                count += 1
                break
    return found[:count].copy()


@inner
def nearby(city: City, service: int) -> Nearby:
    """The providers of a service, by venue and by latitude."""
    providers = providers_of(city, service)
    since = np.zeros(len(city.venues) + 2, np.int64)
    is_round = city.services[service].mode == ROUND
    for provider in providers:
        for k in range(city.providers[provider].venues_from, city.providers[provider].venues_to):
            since[city.lists[k] + 2] += not is_round
    for venue in range(len(city.venues) + 1):
        since[venue + 1] += since[venue]
    at_venue = np.zeros(since[-1], np.int64)
    visiting, count, reach_km = np.zeros(len(providers), np.int64), 0, 0.0
    for provider in providers:
        own = city.providers[provider]
        if not is_round:
            for k in range(own.venues_from, own.venues_to):
                at_venue[since[city.lists[k] + 1]] = provider
                since[city.lists[k] + 1] += 1
        if own.visits:
            visiting[count] = provider
            count += 1
            reach_km = max(reach_km, own.travel_km)
    south = np.zeros(count, np.float64)
    for i in range(count):
        provider, k = visiting[i], i
        while k and south[k - 1] > city.providers[provider].lat:
            visiting[k], south[k] = visiting[k - 1], south[k - 1]
            k -= 1
        visiting[k], south[k] = provider, city.providers[provider].lat
    return Nearby(providers, since[:-1], at_venue, visiting[:count], south, reach_km)


@lean
def those_near(city: City, all_: Nearby, need: int, near: Flags, seen: Ints, found: Ints) -> int:
    """How many providers are at one of the venues `near` or go to the need's home; `found` names them, each once.

    `seen[provider]` is the need for which the provider was found last.
    """
    count, asked = 0, city.needs[need]
    for venue in range(len(near)):
        if near[venue]:
            for k in range(all_.since[venue], all_.since[venue + 1]):
                if seen[all_.at_venue[k]] != need:
                    seen[all_.at_venue[k]] = need
                    found[count] = all_.at_venue[k]
                    count += 1
    for k in visiting_range(all_, asked.lat, all_.reach_km):
        if seen[all_.visiting[k]] != need and goes_to(city, all_.visiting[k], need):
            seen[all_.visiting[k]] = need
            found[count] = all_.visiting[k]
            count += 1
    return count


@lean
def visiting_range(all_: Nearby, lat: float, km: float) -> range:
    """Which of `visiting` live within so many km of a latitude."""
    degrees = (km + SIEVE_KM) / KM_PER_DEGREE
    return range(_first_from(all_.south, lat - degrees), _first_from(all_.south, lat + degrees))


@lean
def _first_from(south: Degrees, lat: float) -> int:
    """How many of the latitudes, which are in order, are less."""
    low, high = 0, len(south)
    while low < high:
        middle = (low + high) // 2
        if south[middle] < lat:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def near_venues(city: City, need: int) -> Flags:
    """Which venues allow the need's service and are near enough to it."""
    asked, venues = city.needs[need], city.venues
    near = np.zeros(len(venues), np.bool_)
    for venue in range(len(venues)):
        if city.allowed[venue, asked.service]:
            near[venue] = is_near(asked.lat, asked.lon, venues[venue].lat, venues[venue].lon, asked.travel_km)
    return near


@lean
def goes_to(city: City, provider: int, need: int) -> bool:
    """Whether the provider goes to the need's home (rule 4)."""
    own, home = city.providers[provider], city.needs[need]
    return bool(own.visits) and is_near(own.lat, own.lon, home.lat, home.lon, own.travel_km)


@inner
def _near_hosts(city: City, need: int, hosts: Ints) -> Ints:
    """Those of the hosts whose home is near enough to the need, itself left out."""
    found, count, asked = np.zeros(len(hosts), np.int64), 0, city.needs[need]
    for i in range(len(hosts)):
        home = city.needs[hosts[i]]
        if hosts[i] != need and is_near(asked.lat, asked.lon, home.lat, home.lon, asked.travel_km):
            found[count] = hosts[i]
            count += 1
    return found[:count]


@lean
def own_places(city: City, provider: int, need: int, near: Flags, places: Ints) -> int:
    """How many places the two have without another host; `places` names them, the need's home (`HOMES`) first.

    `near` are the venues near enough to the need.
    """
    count = 0
    if goes_to(city, provider, need):
        places[0] = HOMES
        count = 1
    if city.services[city.needs[need].service].mode != ROUND:
        for k in range(city.providers[provider].venues_from, city.providers[provider].venues_to):
            if near[city.lists[k]]:
                places[count] = city.lists[k]
                count += 1
    return count


@lean
def _days_nearby(city: City, provider: int, need: int, near: Flags, places: Ints) -> int:
    """The days, as bits, on which the provider has time at the need's own home or a venue; -1 where it has no place."""
    count, length = own_places(city, provider, need, near, places), city.needs[need].length
    if count == 0 or not covers(city, provider, need):
        return -1
    if places[0] == HOMES:
        return days_at_home(city, provider, need, length)
    days = 0
    for i in range(count):
        days |= days_at_venue(city, provider, need, places[i], length)
    return days


@inner
def _reason_of(city: City, need: int, all_: Nearby, hosts: Ints, seen: Ints, found: Ints) -> int:
    """The code of the need's first reason; `all_` and `hosts` are those of its service."""
    asked = city.needs[need]
    venues, places, is_placed = near_venues(city, need), np.zeros(len(city.venues) + 1, np.int64), False
    for i in range(those_near(city, all_, need, venues, seen, found)):
        days = _days_nearby(city, found[i], need, venues, places)
        if days >= 0:
            is_placed = True
            if count_days(days) >= asked.sessions:
                return 0
    is_round = city.services[asked.service].mode == ROUND
    near = _near_hosts(city, need, hosts[:0] if is_round else hosts)
    if len(near):
        for k in visiting_range(all_, asked.lat, all_.reach_km + asked.travel_km):
            provider = all_.visiting[k]
            has_time = count_days(days_at_home(city, provider, need, asked.length)) >= asked.sessions
            if (has_time or not is_placed) and covers(city, provider, need):
                for host in near:
                    if goes_to(city, provider, host):
                        is_placed = True
                        if has_time:
                            return 0
                        break
    if is_placed:
        return 3
    for provider in all_.providers:
        if covers(city, provider, need):
            return 2
    return 1


@compiled
def _find(city: City, wanted: Ints, codes: Ints) -> None:
    """The codes of the wanted needs' first reasons, service by service."""
    seen, found = np.full(len(city.providers), -1, np.int64), np.zeros(len(city.providers), np.int64)
    for service in range(len(city.services)):
        all_ = nearby(city, service)
        first, last = city.services[service].needs_from, city.services[service].needs_to
        hosts, count = np.zeros(last - first, np.int64), 0
        for i in range(first, last):
            if city.needs[city.lists[i]].host_seats > 0:
                hosts[count] = city.lists[i]
                count += 1
        for i in range(len(wanted)):
            if city.needs[wanted[i]].service == service:
                codes[i] = _reason_of(city, wanted[i], all_, hosts[:count], seen, found)
