"""What a need would pay in the company of more seats like its own, all else empty: how many it lacks, how dear it is.

The seats are one-seat members with the need's own address, windows and wishes. In `class` and `presence` they come with
it; in a `round` each is visited after it. Every rule that holds within a slot is kept, but the need's own price limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from matching.arrays import NO_LIMIT, ROUND, City, Ints
from matching.candidates import DAYS
from matching.compiled import compiled, inner, lean
from matching.first_reasons import (
    Nearby,
    covers,
    days_at_home,
    days_at_venue,
    is_offered,
    near_venues,
    nearby,
    own_places,
    those_near,
)
from matching.instance import Need
from matching.pricing import net_of

SEATS_TRIED = 30
"""More seats than this in one group are not looked for."""
MINUTES_PER_HOUR = 60
NONE = -1
COST_MAX = 1 << 62


@dataclass(frozen=True)
class Company:
    """`short_by` seats make the need servable; if no number does (None), `week_cents` is the least asked for a week."""

    short_by: int | None
    week_cents: int


def companies(city: City, needs: Iterable[int]) -> list[Company]:
    """For each of these needs (by index): how many seats it lacks for a week that it can pay, and the cheapest week."""
    wanted = np.fromiter(needs, np.int64)
    found = np.zeros((len(wanted), 2), np.int64)
    _find(city, wanted, found)
    return [Company(None if short == NONE else short, cents) for short, cents in found.tolist()]


def weeks_alone(city: City, needs: Iterable[int]) -> list[int | None]:
    """For each of these needs (by index): the least it would pay for a week with nobody else, net; None if it cannot.

    Its own price limit is not asked.
    """
    wanted = np.fromiter(needs, np.int64)
    found = np.zeros(len(wanted), np.int64)
    _find_alone(city, wanted, found)
    return [None if cents == NO_LIMIT else cents for cents in found.tolist()]


@lean
def session_cents(city: City, provider: int, need: int, venue: int, more: int) -> int:
    """What the need pays for one session with so many more seats, net of its full subsidy.

    At a venue, or (`NONE`) at its own home. `NONE` where the group is too large or small. Rules 5, 8 and 9.
    """
    asked = city.needs[need]
    seats, minutes = asked.seats, city.grid * asked.length
    is_round = city.services[asked.service].mode == ROUND
    total = seats + more
    present = seats if is_round else total
    if present > asked.group_max or (venue >= 0 and total > city.venues[venue].seats):
        return NONE
    if venue < 0 and not is_round and more and total > asked.host_seats:
        return NONE
    hall = city.venues[venue].cost if venue >= 0 else 0
    length = minutes + (more * (minutes + city.grid * city.services[asked.service].walk) if is_round else 0)
    least, own, other = COST_MAX, 0, 0
    for index in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
        offer = city.offers[index]
        filled = 1 + more if is_round else total
        if present > offer.seats_max or filled < offer.seats_min or not is_offered(city, index, need):
            continue
        missing = offer.rate * max(0, offer.minutes_min - length)
        hour = offer.rate + offer.extra_seat * (present - 1) + hall
        cost = hour * minutes + missing + (more * offer.rate * minutes if is_round else 0)
        if cost < least:  # shares are over 60 * total
            least = cost
            own = hour * minutes * total + missing * seats if is_round else cost * seats
            other = offer.rate * minutes * total + missing if is_round else cost
    if least == COST_MAX:
        return NONE
    below = MINUTES_PER_HOUR * total
    left = (2 * least + MINUTES_PER_HOUR) // (2 * MINUTES_PER_HOUR) - own // below - more * (other // below)
    share = own // below
    if left > 0 and (own % below >= other % below or left > more):
        share += 1
    return net_of(city.needs, need, share)


@lean
def week_cents(city: City, provider: int, need: int, places: Ints, count: int, more: int, cheapest: Ints) -> int:
    """What the need pays for its cheapest week with so many more seats at the first `count` places, or `NONE`.

    `cheapest` is scratch, a number a day.
    """
    asked, own = city.needs[need], city.providers[provider]
    length = asked.length
    if city.services[asked.service].mode == ROUND:
        length += more * (asked.length + city.services[asked.service].walk)
    if length > own.day_max or asked.sessions * length > own.week_max:
        return NONE
    for day in range(DAYS):
        cheapest[day] = NO_LIMIT
    for k in range(count):
        venue = places[k]
        cents = session_cents(city, provider, need, venue, more)
        if cents == NONE:
            continue
        if venue >= 0:
            days = days_at_venue(city, provider, need, venue, length)
        else:
            days = days_at_home(city, provider, need, length)
        for day in range(DAYS):
            if (days >> day) & 1:
                cheapest[day] = min(cheapest[day], cents)
    if asked.sessions > DAYS:
        return NONE
    total = 0
    for _ in range(asked.sessions):
        least = 0
        for day in range(DAYS):
            if cheapest[day] < cheapest[least]:
                least = day
        if cheapest[least] == NO_LIMIT:
            return NONE
        total += cheapest[least]
        cheapest[least] = NO_LIMIT
    return total


@lean
def _cents_alone(city: City, need: int, providers: Ints) -> int:
    """What the need would pay for a week alone by its cheapest offer, were it not too large or too small for it."""
    asked, least = city.needs[need], NO_LIMIT
    minutes = city.grid * asked.length
    for provider in providers:
        if not covers(city, provider, need):
            continue
        for index in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
            if is_offered(city, index, need):
                offer = city.offers[index]
                cost = (offer.rate + offer.extra_seat * (asked.seats - 1)) * minutes
                cost += offer.rate * max(0, offer.minutes_min - minutes)
                cents = (2 * cost + MINUTES_PER_HOUR) // (2 * MINUTES_PER_HOUR)
                least = min(least, net_of(city.needs, need, cents))
    return 0 if least == NO_LIMIT else least * asked.sessions


@inner
def _company_of(city: City, need: int, all_: Nearby, seen: Ints, found: Ints) -> tuple[int, int]:
    """The fewest seats with which the need can pay a week, or `NONE`, and the cheapest week.

    `all_` are its service's providers; `seen` and `found` are scratch (`those_near`).
    """
    asked, near = city.needs[need], near_venues(city, need)
    short_by, cheapest = NONE, NO_LIMIT
    room, days = np.zeros(len(city.venues) + 1, np.int64), np.zeros(DAYS, np.int64)
    for provider in found[: those_near(city, all_, need, near, seen, found)]:
        if not covers(city, provider, need):
            continue
        count = own_places(city, provider, need, near, room)
        most = SEATS_TRIED
        if city.services[asked.service].mode != ROUND:
            largest = 0
            for index in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
                if is_offered(city, index, need):
                    largest = max(largest, city.offers[index].seats_max)
            most = min(SEATS_TRIED, max(0, largest - asked.seats + 1))
        for more in range(most if short_by == NONE else short_by):
            cents = week_cents(city, provider, need, room, count, more, days)
            if cents == NONE:
                continue
            cheapest = min(cheapest, cents)
            if cents <= asked.limit:
                short_by = more
                break
        if short_by == 0:
            break
    if cheapest == NO_LIMIT:  # no group of any size keeps the rules: at least what an offer asks for it alone
        cheapest = _cents_alone(city, need, all_.providers)
    return short_by, cheapest


@compiled
def _find(city: City, wanted: Ints, found: Ints) -> None:
    """What `companies` tells, as rows of seats short (or `NONE`) and cents."""
    seen, room = np.full(len(city.providers), -1, np.int64), np.zeros(len(city.providers), np.int64)
    for service in range(len(city.services)):
        all_ = nearby(city, service)
        for i in range(len(wanted)):
            if city.needs[wanted[i]].service == service:
                found[i, 0], found[i, 1] = _company_of(city, wanted[i], all_, seen, room)


@compiled
def _find_alone(city: City, wanted: Ints, found: Ints) -> None:
    """What `weeks_alone` tells; `NO_LIMIT` where there is no week."""
    seen, room = np.full(len(city.providers), -1, np.int64), np.zeros(len(city.providers), np.int64)
    places, days = np.zeros(len(city.venues) + 1, np.int64), np.zeros(DAYS, np.int64)
    for service in range(len(city.services)):
        all_ = nearby(city, service)
        for i in range(len(wanted)):
            if city.needs[wanted[i]].service != service:
                continue
            near = near_venues(city, wanted[i])
            found[i] = NO_LIMIT
            for provider in room[: those_near(city, all_, wanted[i], near, seen, room)]:
                if covers(city, provider, wanted[i]):
                    count = own_places(city, provider, wanted[i], near, places)
                    cents = week_cents(city, provider, wanted[i], places, count, 0, days)
                    if cents != NONE:
                        found[i] = min(found[i], cents)


def is_affordable(need: Need, cents: int) -> bool:
    """Whether a whole week at this price is within the need's limit (rule 11)."""
    limit = need.price_max_cents_per_hour
    return limit is None or MINUTES_PER_HOUR * cents <= limit * need.seats * need.minutes * need.sessions


def price_per_hour(need: Need, cents: int) -> int:
    """The least limit, in whole cents a seat and hour, with which the need could pay the week."""
    return ceil(Fraction(MINUTES_PER_HOUR * cents, need.seats * need.minutes * need.sessions))
