"""Every class at one site and day, once each: groups of one start and length, grown need by need, compiled.

A branch ends where no group that it can still grow to lets all its members pay: shares fall as a group grows.
"""

import numpy as np

from matching.arrays import CLASS, NO_LIMIT, NOTHING, City, Flags, Ints
from matching.compiled import inner
from matching.groups import (
    C_CEILING,
    C_LANGUAGES,
    C_NEED,
    C_OFFERS,
    CUT,
    FULL,
    MEMBERS_MAX,
    S_END,
    S_FORCED,
    S_LANGUAGES,
    S_OFFERS,
    S_PEAK,
    STATE_FIELDS,
    STEPS,
    STEPS_MAX,
    Found,
    Site,
    clear_of_pins,
    emit,
)
from matching.pairs import may_meet
from matching.pricing import (
    G_CEILING,
    G_END,
    G_NEED,
    G_ROW,
    G_SEATS,
    G_START,
    GROUP_FIELDS,
    MINUTES_PER_HOUR,
    net_of,
)

NOBODY = 1 << 20
"""More seats than any group has."""


@inner
def seats_needed(city: City, site: Site, here: Ints) -> Ints:
    """For each candidate the fewest seats present with which it can pay, `NOBODY` where no number is enough."""
    fewest = np.full(here.shape[1], NOBODY, np.int64)
    first, last = city.providers[site.provider].offers_from, city.providers[site.provider].offers_to
    for i in range(here.shape[1]):
        need = here[C_NEED, i]
        seats, length = city.needs[need].seats, city.grid * city.needs[need].length
        for present in range(seats, min(site.seats, city.needs[need].group_max) + 1):
            bit = 0
            for index in range(first, last):
                offer = city.offers[index]
                if offer.service != site.service:
                    continue
                if (here[C_OFFERS, i] >> bit) & 1 and offer.seats_min <= present <= offer.seats_max:
                    cost = length * (offer.rate + offer.extra_seat * (present - 1) + site.venue_cost)
                    cost += max(0, offer.minutes_min - length) * offer.rate
                    share = cost * seats // (MINUTES_PER_HOUR * present)
                    if here[C_CEILING, i] >= NO_LIMIT or net_of(city.needs, need, share) <= here[C_CEILING, i]:
                        fewest[i] = min(fewest[i], present)
                bit += 1
            if fewest[i] < NOBODY:
                break
    return fewest


@inner
def seek_classes(city: City, site: Site, here: Ints, rows: Ints, fits: Flags, stretches: Ints, found: Found) -> None:
    """All classes of the candidates `here`, which are the rows `rows` of `fits[row, start]`; a host is the first."""
    needs, fewest = city.needs, seats_needed(city, site, here)
    group = np.zeros((GROUP_FIELDS, MEMBERS_MAX), np.int64)
    state = np.full((MEMBERS_MAX + 1, STATE_FIELDS), -1, np.int64)
    who, size = np.zeros((MEMBERS_MAX + 1, len(rows)), np.int64), np.zeros(MEMBERS_MAX + 1, np.int64)
    is_length = np.zeros(city.units + 1, np.bool_)
    for i in range(len(rows)):
        is_length[min(needs[here[C_NEED, i]].length, city.units)] = True
    for start in range(city.units):
        for length in range(1, city.units - start + 1):
            if not is_length[length]:
                continue
            end, inside = start + length, False
            for j in range(len(stretches)):
                inside = inside or (stretches[j, 0] <= start and end <= stretches[j, 1])
            if not inside or length > site.length_max:
                continue
            count = 0
            for i in range(len(rows)):
                if fits[rows[i], start] and needs[here[C_NEED, i]].length == length and fewest[i] < NOBODY:
                    who[0, count] = i
                    count += 1
            if count == 0 or (site.host >= 0 and who[0, 0] != 0):
                continue
            if clear_of_pins(city, site.provider, site.place, site.day, start, end, site.pin):
                size[0] = count
                _grow(city, site, here, fewest, start, end, who, size, group, state, found)
                if found.counts[FULL] or found.counts[STEPS] > found.counts[STEPS_MAX]:
                    return


@inner
def _grow(
    city: City,
    site: Site,
    here: Ints,
    fewest: Ints,
    start: int,
    end: int,
    who: Ints,
    size: Ints,
    group: Ints,
    state: Ints,
    found: Found,
) -> None:
    """All groups of the candidates `who[0, :size[0]]`; `who[k]` are those who may still join k members."""
    at, room, least = np.zeros((3, MEMBERS_MAX + 1), np.int64)
    needs, level, begun, none = city.needs, 0, found.counts[STEPS], np.zeros((0, 2), np.int64)
    room[0], state[0, S_PEAK] = site.seats, 0
    while level >= 0:
        k = at[level]
        if k == size[level] or (level == 0 and site.host >= 0 and k > 0):
            level -= 1
            continue
        if level == 0:
            begun = found.counts[STEPS]
        at[level] += 1
        i = who[level, k]
        need = here[C_NEED, i]
        seats, most = state[level, S_PEAK] + needs[need].seats, min(room[level], needs[need].group_max)
        if site.host >= 0 and level:
            most = min(most, needs[site.host].host_seats)
        offers, languages = state[level, S_OFFERS] & here[C_OFFERS, i], state[level, S_LANGUAGES] & here[C_LANGUAGES, i]
        if seats > most or not offers or not languages:
            continue
        found.counts[STEPS] += 1
        joining, reach = 0, seats
        for j in range(k + 1, size[level]):
            other = here[C_NEED, who[level, j]]
            if needs[need].person != NOTHING and needs[need].person == needs[other].person:
                continue
            if seats + needs[other].seats <= min(most, needs[other].group_max) and may_meet(site.pairs, need, other):
                who[level + 1, joining] = who[level, j]
                reach += needs[other].seats
                joining += 1
        least[level + 1] = max(least[level], fewest[i])
        if min(reach, most) < least[level + 1]:
            continue
        group[G_ROW, level], group[G_NEED, level], group[G_START, level], group[G_END, level] = i, need, start, end
        group[G_SEATS, level], group[G_CEILING, level] = needs[need].seats, here[C_CEILING, i]
        level += 1
        state[level, S_END], state[level, S_PEAK], room[level] = end, seats, most
        state[level, S_OFFERS], state[level, S_LANGUAGES], state[level, S_FORCED] = offers, languages, 0
        if seats >= least[level]:
            emit(city, site, CLASS, group, level, state, none, found)
        if found.counts[FULL] or found.counts[STEPS] > found.counts[STEPS_MAX]:
            found.counts[CUT] |= not found.counts[FULL]
            return
        at[level], size[level] = 0, joining
        if level == MEMBERS_MAX - 1:
            found.counts[CUT], size[level] = 1, 0
        if found.counts[STEPS] - begun > site.effort.steps_max:  # enough of the groups around the first member
            found.counts[CUT], level = 1, 0
