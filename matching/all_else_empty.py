"""What a need could have with all else empty: its cheapest week in any company that the instance has, or what it lacks.

The instance's company is read off the columns; where they are not complete, the needs that live nearest are tried too.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice, pairwise
from math import cos, radians
from typing import Any

import numpy as np

from matching.alone import Alone, common_windows
from matching.arrays import Ints
from matching.company import Company, companies, price_per_hour
from matching.enumeration import Limits
from matching.first_reasons import first_reasons
from matching.groups import DAY, MEMBERS, NEED, SHARE
from matching.instance import Instance, Mode, Need, Service
from matching.problem import Problem, make_problem

DAYS = 7
NO_WEEK = 1 << 60
NEIGHBOURS_MAX = 40
NEIGHBOURS_STEPS_MAX = 2_000
NEEDS_EMPTIED_MAX, STEPS_MAX, COLUMNS_MAX = 300, 100_000, 1 << 18

Said = tuple[str, dict[str, Any]]
"""A reason and its detail."""


class AllElseEmpty:
    """A problem, asked for the reasons that do not depend on any plan."""

    def __init__(self, problem: Problem, has_time: Callable[[], bool]) -> None:
        self._instance = problem.instance
        self._city = problem.city
        self._has_time = has_time
        self._alone = Alone(problem.instance)
        self._complete = problem.columns.complete
        self._needs = list(problem.instance.needs.values())
        self.share_cents, self.subsidy_cents = cheapest_weeks(_with_all_else_empty(problem))

    def reasons(self, needs: Iterable[int]) -> dict[int, Said]:
        """By need (its index), for those that have one: the first of the reasons that do not depend on a plan.

        How many seats are lacking is refined while there is time: at first it counts no company but its own.
        """
        asked = list(needs)
        first = dict(zip(asked, first_reasons(self._city, asked), strict=True))
        lacking = [index for index in asked if first[index] is None and self.share_cents[index] == NO_WEEK]
        said: dict[int, Said] = {index: (reason, {}) for index, reason in first.items() if reason is not None}
        for index, company in zip(lacking, companies(self._city, lacking), strict=True):
            found = self._in_company(self._needs[index], company)
            if found is not None:
                said[index] = found
        return said

    def _in_company(self, need: Need, company: Company) -> Said | None:
        """What the need lacks, or that no company makes it affordable; None where it lacks nothing."""
        if company.short_by == 0:
            return None
        fewest = self._fewest(need, company.short_by)
        if fewest is not None:
            return ("group_too_small", {"short_by": fewest}) if fewest else None
        return "too_expensive", {"price_cents_per_hour": price_per_hour(need, company.week_cents)}

    def _fewest(self, need: Need, enough: int | None) -> int | None:
        """How many more seats like its own the need lacks when the instance's other needs may come too."""
        for count in range(1 if self._complete else 0, enough or 1):
            if not self._has_time():
                break
            problem = make_problem(self._neighbourhood(need, count), Limits(NEIGHBOURS_STEPS_MAX, COLUMNS_MAX))
            if cheapest_weeks(problem)[0][0] != NO_WEEK:
                return count
        return enough

    def _neighbourhood(self, need: Need, count: int) -> Instance:
        """The need, so many seats like its own, and the others that live nearest and may meet it; nothing pinned."""
        service = self._instance.services[need.service]
        others = islice((one for one in self._nearest(need) if may_meet(service, need, one)), NEIGHBOURS_MAX)
        seats = [replace(need, id=f"{need.id}+{number}\n", seats=1, person=None) for number in range(count)]
        providers = {
            one.id: one
            for one in self._instance.providers.values()
            if self._alone.covers(one, need) and self._alone.is_in_reach(one, need)
        }
        needs = {one.id: one for one in [need, *seats, *others]}
        return replace(self._instance, needs=needs, providers=providers, pinned=())

    def _nearest(self, need: Need) -> Iterator[Need]:
        """The needs of the same service, those that live nearest first (near enough for a sieve: on a flat map)."""
        rows = self._city.needs
        same = np.flatnonzero(rows["service"] == list(self._instance.services).index(need.service))
        north = rows["lat"][same] - need.lat
        east = (rows["lon"][same] - need.lon) * cos(radians(need.lat))
        return (self._needs[index] for index in same[np.argsort(north**2 + east**2, kind="stable")].tolist())


def may_meet(service: Service, need: Need, other: Need) -> bool:
    """Whether two needs of a service could be in one slot, by what they ask alone."""
    gaps = ((service.level_gap_max, need.level, other.level), (service.age_gap_max, need.age, other.age))
    return (
        need.id != other.id
        and other.id not in need.excludes
        and need.id not in other.excludes
        and (service.mode != Mode.CLASS or need.minutes == other.minutes)
        and not (service.same_topic and need.topic and other.topic and need.topic != other.topic)
        and all(gap is None or one is None or two is None or abs(one - two) <= gap for gap, one, two in gaps)
        and bool(common_windows(need.windows, other.windows, need.minutes if service.mode == Mode.CLASS else 1))
    )


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
