"""Columns around pinned slots: the pinned members at their times, and whoever may join them, compiled."""

import numpy as np

from matching.arrays import HOMES, ROUND, City, Ints
from matching.candidates import (
    ceiling_with,
    common_windows,
    languages_with,
    offers_for,
    reaches,
    seats_of,
    seek,
    starts_by_day,
)
from matching.compiled import inner, lean
from matching.groups import (
    C_CEILING,
    C_FORCED,
    C_LANGUAGES,
    C_NEED,
    C_OFFERS,
    CANDIDATE_FIELDS,
    Effort,
    Found,
    Site,
)
from matching.pairs import Bits, distance_km


@lean
def may_come(city: City, provider: int, service: int, place: int, need: int) -> bool:
    """Whether a need lives near enough to a place, or for a round, near enough to the provider (rule 4)."""
    needs, venues = city.needs, city.venues
    if city.services[service].mode == ROUND:
        return reaches(city, provider, need)
    if place < len(venues):
        lat, lon = venues[place].lat, venues[place].lon
    else:
        lat, lon = needs[place - len(venues)].lat, needs[place - len(venues)].lon
    return bool(distance_km(needs[need].lat, needs[need].lon, lat, lon) <= needs[need].travel_km + 1e-9)


@inner
def beside(city: City, pin: int, all_: Ints) -> Ints:
    """The pinned members as forced candidates, a host first, then those of `all_` who may join them."""
    pinned = city.pins[pin]
    size = pinned.members_to - pinned.members_from
    here = np.zeros((CANDIDATE_FIELDS, size + all_.shape[1]), np.int64)
    for i in range(size):
        need = city.windows[pinned.members_from + i, 0]
        row = i
        if pinned.place == len(city.venues) + need and i:
            for field in range(CANDIDATE_FIELDS):
                here[field, i] = here[field, 0]
            row = 0
        offers = offers_for(city, pinned.provider, pinned.service, need)
        here[C_NEED, row], here[C_OFFERS, row] = need, offers
        here[C_LANGUAGES, row] = languages_with(city, pinned.provider, need)
        here[C_CEILING, row] = ceiling_with(city, pinned.provider, pinned.service, offers, need)
        here[C_FORCED, row] = 1
    count = size
    for row in range(all_.shape[1]):
        need = all_[C_NEED, row]
        if (city.needs[need].pinned_days >> pinned.day) & 1:
            continue
        if may_come(city, pinned.provider, pinned.service, pinned.place, need):
            for field in range(CANDIDATE_FIELDS):
                here[field, count] = all_[field, row]
            count += 1
    return here[:, :count].copy()


@inner
def sessions_beside(city: City, pin: int, here: Ints, stretches: Ints) -> Ints:
    """The sessions that may be: the pinned ones at their times, the others wherever they fit."""
    pinned = city.pins[pin]
    fits = starts_by_day(city, pinned.provider, here)
    times, found = np.zeros((here.shape[1] * city.units, 2), np.int64), 0
    for start in range(city.units):
        for i in range(here.shape[1]):
            fit, end = False, start + city.needs[here[C_NEED, i]].length
            if here[C_FORCED, i]:
                for j in range(pinned.members_from, pinned.members_to):
                    fit = fit or (city.windows[j, 0] == here[C_NEED, i] and city.windows[j, 1] == start)
            elif fits[pinned.day, i, start]:
                for j in range(len(stretches)):
                    fit = fit or (stretches[j, 0] <= start and end <= stretches[j, 1])
            if fit:
                times[found, 0], times[found, 1] = i, start
                found += 1
    return times[:found].copy()


@inner
def seek_beside_pin(city: City, pairs: Bits, pin: int, all_: Ints, effort: Effort, found: Found) -> None:
    """The columns of a pinned slot: with every group of `all_` that may join it; as it stands if `all_` is empty."""
    pinned, venues = city.pins[pin], city.venues
    at_venue = pinned.place >= 0 and pinned.place < len(venues)
    site = Site(
        pairs,
        pinned.provider,
        pinned.service,
        pinned.place,
        pinned.day,
        pin,
        seats_of(city, pinned.provider, pinned.service, pinned.place if at_venue else -1),
        venues[pinned.place].cost if at_venue else 0,
        pinned.place - len(venues) if pinned.place != HOMES and not at_venue else -1,
        city.providers[pinned.provider].day_max,
        effort,
    )
    stretches = common_windows(city, pinned.provider, pinned.place, pinned.day)
    here = beside(city, pin, all_)
    if all_.shape[1] and here.shape[1] == pinned.members_to - pinned.members_from:
        return
    seek(city, site, here, sessions_beside(city, pin, here, stretches), stretches, found)
