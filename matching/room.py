"""What is taken of each provider's and person's time and of each venue's seats while a plan grows, compiled."""

from typing import NamedTuple

import numpy as np

from matching.arrays import HOMES, NO_PROGRAMME, NOTHING, City, Flags, Ints
from matching.candidates import DAYS
from matching.columns import Columns
from matching.compiled import compiled, lean
from matching.groups import BEGIN, DAY, END, FINISH, IS_OPEN, NEED, PLACE, SHARE, START
from matching.pricing import net_of

FREE = -2
CANNOT_PAY = -1
TAKE, GIVE_BACK = np.array([1, -1])


class Room(NamedTuple):
    """`place[provider, day, t]` is where the provider is, or `FREE`; `slot[need, day]` the need's column, or -1."""

    place: Ints
    day_left: Ints
    week_left: Ints
    seats: Ints
    person: Ints
    slot: Ints
    budget: Ints
    keeps: Flags


def empty_room(city: City, budgets: Ints, keeps: Flags) -> Room:
    """All that there is; `budgets` of the programmes, the last for the unknown ones; who `keeps` a subsidy has it."""
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
        keeps,
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


@lean
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


@lean
def asks(city: City, columns: Columns, room: Room, need: int) -> int:
    """What a need must have of its programme to pay its slots, odd cents included, or `CANNOT_PAY`."""
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
    if shares <= limit and not room.keeps[need]:
        return 0
    return CANNOT_PAY if nets > limit or city.needs[need].programme == NO_PROGRAMME else shares - nets
