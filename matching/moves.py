"""Moves of a plan that keep it valid: needs and bundles come and go, whole or not at all, compiled."""

import numpy as np

from matching.arrays import City, Ints
from matching.candidates import DAYS
from matching.columns import Columns
from matching.compiled import compiled, inner, lean
from matching.groups import DAY, END, MEMBERS, NEED, START
from matching.lattice import EMPTY, NONE, Lattice
from matching.room import FREE, GIVE_BACK, TAKE, asks, fits_in, put
from matching.steps import (
    ADDED,
    LOCKED,
    NOBODY,
    ON_CREDIT,
    STEPS,
    WEIGHT,
    Work,
    add,
    drop,
    random_below,
    serve,
    take_back,
)

BIG = 1 << 60


@lean
def settle(city: City, columns: Columns, work: Work, value: Ints, need: int, server: int) -> bool:
    """Let a need pay for the sessions that it has now; whether it can. On credit it pays when the move ends."""
    if work.numbers[ON_CREDIT]:
        if work.server[need] != server:
            serve(city, work, value, need, server, work.spent[need])
        return True
    asked, programme = asks(city, columns, work.room, need), city.needs[need].programme
    if asked < 0 or (asked > 0 and asked > work.room.budget[programme] + work.spent[need]):
        return False
    if work.server[need] != server or work.spent[need] != asked:
        serve(city, work, value, need, server, asked)
    return True


@lean
def remove(
    city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, need: int, stack: Ints
) -> bool:
    """Serve a need no longer, nor whoever cannot go on without it; False if that is not ours to do."""
    stack[0], count = need, 1
    while count:
        count -= 1
        leaver = stack[count]
        if work.server[leaver] == NOBODY:
            continue
        if work.server[leaver] == LOCKED or work.is_fixed[leaver]:
            return False
        serve(city, work, value, leaver, NOBODY, 0)
        for day in range(DAYS):
            column = work.room.slot[leaver, day]
            if column < 0:
                continue
            rest = NONE
            for i in range(columns.offsets[column], columns.offsets[column + 1]):
                if columns.members[i, NEED] == leaver:
                    rest = int(lattice.without[i])
            drop(city, columns, work, weight, column)
            if rest >= 0:
                add(city, columns, work, weight, rest)
            for i in range(columns.offsets[column], columns.offsets[column + 1]):
                other = int(columns.members[i, NEED])
                if work.server[other] < 0:
                    continue
                if rest < 0 or not settle(city, columns, work, value, other, int(work.server[other])):
                    if count == len(stack):
                        return False
                    stack[count] = other
                    count += 1
    return True


@lean
def pay_up(city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, stack: Ints) -> bool:
    """End credit: whoever cannot pay is served no longer. False if that is not ours to do."""
    k, work.numbers[ON_CREDIT] = 0, 0
    while k < work.numbers[STEPS]:
        column = work.steps[k, 1]
        if work.steps[k, 0] == ADDED and work.is_chosen[column]:
            for i in range(columns.offsets[column], columns.offsets[column + 1]):
                need = int(columns.members[i, NEED])
                if work.server[need] >= 0 and not settle(city, columns, work, value, need, int(work.server[need])):
                    if not remove(city, columns, lattice, work, weight, value, need, stack):
                        return False
        k += 1
    return True


@lean
def _settle_all(city: City, columns: Columns, work: Work, value: Ints, column: int) -> bool:
    """Let all members of a column pay for their sessions; whether they can."""
    for i in range(columns.offsets[column], columns.offsets[column + 1]):
        if not settle(city, columns, work, value, int(columns.members[i, NEED]), int(columns.provider[column])):
            return False
    return True


@lean
def is_free(columns: Columns, lattice: Lattice, work: Work, bundle: int) -> bool:
    """Whether nobody serves any member of a bundle."""
    head = int(lattice.bundle[lattice.bundle_from[bundle]])
    for i in range(columns.offsets[head], columns.offsets[head + 1]):
        if work.server[columns.members[i, NEED]] != NOBODY:
            return False
    return True


@lean
def take_bundle(
    city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, bundle: int
) -> bool:
    """Add slots for all members of a bundle, whom nobody serves, if they fit and pay; else change nothing.

    First all members meet, then those who need more sessions than others do.
    """
    mark, before, head = work.numbers[STEPS], work.numbers[WEIGHT], int(lattice.bundle[lattice.bundle_from[bundle]])
    good = complete(city, columns, lattice, work, weight, bundle)
    for i in range(columns.offsets[head], columns.offsets[head + 1]):
        good = good and settle(city, columns, work, value, int(columns.members[i, NEED]), int(columns.provider[head]))
    if good and work.numbers[WEIGHT] < before:
        return True
    take_back(city, columns, work, weight, value, mark)
    return False


@lean
def complete(city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, bundle: int) -> bool:
    """Give every member of a bundle all its sessions; whether they fit. Members may have had some of them before."""
    while True:
        head, column = int(lattice.bundle[lattice.bundle_from[bundle]]), NONE
        wanted, days = BIG, 0
        for i in range(columns.offsets[head], columns.offsets[head + 1]):
            need, had = int(columns.members[i, NEED]), 0
            for day in range(DAYS):
                if work.room.slot[need, day] >= 0:
                    days |= 1 << day
                    had += 1
            wanted = min(wanted, city.needs[need].sessions - had)
        k, last = lattice.bundle_from[bundle], lattice.bundle_from[bundle + 1]
        while wanted > 0 and k < last:
            other = int(lattice.bundle[k])
            day = columns.table[other, DAY]
            if not (days >> day) & 1 and _may_fit(columns, work, other) and fits_in(city, columns, work.room, other):
                add(city, columns, work, weight, other)
                days |= 1 << day
                wanted -= 1
                column = other
            k += 1
        if wanted > 0:
            return False
        rest = _unfinished(city, columns, lattice, work, column if column >= 0 else head)
        if rest < 0:
            return bool(rest == EMPTY)
        bundle = int(lattice.of[rest])


@lean
def _unfinished(city: City, columns: Columns, lattice: Lattice, work: Work, column: int) -> int:
    """The column of those members only who need more sessions; `EMPTY` if none does."""
    while column >= 0:
        finished, leaver = 0, NONE
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            need, had = int(columns.members[i, NEED]), 0
            for day in range(DAYS):
                had += work.room.slot[need, day] >= 0
            if had >= city.needs[need].sessions:
                leaver = i
                finished += 1
        if finished == columns.table[column, MEMBERS]:
            return EMPTY
        if finished == 0:
            break
        column = int(lattice.without[leaver])
    return column


@lean
def _may_fit(columns: Columns, work: Work, column: int) -> bool:
    """Whether the provider is free at both ends of a column: a quick look before `fits_in`."""
    provider, day = int(columns.provider[column]), columns.table[column, DAY]
    start, end = columns.table[column, START], columns.table[column, END]
    return bool(work.room.place[provider, day, start] == FREE and work.room.place[provider, day, end - 1] == FREE)


@lean
def _fits_instead(city: City, columns: Columns, work: Work, column: int, base: int) -> bool:
    """Whether `column` fits where `base` stands, or beside all there is."""
    if base == EMPTY:
        return fits_in(city, columns, work.room, column)
    put(city, columns, work.room, base, GIVE_BACK)
    fits = fits_in(city, columns, work.room, column)
    put(city, columns, work.room, base, TAKE)
    return fits


@lean
def _choose_days(extra: Ints, choice: Ints, sessions: int, days: Ints) -> int:
    """The cheapest `sessions` days, written into `days`; what they add, or `BIG`."""
    total, used = 0, 0
    for k in range(sessions):
        cheapest = -1
        for day in range(DAYS):
            if not (used >> day) & 1 and extra[day] < BIG and (cheapest < 0 or extra[day] < extra[cheapest]):
                cheapest = day
        if cheapest < 0:
            return BIG
        total += extra[cheapest]
        used |= 1 << cheapest
        days[k] = choice[cheapest]
    return total


@inner
def insert(
    city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints, need: int, rows_max: int
) -> bool:
    """Serve a need where it costs least: alone, or in slots that there are; in each case it must fit and pay.

    About `rows_max` of its rows are looked at, provider by provider.
    """
    sessions, first, last = city.needs[need].sessions, lattice.rows_from[need], lattice.rows_from[need + 1]
    extra, choice = np.full(DAYS, BIG, np.int64), np.zeros(DAYS, np.int64)
    days, best_days = np.zeros(DAYS, np.int64), np.zeros(DAYS, np.int64)
    best, k = value[need], first
    while k < last:
        provider = int(columns.provider[lattice.column[lattice.rows[k]]])
        seen = work.is_ours[provider] and (last - first <= rows_max or random_below(work, last - first) < rows_max)
        extra[:] = BIG
        while k < last and columns.provider[lattice.column[lattice.rows[k]]] == provider:
            row = int(lattice.rows[k])
            column, base = int(lattice.column[row]), int(lattice.without[row])
            if seen and (work.is_chosen[base] if base >= 0 else _may_fit(columns, work, column)):
                day, added = columns.table[column, DAY], weight[column] - (weight[base] if base >= 0 else 0)
                if added < min(extra[day], best) and _fits_instead(city, columns, work, column, base):
                    extra[day], choice[day] = added, row
            k += 1
        if seen:
            total = _choose_days(extra, choice, sessions, days)
            if total < best:
                best = total
                for s in range(sessions):
                    best_days[s] = days[s]
    if best >= value[need]:
        return False
    mark = work.numbers[STEPS]
    for s in range(sessions):
        if not _join(city, columns, lattice, work, weight, best_days[s]):
            take_back(city, columns, work, weight, value, mark)
            return False
    for s in range(sessions):
        if not _settle_all(city, columns, work, value, int(lattice.column[best_days[s]])):
            take_back(city, columns, work, weight, value, mark)
            return False
    return True


@lean
def _join(city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, row: int) -> bool:
    """Choose the column of a row instead of the one without its member; whether it fits."""
    base, column = int(lattice.without[row]), int(lattice.column[row])
    if base >= 0:
        if not work.is_chosen[base]:
            return False
        drop(city, columns, work, weight, base)
    if not fits_in(city, columns, work.room, column):
        return False
    add(city, columns, work, weight, column)
    return True


@compiled
def restore(city: City, columns: Columns, work: Work, weight: Ints, value: Ints, chosen: Ints) -> None:
    """Choose all columns of a plan in an empty work."""
    for column in chosen:
        add(city, columns, work, weight, column)
        work.numbers[STEPS] = 0
    for column in chosen:
        for i in range(columns.offsets[column], columns.offsets[column + 1]):
            need = int(columns.members[i, NEED])
            if not settle(city, columns, work, value, need, int(columns.provider[column])):
                serve(city, work, value, need, int(columns.provider[column]), 0)
                work.is_fixed[need] = True  # it pays by odd cents that a solver dealt out: best left alone
        work.numbers[STEPS] = 0


@compiled
def columns_of(work: Work, providers: Ints) -> Ints:
    """The chosen columns of these providers."""
    count = 0
    for provider in providers:
        column = int(work.head[provider])
        while column >= 0:
            count += 1
            column = int(work.after[column])
    chosen = np.zeros(count, np.int64)
    for provider in providers:
        column = int(work.head[provider])
        while column >= 0:
            count -= 1
            chosen[count] = column
            column = int(work.after[column])
    return chosen


@compiled
def fill(city: City, columns: Columns, lattice: Lattice, work: Work, weight: Ints, value: Ints) -> None:
    """Go through all bundles once, those that save most first, and take each that fits and pays."""
    for bundle in lattice.ranking:
        work.numbers[STEPS] = 0
        if is_free(columns, lattice, work, int(bundle)):
            take_bundle(city, columns, lattice, work, weight, value, int(bundle))
    work.numbers[STEPS] = 0
