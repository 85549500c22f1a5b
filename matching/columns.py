"""Columns: every slot that a plan could have, each with its members, times and least shares, as flat arrays."""

from typing import NamedTuple

import numpy as np

from matching.arrays import NO_LIMIT, ROUND, City, Ints, Table
from matching.beside_pins import seek_beside_pin
from matching.candidates import DAYS, cover, seek_homes, seek_rounds, seek_venues, starts_by_day
from matching.compiled import compiled, lean
from matching.groups import (
    CANDIDATE_FIELDS,
    COLUMN_COUNT,
    COLUMN_FIELDS,
    DAY,
    MEMBER_COUNT,
    MEMBER_FIELDS,
    MEMBERS,
    NEED,
    SHARE,
    Effort,
    Found,
)
from matching.pairs import Bits
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
def find_columns(city: City, pairs: Bits, provider: int, effort: Effort, only_pinned: bool, found: Found) -> None:
    """Everything that one provider could do, pinned slots as they stand first: every plan has them.

    Or these alone, however little time there is for others.
    """
    nobody = np.zeros((CANDIDATE_FIELDS, 0), np.int64)
    for i in range(city.providers[provider].pins_from, city.providers[provider].pins_to):
        seek_beside_pin(city, pairs, city.lists[i], nobody, effort, found)
    if only_pinned:
        return
    first, last = city.providers[provider].offers_from, city.providers[provider].offers_to
    for offer in range(first, last):
        service = city.offers[offer].service
        seen = service < 0
        for other in range(first, offer):
            seen = seen or city.offers[other].service == service
        if seen:
            continue
        all_ = cover(city, provider, service)
        if all_.shape[1] == 0:
            continue
        for i in range(city.providers[provider].pins_from, city.providers[provider].pins_to):
            if city.pins[city.lists[i]].service == service:
                seek_beside_pin(city, pairs, city.lists[i], all_, effort, found)
        fits = starts_by_day(city, provider, all_)
        if city.services[service].mode == ROUND:
            seek_rounds(city, pairs, provider, service, all_, fits, effort, found)
        else:
            seek_venues(city, pairs, provider, service, all_, fits, effort, found)
            seek_homes(city, pairs, provider, service, all_, fits, effort, found)


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
        useful = np.ones(counts[COLUMN_COUNT], np.bool_)
        for column in range(counts[COLUMN_COUNT]):
            for i in range(member, member + columns[column, MEMBERS]):
                need, share = members[i, NEED], members[i, SHARE]
                useful[column] &= _is_useful(city, best, columns[column, DAY], need, share)
            member += columns[column, MEMBERS]
        for i in range(member):
            for day in range(DAYS):
                best[members[i, NEED], day] = NO_LIMIT
        member = 0
        for column in range(counts[COLUMN_COUNT]):
            size = columns[column, MEMBERS]
            if useful[column]:
                for field in range(COLUMN_FIELDS):
                    columns[kept, field] = columns[column, field]
                for i in range(size):
                    for field in range(MEMBER_FIELDS):
                        members[kept_members + i, field] = members[member + i, field]
                kept += 1
                kept_members += size
            member += size
        changed = kept < counts[COLUMN_COUNT]
        counts[COLUMN_COUNT], counts[MEMBER_COUNT] = kept, kept_members
        if not changed:
            return


@lean
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
