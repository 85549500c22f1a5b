"""What is taken of each provider's and person's time and of each venue's seats while a plan grows, compiled."""

from typing import NamedTuple

import numpy as np

from matching.arrays import HOMES, NO_PROGRAMME, NOTHING, City, Ints
from matching.candidates import DAYS
from matching.columns import Columns
from matching.compiled import compiled
from matching.groups import BEGIN, DAY, END, FINISH, IS_OPEN, NEED, PLACE, SHARE, START
from matching.pricing import net_of

FREE = -2
TAKE, GIVE_BACK = np.array([1, -1])
LOOK, SPEND = np.array([0, 1])


class Room(NamedTuple):
    """`place[provider, day, t]` is where the provider is, or `FREE`; `slot[need, day]` the need's column, or -1."""

    place: Ints
    day_left: Ints
    week_left: Ints
    seats: Ints
    person: Ints
    slot: Ints
    budget: Ints


def empty_room(city: City, budgets: Ints) -> Room:
    """All that there is; `budgets` of the programmes, the last for the unknown ones."""
    providers, needs = len(city.providers), len(city.needs)
    people = int(max(city.needs["person"].max(initial=-1), -1)) + 1
    return Room(
        np.full((providers, DAYS, city.units), FREE, np.int32),
        np.repeat(city.providers["day_max"][:, None], DAYS, axis=1),
        city.providers["week_max"].copy(),
        np.repeat(np.repeat(city.venues["seats"][:, None, None], DAYS, axis=1), city.units, axis=2).astype(np.int32),
        np.zeros((people, DAYS, city.units), np.int32),
        np.full((needs, DAYS), -1, np.int64),
        budgets.copy(),
    )


@compiled
def fits_in(city: City, columns: Columns, room: Room, column: int) -> bool:
    """Whether a slot may be added: provider, venue and persons have time and seats, nobody meets whom it excludes."""
    provider, row = columns.provider[column], columns.table[column]
    day, place, start, end = row[DAY], row[PLACE], row[START], row[END]
    if end - start > min(room.day_left[provider, day], room.week_left[provider]):
        return False
    gap = city.providers[provider].gap
    for t in range(max(0, start - gap), min(city.units, end + gap)):
        at = room.place[provider, day, t]
        if at != FREE and ((start <= t < end) or at != place or place == HOMES):
            return False
    at_venue = place >= 0 and place < len(city.venues)
    for t in range(start, end):
        taken = 0
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            need = columns.members[i, NEED]
            if columns.members[i, BEGIN] <= t < columns.members[i, FINISH]:
                taken += city.needs[need].seats
                person = city.needs[need].person
                if person != NOTHING and room.person[person, day, t]:
                    return False
        if at_venue and taken > room.seats[place, day, t]:
            return False
    if at_venue:
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            if _meets_excluded(city, columns, room, i, day, place):
                return False
    return True


@compiled
def _meets_excluded(city: City, columns: Columns, room: Room, member: int, day: int, place: int) -> bool:
    """Whether a need that a member must never meet is at the venue while the member is."""
    need = columns.members[member, NEED]
    for k in range(city.needs[need].apart_from, city.needs[need].apart_to):
        column = room.slot[city.lists[k], day]
        if column < 0 or columns.table[column, PLACE] != place:
            continue
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            if (
                columns.members[i, NEED] == city.lists[k]
                and columns.members[i, BEGIN] < columns.members[member, FINISH]
                and columns.members[member, BEGIN] < columns.members[i, FINISH]
            ):
                return True
    return False


@compiled
def put(city: City, columns: Columns, room: Room, column: int, sign: int) -> None:
    """Take a slot's time and seats (`sign` 1), or give them back (-1)."""
    provider, row = columns.provider[column], columns.table[column]
    day, place = row[DAY], row[PLACE]
    room.day_left[provider, day] -= sign * (row[END] - row[START])
    room.week_left[provider] -= sign * (row[END] - row[START])
    for t in range(row[START], row[END]):
        room.place[provider, day, t] = place if sign > 0 else FREE
    at_venue = place >= 0 and place < len(city.venues)
    for i in range(columns.offsets[column], columns.offsets[column + 1]):
        need = columns.members[i, NEED]
        room.slot[need, day] = column if sign > 0 else -1
        for t in range(columns.members[i, BEGIN], columns.members[i, FINISH]):
            if at_venue:
                room.seats[place, day, t] -= sign * city.needs[need].seats
            if city.needs[need].person != NOTHING:
                room.person[city.needs[need].person, day, t] += sign


@compiled
def can_pay(city: City, columns: Columns, room: Room, need: int, spend: int) -> bool:
    """Whether a need can pay its slots, odd cents included; `spend` takes the subsidy that this asks."""
    shares, nets, limit = 0, 0, city.needs[need].limit
    for day in range(DAYS):
        column = room.slot[need, day]
        if column < 0:
            continue
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            if columns.members[i, NEED] == need:
                share = columns.members[i, SHARE] + columns.members[i, IS_OPEN]
                shares += share
                nets += net_of(city.needs, need, share)
    if shares <= limit:
        return True
    budget = city.needs[need].programme
    if nets > limit or budget == NO_PROGRAMME:
        return False
    if shares - nets > room.budget[budget]:
        return False
    if spend:
        room.budget[budget] -= shares - nets
    return True


@compiled
def pick(
    city: City, columns: Columns, room: Room, weight: Ints, value: Ints, order: Ints, offsets: Ints, chosen: Ints
) -> int:
    """Go through the bundles once, take each that fits and pays; how many columns stand in `chosen` then."""
    count, own = 0, np.zeros(DAYS, np.int64)
    for bundle in range(len(offsets) - 1):
        first, last = offsets[bundle], offsets[bundle + 1]
        begin, end = columns.offsets[order[first]], columns.offsets[order[first] + 1]
        sessions, saving, is_free = city.needs[columns.members[begin, NEED]].sessions, 0, True
        for i in range(begin, end):
            need = columns.members[i, NEED]
            saving += value[need]
            for day in range(DAYS):
                is_free = is_free and room.slot[need, day] < 0
            is_free = is_free and city.needs[need].pinned_provider < 0
        if not is_free:
            continue
        taken, days = 0, 0
        for k in range(first, last):
            day = columns.table[order[k], DAY]
            if taken < sessions and not (days >> day) & 1 and fits_in(city, columns, room, order[k]):
                put(city, columns, room, order[k], TAKE)
                own[taken] = order[k]
                taken += 1
                days |= 1 << day
                saving -= weight[order[k]]
        keeps = taken == sessions and saving > 0
        for i in range(begin, end):
            keeps = keeps and can_pay(city, columns, room, columns.members[i, NEED], LOOK)
        for i in range(begin, end):
            keeps = keeps and can_pay(city, columns, room, columns.members[i, NEED], SPEND)
        for k in range(taken):
            if keeps:
                chosen[count] = own[k]
                count += 1
            else:
                put(city, columns, room, own[k], GIVE_BACK)
    return count
