"""A plan that gets better by annealing, part by part of the city side by side; after every round it is valid.

Each thread has some providers, their needs and some of those that nobody serves, an equal part of what is left of each
venue's seats and each budget. So what they find fits together whatever it is, and the same seed makes the same moves.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from matching.anneal import anneal
from matching.arrays import NOTHING, Flags, Ints
from matching.choice import Choice
from matching.lattice import Lattice
from matching.moves import columns_of, fill, restore
from matching.problem import SCALE, Problem
from matching.progress import Watch
from matching.room import empty_room
from matching.steps import LOCKED, NOBODY, NUMBERS, ON_CREDIT, RANDOM, WEIGHT, Work

MOVES_A_PROVIDER = 100
"""So many moves a provider make a round; then the city is parted anew."""
MOVES_AT_FIRST, MOVES_AT_ONCE, SECONDS_AT_ONCE = 16, 2_000, 0.1
"""So many moves are made between two looks at the clock, as far as they take no longer."""
STEPS_MAX = 1 << 17
WARM, COOL = 8_000 * SCALE, 80 * SCALE
"""Weights for which a worse plan is taken with a chance of 1/e, at first and at the end."""


def make_work(problem: Problem) -> Work:
    """A plan that serves nobody."""
    needs, columns, providers = len(problem.value), len(problem.columns), len(problem.city.providers)
    keeps = np.zeros(needs, np.bool_)
    keeps[list(problem.subsidised)] = True
    numbers = np.zeros(NUMBERS, np.int64)
    numbers[WEIGHT] = problem.value.sum()
    return Work(
        empty_room(problem.city, np.array(problem.budgets, np.int64), keeps),
        np.full(needs, NOBODY, np.int32),
        np.zeros(needs, np.int64),
        np.zeros(columns, np.uint8),
        np.full(providers, -1, np.int32),
        np.zeros(columns, np.int32),
        np.zeros(columns, np.int32),
        np.zeros((STEPS_MAX, 4), np.int64),
        numbers,
        np.ones(providers, np.bool_),
        problem.city.needs["pinned_provider"] >= 0,
    )


def build_greedily(problem: Problem, lattice: Lattice, standing: Choice | None = None) -> Choice:
    """A valid choice that has all of `standing`, in which every need is whole, and what pays beside it."""
    standing, work = standing or Choice(), make_work(problem)
    restore(problem.city, problem.columns, work, problem.weight, problem.value, np.array(standing.columns, np.int64))
    fill(problem.city, problem.columns, lattice, work, problem.weight, problem.value)
    return _choice(work, standing)


def _choice(work: Work, before: Choice) -> Choice:
    columns = np.sort(columns_of(work, np.arange(len(work.head))))
    return Choice(tuple(columns.tolist()), before.paying_more, before.spared)


class Annealing:
    """A choice that is annealed."""

    def __init__(self, problem: Problem, lattice: Lattice, choice: Choice, seed: int) -> None:
        self.problem, self.lattice, self.choice = problem, lattice, choice
        self.pick = np.random.default_rng(seed)
        self.active = np.flatnonzero(np.bincount(problem.columns.provider, minlength=len(problem.city.providers)))
        self.ties = _tied(problem)

    def run(
        self,
        watch: Watch,
        begin: float,
        until: float,
        workers: int,
        tell: Callable[[], None],
        is_over: Callable[[], bool] = bool,
    ) -> None:
        """Anneal until `watch` says `until` or `is_over`, cooling since it said `begin`; `tell` follows each round."""
        if not len(self.active):
            return
        with ThreadPoolExecutor(workers) as pool:
            while watch.seconds < until and not watch.interrupted and not is_over():
                works = self._part(min(workers, len(self.active)))
                jobs = [pool.submit(self._work, work, ours, watch, begin, until) for work, ours in works]
                chosen = np.sort(np.concatenate([job.result() for job in jobs]))
                self.choice = Choice(tuple(chosen.tolist()), self.choice.paying_more, self.choice.spared)
                tell()

    def _work(self, work: Work, ours: Ints, watch: Watch, begin: float, until: float) -> Ints:
        """One thread's round; the columns of its providers."""
        problem, left, at_once = self.problem, MOVES_A_PROVIDER * len(ours), MOVES_AT_FIRST
        while left > 0 and watch.seconds < until and not watch.interrupted:
            passed = min(1.0, max(0.0, (watch.seconds - begin) / max(0.1, until - begin)))
            moves, warmth = min(left, at_once), WARM * (COOL / WARM) ** passed
            arrays, told = (work, problem.weight, problem.value, ours), watch.seconds
            anneal(problem.city, problem.columns, self.lattice, *arrays, moves, warmth)
            left -= moves
            took = watch.seconds - told
            at_once = min(MOVES_AT_ONCE, 2 * at_once) if took < SECONDS_AT_ONCE else max(1, at_once // 2)
        return columns_of(work, ours)

    def _part(self, parts: int) -> list[tuple[Work, Ints]]:
        """The city in parts, cut along a random direction."""
        problem = self.problem
        providers, needs = problem.city.providers[self.active], problem.city.needs
        turn = self.pick.uniform(0, np.pi)
        across, along = np.cos(turn) * 0.7, np.sin(turn)
        line = np.argsort(providers["lon"] * across + providers["lat"] * along, kind="stable")
        part = np.zeros(len(problem.city.providers), np.int64)
        part[self.active[line]] = np.arange(len(line)) * parts // len(line)
        cuts = np.sort(providers["lon"] * across + providers["lat"] * along)[
            [len(line) * k // parts for k in range(1, parts)]
        ]
        home = np.searchsorted(cuts, needs["lon"] * across + needs["lat"] * along)
        chosen = np.array(self.choice.columns, np.int64)
        return [self._one_part(k, parts, part, home, chosen) for k in range(parts)]

    def _one_part(self, k: int, parts: int, part: Ints, home: Ints, chosen: Ints) -> tuple[Work, Ints]:
        problem, work = self.problem, make_work(self.problem)
        restore(problem.city, problem.columns, work, problem.weight, problem.value, chosen)
        where = np.where(work.server >= 0, part[work.server], home)
        work.is_ours[:] = part == k
        tied = self.ties >= 0
        if tied.any():  # whoever may be in the way of somebody in another part does not move
            first, last = np.full(self.ties.max() + 1, parts), np.full(self.ties.max() + 1, -1)
            np.minimum.at(first, self.ties[tied], where[tied])
            np.maximum.at(last, self.ties[tied], where[tied])
            torn = tied & (first[self.ties] != last[self.ties])
            work.is_fixed[torn] = True
            work.server[torn & (work.server < 0)] = LOCKED
        work.server[where != k] = LOCKED
        for left in (work.room.seats, work.room.budget):
            left[...] = left // parts + (left % parts > k)
        work.numbers[RANDOM], work.numbers[ON_CREDIT] = self.pick.integers(1 << 60), 0
        return work, self.active[part[self.active] == k]


def _tied(problem: Problem) -> Ints:
    """A number for each set of needs that may be in each other's way by person or exclusion; -1 for all others."""
    needs, lists = problem.city.needs, problem.city.lists
    ties = np.arange(len(needs))
    is_tied: Flags = (needs["person"] != NOTHING) | (needs["apart_to"] > needs["apart_from"])
    changed = bool(is_tied.any())
    while changed:
        before = ties.copy()
        for person in np.unique(needs["person"][needs["person"] != NOTHING]):
            same = needs["person"] == person
            ties[same] = ties[same].min()
        for need in np.flatnonzero(needs["apart_to"] > needs["apart_from"]):
            same = np.append(lists[needs["apart_from"][need] : needs["apart_to"][need]], need)
            ties[same] = ties[same].min()
        changed = not np.array_equal(before, ties)
    return np.where(is_tied, ties, -1)
