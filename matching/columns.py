"""Columns: every slot that a plan could have, each with its members, times and least shares, as flat arrays."""

from typing import NamedTuple

import numpy as np

from matching.arrays import NO_LIMIT, NOTHING, City, Ints, Table
from matching.beside_pins import seek_beside_pin
from matching.candidates import DAYS, cover, seek_homes, seek_rounds, seek_venues, starts_by_day
from matching.compiled import compiled
from matching.groups import (
    BEGIN,
    COLUMN_COUNT,
    COLUMN_FIELDS,
    CUT,
    DAY,
    FULL,
    MEMBER_COUNT,
    MEMBER_FIELDS,
    MEMBERS,
    NEED,
    PIN,
    ROUND,
    SERVICE,
    SHARE,
    START,
    Found,
)
from matching.pricing import net_of


class Columns(NamedTuple):
    """Column c is row c of `table` and rows `offsets[c]` to `offsets[c + 1]` of `members`; sorted by provider.

    `complete` says that no useful column is missing: only then can a bound be proved from them.
    """

    provider: Table
    table: Table
    offsets: Ints
    members: Table
    complete: bool

    def __len__(self) -> int:
        return len(self.table)

    def take(self, wanted: Ints) -> "Columns":
        """The columns with these indices, in this order."""
        sizes = np.diff(self.offsets)[wanted]
        offsets = np.zeros(len(wanted) + 1, np.int64)
        np.cumsum(sizes, out=offsets[1:])
        rows = np.repeat(self.offsets[:-1][wanted] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Columns(self.provider[wanted], self.table[wanted], offsets, self.members[rows], False)


@compiled
def find_columns(city: City, provider: int, steps: int, found: Found) -> None:
    """Everything that one provider could do, pinned slots first; then what no need could use is dropped."""
    found.counts[:] = 0
    first, last = city.providers[provider].offers_from, city.providers[provider].offers_to
    for offer in range(first, last):
        service = city.offers[offer].service
        seen = service < 0
        for other in range(first, offer):
            seen = seen or city.offers[other].service == service
        if seen:
            continue
        all_ = cover(city, provider, service)
        for i in range(city.providers[provider].pins_from, city.providers[provider].pins_to):
            if city.pins[city.lists[i]].service == service:
                seek_beside_pin(city, city.lists[i], all_, steps, found)
        if all_.shape[1] == 0:
            continue
        fits = starts_by_day(city, provider, all_)
        if city.services[service].mode == ROUND:
            seek_rounds(city, provider, service, all_, fits, steps, found)
        else:
            seek_venues(city, provider, service, all_, fits, steps, found)
            seek_homes(city, provider, service, all_, fits, steps, found)


@compiled
def drop_useless(city: City, found: Found, best: Ints) -> None:
    """Drop columns with a member that cannot have all its sessions here at a price that it can pay.

    `best[need, day]` is scratch, full of `NO_LIMIT` before and after.
    """
    columns, members, counts = found
    while True:
        member = 0
        for column in range(counts[COLUMN_COUNT]):
            for i in range(member, member + columns[column, MEMBERS]):
                need, day = members[i, NEED], columns[column, DAY]
                best[need, day] = min(best[need, day], net_of(city.needs, need, members[i, SHARE]))
            member += columns[column, MEMBERS]
        kept, kept_members, member = 0, 0, 0
        for column in range(counts[COLUMN_COUNT]):
            size = columns[column, MEMBERS]
            useful = True
            for i in range(member, member + size):
                useful = useful and _is_useful(city, best, columns[column, DAY], members[i, NEED], members[i, SHARE])
            if useful:
                for field in range(COLUMN_FIELDS):
                    columns[kept, field] = columns[column, field]
                for i in range(size):
                    for field in range(MEMBER_FIELDS):
                        members[kept_members + i, field] = members[member + i, field]
                kept += 1
                kept_members += size
            member += size
        for i in range(member):
            for day in range(DAYS):
                best[members[i, NEED], day] = NO_LIMIT
        for i in range(kept_members):
            for day in range(DAYS):
                best[members[i, NEED], day] = NO_LIMIT
        changed = kept < counts[COLUMN_COUNT]
        counts[COLUMN_COUNT], counts[MEMBER_COUNT] = kept, kept_members
        if not changed:
            return


@compiled
def _is_useful(city: City, best: Ints, day: int, need: int, share: int) -> bool:
    """Whether the need finds its other sessions on other days, and can pay them beside this one."""
    sessions, limit = city.needs[need].sessions, city.needs[need].limit
    total, used = net_of(city.needs, need, share), 1 << day
    for _ in range(sessions - 1):
        cheapest = -1
        for other in range(DAYS):
            if not (used >> other) & 1 and (cheapest < 0 or best[need, other] < best[need, cheapest]):
                cheapest = other
        if cheapest < 0 or best[need, cheapest] >= NO_LIMIT:
            return False
        total += best[need, cheapest]
        used |= 1 << cheapest
    return bool(limit >= NO_LIMIT or total <= limit)


def enumerate_columns(city: City, steps: int, columns_max: int) -> Columns:
    """All useful columns. With more than `steps` groups at a site, or more than `columns_max`, not all: incomplete."""
    providers = len(city.providers)
    best = np.full((len(city.needs), DAYS), NO_LIMIT, np.int64)
    marks = np.random.default_rng(7).integers(1, 1 << 62, len(city.needs) + 1)
    room, complete, total = 1 << 12, True, 0
    tables: list[Table] = []
    members: list[Table] = []
    owners: list[Table] = []
    found = _room(room)
    for provider in range(providers):
        find_columns(city, provider, steps, found)
        while found.counts[FULL]:
            if 4 * room > columns_max:
                complete = False
                break
            room *= 4
            found = _room(room)
            find_columns(city, provider, steps, found)
        complete = complete and not found.counts[CUT]
        drop_useless(city, found, best)
        table, own = _without_repeated_rounds(city, found, marks)
        total += len(table)
        tables.append(table)
        members.append(own)
        owners.append(np.full(len(table), provider, np.int32))
    table = np.concatenate(tables) if tables else np.zeros((0, COLUMN_FIELDS), np.int32)
    offsets = np.zeros(len(table) + 1, np.int64)
    np.cumsum(table[:, MEMBERS], out=offsets[1:])
    rows = np.concatenate(members) if members else np.zeros((0, MEMBER_FIELDS), np.int32)
    owner = np.concatenate(owners) if owners else np.zeros(0, np.int32)
    return Columns(owner, table, offsets, rows, complete)


def _room(columns: int) -> Found:
    return Found(
        np.zeros((columns, COLUMN_FIELDS), np.int32),
        np.zeros((4 * columns, MEMBER_FIELDS), np.int32),
        np.zeros(5, np.int64),
    )


def _without_repeated_rounds(city: City, found: Found, marks: Ints) -> tuple[Table, Table]:
    """One provider's columns, of rounds that differ only in the order of visits the first.

    The order matters to members whose person has other needs: their times count as a difference.
    """
    columns, size = int(found.counts[COLUMN_COUNT]), int(found.counts[MEMBER_COUNT])
    table, members = found.columns[:columns], found.members[:size]
    rounds = city.services["mode"][table[:, SERVICE]] == ROUND
    if not rounds.any():
        return table.copy(), members.copy()
    shared = city.needs["person"][members[:, NEED]] != NOTHING
    with np.errstate(over="ignore"):
        weight = marks[members[:, NEED]] * (1 + shared * (1 + members[:, BEGIN].astype(np.int64)))
        offsets = np.zeros(columns, np.int64)
        np.cumsum(table[:-1, MEMBERS], out=offsets[1:])
        key = np.add.reduceat(weight, offsets)
        key = key * 31 + (table[:, DAY].astype(np.int64) * 4096 + table[:, START]) * marks[-1] + table[:, PIN]
    key[~rounds] = np.arange(columns)[~rounds]
    _, first = np.unique(key, return_index=True)
    keep = np.zeros(columns, np.bool_)
    keep[first] = True
    return table[keep], members[np.repeat(keep, table[:, MEMBERS])]
