"""From chosen columns to slots: members in the order that their shares need, subsidies as full as the budgets allow."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from matching.arrays import HOMES, payment_limit
from matching.choice import Choice
from matching.groups import BEGIN, COST, DAY, END, EXTRAS, FINISH, IS_OPEN, NEED, PIN, PLACE, SERVICE, SHARE, START
from matching.instance import Place, PlaceAtHomes, PlaceAtHost, PlaceAtVenue
from matching.plan import Member, Slot
from matching.problem import Problem


def assemble(problem: Problem, choice: Choice) -> tuple[Slot, ...]:
    """The slots of a choice, by day, start and provider; new ones are numbered in this order."""
    table, provider = problem.columns.table, problem.columns.provider
    order = sorted(
        choice.columns,
        key=lambda column: (*table[column, [DAY, START]].tolist(), int(provider[column]), int(table[column, PLACE])),
    )
    pinned = {slot.id for slot in problem.instance.pinned}
    slots, number = [], 0
    make = _SlotMaker(problem, choice)
    for column in order:
        slot = make.slot(column)
        if not slot.id:
            number += 1
            while f"s{number}" in pinned:
                number += 1
            slot = replace(slot, id=f"s{number}")
        slots.append(slot)
    return subsidise(problem, slots)


class _SlotMaker:
    def __init__(self, problem: Problem, choice: Choice) -> None:
        instance = problem.instance
        self.problem, self.choice = problem, choice
        self.needs, self.providers = list(instance.needs), list(instance.providers)
        self.venues, self.services = list(instance.venues), list(instance.services)

    def slot(self, column: int) -> Slot:
        """The slot of a column, without subsidies; its id is that of its pin, or empty."""
        columns, grid = self.problem.columns, self.problem.instance.grid_minutes
        row = columns.table[column].tolist()
        rows = list(range(int(columns.offsets[column]), int(columns.offsets[column + 1])))
        paying = self._paying_more(rows, row[EXTRAS])
        of_member = columns.members[rows[0] : rows[-1] + 1].tolist()
        members = [
            Member(self.needs[m[NEED]], m[BEGIN] * grid, m[FINISH] * grid, m[SHARE] + (index in paying), 0)
            for index, m in sorted(
                zip(rows, of_member, strict=True),
                key=lambda pair: (pair[0] not in paying, pair[1][BEGIN], pair[1][NEED]),
            )
        ]
        return Slot(
            self.problem.instance.pinned[row[PIN]].id if row[PIN] >= 0 else "",
            self.providers[int(columns.provider[column])],
            self.services[row[SERVICE]],
            self._place(row[PLACE]),
            row[DAY],
            row[START] * grid,
            row[END] * grid,
            row[COST],
            tuple(members),
        )

    def _paying_more(self, rows: Sequence[int], extras: int) -> set[int]:
        """Which open members pay the odd cents: those chosen for it, then whoever need not be spared."""
        open_ = [row for row in rows if self.problem.columns.members[row, IS_OPEN]]
        open_.sort(key=lambda row: (row not in self.choice.paying_more, row in self.choice.spared, row))
        return set(open_[:extras])

    def _place(self, place: int) -> Place:
        if place == HOMES:
            return PlaceAtHomes()
        if place < len(self.venues):
            return PlaceAtVenue(self.venues[place])
        return PlaceAtHost(self.needs[place - len(self.venues)])


def subsidise(problem: Problem, slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Rule 10: who cannot pay without its subsidy has it, then all others in turn while the budget holds theirs."""
    needs = problem.instance.needs
    shares: dict[str, int] = defaultdict(int)
    paid: dict[str, int] = defaultdict(int)
    amounts: dict[tuple[int, str], int] = {}
    index = {name: number for number, name in enumerate(needs)}
    for number, slot in enumerate(slots):
        for member in slot.members:
            if needs[member.need].subsidy is not None:
                amount = problem.subsidy_of(index[member.need], member.share_cents)
                amounts[number, member.need] = amount
                shares[member.need] += member.share_cents
                paid[member.need] += amount
    left = {name: programme.weekly_budget_cents for name, programme in problem.instance.programmes.items()}
    kept = {name for name in shares if index[name] in problem.subsidised or shares[name] > payment_limit(needs[name])}
    subsidised = set()
    for name in sorted(shares, key=lambda name: (name not in kept, index[name])):
        subsidy = needs[name].subsidy
        if subsidy is not None and paid[name] <= left.get(subsidy.programme, 0):
            left[subsidy.programme] = left.get(subsidy.programme, 0) - paid[name]
            subsidised.add(name)
    return tuple(
        replace(
            slot,
            members=tuple(
                replace(member, subsidy_cents=amounts[number, member.need] if member.need in subsidised else 0)
                for member in slot.members
            ),
        )
        for number, slot in enumerate(slots)
    )
