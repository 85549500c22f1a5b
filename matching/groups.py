"""Every group that may share one slot, once each, with its price: rules 2 to 5 in the three modes, compiled.

A candidate is a need that the provider may serve at the place and day at hand. Groups grow session by session in order
of their starts, and a branch ends where nothing can be added within the rules.
"""

from typing import NamedTuple

import numpy as np

from matching.arrays import CLASS, HOMES, NOTHING, PRESENCE, ROUND, City, Ints, Table
from matching.compiled import inner, lean
from matching.pairs import Bits, may_meet
from matching.pricing import (
    G_CEILING,
    G_END,
    G_NEED,
    G_OPEN,
    G_ROW,
    G_SEATS,
    G_SHARE,
    G_START,
    G_TRIAL,
    GROUP_FIELDS,
    TOO_LARGE,
    price_slot,
    round_shares,
    settle_open,
)

MEMBERS_MAX = 64

COLUMN_FIELDS = 9
PLACE, DAY, START, END, COST, SERVICE, PIN, EXTRAS, MEMBERS = range(COLUMN_FIELDS)
MEMBER_FIELDS = 5
NEED, BEGIN, FINISH, SHARE, IS_OPEN = range(MEMBER_FIELDS)
COUNTS = 6
COLUMN_COUNT, MEMBER_COUNT, STEPS, STEPS_MAX, FULL, CUT = range(COUNTS)

CANDIDATE_FIELDS = 5
C_NEED, C_OFFERS, C_LANGUAGES, C_CEILING, C_FORCED = range(CANDIDATE_FIELDS)
"""Candidates are a table of these rows; a column of it is a need.

Its offers and languages in common with the provider as bits, what it pays at most for one slot, whether every group
must have it.
"""
STATE_FIELDS = 5
S_END, S_OFFERS, S_LANGUAGES, S_FORCED, S_PEAK = range(STATE_FIELDS)


class Effort(NamedTuple):
    """How far the search for groups goes: `steps_max` for each first session of a site, all starts or few.

    With `starts` 0 a presence session may start whenever it fits, with 1 on the hour or as early or late as it can,
    with 2 only as early or late as it can.
    """

    steps_max: int
    starts: int


class Site(NamedTuple):
    """Where and for whom groups are sought: one provider, service, place and day, perhaps around a pinned slot."""

    pairs: Bits
    provider: int
    service: int
    place: int
    day: int
    pin: int
    seats: int
    venue_cost: int
    host: int
    length_max: int
    effort: Effort


class Found(NamedTuple):
    """Columns and members found so far; `counts` says how many, and whether room or patience came to an end."""

    columns: Table
    members: Table
    counts: Ints


@lean
def clear_of_pins(city: City, provider: int, place: int, day: int, start: int, end: int, pin: int) -> bool:
    """Whether a time is free of the provider's pinned slots (but `pin` itself), the way between places included."""
    pins = city.pins
    for i in range(city.providers[provider].pins_from, city.providers[provider].pins_to):
        other = city.lists[i]
        if other == pin or pins[other].day != day:
            continue
        gap = 0 if pins[other].place == place and place != HOMES else city.providers[provider].gap
        if start < pins[other].end + gap and pins[other].start - gap < end:
            return False
    return True


@inner
def seek_groups(
    city: City, site: Site, candidates: Ints, times: Ints, window: Ints, earlier: Ints, found: Found
) -> None:
    """All groups at a site inside `window` (start, end), but those that one of the `earlier` windows holds too.

    Where others may join a pinned slot, the groups are those that somebody joins: as it stands it is sought alone.

    `times` are the sessions that may be: (column of `candidates`, start), sorted by start.
    """
    mode, walk = city.services[site.service].mode, city.services[site.service].walk
    group = np.zeros((GROUP_FIELDS, MEMBERS_MAX), np.int64)
    seats = np.zeros((MEMBERS_MAX + 1, city.units), np.int64)
    room = np.full((MEMBERS_MAX + 1, city.units), site.seats, np.int64)
    state = np.full((MEMBERS_MAX + 1, STATE_FIELDS), -1, np.int64)
    state[0, S_FORCED] = 0
    taken = np.zeros(MEMBERS_MAX, np.int64)
    forced = 0
    for i in range(candidates.shape[1]):
        forced += candidates[C_FORCED, i]
    least = forced + 1 if site.pin >= 0 and forced < candidates.shape[1] else 1
    first_at = np.full(city.units + 1, len(times), np.int64)
    for i in range(len(times) - 1, -1, -1):
        first_at[times[i, 1]] = i
    for t in range(city.units - 1, -1, -1):
        first_at[t] = min(first_at[t], first_at[t + 1])
    first_only = site.host >= 0 and site.pin < 0  # whoever hosts is there from the start
    count, item, begun, total = 0, 0, found.counts[STEPS], len(times)
    while True:
        over = item == total or count == MEMBERS_MAX
        if count == MEMBERS_MAX and item < total:
            found.counts[CUT] = 1
        if not over and count:
            latest = group[G_START, 0]
            if mode == PRESENCE:
                latest = state[count, S_END]
            elif mode == ROUND:
                latest = state[count, S_END] + walk
                item = max(item, first_at[min(latest, city.units)])
                if item == total:
                    continue
            over = times[item, 1] > latest
        if over:
            if count == 0:
                return
            count -= 1
            item = taken[count] + 1
            if count == 0:
                begun = found.counts[STEPS]
            continue
        row, start = times[item, 0], times[item, 1]
        if first_only and count == 0 and row != 0:
            item += 1
            continue
        if _joins(city, site, mode, candidates, group, count, row, start, window, seats, room, state):
            taken[count] = item
            count += 1
            found.counts[STEPS] += 1
            if state[count, S_FORCED] == forced and count >= least:
                emit(city, site, mode, group, count, state, earlier, found)
            if found.counts[STEPS] > found.counts[STEPS_MAX]:
                found.counts[CUT] = 1
                return
            if found.counts[FULL]:
                return
            if found.counts[STEPS] - begun > site.effort.steps_max:  # enough of the groups around the first session
                found.counts[CUT] = 1
                count, item, begun = 0, taken[0], found.counts[STEPS]
        item += 1


@lean
def _joins(
    city: City,
    site: Site,
    mode: int,
    candidates: Ints,
    group: Ints,
    count: int,
    row: int,
    start: int,
    window: Ints,
    seats: Ints,
    room: Ints,
    state: Ints,
) -> bool:
    """Whether a session may be added; it is then the group's member `count`, and `state[count + 1]` is the new one."""
    needs = city.needs
    need = needs[candidates[C_NEED, row]]
    end = start + need.length
    if start < window[0] or end > window[1] or (count and end - group[G_START, 0] > site.length_max):
        return False
    offers = state[count, S_OFFERS] & candidates[C_OFFERS, row]
    languages = candidates[C_LANGUAGES, row]
    if mode == CLASS:
        languages &= state[count, S_LANGUAGES]
        if count and end != state[count, S_END]:
            return False
    if not offers or not languages or end - start > site.length_max:
        return False
    for i in range(count):
        other = group[G_NEED, i]
        if not may_meet(site.pairs, candidates[C_NEED, row], other):  # nor may a need meet itself
            return False
        if need.person != NOTHING and need.person == needs[other].person:
            if start < group[G_END, i] and group[G_START, i] < end:
                return False
    peak = max(0, state[count, S_PEAK])
    for t in range(window[0], window[1]):
        seats[count + 1, t], room[count + 1, t] = seats[count, t], room[count, t]
        if start <= t < end:
            seats[count + 1, t] += need.seats
            room[count + 1, t] = min(room[count, t], need.group_max)
            peak = max(peak, seats[count + 1, t])
            if seats[count + 1, t] > room[count + 1, t]:
                return False
    if site.host >= 0 and count and peak > needs[site.host].host_seats:
        return False
    group[G_ROW, count], group[G_NEED, count] = row, candidates[C_NEED, row]
    group[G_START, count], group[G_END, count] = start, end
    group[G_SEATS, count], group[G_CEILING, count] = need.seats, candidates[C_CEILING, row]
    state[count + 1, S_END] = max(state[count, S_END], end)
    state[count + 1, S_OFFERS], state[count + 1, S_LANGUAGES] = offers, languages
    state[count + 1, S_FORCED] = state[count, S_FORCED] + candidates[C_FORCED, row]
    state[count + 1, S_PEAK] = peak
    return True


@lean
def emit(city: City, site: Site, mode: int, group: Ints, count: int, state: Ints, earlier: Ints, found: Found) -> None:
    """Price the group with its cheapest offer (first of equals) and write its column, if it is a slot all can pay."""
    columns, members, counts = found.columns, found.members, found.counts
    first, last, peak = group[G_START, 0], state[count, S_END], state[count, S_PEAK]
    for i in range(len(earlier)):
        if earlier[i, 0] <= first and last <= earlier[i, 1]:
            return
    filled = count if mode == ROUND else peak
    cheapest, denominator, bit = -1, 1, 0
    for index in range(city.providers[site.provider].offers_from, city.providers[site.provider].offers_to):
        offer = city.offers[index]
        if offer.service != site.service:
            continue
        here = (state[count, S_OFFERS] >> bit) & 1
        bit += 1
        if not here or peak > offer.seats_max or filled < offer.seats_min:
            continue
        cost, below = price_slot(city.grid, group, count, offer, site.venue_cost)
        if below == TOO_LARGE:
            counts[CUT] = 1
            return
        if cheapest < 0 or cost < cheapest:
            cheapest, denominator = cost, below
            for i in range(count):
                group[G_SHARE, i] = group[G_TRIAL, i]
    if cheapest < 0:
        return
    cents, extras = round_shares(cheapest, denominator, group, count)
    if not settle_open(city.needs, group, count, extras):
        return
    column, member = counts[COLUMN_COUNT], counts[MEMBER_COUNT]
    if column == len(columns) or member + count > len(members):
        counts[FULL] = 1
        return
    for i in range(count):
        members[member + i, NEED] = group[G_NEED, i]
        members[member + i, BEGIN] = group[G_START, i]
        members[member + i, FINISH] = group[G_END, i]
        members[member + i, SHARE] = group[G_SHARE, i]
        members[member + i, IS_OPEN] = group[G_OPEN, i]
    columns[column, PLACE], columns[column, DAY] = site.place, site.day
    columns[column, START], columns[column, END] = first, last
    columns[column, COST], columns[column, SERVICE] = cents, site.service
    columns[column, PIN], columns[column, EXTRAS], columns[column, MEMBERS] = site.pin, extras, count
    counts[COLUMN_COUNT] += 1
    counts[MEMBER_COUNT] += count
