"""Large-neighbourhood search: again and again some neighbours' weeks are planned anew, exactly where time allows.

See Shaw, Using Constraint Programming and Local Search Methods to Solve Vehicle Routing Problems, CP 1998. Parts are
solved by processes side by side; what they find is taken only if it fits beside what the others found meanwhile.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import ApplyResult
from typing import Any

import numpy as np
import numpy.typing as npt

from matching.annealing import make_work
from matching.arrays import Ints
from matching.choice import Choice
from matching.exact import solve_model
from matching.moves import restore
from matching.neighbourhood import Standing, model_around
from matching.problem import Problem
from matching.progress import Watch
from matching.room import GIVE_BACK, TAKE, fits_in, put

COLUMNS_MAX = 5000
PROVIDERS_FIRST, PROVIDERS_MIN, PROVIDERS_MAX = 15.0, 3.0, 60.0
SECONDS_PART, SECONDS_MAX = 0.1, 12.0
"""A part is given this share of the whole time, but no more than so many seconds."""
EASY_SECONDS = 2.0
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Part:
    """Some providers' weeks to be planned anew in a plan."""

    providers: tuple[int, ...]
    choice: Choice
    seconds: float
    seed: int


@dataclass(frozen=True)
class Found:
    """The new weeks of a part, or None; whether they are the best that there are, and how long it took."""

    weeks: Choice | None
    is_optimal: bool
    seconds: float


_ground: tuple[Problem, Ints] | None = None
"""What the processes inherit (in them alone it is set): columns are too many to be sent."""


def _stand_on(ground: tuple[Problem, Ints]) -> None:
    global _ground  # noqa: PLW0603 - a process has one search
    _ground = ground
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def plan_part(part: Part) -> Found:
    """Plan a part anew."""
    if _ground is None:
        raise RuntimeError("a part is planned on the ground of a search")
    begun = time.monotonic()
    problem, regret = _ground
    standing = Standing.of(problem, part.choice)
    model = model_around(standing, part.providers, regret, COLUMNS_MAX)
    answer = solve_model(model, Watch(part.seconds), part.seconds, part.seed)
    if answer.choice is None:
        return Found(None, False, time.monotonic() - begun)
    own = set(part.providers)
    columns = tuple(c for c in answer.choice.columns if int(problem.columns.provider[c]) in own)
    weeks = Choice(columns, answer.choice.paying_more, answer.choice.spared)
    return Found(weeks, answer.is_optimal, time.monotonic() - begun)


class Search:
    """A plan that gets better."""

    def __init__(self, problem: Problem, choice: Choice, regret: Ints, seed: int) -> None:
        self.problem, self.regret = problem, regret
        self.standing = Standing.of(problem, choice)
        work = make_work(problem)
        restore(problem.city, problem.columns, work, problem.weight, problem.value, np.array(choice.columns, np.int64))
        self.room = work.room
        self.pick = np.random.default_rng(seed)
        self.size = PROVIDERS_FIRST
        self.weight = self.standing.weight()
        self.active = np.flatnonzero(np.bincount(problem.columns.provider, minlength=len(problem.city.providers)))
        self.serves = np.zeros((len(problem.city.providers), len(problem.city.services)), np.bool_)
        for index, provider in enumerate(problem.city.providers):
            services = problem.city.offers["service"][provider["offers_from"] : provider["offers_to"]]
            self.serves[index, services[services >= 0]] = True

    def run(self, watch: Watch, until: float, workers: int, tell: Callable[[], None]) -> None:
        """Search until `watch` says `until`; `tell` is called after each part."""
        if len(self.active) == 0:
            return
        limit = min(SECONDS_MAX, SECONDS_PART * watch.limit_seconds)
        with multiprocessing.get_context("fork").Pool(workers, _stand_on, ((self.problem, self.regret),)) as pool:
            running: list[tuple[Part, ApplyResult[Any]]] = []
            while watch.seconds < until and not watch.interrupted:
                while len(running) < workers:
                    part = self._part(running, max(0.1, min(limit, until - watch.seconds)))
                    running.append((part, pool.apply_async(plan_part, (part,))))
                time.sleep(POLL_SECONDS)
                for done in [pair for pair in running if pair[1].ready()]:
                    running.remove(done)
                    self._take(done[0], done[1].get())
                    tell()

    def _part(self, running: list[tuple[Part, "ApplyResult[Any]"]], seconds: float) -> Part:
        """A random provider with its neighbours, none of whom is being planned."""
        busy = {provider for part, _ in running for provider in part.providers}
        free = np.array([provider for provider in self.active if provider not in busy], np.int64)
        if len(free) == 0:
            free = self.active
        first = int(self.pick.choice(free))
        providers = self.problem.city.providers
        near: npt.NDArray[np.float64] = (providers["lat"][free] - providers["lat"][first]) ** 2
        near = near + (providers["lon"][free] - providers["lon"][first]) ** 2 / 2
        near = near * np.exp(self.pick.normal(0, 0.5, len(free)))
        near[~(self.serves[free] & self.serves[first]).any(axis=1)] = np.inf
        near[free == first] = -1
        order = free[np.argsort(near, kind="stable")][: int(self.size)]
        chosen = tuple(int(provider) for provider in order if (self.serves[provider] & self.serves[first]).any())
        return Part(chosen, self.standing.choice(), seconds, int(self.pick.integers(1 << 30)))

    def _take(self, part: Part, found: Found) -> None:
        """Take new weeks if they are no worse and fit; make the next parts as large as can be solved in short time."""
        if not found.is_optimal:
            self.size = max(PROVIDERS_MIN, self.size * 0.85)
        elif found.seconds < EASY_SECONDS:
            self.size = min(PROVIDERS_MAX, self.size * 1.1)
        if found.weeks is None:
            return
        was = self.standing.remove(part.providers)
        for column in was.columns:
            self._put(column, GIVE_BACK)
        if self._fits(found.weeks):
            self.standing.add(found.weeks)
            weight = self.standing.weight()
            if weight <= self.weight and min(self.standing.budgets_left()) >= 0:
                self.weight = weight
                return
            self.standing.remove(part.providers)
            for column in found.weeks.columns:
                self._put(column, GIVE_BACK)
        self.standing.add(was)
        for column in was.columns:
            self._put(column, TAKE)

    def _fits(self, weeks: Choice) -> bool:
        """Whether the weeks fit beside the plan; if so, they are in the room."""
        taken: list[int] = []
        for column in weeks.columns:
            is_free = (self.standing.server[self.standing.needs_of(column)] < 0).all()
            if not is_free or not fits_in(self.problem.city, self.problem.columns, self.room, column):
                for other in taken:
                    self._put(other, GIVE_BACK)
                return False
            self._put(column, TAKE)
            taken.append(column)
        return True

    def _put(self, column: int, sign: int) -> None:
        put(self.problem.city, self.problem.columns, self.room, column, sign)
