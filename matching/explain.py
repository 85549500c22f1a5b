"""Why needs are unserved: the first reason of the contract's table that holds, with its detail.

What a need could have with all else empty is read off the columns; they are every group that this instance's needs can
form. Looking for room beside the plan takes time: where it runs out, the last reason of the table stands.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from matching.alone import Alone
from matching.arrays import Ints
from matching.beside import Beside
from matching.company import Companies, is_affordable
from matching.groups import DAY, MEMBERS, NEED, SHARE
from matching.instance import Need
from matching.objective import exact_objective, round_half_up
from matching.plan import Slot, Unserved
from matching.problem import Problem, make_problem
from matching.week import Week

DAYS = 7
NO_WEEK = 1 << 60
NEEDS_EMPTIED_MAX, STEPS_MAX, COLUMNS_MAX = 300, 200_000, 1 << 20


def explain_unserved(problem: Problem, slots: Sequence[Slot], seconds: float) -> tuple[Unserved, ...]:
    """The needs that no slot takes, in the instance's order, each with its reason; in about `seconds`."""
    ends = time.monotonic() + seconds
    explainer = Explainer(_with_all_else_empty(problem), slots)
    return tuple(
        Unserved(need.id, *explainer.reason(index, need, time.monotonic() < ends))
        for index, need in enumerate(problem.instance.needs.values())
        if need.id not in explainer.week.sessions
    )


class Explainer:
    """A plan's slots and the columns that it was chosen from, indexed for asking about one need at a time."""

    def __init__(self, problem: Problem, slots: Sequence[Slot]) -> None:
        self.week = Week(problem.instance, tuple(slots))
        self._alone = Alone(problem.instance)
        self._companies = Companies(problem.instance, self._alone)
        self._beside = Beside(self.week, self._companies)
        self._weeks = cheapest_weeks(problem)
        self._exact = exact_objective(problem.instance, slots)

    def reason(self, index: int, need: Need, has_time: bool) -> tuple[str, dict[str, Any]]:
        """The reason and its detail for the need, the `index`-th of the instance."""
        if (first := self._alone.reason(need)) is not None:
            return first, {}
        share_cents, subsidy_cents = (int(cents[index]) for cents in self._weeks)
        if share_cents == NO_WEEK:
            company = self._companies.of(need)
            if company.short_by is None:
                return "too_expensive", {"price_cents_per_hour": company.price_cents_per_hour}
            if company.short_by:
                return "group_too_small", {"short_by": company.short_by}
        elif (
            need.subsidy is not None
            and not is_affordable(need, share_cents)
            and subsidy_cents > self._beside.left_cents(need.subsidy.programme)
        ):
            return "budget_exhausted", {}
        extra = self._beside.extra_cents(need) if has_time else None
        if extra is not None:
            cents = round_half_up(self._exact + extra) - round_half_up(self._exact)
            if cents > 0:
                return "not_worth_it", {"extra_cents": cents}
        return "outcompeted", {}


def _with_all_else_empty(problem: Problem) -> Problem:
    """The problem without its pinned slots, where finding its columns anew takes little time."""
    instance = problem.instance
    if not instance.pinned or len(instance.needs) > NEEDS_EMPTIED_MAX:
        return problem
    empty = make_problem(replace(instance, pinned=()), STEPS_MAX, COLUMNS_MAX)
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
