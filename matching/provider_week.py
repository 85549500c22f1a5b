"""Rule 6 between columns: a provider's slots do not overlap, it has time for the way, and its day and week suffice."""

from collections import defaultdict

import numpy as np
from ortools.sat.python import cp_model

from matching.arrays import HOMES, City, Table
from matching.groups import DAY, END, PLACE, START


def add_provider_days(
    model: cp_model.CpModel, city: City, x: list[cp_model.IntVar], table: Table, provider: Table
) -> None:
    """Add the rule to a model in which `x[i]` chooses the column with row `table[i]` of `provider[i]`."""
    weeks: dict[int, list[int]] = defaultdict(list)
    for index, own in enumerate(provider.tolist()):
        weeks[own].append(index)
    for own, columns in weeks.items():
        gap = int(city.providers["gap"][own])
        days: dict[int, list[int]] = defaultdict(list)
        for index in columns:
            days[int(table[index, DAY])].append(index)
        longest = []
        for indices in days.values():
            rows = table[indices]
            for clique in _overlaps(rows):
                model.add_at_most_one(x[indices[i]] for i in clique)
            if gap:
                for clique in _too_near(rows, gap):
                    model.add_at_most_one(x[indices[i]] for i in clique)
            length = rows[:, END] - rows[:, START]
            most, day_max = int(length.sum()), int(city.providers["day_max"][own])
            if most > day_max:
                model.add(sum(int(size) * x[i] for size, i in zip(length, indices, strict=True)) <= day_max)
            longest.append(min(most, day_max))
        week_max = int(city.providers["week_max"][own])
        if sum(longest) > week_max:
            model.add(sum(int(table[i, END] - table[i, START]) * x[i] for i in columns) <= week_max)


def _overlaps(rows: Table) -> list[list[int]]:
    """Sets of columns that are all on at one moment, one for each moment when a column starts."""
    cliques = []
    for moment in np.unique(rows[:, START]):
        on = np.flatnonzero((rows[:, START] <= moment) & (moment < rows[:, END]))
        if len(on) > 1:
            cliques.append(on.tolist())
    return cliques


def _too_near(rows: Table, gap: int) -> list[list[int]]:
    """Sets of columns of which no two can be, for want of time for the way between different places.

    Whoever is on at `moment - gap` at one place cannot have been followed by what is on at `moment` elsewhere. This
    sees every pair but those whose first column is shorter than the gap; they are added one by one.
    """
    cliques = []
    start, end, place = rows[:, START], rows[:, END], rows[:, PLACE]
    for moment in np.unique(start):
        before = (start <= moment - gap) & (moment - gap < end)
        now = (start <= moment) & (moment < end)
        for where in np.unique(place[before & (end <= moment)]):
            here = before & (place == where)
            there = now & ((place != where) | (where == HOMES))
            if (there & ~here).any():
                cliques.append(np.flatnonzero(here | there).tolist())
    for short in np.flatnonzero(end - start < gap):
        elsewhere = (place != place[short]) | (place == HOMES)
        late = elsewhere & (start >= end[short]) & (start < end[short] + gap) & (start - gap < start[short])
        cliques.extend([int(short), int(other)] for other in np.flatnonzero(late))
    return cliques
