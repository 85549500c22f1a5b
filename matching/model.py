"""The choice among columns as a CP-SAT model: every rule that holds between slots, none that holds within one.

A model may hold some of the columns only; those `kept` are chosen for certain, and stand for the rest of the plan.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from ortools.sat.python import cp_model

from matching.arrays import NO_LIMIT, NOTHING, Ints
from matching.choice import Choice
from matching.groups import BEGIN, DAY, EXTRAS, FINISH, IS_OPEN, NEED, PIN, PLACE, SHARE
from matching.problem import Problem
from matching.provider_week import add_provider_days


@dataclass
class Model:
    """The model over the columns `ids`; `x[i]` says that column `ids[i]` is chosen."""

    problem: Problem
    ids: Ints
    kept: frozenset[int] = frozenset()
    cp: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    x: list[cp_model.IntVar] = field(default_factory=list)
    pays_more: dict[int, cp_model.IntVar] = field(default_factory=dict)
    served: dict[int, list[cp_model.IntVar]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = self.problem.columns
        self.x = [self.cp.new_bool_var("") for _ in self.ids]
        for index, column in enumerate(self.ids):
            if int(column) in self.kept:
                self.cp.add(self.x[index] == 1)
        self.table = columns.table[self.ids]
        self.provider = columns.provider[self.ids]
        sizes = np.diff(columns.offsets)[self.ids]
        self.column = np.repeat(np.arange(len(self.ids)), sizes)
        first = columns.offsets[:-1][self.ids]
        ends = np.cumsum(sizes)
        self.row = np.repeat(first - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)
        self.member = columns.members[self.row]
        self._by_need: dict[int, list[int]] = defaultdict(list)
        for index, need in enumerate(self.member[:, NEED].tolist()):
            self._by_need[need].append(index)
        self._whole_or_none()
        self._pinned_slots()
        add_provider_days(self.cp, self.problem, self.x, self.table, self.provider)
        self._venue_seats()
        self._apart_at_venues()
        self._one_place_at_a_time()
        self._prices()
        self._budgets()
        self._share_out_cents()
        self._minimise()

    def _whole_or_none(self) -> None:
        """Rule 1: all sessions on different days with one provider, or none."""
        needs = self.problem.city.needs
        for need, rows in self._by_need.items():
            sessions = int(needs["sessions"][need])
            by_provider: dict[int, list[int]] = defaultdict(list)
            for index in rows:
                by_provider[int(self.provider[self.column[index]])].append(int(self.column[index]))
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
            days[int(self.table[column, DAY])].append(self.x[column])
        self.cp.add(sum(self.x[column] for column in columns) == sessions * with_)
        for choices in days.values():
            self.cp.add(sum(choices) <= with_)
        return with_

    def _pinned_slots(self) -> None:
        slots: dict[int, list[cp_model.IntVar]] = {pin: [] for pin in range(len(self.problem.city.pins))}
        for index in np.flatnonzero(self.table[:, PIN] >= 0).tolist():
            slots[int(self.table[index, PIN])].append(self.x[index])
        for choices in slots.values():
            self.cp.add_exactly_one(choices)

    def _at_venues(self) -> dict[tuple[int, int], list[int]]:
        """Member rows by venue and day."""
        place = self.table[self.column, PLACE]
        rows: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index in np.flatnonzero((place >= 0) & (place < len(self.problem.city.venues))).tolist():
            rows[int(place[index]), int(self.table[self.column[index], DAY])].append(index)
        return rows

    def _venue_seats(self) -> None:
        """Rule 7, at each moment when a session starts."""
        seats = self.problem.city.needs["seats"]
        for (venue, _), rows in self._at_venues().items():
            room = int(self.problem.city.venues["seats"][venue])
            for moment in sorted({int(self.member[index, BEGIN]) for index in rows}):
                present: dict[int, int] = defaultdict(int)
                for index in rows:
                    if self.member[index, BEGIN] <= moment < self.member[index, FINISH]:
                        present[int(self.column[index])] += int(seats[self.member[index, NEED]])
                most: dict[int, int] = defaultdict(int)
                for column, taken in present.items():
                    provider = int(self.provider[column])
                    most[provider] = max(most[provider], taken)
                if sum(most.values()) > room:
                    self.cp.add(sum(taken * self.x[column] for column, taken in present.items()) <= room)

    def _apart_at_venues(self) -> None:
        """Rule 2: needs that exclude each other are at no venue in overlapping sessions."""
        needs, lists = self.problem.city.needs, self.problem.city.lists
        for rows in self._at_venues().values():
            by_need: dict[int, list[int]] = defaultdict(list)
            for index in rows:
                by_need[int(self.member[index, NEED])].append(index)
            for need, own in by_need.items():
                for other in lists[needs["apart_from"][need] : needs["apart_to"][need]].tolist():
                    if need < other and other in by_need:
                        self._not_together([*own, *by_need[other]])

    def _one_place_at_a_time(self) -> None:
        """Rule 12: sessions of needs with one person do not overlap."""
        person = self.problem.city.needs["person"][self.member[:, NEED]]
        rows: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index in np.flatnonzero(person != NOTHING).tolist():
            rows[int(person[index]), int(self.table[self.column[index], DAY])].append(index)
        for together in rows.values():
            if len({int(self.member[index, NEED]) for index in together}) > 1:
                self._not_together(together)

    def _not_together(self, rows: Sequence[int]) -> None:
        """At no moment is more than one of these member rows present."""
        for moment in sorted({int(self.member[index, BEGIN]) for index in rows}):
            columns = {
                int(self.column[index])
                for index in rows
                if self.member[index, BEGIN] <= moment < self.member[index, FINISH]
            }
            if len(columns) > 1:
                self.cp.add_at_most_one(self.x[column] for column in sorted(columns))

    def _by_provider(self, need: int) -> dict[int, list[int]]:
        rows: dict[int, list[int]] = defaultdict(list)
        for index in self._by_need[need]:
            rows[int(self.provider[self.column[index]])].append(index)
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
                    day, net = int(self.table[self.column[index], DAY]), self._net(index, 1)
                    dearest[day] = max(dearest[day], net)
                if sum(sorted(dearest.values())[-sessions:]) > limit:
                    terms = [self._net(index, 0) * self.x[self.column[index]] for index in rows]
                    more = [index for index in rows if self._net(index, 1) > self._net(index, 0)]
                    self.cp.add(sum(terms) + sum(self._pays_more(index) for index in more) <= limit)

    def _net(self, index: int, more: int) -> int:
        """What a member row pays of one slot with its subsidy, `more` than its least share if it is open."""
        return self._share(index, more) - self._subsidy(index, more)

    def _pays_more(self, index: int) -> cp_model.IntVar:
        row = int(self.row[index])
        if row not in self.pays_more:
            self.pays_more[row] = self.cp.new_bool_var("")
            self.cp.add_implication(self.pays_more[row], self.x[self.column[index]])
        return self.pays_more[row]

    def _share_out_cents(self) -> None:
        """In a column some open members must pay a cent more: those whose limit is at stake, or one of the others."""
        if not self.pays_more:
            return
        asked = {int(self.column[index]) for index in range(len(self.row)) if int(self.row[index]) in self.pays_more}
        rows: dict[int, list[int]] = {column: [] for column in sorted(asked)}
        for index in np.flatnonzero(self.member[:, IS_OPEN]).tolist():
            if self.column[index] in rows:
                rows[int(self.column[index])].append(int(self.row[index]))
        for column, open_ in rows.items():
            free = sum(row not in self.pays_more for row in open_)
            must = [self.pays_more[row] for row in open_ if row in self.pays_more]
            extras = int(self.table[column, EXTRAS])
            if extras > free:
                self.cp.add(sum(must) >= (extras - free) * self.x[column])

    def _budgets(self) -> None:
        """Rule 10: the subsidies without which a need could not pay stay within each programme's budget."""
        programmes = [programme.weekly_budget_cents for programme in self.problem.instance.programmes.values()]
        rows: dict[int, list[int]] = defaultdict(list)
        for need in self._by_need:
            programme = int(self.problem.city.needs["programme"][need])
            if programme != -1:
                rows[programme].append(need)
        for programme, needs in sorted(rows.items()):
            budget = programmes[programme] if programme >= 0 else 0
            if sum(self._largest_subsidy(need) for need in needs) > budget:
                taken = [amount for need in needs if (amount := self._needed_subsidy(need)) is not None]
                self.cp.add(sum(taken) <= budget)

    def _share(self, index: int, more: int) -> int:
        return int(self.member[index, SHARE]) + more * int(self.member[index, IS_OPEN])

    def _subsidy(self, index: int, more: int) -> int:
        return self.problem.subsidy_of(int(self.member[index, NEED]), self._share(index, more))

    def _most(self, need: int, amounts: Iterable[tuple[int, int]]) -> int:
        """The largest sum over the need's sessions, one a day, of `(day, amount)` pairs."""
        largest: dict[int, int] = defaultdict(int)
        for day, amount in amounts:
            largest[day] = max(largest[day], amount)
        return sum(sorted(largest.values())[-int(self.problem.city.needs["sessions"][need]) :])

    def _largest_subsidy(self, need: int) -> int:
        rows = self._by_need[need]
        return self._most(need, ((int(self.table[self.column[i], DAY]), self._subsidy(i, 1)) for i in rows))

    def _needed_subsidy(self, need: int) -> cp_model.LinearExpr | None:
        """The need's whole subsidy where it cannot do without, else 0; None if it always can."""
        rows, limit = self._by_need[need], int(self.problem.city.needs["limit"][need])
        kept = need in self.problem.subsidised
        full = [int(self.member[index, SHARE]) + int(self.member[index, IS_OPEN]) for index in rows]
        days = [int(self.table[self.column[index], DAY]) for index in rows]
        most = self._most(need, zip(days, full, strict=True))
        if most <= limit and not kept:
            return None
        with_ = self.cp.new_bool_var("")
        if kept:
            self.cp.add(with_ == 1)
        more = [index for index in rows if self.member[index, IS_OPEN]]
        shares = sum(int(self.member[index, SHARE]) * self.x[self.column[index]] for index in rows)
        shares += sum(self._pays_more(index) for index in more)
        if most > limit:
            self.cp.add(shares <= limit + (most - limit) * with_)
        largest = self._largest_subsidy(need)
        amount = self.cp.new_int_var(0, largest, "")
        paid = sum(self._subsidy(index, 0) * self.x[self.column[index]] for index in rows)
        paid += sum((self._subsidy(i, 1) - self._subsidy(i, 0)) * self._pays_more(i) for i in more)
        self.cp.add(amount >= paid - largest * (1 - with_))
        if self.problem.city.needs["sessions"][need] == 1:
            dear = [index for index in rows if self.member[index, SHARE] > limit or kept]
            self.cp.add(amount >= sum(self._subsidy(index, 0) * self.x[self.column[index]] for index in dear))
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
        for index, column in enumerate(self.ids.tolist()):
            self.cp.add_hint(self.x[index], column in chosen)

    def choice(self, solver: cp_model.CpSolver | cp_model.CpSolverSolutionCallback) -> Choice:
        """What the solver chose."""
        columns = [column for index, column in enumerate(self.ids.tolist()) if solver.value(self.x[index])]
        more = {row for row, paying in self.pays_more.items() if solver.value(paying)}
        return Choice(tuple(columns), frozenset(more), frozenset(self.pays_more.keys() - more))
