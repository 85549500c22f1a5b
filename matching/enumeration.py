"""All useful columns, provider by provider, within limits of time and room; it is known whether any is missing."""

from dataclasses import dataclass

import numpy as np

from matching.arrays import NO_LIMIT, NOTHING, City, Ints, Table
from matching.candidates import DAYS
from matching.columns import Columns, drop_useless, find_columns
from matching.groups import (
    BEGIN,
    COLUMN_COUNT,
    COLUMN_FIELDS,
    COUNTS,
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
    START,
    STEPS,
    STEPS_MAX,
    Effort,
    Found,
)
from matching.progress import Watch


@dataclass(frozen=True)
class Limits:
    """What enumerating may take: groups tried, columns kept, and after how many seconds to hurry and to stop.

    These seconds begin when the first provider is done: loading the machine code is not the city's fault.
    """

    steps: int
    columns: int
    watch: Watch | None = None
    hurry_seconds: float = 0.0
    stop_seconds: float = 0.0

    def is_past(self, seconds: float) -> bool:
        """Whether the watch is past a time."""
        return self.watch is not None and (
            self.watch.seconds > min(seconds, LATEST_PART * self.watch.limit_seconds) or self.watch.interrupted
        )


def enumerate_columns(city: City, limits: Limits) -> Columns:
    """All useful columns; where that passes the limits the likeliest ones, and then they are not `complete`."""
    providers = len(city.providers)
    best = np.full((len(city.needs), DAYS), NO_LIMIT, np.int64)
    marks = np.random.default_rng(7).integers(1, 1 << 62, len(city.needs) + 1)
    finder = _Finder(city, limits)
    tables: list[Table] = [np.zeros((0, COLUMN_FIELDS), np.int32)]
    members: list[Table] = [np.zeros((0, MEMBER_FIELDS), np.int32)]
    owners: list[Table] = [np.zeros(0, np.int32)]
    for provider in range(providers):
        found = finder.find(provider, providers - provider)
        drop_useless(city, found, best)
        table, own = _without_repeated_rounds(city, found, marks)
        finder.columns_left -= len(table)
        tables.append(table)
        members.append(own)
        owners.append(np.full(len(table), provider, np.int32))
    table = np.concatenate(tables)
    offsets = np.zeros(len(table) + 1, np.int64)
    np.cumsum(table[:, MEMBERS], out=offsets[1:])
    return Columns(np.concatenate(owners), table, offsets, np.concatenate(members), finder.complete)


SHARE_OF_STEPS, LEAST_STEPS, LEAST_COLUMNS = 8, 3_000, 20_000
LATEST_PART = 0.8
EFFORTS = ((1 << 40, 0), (1 << 40, 1), (20, 2))
HURRIED_STEPS = 1_500


class _Finder:
    """Finds one provider's columns after the other, with as much effort as is left for each."""

    def __init__(self, city: City, limits: Limits) -> None:
        self.city, self.limits, self.complete = city, limits, True
        self.steps_left, self.columns_left = limits.steps, limits.columns
        self.begun: float | None = None
        self.room = 1 << 12
        self.found = _room(self.room)

    def find(self, provider: int, providers_left: int) -> Found:
        """The provider's columns; with less effort if they would be too many."""
        steps = max(LEAST_STEPS, SHARE_OF_STEPS * self.steps_left // providers_left)
        columns = max(LEAST_COLUMNS, SHARE_OF_STEPS * self.columns_left // providers_left)
        for steps_max, starts in EFFORTS:
            last = steps_max < LEAST_STEPS
            if self.begun is not None and self.limits.is_past(self.begun + self.limits.stop_seconds):
                self.found.counts[:], self.complete = 0, False
                return self.found
            if self.begun is not None and self.limits.is_past(self.begun + self.limits.hurry_seconds):
                steps = min(steps, HURRIED_STEPS)
                if not last:
                    self.complete = False
                    continue
            self._try(provider, Effort(steps_max, starts), steps, columns)
            if self.begun is None and self.limits.watch is not None:
                self.begun = self.limits.watch.seconds
            self.steps_left = max(0, self.steps_left - int(self.found.counts[STEPS]))
            if last or not (self.found.counts[CUT] or self.found.counts[FULL]):
                break
            self.complete = False
        self.complete = self.complete and not self.found.counts[CUT]
        return self.found

    def _try(self, provider: int, effort: Effort, steps: int, columns: int) -> None:
        """Find columns in the room that there is, or in more as long as that is not too much."""
        while True:
            self.found.counts[:] = 0
            self.found.counts[STEPS_MAX] = steps
            find_columns(self.city, provider, effort, self.found)
            if not self.found.counts[FULL] or self.room >= columns:
                return
            self.room *= 4
            self.found = _room(self.room)


def _room(columns: int) -> Found:
    return Found(
        np.zeros((columns, COLUMN_FIELDS), np.int32),
        np.zeros((4 * columns, MEMBER_FIELDS), np.int32),
        np.zeros(COUNTS, np.int64),
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
