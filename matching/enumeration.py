"""All useful columns, provider by provider, within limits of time and room; it is known whether any is missing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import inf

import numpy as np

from matching.arrays import NO_LIMIT, NOTHING, ROUND, City, Ints, Table
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
    SERVICE,
    START,
    STEPS,
    STEPS_MAX,
    Effort,
    Found,
)
from matching.pairs import Bits, find_pairs
from matching.progress import Watch

SHARE = 8
"""A provider may have so many times its equal part of what is left of the limits."""
LEAST_STEPS, LEAST_COLUMNS = 3_000, 20_000
BLOCK = 64
"""So many providers are searched side by side; what they took is counted when all are done."""
EFFORTS = (Effort(1 << 40, 0), Effort(1 << 40, 1), Effort(20, 2))
HURRIED_STEPS = 1_500
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Limits:
    """What enumerating may take: groups tried, columns kept, threads, and when to hurry and to stop.

    These are parts of the watch's time that is left when the machine code is loaded.
    """

    steps: int
    columns: int
    watch: Watch | None = None
    hurry_part: float = 1.0
    stop_part: float = 1.0
    workers: int = 1

    def clock(self) -> "_Clock":
        """When to hurry and to stop, if the time that counts begins now."""
        if self.watch is None:
            return _Clock(None, inf, inf)
        now = self.watch.seconds
        left = max(0.0, self.watch.limit_seconds - now)
        return _Clock(self.watch, now + self.hurry_part * left, now + self.stop_part * left)


@dataclass(frozen=True)
class _Clock:
    """The watch, and what it says when it is time to hurry and to stop."""

    watch: Watch | None
    hurry_seconds: float
    stop_seconds: float

    def must_hurry(self) -> bool:
        """Whether only what is likeliest may still be looked for."""
        return self._is_past(self.hurry_seconds)

    def must_stop(self) -> bool:
        """Whether nothing may be looked for but what is pinned."""
        return self._is_past(self.stop_seconds)

    def _is_past(self, seconds: float) -> bool:
        return self.watch is not None and (self.watch.seconds > seconds or self.watch.interrupted)


@dataclass(frozen=True)
class _Own:
    """What was found for one provider; whether that is all, and how many groups were tried."""

    table: Table
    members: Table
    complete: bool
    steps: int


def enumerate_columns(city: City, limits: Limits) -> Columns:
    """All useful columns; where that passes the limits the likeliest ones, and then they are not `complete`.

    The same columns come out however many threads there are, unless time ends.
    """
    providers = len(city.providers)
    searches = [_Search(city, find_pairs(city), limits)]
    searches += [_Search(city, searches[0].pairs, limits) for _ in range(limits.workers - 1)]
    found: list[_Own] = []
    steps, columns = limits.steps, limits.columns
    searches[0].begin()
    clock = limits.clock()
    hurried = max(HURRIED_STEPS, int(limits.steps * (limits.stop_part - limits.hurry_part) / max(1, providers)))
    with ThreadPoolExecutor(limits.workers) as pool:
        for first in range(0, providers, BLOCK):
            left = providers - first
            most = (max(LEAST_STEPS, SHARE * steps // left), max(LEAST_COLUMNS, SHARE * columns // left))
            block = range(first, min(providers, first + BLOCK))
            queue = iter(block)
            done: dict[int, _Own] = {}
            jobs = [pool.submit(search.run, queue, most, hurried, clock, done) for search in searches]
            while wait(jobs, POLL_SECONDS).not_done:
                for search in searches:
                    search.end_by(clock)
            for job in jobs:
                job.result()
            found.extend(done[provider] for provider in block)
            steps = max(0, steps - sum(done[provider].steps for provider in block))
            columns = max(0, columns - sum(len(done[provider].table) for provider in block))
    return _together(found)


def _together(found: list[_Own]) -> Columns:
    table = np.concatenate([np.zeros((0, COLUMN_FIELDS), np.int32), *(own.table for own in found)])
    members = np.concatenate([np.zeros((0, MEMBER_FIELDS), np.int32), *(own.members for own in found)])
    owner = np.repeat(np.arange(len(found), dtype=np.int32), [len(own.table) for own in found])
    offsets = np.zeros(len(table) + 1, np.int64)
    np.cumsum(table[:, MEMBERS], out=offsets[1:])
    return Columns(owner, table, offsets, members, all(own.complete for own in found))


class _Search:
    """Finds one provider's columns after the other; each thread has its own."""

    def __init__(self, city: City, pairs: Bits, limits: Limits) -> None:
        self.city, self.pairs, self.limits = city, pairs, limits
        self.best = np.full((len(city.needs), DAYS), NO_LIMIT, np.int64)
        self.marks = np.random.default_rng(7).integers(1, 1 << 62, len(city.needs) + 1)
        self.room = 1 << 12
        self.found = _room(self.room)
        self.may_hurry, self.may_stop = False, True

    def begin(self) -> None:
        """Load the machine code, which is not the city's fault."""
        if len(self.city.providers):
            self._try(0, EFFORTS[-1], 0, 0)

    def end_by(self, clock: _Clock) -> None:
        """Let what another thread is looking for end soon, if it is time; pinned slots are found all the same."""
        if (self.may_hurry and clock.must_hurry()) or (self.may_stop and clock.must_stop()):
            self.found.counts[STEPS_MAX] = 0

    def run(
        self, queue: Iterator[int], most: tuple[int, int], hurried: int, clock: _Clock, done: dict[int, _Own]
    ) -> None:
        """Take providers from the queue until it is empty; in a hurry only so many steps are made for each."""
        for provider in queue:
            complete = self._find(provider, *most, hurried, clock)
            steps = int(self.found.counts[STEPS])
            drop_useless(self.city, self.found, self.best)
            table, members = _without_repeated_rounds(self.city, self.found, self.marks)
            done[provider] = _Own(table, members, complete, steps)

    def _find(self, provider: int, steps: int, columns: int, hurried: int, clock: _Clock) -> bool:
        """Find the provider's columns, with less effort if they would be too many; whether these are all."""
        self.found.counts[:] = 0
        for effort in EFFORTS:
            is_least = effort is EFFORTS[-1]
            if clock.must_stop():
                break
            if clock.must_hurry():
                if not is_least:
                    continue
                steps = min(steps, hurried)
            self.may_hurry = not is_least
            self._try(provider, effort, steps, columns)
            self.may_hurry = False
            if not (self.found.counts[CUT] or self.found.counts[FULL]):
                return effort is EFFORTS[0]
        pins = self.city.providers[provider]["pins_to"] - self.city.providers[provider]["pins_from"]
        if pins and clock.must_stop():
            self.may_stop = False
            self._try(provider, EFFORTS[0], LEAST_STEPS, columns, only_pinned=True)
            self.may_stop = True
        return False

    def _try(self, provider: int, effort: Effort, steps: int, columns: int, *, only_pinned: bool = False) -> None:
        """Find columns in the room that there is, or in more as long as that is not too much."""
        while True:
            self.found.counts[:] = 0
            self.found.counts[STEPS_MAX] = steps
            find_columns(self.city, self.pairs, provider, effort, only_pinned, self.found)
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
