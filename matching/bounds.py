"""A proved bound for a city of any size, and what each column would cost it: Lagrangian relaxation by provider and day.

Each need has a price for being served and each provider one for its time; given these, every provider fills each day
by itself, exactly (weighted intervals with ways between places). All arithmetic that enters the bound is on whole
numbers. Relaxed are: one provider a need, sessions on several days, minutes a week, venues, persons and budgets.
See Fisher, The Lagrangian Relaxation Method for Solving Integer Programming Problems, Management Science 27 (1981).
"""

from dataclasses import dataclass

import numpy as np

from matching.arrays import HOMES, City, Ints
from matching.columns import Columns
from matching.compiled import compiled
from matching.groups import DAY, END, NEED, PLACE, START
from matching.problem import Problem
from matching.progress import Watch

FIRST_STEP = 1.0
PATIENCE = 8
STEP_MIN = 0.01
SMOOTHING = 0.6


@dataclass(frozen=True)
class Bound:
    """`weight` is a proved lower bound of the objective; `regret[c]` what it rises by at least with column c.

    `price[need]` and `time_price[provider]` are the prices that prove it.
    """

    weight: int
    regret: Ints
    price: Ints
    time_price: Ints


@dataclass
class Days:
    """Columns in the order of providers, days and starts; group g is `order[offsets[g]:offsets[g + 1]]`."""

    order: Ints
    offsets: Ints
    place: Ints
    places: int


def sort_days(problem: Problem) -> Days:
    """The columns by provider and day; `place` numbers the places of each provider from 0, -1 for homes."""
    table, provider = problem.columns.table, problem.columns.provider.astype(np.int64)
    order = np.lexsort((table[:, START], table[:, DAY], provider))
    key = (provider * 7 + table[:, DAY])[order]
    offsets = np.append(np.flatnonzero(np.diff(key, prepend=-1)), len(order))
    where = provider * (1 << 32) + table[:, PLACE] + 1
    distinct, index = np.unique(where, return_inverse=True)
    first = np.searchsorted(distinct, provider * (1 << 32))
    place = index - first
    place[table[:, PLACE] == HOMES] = -1
    return Days(order, offsets, place, int(place.max(initial=0)) + 1)


@compiled
def fill_days(
    city: City,
    columns: Columns,
    order: Ints,
    offsets: Ints,
    place: Ints,
    places: int,
    value: Ints,
    before: Ints,
    taken: Ints,
    minutes: Ints,
) -> int:
    """The sum of the best days, each exact; the sessions in them by need and the time by provider are added up.

    `before[c]` becomes the best that can come before column c on its day.
    """
    total, units = 0, city.units
    free, free_column = np.zeros(units + 1, np.int64), np.zeros(units + 1, np.int64)
    at, at_column = np.zeros((places, units + 1), np.int64), np.zeros((places, units + 1), np.int64)
    previous = np.zeros(len(order), np.int64)
    for group in range(len(offsets) - 1):
        provider = columns.provider[order[offsets[group]]]
        gap = city.providers[provider].gap
        free[:], free_column[:] = 0, -1
        for k in range(offsets[group], offsets[group + 1]):
            at[place[order[k]], :] = -1
        done = 0
        for k in range(offsets[group], offsets[group + 1]):
            column = order[k]
            start, end, where = columns.table[column, START], columns.table[column, END], place[column]
            while done < start:
                done += 1
                if free[done - 1] >= free[done]:
                    free[done], free_column[done] = free[done - 1], -1
            moment = max(0, start - gap)
            best, link = free[moment], -1 - moment
            if where >= 0:
                for t in range(moment + 1, start + 1):
                    if at[where, t] > best:
                        best, link = at[where, t], at_column[where, t]
            before[column], previous[k] = best, link
            mine = best + value[column]
            if mine > free[end]:
                free[end], free_column[end] = mine, k
            if where >= 0 and mine > at[where, end]:
                at[where, end], at_column[where, end] = mine, k
        while done < units:
            done += 1
            if free[done - 1] >= free[done]:
                free[done], free_column[done] = free[done - 1], -1
        total += free[units]
        link = -1 - units
        while link != -1:
            if link < 0:
                moment = -1 - link
                link = free_column[moment] if free_column[moment] >= 0 else -moment
                continue
            column = order[link]
            minutes[provider] += columns.table[column, END] - columns.table[column, START]
            for i in range(columns.offsets[column], columns.offsets[column + 1]):
                taken[columns.members[i, NEED]] += 1
            link = previous[link]
    return total


@compiled
def regrets(
    city: City, columns: Columns, order: Ints, offsets: Ints, place: Ints, places: int, value: Ints, before: Ints
) -> None:
    """Turn `before` into regrets: how much worse than its best a day is if it has the column."""
    units = city.units
    free = np.zeros(2 * units + 2, np.int64)
    at = np.zeros((places, units + 1), np.int64)
    for group in range(len(offsets) - 1):
        gap = city.providers[columns.provider[order[offsets[group]]]].gap
        free[:] = 0
        for k in range(offsets[group], offsets[group + 1]):
            at[place[order[k]], :] = -1
        done = units
        for k in range(offsets[group + 1] - 1, offsets[group] - 1, -1):
            column = order[k]
            start, end, where = columns.table[column, START], columns.table[column, END], place[column]
            while done > end:
                done -= 1
                free[done] = max(free[done], free[done + 1])
            best = free[min(units, end + gap)]
            if where >= 0:
                for t in range(end, min(units, end + gap)):
                    best = max(best, at[where, t])
            mine = best + value[column]
            before[column] += mine
            free[start] = max(free[start], mine)
            if where >= 0:
                at[where, start] = max(at[where, start], mine)
        while done > 0:
            done -= 1
            free[done] = max(free[done], free[done + 1])
        for k in range(offsets[group], offsets[group + 1]):
            before[order[k]] = free[0] - before[order[k]]


def relax(problem: Problem, best: int, watch: Watch, seconds: float, rounds: int) -> Bound:
    """The best bound of `rounds` subgradient steps, at most until `watch` says `seconds`; `best` is a plan's weight."""
    days, city, columns = sort_days(problem), problem.city, problem.columns
    sessions, week = city.needs["sessions"], np.maximum(1, city.providers["week_max"])
    price, time_price = problem.value // 2, np.zeros(len(week), np.int64)
    all_value, step, since = int(problem.value.sum()), FIRST_STEP, 0
    least, kept = None, (price, time_price)
    direction, time_direction = np.zeros(len(price)), np.zeros(len(week))
    before = np.zeros(len(columns.table), np.int64)
    for _ in range(rounds):
        value = _worth(problem, price, time_price)
        taken, minutes = np.zeros(len(price), np.int64), np.zeros(len(week), np.int64)
        arrays = (days.order, days.offsets, days.place, days.places)
        filled = fill_days(city, columns, *arrays, value, before, taken, minutes)
        total = filled + int(price.sum()) + int((time_price * week).sum())
        if least is None or total < least:
            least, kept, since = total, (price, time_price), 0
        else:
            since += 1
            if since == PATIENCE:
                step, since = step / 2, 0
                price, time_price = kept
                direction[:], time_direction[:] = 0, 0
                continue
        if watch.seconds > seconds or watch.interrupted or step < STEP_MIN:
            break
        direction = SMOOTHING * direction + (taken / sessions - 1)
        time_direction = SMOOTHING * time_direction + (minutes / week - 1)
        norm = float((direction**2).sum() + (time_direction**2).sum())
        length = step * max(1, total - (all_value - best)) / max(1e-9, norm)
        price = np.clip(price + (length * direction).astype(np.int64), 0, problem.value)
        time_price = np.maximum(0, time_price + (length * time_direction / week).astype(np.int64))
    price, time_price = kept
    value = _worth(problem, price, time_price)
    arrays = (days.order, days.offsets, days.place, days.places)
    fill_days(city, columns, *arrays, value, before, np.zeros_like(price), np.zeros_like(week))
    regrets(city, columns, *arrays, value, before)
    return Bound(all_value - (least or 0), before, price, time_price)


def _worth(problem: Problem, price: Ints, time_price: Ints) -> Ints:
    """What each column is worth to its provider: its members' value above their prices, less its weight and time."""
    columns, sessions = problem.columns, problem.city.needs["sessions"]
    each = -((price - problem.value) // sessions)
    worth: Ints = np.add.reduceat(each[columns.members[:, NEED]], columns.offsets[:-1]) - problem.weight
    return worth - time_price[columns.provider] * (columns.table[:, END] - columns.table[:, START])
