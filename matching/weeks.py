"""A tighter proved bound: the days of a provider's week are tied by the needs that come on several of them.

A need pays for all its sessions or none. Each day may count with a part of that (`parts`), tuned by subgradient until
the best days agree about who comes (Lagrangian decomposition, Guignard and Kim, Mathematical Programming 39, 1987);
around it the needs' prices are tuned in the same way. All that enters the bound is whole numbers, so it is exact.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from matching.arrays import City, Ints, Table
from matching.bounds import Bound, sort_days
from matching.candidates import DAYS
from matching.columns import Columns
from matching.compiled import compiled, inner, lean
from matching.groups import DAY, END, MEMBERS, NEED, START
from matching.problem import Problem
from matching.progress import Watch

Reals = npt.NDArray[np.float64]

BIG = 1 << 60
INNER_ROUNDS, INNER_PATIENCE = 25, 4
FIRST_STEP, STEP_MIN, PATIENCE, SMOOTHING = 0.2, 0.001, 10, 0.6
MINUTES_SCALE = 16.0
"""A unit of time too much in a week weighs so many times less than a session too much: weeks are some 60 units."""
CHUNK = 64
"""So many providers are bounded between two looks at the time."""


class Ground(NamedTuple):
    """A problem's columns as weeks see them.

    The columns of provider p by day and start are `order[order_from[p]:order_from[p + 1]]`. A pair is a provider and a
    need that some column of its has: member row r is of pair `pair[r]`, those of p are `pair_from[p]` to
    `pair_from[p + 1]`, and `pair_need` is the need. `place[c]` is column c's place among its provider's, all numbers
    below `places`, -1 for homes.
    """

    order: Ints
    order_from: Ints
    pair: Table
    pair_from: Ints
    pair_need: Ints
    place: Ints
    places: int


class Prices(NamedTuple):
    """`worth[n]` is what serving a need brings above its price, `parts[pair, day]` what a day may count with of it.

    `time[p]` is what a unit of a provider's time costs.
    """

    worth: Ints
    parts: Ints
    time: Ints


class Week(NamedTuple):
    """A provider's columns by day and start: `gain[k]` is what column k adds to its day, `after[k]` what may follow.

    `link[k]` is the column that follows best (-1: none), `first_at[day, t]` the first that starts at t or later; of
    each day `best[day]` is the most that it may bring and `head[day]` the first column of that.
    """

    column: Ints
    gain: Ints
    after: Ints
    link: Ints
    first_at: Ints
    best: Ints
    head: Ints


def make_ground(problem: Problem) -> Ground:
    """The ground of all columns of a problem."""
    columns, providers, needs = problem.columns, len(problem.city.providers), len(problem.value)
    order = np.lexsort((columns.table[:, START], columns.table[:, DAY], columns.provider))
    order_from = np.searchsorted(columns.provider, np.arange(providers + 1))
    owner = np.repeat(columns.provider.astype(np.int64), columns.table[:, MEMBERS])
    pairs, pair = np.unique(owner * needs + columns.members[:, NEED], return_inverse=True)
    pair_from = np.searchsorted(pairs, np.arange(providers + 1) * needs)
    days = sort_days(problem)
    return Ground(order, order_from, pair.astype(np.int32), pair_from, pairs % needs, days.place, days.places)


@inner
def _week_of(city: City, columns: Columns, column: Ints) -> Week:
    count = len(column)
    first_at, k = np.zeros((DAYS + 1, city.units + 2), np.int64), 0
    for day in range(DAYS + 1):
        for t in range(city.units + 2):
            while k < count and (
                columns.table[column[k], DAY] < day
                or (columns.table[column[k], DAY] == day and columns.table[column[k], START] < t)
            ):
                k += 1
            first_at[day, t] = k
    gain, after, link = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)
    return Week(column, gain, after, link, first_at, np.zeros(DAYS, np.int64), np.zeros(DAYS, np.int64))


@inner
def _gain(columns: Columns, ground: Ground, prices: Prices, weight: Ints, column: int, time: int) -> int:
    """What a column adds to its day: the parts of its members, less its weight and its time."""
    gain = -weight[column] - time * (columns.table[column, END] - columns.table[column, START])
    for i in range(columns.offsets[column], columns.offsets[column + 1]):
        gain += prices.parts[ground.pair[i], columns.table[column, DAY]]
    return int(gain)


@inner
def _fill(
    city: City, columns: Columns, ground: Ground, prices: Prices, weight: Ints, week: Week, gap: int, time: int
) -> int:
    """Fill the week's gains, what may follow each column, and its best days; their sum."""
    units, first_at, total = city.units, week.first_at, 0
    free, best = np.zeros(units + 1, np.int64), np.full(units + 1, -1, np.int64)
    at, first = np.zeros((ground.places, units + 1), np.int64), np.zeros((ground.places, units + 1), np.int64)
    for day in range(DAYS):
        begin, end = first_at[day, 0], first_at[day + 1, 0]
        free[:], best[:], at[:], done = 0, -1, -1, units
        for k in range(end - 1, begin - 1, -1):
            row, where = columns.table[week.column[k]], ground.place[week.column[k]]
            start, over = row[START], row[END]
            gain = _gain(columns, ground, prices, weight, week.column[k], time)
            while done > start:
                done -= 1
                if free[done + 1] > free[done]:
                    free[done], best[done] = free[done + 1], best[done + 1]
            t = min(units, over + gap)
            after, link = free[t], best[t]
            if where >= 0:
                for u in range(over, t):
                    if at[where, u] > after:
                        after, link = at[where, u], first[where, u]
                if gain + after >= at[where, start]:
                    at[where, start], first[where, start] = gain + after, k
            week.gain[k], week.after[k], week.link[k] = gain, after, link
            if gain + after > free[start]:
                free[start], best[start] = gain + after, k
        while done > 0:
            done -= 1
            if free[done + 1] > free[done]:
                free[done], best[done] = free[done + 1], best[done + 1]
        week.best[day], week.head[day] = free[0], best[0]
        total += free[0]
    return int(total)


@inner
def _follow(columns: Columns, ground: Ground, week: Week, first: int, taken: Ints) -> int:
    """Count who comes on each of the best days, by pair from `first`; the time that they take."""
    taken[:], time = 0, 0
    for day in range(DAYS):
        k = week.head[day]
        while k >= 0:
            column = week.column[k]
            time += columns.table[column, END] - columns.table[column, START]
            for i in range(columns.offsets[column], columns.offsets[column + 1]):
                taken[ground.pair[i] - first, day] += 1
            k = week.link[k]
    return int(time)


@lean
def _copy(target: Ints, to: int, source: Ints, first: int, count: int) -> None:
    """Copy rows of days (a slice would take longer to compile)."""
    for k in range(count):
        for day in range(DAYS):
            target[to + k, day] = source[first + k, day]


@inner
def _want(parts: Ints, days: int, sessions: int, worth: int, taken: Ints, wanted: Ints) -> int:
    """What a need brings beside the days that count least with it, 0 if nothing; it is `wanted` on them if it comes."""
    wanted[:], total, had = 0, 0, 0
    for day in range(DAYS):
        had += min(1, taken[day])
    for _ in range(sessions):
        least = -1
        for day in range(DAYS):
            if not (days >> day) & 1 or wanted[day]:
                continue
            if least < 0 or (parts[day], -taken[day]) < (parts[least], -taken[least]):
                least = day
        if least < 0:  # it cannot be whole here
            wanted[:] = 0
            return 0
        wanted[least] = 1
        total += parts[least]
    if worth < total or (worth == total and 2 * had < sessions):
        wanted[:] = 0
    return int(max(0, worth - total))


@inner
def _tune(
    city: City,
    columns: Columns,
    ground: Ground,
    prices: Prices,
    weight: Ints,
    week: Week,
    provider: int,
    rounds: int,
    asked: Reals,
) -> int:
    """Tune the provider's parts and the price of its time; the least that bounds its week, at which they are left.

    `asked[need]` grows by the part of its sessions that the best days have, on an average of the rounds.
    """
    first, last = ground.pair_from[provider], ground.pair_from[provider + 1]
    gap, most = city.providers[provider].gap, city.providers[provider].week_max
    days, share = np.zeros(last - first, np.int64), np.zeros(last - first)
    for k in range(len(week.column)):
        column = week.column[k]
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            days[ground.pair[i] - first] |= 1 << columns.table[column, DAY]
    taken, wanted = np.zeros((last - first, DAYS), np.int64), np.zeros((last - first, DAYS), np.int64)
    parts, time, bound = prices.parts[first:last].copy(), prices.time[provider], BIG
    step, since, turns = 1.0, 0, 0
    while True:
        total = _fill(city, columns, ground, prices, weight, week, gap, prices.time[provider])
        total += prices.time[provider] * most
        over = _follow(columns, ground, week, first, taken) - most
        norm = (over / MINUTES_SCALE) ** 2 if prices.time[provider] > 0 or over > 0 else 0.0
        for j in range(last - first):
            need, own = ground.pair_need[first + j], prices.parts[first + j]
            sessions = city.needs[need].sessions
            total += _want(own, days[j], sessions, prices.worth[need], taken[j], wanted[j])
            for day in range(DAYS):
                share[j] += min(1, taken[j, day]) / sessions
                norm += (taken[j, day] - wanted[j, day]) ** 2
        turns += 1
        if total < bound:
            bound, time, since = total, prices.time[provider], 0
            _copy(parts, 0, prices.parts, first, last - first)
        else:
            since += 1
            if since == INNER_PATIENCE:
                step, since = step / 2, 0
                _copy(prices.parts, first, parts, 0, last - first)
                prices.time[provider] = time
        if norm == 0 or bound <= 0 or turns > rounds:
            break
        length = step * max(1, total) / norm
        for j in range(last - first):
            for day in range(DAYS):
                prices.parts[first + j, day] -= int(length * (taken[j, day] - wanted[j, day]))
        prices.time[provider] = max(0, prices.time[provider] + int(length * over / MINUTES_SCALE**2))
    _copy(prices.parts, first, parts, 0, last - first)
    prices.time[provider] = time
    for j in range(last - first):
        asked[ground.pair_need[first + j]] += share[j] / turns
    return int(bound)


@compiled
def bound_weeks(
    city: City,
    columns: Columns,
    ground: Ground,
    prices: Prices,
    weight: Ints,
    from_provider: int,
    to_provider: int,
    rounds: int,
    asked: Reals,
) -> int:
    """What the weeks of these providers may bring at most, together; `parts` and `time` are left tuned for it."""
    total = 0
    for provider in range(from_provider, to_provider):
        begin, end = ground.order_from[provider], ground.order_from[provider + 1]
        if begin < end:
            week = _week_of(city, columns, ground.order[begin:end])
            total += _tune(city, columns, ground, prices, weight, week, provider, rounds, asked)
    return total


@compiled
def week_regrets(city: City, columns: Columns, ground: Ground, prices: Prices, weight: Ints, regret: Ints) -> None:
    """Write down how much worse than the best a week is at least if it has the column."""
    units = city.units
    free, pending = np.zeros(units + 1, np.int64), np.zeros(units + 1, np.int64)
    at = np.zeros((ground.places, units + 1), np.int64)
    for provider in range(len(city.providers)):
        begin, end = ground.order_from[provider], ground.order_from[provider + 1]
        gap = city.providers[provider].gap
        week = _week_of(city, columns, ground.order[begin:end])
        _fill(city, columns, ground, prices, weight, week, gap, prices.time[provider])
        before = np.zeros(end - begin, np.int64)
        for day in range(DAYS):
            free[:], pending[:], at[:], done = 0, 0, -1, 0
            for k in range(week.first_at[day, 0], week.first_at[day + 1, 0]):
                row, where = columns.table[week.column[k]], ground.place[week.column[k]]
                while done < row[START]:
                    done += 1
                    free[done] = max(free[done - 1], pending[done])
                before[k] = free[max(0, row[START] - gap)]
                if where >= 0:
                    for u in range(max(0, row[START] - gap) + 1, row[START] + 1):
                        before[k] = max(before[k], at[where, u])
                    at[where, row[END]] = max(at[where, row[END]], before[k] + week.gain[k])
                pending[row[END]] = max(pending[row[END]], before[k] + week.gain[k])
                regret[week.column[k]] = week.best[day] - before[k] - week.gain[k] - week.after[k]


def tie_weeks(problem: Problem, bound: Bound, best: int, watch: Watch, seconds: float, rounds: int) -> Bound:
    """Make a bound tighter in `rounds` steps, at most until `watch` says `seconds`; `best` is a plan's weight."""
    city, columns, ground = problem.city, problem.columns, make_ground(problem)
    sessions, all_value = city.needs["sessions"], int(problem.value.sum())
    price, time = bound.price, bound.time_price.copy()
    worth = problem.value - price
    parts = np.repeat((worth // sessions)[ground.pair_need][:, None], DAYS, axis=1)
    most, kept = bound.weight, None
    direction, step, since = np.zeros(len(price)), FIRST_STEP, 0
    for _ in range(rounds):
        asked, weeks = _all_weeks(problem, ground, Prices(worth, parts, time), watch, seconds)
        if weeks is None or step < STEP_MIN:
            break
        weight = all_value - int(price.sum()) - weeks
        if weight > most:
            most, kept, since = weight, (price, parts.copy(), time.copy()), 0
        else:
            since += 1
        if since == PATIENCE and kept is not None:
            step, since = step / 2, 0
            direction[:] = 0
            price, parts, time = kept[0], kept[1].copy(), kept[2].copy()
            worth = problem.value - price
            continue
        direction = SMOOTHING * direction + (asked - 1)
        free = (price > 0) | (direction > 0)
        length = step * max(1, best - weight) / max(1e-9, float((direction[free] ** 2).sum()))
        price = np.clip(price + (length * direction).astype(np.int64), 0, problem.value)
        parts += ((problem.value - price - worth) // sessions)[ground.pair_need][:, None]
        worth = problem.value - price
    if kept is None:
        return bound
    regret = np.zeros(len(columns), np.int64)
    week_regrets(city, columns, ground, Prices(problem.value - kept[0], *kept[1:]), problem.weight, regret)
    return Bound(most, regret, kept[0], kept[2])


def _all_weeks(
    problem: Problem, ground: Ground, prices: Prices, watch: Watch, seconds: float
) -> tuple[Reals, int | None]:
    """How much each need is asked for, and what all weeks may bring; None if time ends before all are bounded."""
    asked, weeks, providers = np.zeros(len(problem.value)), 0, len(problem.city.providers)
    for first in range(0, providers, CHUNK):
        if watch.seconds > seconds or watch.interrupted:
            return asked, None
        ends = (first, min(first + CHUNK, providers))
        arrays = (problem.city, problem.columns, ground, prices, problem.weight)
        weeks += bound_weeks(*arrays, *ends, INNER_ROUNDS, asked)
    return asked, weeks
