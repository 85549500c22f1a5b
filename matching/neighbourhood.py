"""A part of a plan that is planned anew: some providers' weeks, with the rest of the plan standing around them."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from matching.arrays import NO_PROGRAMME, NOTHING, Flags, Ints, Table
from matching.candidates import DAYS
from matching.choice import Choice
from matching.groups import DAY, IS_OPEN, NEED, PLACE, SHARE
from matching.model import Model
from matching.problem import Problem


@dataclass
class Standing:
    """A plan as the search changes it: the columns of each provider, and who serves each need (-1: nobody)."""

    problem: Problem
    weeks: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    server: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    paying_more: set[int] = field(default_factory=set)
    spared: set[int] = field(default_factory=set)

    @staticmethod
    def of(problem: Problem, choice: Choice) -> "Standing":
        """The plan of a choice."""
        standing = Standing(problem, server=np.full(len(problem.value), -1, np.int64))
        standing.add(choice)
        return standing

    def add(self, choice: Choice) -> None:
        """Add columns whose needs are not served yet."""
        for column in choice.columns:
            provider = int(self.problem.columns.provider[column])
            self.weeks[provider].append(column)
            self.server[self.needs_of(column)] = provider
        self.paying_more |= choice.paying_more
        self.spared |= choice.spared

    def remove(self, providers: tuple[int, ...]) -> Choice:
        """Take the weeks of these providers out; what they were."""
        columns = tuple(column for provider in providers for column in self.weeks.pop(provider, ()))
        rows = {row for column in columns for row in self.problem.rows_of(column)}
        for column in columns:
            self.server[self.needs_of(column)] = -1
        was = Choice(columns, frozenset(self.paying_more & rows), frozenset(self.spared & rows))
        self.paying_more -= rows
        self.spared -= rows
        return was

    def needs_of(self, column: int) -> Table:
        """The needs of a column."""
        rows = self.problem.rows_of(column)
        needs: Table = self.problem.columns.members[rows.start : rows.stop, NEED]
        return needs

    def choice(self) -> Choice:
        """The plan as a choice."""
        columns = sorted(column for week in self.weeks.values() for column in week)
        return Choice(tuple(columns), frozenset(self.paying_more), frozenset(self.spared))

    def weight(self) -> int:
        """The objective, in weights."""
        columns = [column for week in self.weeks.values() for column in week]
        return int(self.problem.weight[columns].sum() + self.problem.value[self.server < 0].sum())

    def budgets_left(self) -> list[int]:
        """What the needs that stand and cannot do without their subsidies leave of each budget."""
        left = list(self.problem.budgets)
        if all(self.problem.is_ample):
            return left
        needs, members = self.problem.city.needs, self.problem.columns.members
        shares: dict[int, int] = defaultdict(int)
        subsidies: dict[int, int] = defaultdict(int)
        for week in self.weeks.values():
            for row in (row for column in week for row in self.problem.rows_of(column)):
                need = int(members[row, NEED])
                if needs["programme"][need] != NO_PROGRAMME:
                    more = row in self.paying_more or (row not in self.spared and members[row, IS_OPEN])
                    share = int(members[row, SHARE]) + int(more)
                    shares[need] += share
                    subsidies[need] += self.problem.subsidy_of(need, share)
        for need, share in shares.items():
            if share > needs["limit"][need] or need in self.problem.subsidised:
                left[int(needs["programme"][need])] -= subsidies[need]
        return left


def model_around(standing: Standing, providers: tuple[int, ...], regret: Ints, columns_max: int) -> Model:
    """The model of these providers' weeks over their columns of the least regret, about `columns_max` at most.

    Their needs and those that nobody serves are free. `standing` is left without their weeks.
    """
    problem, was = standing.problem, standing.remove(providers)
    columns = problem.columns
    ranges = [np.searchsorted(columns.provider, [provider, provider + 1]) for provider in providers]
    ids = np.concatenate([np.arange(first, last) for first, last in ranges])
    taken = standing.server[columns.members[rows_of_all(problem, ids), NEED]] >= 0
    ids = ids[_sum_by_column(problem, ids, taken) == 0]
    if len(ids) > columns_max:
        ids = ids[np.argsort(regret[ids], kind="stable")[:columns_max]]
    around = _around(standing, ids)
    chosen = np.array(was.columns, np.int64)
    model = Model(
        problem, np.unique(np.concatenate((ids, chosen, around))), frozenset(around.tolist()), standing.budgets_left()
    )
    model.hint(Choice((*was.columns, *around.tolist()), was.paying_more, was.spared))
    return model


def rows_of_all(problem: Problem, ids: Ints) -> Ints:
    """The member rows of all these columns."""
    first = problem.columns.offsets[ids]
    size = problem.columns.offsets[ids + 1] - first
    rows: Ints = np.repeat(first - (np.cumsum(size) - size), size) + np.arange(size.sum())
    return rows


def _sum_by_column(problem: Problem, ids: Ints, flags: Flags) -> Ints:
    """How many member rows of each column have the flag."""
    size = problem.columns.offsets[ids + 1] - problem.columns.offsets[ids]
    ends = np.cumsum(size)
    total = np.concatenate(([0], np.cumsum(flags)))
    counts: Ints = total[ends] - total[ends - size]
    return counts


def _around(standing: Standing, ids: Ints) -> Ints:
    """The standing columns that share a venue's day or a person with the columns `ids`."""
    problem = standing.problem
    members = problem.columns.members
    chosen = np.array(sorted(column for week in standing.weeks.values() for column in week), np.int64)
    days = np.unique(_venue_days(problem, ids))
    near = np.isin(_venue_days(problem, chosen), days[days >= 0])
    person = problem.city.needs["person"]
    people = np.unique(person[members[rows_of_all(problem, ids), NEED]])
    shared = np.isin(person[members[rows_of_all(problem, chosen), NEED]], people[people != NOTHING])
    around: Ints = chosen[near | (_sum_by_column(problem, chosen, shared) > 0)]
    return around


def _venue_days(problem: Problem, ids: Ints) -> Ints:
    """A number for each column's venue and day, -1 elsewhere."""
    place, day = problem.columns.table[ids, PLACE].astype(np.int64), problem.columns.table[ids, DAY]
    numbers: Ints = np.where((place >= 0) & (place < len(problem.city.venues)), place * DAYS + day, -1)
    return numbers
