"""Simulated annealing over whole plans: part of a plan is ruined and built anew, thousands of times a second, compiled.

See Schrimpf et al., Record Breaking Optimization Results Using the Ruin and Recreate Principle, Journal of
Computational Physics 159 (2000), and Christiaens and Vanden Berghe, Slack Induction by String Removals,
Transportation Science 54 (2020).
"""

from math import log

import numpy as np

from matching.arrays import HOMES, City, Ints
from matching.columns import Columns
from matching.compiled import compiled, inner, lean
from matching.groups import DAY, END, NEED, PLACE, START
from matching.lattice import Lattice
from matching.moves import complete, insert, is_free, pay_up, remove, settle, take_bundle
from matching.room import fits_in
from matching.steps import NOBODY, ON_CREDIT, SERVED, STEPS, WEIGHT, Work, add, random_below, take_back

TOUCHED_MAX = 8
"""So many providers at most are filled again after a ruin."""
ROWS_MAX = 400
SKIP_ONE_IN = 3
EXTRAS = 4
CHANCE = 1 << 20


@compiled
def anneal(
    city: City,
    columns: Columns,
    lattice: Lattice,
    work: Work,
    weight: Ints,
    value: Ints,
    ours: Ints,
    moves: int,
    warmth: float,
) -> None:
    """Make so many moves around the providers `ours`; one that adds x weights is kept with chance exp(-x / warmth)."""
    stack, touched = np.zeros(1 << 12, np.int64), np.zeros(TOUCHED_MAX, np.int64)
    absent = np.zeros(1 << 12, np.int64)
    for _ in range(moves):
        work.numbers[STEPS] = 0
        before = work.numbers[WEIGHT]
        work.numbers[ON_CREDIT] = random_below(work, 2)
        provider = ours[random_below(work, len(ours))]
        if random_below(work, 2):
            good = _force(city, columns, lattice, work, weight, value, provider, stack)
        else:
            good = _ruin(city, columns, lattice, work, weight, value, provider, stack)
        if good:
            _recreate(city, columns, lattice, work, weight, value, provider, touched, absent)
            if work.numbers[ON_CREDIT]:
                good = pay_up(city, columns, lattice, work, weight, value, stack)
        chance = (1 + random_below(work, CHANCE)) / CHANCE
        if not good or work.numbers[WEIGHT] - before > -warmth * log(chance):
            take_back(city, columns, work, weight, value, 0)


@lean
def _ruin(
    city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, provider: int, stack: Ints
) -> bool:
    """Take out some of a provider's needs: those of a random day, or of each slot with a random chance."""
    day, part = random_below(work, 10), 1 + random_below(work, 4)
    column = int(work.head[provider])
    while column >= 0:
        following = int(work.after[column])
        if columns.table[column, DAY] == day or (day > 6 and random_below(work, 4) < part):
            for i in range(columns.offsets[column], columns.offsets[column + 1]):
                need = int(columns.members[i, NEED])
                if work.is_fixed[need] or work.server[need] < 0:
                    continue
                if not remove(city, columns, lattice, work, weight, value, need, stack):
                    return False
                following = int(work.head[provider])
            if day > 6 and following == work.head[provider]:
                return True
        column = following
    return True


@lean
def _force(
    city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, provider: int, stack: Ints
) -> bool:
    """Take in a random bundle of a provider, whatever stands in its way there or serves its members elsewhere."""
    first, last = lattice.best_from[provider], lattice.best_from[provider + 1]
    if first == last:
        return False
    bundle = int(lattice.best[first + min(random_below(work, last - first), random_below(work, last - first))])
    start, stop = lattice.bundle_from[bundle], lattice.bundle_from[bundle + 1]
    head = int(lattice.bundle[start])
    for i in range(columns.offsets[head], columns.offsets[head + 1]):
        need = int(columns.members[i, NEED])
        if work.is_fixed[need] or work.server[need] < NOBODY:
            return False
        if work.server[need] >= 0 and not remove(city, columns, lattice, work, weight, value, need, stack):
            return False
    turn, days, wanted = random_below(work, stop - start), 0, city.units
    for i in range(columns.offsets[head], columns.offsets[head + 1]):
        wanted = min(wanted, city.needs[columns.members[i, NEED]].sessions)
    for k in range(stop - start):
        column = int(lattice.bundle[start + (turn + k) % (stop - start)])
        day = columns.table[column, DAY]
        if wanted == 0 or (days >> day) & 1:
            continue
        if not _clear(city, columns, lattice, work, weight, value, column, stack):
            return False
        if fits_in(city, columns, work.room, column):
            add(city, columns, work, weight, column)
            days |= 1 << day
            wanted -= 1
    if wanted or not complete(city, columns, lattice, work, weight, bundle):
        return False
    for i in range(columns.offsets[head], columns.offsets[head + 1]):
        if not settle(city, columns, work, value, int(columns.members[i, NEED]), provider):
            return False
    return True


@lean
def _clear(
    city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, column: int, stack: Ints
) -> bool:
    """Take out all that is in a column's way in its provider's week."""
    provider, row = int(columns.provider[column]), columns.table[column]
    gap = city.providers[provider].gap
    length = row[END] - row[START]
    other = int(work.head[provider])
    while other >= 0:
        its = columns.table[other]
        way = 0 if its[PLACE] == row[PLACE] and row[PLACE] != HOMES else gap
        near = its[DAY] == row[DAY] and row[START] < its[END] + way and its[START] < row[END] + way
        full = its[DAY] == row[DAY] and length > work.room.day_left[provider, row[DAY]]
        full |= length > work.room.week_left[provider] and random_below(work, 3) == 0
        if not near and not full:
            other = int(work.after[other])
            continue
        need = int(columns.members[columns.offsets[other], NEED])
        if work.server[need] < 0 or not remove(city, columns, lattice, work, weight, value, need, stack):
            return False
        other = int(work.head[provider])
    return True


@inner
def _recreate(
    city: City,
    columns: Columns,
    lattice: Lattice,
    work: Work,
    weight: Ints,
    value: Ints,
    provider: int,
    touched: Ints,
    absent: Ints,
) -> None:
    """Fill the weeks of the touched providers again, bundle by bundle, then let who is left join where it can."""
    size, count = 1, 0
    touched[0] = provider
    for k in range(work.numbers[STEPS]):
        if work.steps[k, 0] != SERVED or work.steps[k, 2] < 0:
            continue
        if work.server[work.steps[k, 1]] == NOBODY and count < len(absent):
            absent[count] = work.steps[k, 1]
            count += 1
        known = size == TOUCHED_MAX
        for j in range(size):
            known = known or touched[j] == work.steps[k, 2]
        if not known:
            touched[size] = work.steps[k, 2]
            size += 1
    for j in range(size):
        own = touched[j]
        first, last = lattice.best_from[own], lattice.best_from[own + 1]
        order, needs = lattice.best, lattice.best_needs
        if random_below(work, 2):
            order, needs = lattice.dense, lattice.dense_needs
        for k in range(first, last):
            if work.server[needs[k, 0]] != NOBODY or work.server[needs[k, 1]] != NOBODY:
                continue
            if random_below(work, SKIP_ONE_IN) and is_free(columns, lattice, work, int(order[k])):
                take_bundle(city, columns, lattice, work, weight, value, int(order[k]))
        for _ in range(min(EXTRAS, last - first)):
            bundle = int(lattice.best[first + random_below(work, last - first)])
            need = int(columns.members[columns.offsets[lattice.bundle[lattice.bundle_from[bundle]]], NEED])
            if work.server[need] == NOBODY and count < len(absent):
                absent[count] = need
                count += 1
    for k in range(count):
        other = k + random_below(work, count - k)
        absent[k], absent[other] = absent[other], absent[k]
        if work.server[absent[k]] == NOBODY:
            insert(city, columns, lattice, work, weight, value, absent[k], ROWS_MAX)
