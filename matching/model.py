"""The choice among columns as a CP-SAT model: every rule that holds between slots, none that holds within one.

A model may hold some of the columns only; those `kept` are chosen for certain, and stand for the rest of the plan.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from ortools.sat.python import cp_model

from matching.arrays import HOMES, NO_LIMIT, NO_PROGRAMME, NOTHING, Ints
from matching.choice import Choice
from matching.groups import BEGIN, DAY, EXTRAS, FINISH, IS_OPEN, MEMBERS, NEED, PIN, PLACE, SHARE
from matching.problem import Problem
from matching.provider_week import add_provider_days


class Model:
    """The model over the columns `ids`; `x[i]` says that column `ids[i]` is chosen.

    `budgets` is what each programme has for these columns, where that is less than its budget. The needs of `kept`
    columns are whole and can pay.
    """

    def __init__(
        self, problem: Problem, ids: Ints, kept: frozenset[int] = frozenset(), budgets: Sequence[int] | None = None
    ) -> None:
        self.problem, self.ids, self.cp = problem, ids, cp_model.CpModel()
        self.budgets = problem.budgets if budgets is None else budgets
        self.pays_more: dict[int, cp_model.IntVar] = {}
        self.served: dict[int, list[cp_model.IntVar]] = {}
        self._read(kept)
        self.x = [self.cp.new_bool_var("") for _ in self.columns]
        for index, column in enumerate(self.columns):
            if column in kept:
                self.cp.add(self.x[index] == 1)
        self._whole_or_none()
        self._pinned_slots()
        add_provider_days(self.cp, problem.city, self.x, self.table, self.provider)
        self._venue_seats()
        self._apart_at_venues()
        self._one_place_at_a_time()
        self._prices()
        self._budgets()
        self._share_out_cents()
        self._minimise()

    def _read(self, kept: frozenset[int]) -> None:
        """Columns and member rows as plain lists, which Python reads faster than arrays."""
        columns = self.problem.columns
        self.columns: list[int] = self.ids.tolist()
        self.table, self.provider = columns.table[self.ids], columns.provider[self.ids]
        self.rows: list[list[int]] = self.table.tolist()
        self.owner: list[int] = self.provider.tolist()
        sizes = self.table[:, MEMBERS]
        shift = columns.offsets[:-1][self.ids] - (np.cumsum(sizes) - sizes)
        rows = np.repeat(shift, sizes) + np.arange(sizes.sum())
        self.column: list[int] = np.repeat(np.arange(len(self.ids)), sizes).tolist()
        self.row: list[int] = rows.tolist()
        self.member: list[list[int]] = columns.members[rows].tolist()
        self._by_need: dict[int, list[int]] = defaultdict(list)
        for index, member in enumerate(self.member):
            if self.columns[self.column[index]] not in kept:
                self._by_need[member[NEED]].append(index)

    def _whole_or_none(self) -> None:
        """Rule 1: all sessions on different days with one provider, or none."""
        needs = self.problem.city.needs
        for need, rows in self._by_need.items():
            sessions = int(needs["sessions"][need])
            by_provider: dict[int, list[int]] = defaultdict(list)
            for index in rows:
                by_provider[self.owner[self.column[index]]].append(self.column[index])
            if sessions == 1:
                self.served[need] = [self.x[column] for columns in by_provider.values() for column in columns]
            else:
                self.served[need] = [self._with_provider(sessions, columns) for columns in by_provider.values()]
            if needs["pinned_provider"][need] >= 0:
                self.cp.add_exactly_one(self.served[need])
            else:
                self.cp.add_at_most_one(self.served[need])

    def _with_provider(self, sessions: int, columns: list[int]) -> cp_model.IntVar:
        with_ = self.cp.new_bool_var("")
        days: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        for column in columns:
            days[self.rows[column][DAY]].append(self.x[column])
        self.cp.add(sum(self.x[column] for column in columns) == sessions * with_)
        for choices in days.values():
            self.cp.add(sum(choices) <= with_)
        return with_

    def _pinned_slots(self) -> None:
        """Of the columns of a pinned slot exactly one is chosen."""
        slots: dict[int, list[cp_model.IntVar]] = defaultdict(list)
        for index in np.flatnonzero(self.table[:, PIN] >= 0).tolist():
            slots[self.rows[index][PIN]].append(self.x[index])
        for choices in slots.values():
            self.cp.add_exactly_one(choices)

    def _at_venues(self) -> dict[tuple[int, int], list[int]]:
        """Member rows by venue and day."""
        venues = len(self.problem.city.venues)
        rows: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, column in enumerate(self.column):
            place = self.rows[column][PLACE]
            if place != HOMES and place < venues:
                rows[place, self.rows[column][DAY]].append(index)
        return rows

    def _venue_seats(self) -> None:
        """Rule 7, at each moment when a session starts."""
        seats = self.problem.city.needs["seats"].tolist()
        for (venue, _), rows in self._at_venues().items():
            room = int(self.problem.city.venues["seats"][venue])
            for moment in sorted({self.member[index][BEGIN] for index in rows}):
                present: dict[int, int] = defaultdict(int)
                for index in rows:
                    member = self.member[index]
                    if member[BEGIN] <= moment < member[FINISH]:
                        present[self.column[index]] += seats[member[NEED]]
                most: dict[int, int] = defaultdict(int)
                for column, taken in present.items():
                    most[self.owner[column]] = max(most[self.owner[column]], taken)
                if sum(most.values()) > room:
                    self._at_most([(taken, self.x[column]) for column, taken in present.items()], room)

    def _at_most(self, terms: Sequence[tuple[int, cp_model.IntVar]], most: int) -> None:
        weighted = cp_model.LinearExpr.weighted_sum([term for _, term in terms], [factor for factor, _ in terms])
        self.cp.add(weighted <= most)

    def _apart_at_venues(self) -> None:
        """Rule 2: needs that exclude each other are at no venue in overlapping sessions."""
        needs, lists = self.problem.city.needs, self.problem.city.lists
        for rows in self._at_venues().values():
            by_need: dict[int, list[int]] = defaultdict(list)
            for index in rows:
                by_need[self.member[index][NEED]].append(index)
            for need, own in by_need.items():
                for other in lists[needs["apart_from"][need] : needs["apart_to"][need]].tolist():
                    if need < other and other in by_need:
                        self._not_together([*own, *by_need[other]])

    def _one_place_at_a_time(self) -> None:
        """Rule 12: sessions of needs with one person do not overlap."""
        person = self.problem.city.needs["person"].tolist()
        rows: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, member in enumerate(self.member):
            if person[member[NEED]] != NOTHING:
                rows[person[member[NEED]], self.rows[self.column[index]][DAY]].append(index)
        for together in rows.values():
            if len({self.member[index][NEED] for index in together}) > 1:
                self._not_together(together)

    def _not_together(self, rows: Sequence[int]) -> None:
        """At no moment is more than one of these member rows present."""
        for moment in sorted({self.member[index][BEGIN] for index in rows}):
            columns = {
                self.column[index] for index in rows if self.member[index][BEGIN] <= moment < self.member[index][FINISH]
            }
            if len(columns) > 1:
                self.cp.add_at_most_one(self.x[column] for column in sorted(columns))

    def _by_provider(self, need: int) -> dict[int, list[int]]:
        rows: dict[int, list[int]] = defaultdict(list)
        for index in self._by_need[need]:
            rows[self.owner[self.column[index]]].append(index)
        return rows

    def _prices(self) -> None:
        """Rule 11 for needs with several sessions; enumeration has seen to those with one."""
        needs = self.problem.city.needs
        for need in self._by_need:
            limit, sessions = int(needs["limit"][need]), int(needs["sessions"][need])
            if limit >= NO_LIMIT or sessions == 1:
                continue
            for rows in self._by_provider(need).values():
                dearest: dict[int, int] = defaultdict(int)
                for index in rows:
                    day, net = self.rows[self.column[index]][DAY], self._net(index, 1)
                    dearest[day] = max(dearest[day], net)
                if sum(sorted(dearest.values())[-sessions:]) > limit:
                    terms = [self._net(index, 0) * self.x[self.column[index]] for index in rows]
                    more = [index for index in rows if self._net(index, 1) > self._net(index, 0)]
                    self.cp.add(sum(terms) + sum(self._pays_more(index) for index in more) <= limit)

    def _net(self, index: int, more: int) -> int:
        """What a member row pays of one slot with its subsidy, `more` than its least share if it is open."""
        return self._share(index, more) - self._subsidy(index, more)

    def _pays_more(self, index: int) -> cp_model.IntVar:
        row = self.row[index]
        if row not in self.pays_more:
            self.pays_more[row] = self.cp.new_bool_var("")
            self.cp.add_implication(self.pays_more[row], self.x[self.column[index]])
        return self.pays_more[row]

    def _share_out_cents(self) -> None:
        """In a column some open members must pay a cent more: those whose limit is at stake, or one of the others."""
        if not self.pays_more:
            return
        asked = {self.column[index] for index in range(len(self.row)) if self.row[index] in self.pays_more}
        rows: dict[int, list[int]] = {column: [] for column in sorted(asked)}
        for index, member in enumerate(self.member):
            if member[IS_OPEN] and self.column[index] in rows:
                rows[self.column[index]].append(self.row[index])
        for column, open_ in rows.items():
            free = sum(row not in self.pays_more for row in open_)
            must = [self.pays_more[row] for row in open_ if row in self.pays_more]
            extras = self.rows[column][EXTRAS]
            if extras > free:
                self.cp.add(sum(must) >= (extras - free) * self.x[column])

    def _budgets(self) -> None:
        """Rule 10: the subsidies without which a need could not pay stay within each programme's budget."""
        rows: dict[int, list[int]] = defaultdict(list)
        for need in self._by_need:
            programme = int(self.problem.city.needs["programme"][need])
            if programme != NO_PROGRAMME and not self.problem.is_ample[programme]:
                rows[programme].append(need)
        for programme, needs in sorted(rows.items()):
            budget = self.budgets[programme]
            if sum(self._largest_subsidy(need) for need in needs) > budget:
                taken = [amount for need in needs if (amount := self._needed_subsidy(need)) is not None]
                self.cp.add(sum(taken) <= budget)

    def _share(self, index: int, more: int) -> int:
        return self.member[index][SHARE] + more * self.member[index][IS_OPEN]

    def _subsidy(self, index: int, more: int) -> int:
        return self.problem.subsidy_of(self.member[index][NEED], self._share(index, more))

    def _most(self, need: int, amounts: Iterable[tuple[int, int]]) -> int:
        """The largest sum over the need's sessions, one a day, of `(day, amount)` pairs."""
        largest: dict[int, int] = defaultdict(int)
        for day, amount in amounts:
            largest[day] = max(largest[day], amount)
        return sum(sorted(largest.values())[-int(self.problem.city.needs["sessions"][need]) :])

    def _largest_subsidy(self, need: int) -> int:
        rows = self._by_need[need]
        return self._most(need, ((self.rows[self.column[i]][DAY], self._subsidy(i, 1)) for i in rows))

    def _needed_subsidy(self, need: int) -> cp_model.LinearExpr | None:
        """The need's whole subsidy where it cannot do without, else 0; None if it always can."""
        rows, limit = self._by_need[need], int(self.problem.city.needs["limit"][need])
        kept = need in self.problem.subsidised
        full = [self.member[index][SHARE] + self.member[index][IS_OPEN] for index in rows]
        days = [self.rows[self.column[index]][DAY] for index in rows]
        most = self._most(need, zip(days, full, strict=True))
        if most <= limit and not kept:
            return None
        with_ = self.cp.new_bool_var("")
        if kept:
            self.cp.add(with_ == 1)
        more = [index for index in rows if self.member[index][IS_OPEN]]
        shares = [(self._share(i, 0), self.x[self.column[i]]) for i in rows] + [(1, self._pays_more(i)) for i in more]
        if most > limit:
            self._at_most([*shares, (limit - most, with_)], limit)
        largest = self._largest_subsidy(need)
        amount = self.cp.new_int_var(0, largest, "")
        paid = [(self._subsidy(i, 0), self.x[self.column[i]]) for i in rows]
        paid += [(self._subsidy(i, 1) - self._subsidy(i, 0), self._pays_more(i)) for i in more]
        self._at_most([*paid, (largest, with_), (-1, amount)], largest)
        if self.problem.city.needs["sessions"][need] == 1:
            dear = [index for index in rows if self.member[index][SHARE] > limit or kept]
            self._at_most([*((self._subsidy(i, 0), self.x[self.column[i]]) for i in dear), (-1, amount)], 0)
        return amount

    def _minimise(self) -> None:
        terms, weights = list(self.x), self.problem.weight[self.ids].tolist()
        for need, served in self.served.items():
            terms.extend(served)
            weights.extend([-int(self.problem.value[need])] * len(served))
        self.cp.minimize(cp_model.LinearExpr.weighted_sum(terms, weights))

    def hint(self, choice: Choice) -> None:
        """Start the search from a choice."""
        chosen = set(choice.columns)
        for index, column in enumerate(self.columns):
            self.cp.add_hint(self.x[index], column in chosen)

    def choice(self, solver: cp_model.CpSolver | cp_model.CpSolverSolutionCallback) -> Choice:
        """What the solver chose."""
        columns = [column for index, column in enumerate(self.columns) if solver.value(self.x[index])]
        more = {row for row, paying in self.pays_more.items() if solver.value(paying)}
        return Choice(tuple(columns), frozenset(more), frozenset(self.pays_more.keys() - more))
