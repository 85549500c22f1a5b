"""Why needs are unserved: the first reason of the contract's table that holds, with its detail.

What a need could have with all else empty is read off the columns; they are every group that this instance's needs can
form. Looking for room beside the plan takes time: where it runs out, the last reason of the table stands.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from matching.alone import Alone
from matching.arrays import Ints
from matching.assemble import subsidise
from matching.beside import Addition, Beside, with_addition
from matching.change import Changes
from matching.company import Companies, is_affordable
from matching.distance import distance_km
from matching.enumeration import Limits
from matching.groups import DAY, MEMBERS, NEED, SHARE
from matching.instance import Instance, Need
from matching.objective import exact_objective, round_half_up
from matching.plan import Slot, Unserved
from matching.problem import Problem, make_problem
from matching.rules import broken
from matching.week import Week

DAYS = 7
NO_WEEK = 1 << 60
SLOTS_CHECKED_MAX = 1000
"""In larger plans nothing is added: every addition is checked with the whole plan."""
NEIGHBOURS_MAX = 40
NEIGHBOURS_STEPS_MAX = 2_000
NEEDS_EMPTIED_MAX, STEPS_MAX, COLUMNS_MAX = 300, 100_000, 1 << 18


@dataclass
class Settled:
    """A plan's slots, some needs added that cost nothing more, and the reasons of those that stay unserved."""

    slots: tuple[Slot, ...]
    unserved: tuple[Unserved, ...]


def settle(problem: Problem, slots: Sequence[Slot], seconds: float) -> Settled:
    """Add to a plan what raises its objective by nothing, and say why the rest is unserved; in about `seconds`."""
    explainer = Explainer(problem, tuple(slots), time.monotonic() + seconds)
    unserved = explainer.unserved()
    while explainer.has_grown and explainer.has_time():  # what was said of the others may no longer hold
        explainer.has_grown = False
        unserved = explainer.unserved()
    return Settled(explainer.slots, explainer.with_changes(unserved))


class Explainer:
    """A plan's slots and the columns that it was chosen from, indexed for asking about one need at a time."""

    def __init__(self, problem: Problem, slots: tuple[Slot, ...], ends: float) -> None:
        self._problem = problem
        self._instance = problem.instance
        self._ends = ends
        self._alone = Alone(problem.instance)
        self._companies = Companies(problem.instance, self._alone)
        self._weeks = cheapest_weeks(_with_all_else_empty(problem))
        self._said: dict[str, tuple[str, dict[str, Any]]] = {}
        self.has_grown = False
        self._stand(slots)

    def has_time(self) -> bool:
        """Whether reasons that take work may still be looked for."""
        return time.monotonic() < self._ends

    def _stand(self, slots: tuple[Slot, ...]) -> None:
        self.slots = slots
        self._week = Week(self._instance, slots)
        self._beside = Beside(self._week, self._companies, self.has_time)
        self._exact = exact_objective(self._instance, slots)

    def unserved(self) -> tuple[Unserved, ...]:
        """The needs that no slot takes, in the instance's order, each with its reason."""
        reasons = [
            (need.id, self._reason(index, need))
            for index, need in enumerate(self._instance.needs.values())
            if need.id not in self._week.sessions
        ]
        return tuple(Unserved(name, *reason) for name, reason in reasons if name not in self._week.sessions)

    def with_changes(self, unserved: tuple[Unserved, ...]) -> tuple[Unserved, ...]:
        """The same with the smallest change that would help, for as many as there is time for."""
        changes = Changes(self._instance, self.slots, self.has_time)
        found = []
        for one in unserved:
            change = changes.smallest(self._instance.needs[one.need], one.reason)
            found.append(one if change is None else replace(one, detail=dict(one.detail) | {"change": change}))
        return tuple(found)

    def _reason(self, index: int, need: Need) -> tuple[str, dict[str, Any]]:
        """The reason and its detail for the need, the `index`-th of the instance."""
        if need.id not in self._said and (whatever := self._whatever_else(index, need)) is not None:
            self._said[need.id] = whatever
        if need.id in self._said:
            return self._said[need.id]
        return self._beside_the_plan(index, need)

    def _whatever_else(self, index: int, need: Need) -> tuple[str, dict[str, Any]] | None:
        """The first of the reasons that do not depend on the plan."""
        if (first := self._alone.reason(need)) is not None:
            return first, {}
        if self._weeks[0][index] == NO_WEEK and self.has_time():
            company = self._companies.of(need)
            if company.short_by is None:
                return "too_expensive", {"price_cents_per_hour": company.price_cents_per_hour}
            if company.short_by:
                return "group_too_small", {"short_by": self._fewest(need, company.short_by)}
        return None

    def _fewest(self, need: Need, enough: int) -> int:
        """How many more seats like its own the need lacks when the instance's other needs may come too."""
        for count in range(1, enough):
            if not self.has_time():
                break
            problem = make_problem(self._neighbourhood(need, count), Limits(NEIGHBOURS_STEPS_MAX, COLUMNS_MAX))
            if cheapest_weeks(problem)[0][0] != NO_WEEK:
                return count
        return enough

    def _neighbourhood(self, need: Need, count: int) -> Instance:
        """The need, so many seats like its own, and the others for its service that live nearest; nothing pinned."""
        others = [one for one in self._instance.needs.values() if one.service == need.service and one.id != need.id]
        others.sort(key=lambda one: distance_km(need.lat, need.lon, one.lat, one.lon))
        seats = [replace(need, id=f"{need.id}+{number}\n", seats=1, person=None) for number in range(count)]
        providers = {name: self._instance.providers[name] for name in self._companies.places(need)}
        needs = {one.id: one for one in [need, *seats, *others[:NEIGHBOURS_MAX]]}
        return replace(self._instance, needs=needs, providers=providers, pinned=())

    def _beside_the_plan(self, index: int, need: Need) -> tuple[str, dict[str, Any]]:
        share_cents, subsidy_cents = (int(cents[index]) for cents in self._weeks)
        if (
            need.subsidy is not None
            and share_cents != NO_WEEK
            and not is_affordable(need, share_cents)
            and subsidy_cents > self._beside.left_cents(need.subsidy.programme)
        ):
            return "budget_exhausted", {}
        addition = self._beside.cheapest(need) if self.has_time() else None
        if addition is not None:
            cents = round_half_up(self._exact + addition.extra_cents) - round_half_up(self._exact)
            if cents > 0:
                return "not_worth_it", {"extra_cents": cents}
            self._add(addition)
        return "outcompeted", {}

    def _add(self, addition: Addition) -> None:
        """Serve the need after all, if the whole plan stays valid."""
        slots = subsidise(self._problem, with_addition(self.slots, addition))
        if len(slots) <= SLOTS_CHECKED_MAX and not broken(Week(self._instance, slots)):
            self._stand(slots)
            self.has_grown = True


def _with_all_else_empty(problem: Problem) -> Problem:
    """The problem without its pinned slots, where finding its columns anew takes little time."""
    instance = problem.instance
    if not instance.pinned or len(instance.needs) > NEEDS_EMPTIED_MAX:
        return problem
    empty = make_problem(replace(instance, pinned=()), Limits(STEPS_MAX, COLUMNS_MAX))
    return replace(empty, instance=instance)


def cheapest_weeks(problem: Problem) -> tuple[Ints, Ints]:
    """By need: its least shares for a week with all else empty, and the subsidy on them; `NO_WEEK` if there is none."""
    columns, needs = problem.columns, problem.city.needs
    shares = np.full(len(needs), NO_WEEK, np.int64)
    subsidies = np.zeros(len(needs), np.int64)
    bounds = np.searchsorted(columns.provider, np.arange(len(problem.city.providers) + 1))
    day_of = np.repeat(columns.table[:, DAY], columns.table[:, MEMBERS])
    for first, last in pairwise(columns.offsets[bounds].tolist()):
        if first == last:
            continue
        rows = columns.members[first:last]
        who, row = np.unique(rows[:, NEED], return_inverse=True)
        best = np.full((len(who), DAYS), NO_WEEK // DAYS, np.int64)
        np.minimum.at(best, (row, day_of[first:last]), rows[:, SHARE].astype(np.int64))
        best.sort(axis=1)
        taken = np.arange(DAYS) < needs["sessions"][who][:, None]
        week = np.where(taken, best, 0).sum(axis=1)
        capped = np.minimum(best * (best < NO_WEEK // DAYS), 1 << 31) * needs["part_above"][who][:, None]
        subsidy = np.minimum(capped // needs["part_below"][who][:, None], needs["cap"][who][:, None])
        better = (week < shares[who]) & (week < NO_WEEK // DAYS)
        shares[who[better]] = week[better]
        subsidies[who[better]] = np.where(taken, subsidy, 0).sum(axis=1)[better]
    return shares, subsidies
