"""A plan at once: bundles of the same group on as many days as it needs, the greatest saving first, compiled."""

import numpy as np

from matching.arrays import Ints
from matching.choice import Choice
from matching.groups import IS_OPEN, NEED, PIN, SHARE
from matching.problem import Problem
from matching.room import SPEND, TAKE, Room, can_pay, empty_room, pick, put


def bundles(problem: Problem) -> tuple[Ints, Ints]:
    """Columns in bundles: those of one provider with the same members, who all need equally many sessions.

    Columns by bundle, the cheapest first, and where each bundle begins; the bundle that could save most comes first.
    """
    columns, needs = problem.columns, problem.city.needs
    if not len(columns.table):
        return np.zeros(0, np.int64), np.zeros(1, np.int64)
    first = columns.offsets[:-1]
    marks = np.random.default_rng(11).integers(1, 1 << 62, len(needs))
    sessions = needs["sessions"][columns.members[:, NEED]]
    most, least = np.maximum.reduceat(sessions, first), np.minimum.reduceat(sessions, first)
    wanted = np.flatnonzero((most == least) & (columns.table[:, PIN] < 0))
    with np.errstate(over="ignore"):
        key = np.add.reduceat(marks[columns.members[:, NEED]], first) * 31 + columns.provider
    value = np.add.reduceat(problem.value[columns.members[:, NEED]], first)
    order = wanted[np.lexsort((problem.weight[wanted], key[wanted]))]
    begins = np.flatnonzero(np.diff(key[order], prepend=key[order[:1]] - 1)) if len(order) else np.zeros(0, np.int64)
    head = order[begins]
    saving = value[head] - most[head] * problem.weight[head]
    ends = np.append(begins[1:], len(order))
    rank = np.argsort(-saving, kind="stable")
    rank = rank[saving[rank] > 0]
    sizes = (ends - begins)[rank]
    offsets = np.zeros(len(rank) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    places = np.repeat(begins[rank] - offsets[:-1], sizes) + np.arange(offsets[-1])
    return order[places], offsets


def build_greedily(problem: Problem, standing: Choice | None = None) -> Choice:
    """A valid choice that has all of `standing`, in which every need is whole, and what pays beside it."""
    city, columns = problem.city, problem.columns
    standing = standing or Choice()
    room = furnish(problem, standing.columns)
    order, offsets = bundles(problem)
    chosen = np.zeros(len(order), np.int64)
    count = pick(city, columns, room, problem.weight, problem.value, order, offsets, chosen)
    chosen_columns = tuple(sorted([*standing.columns, *chosen[:count].tolist()]))
    return Choice(chosen_columns, standing.paying_more, standing.spared)


def furnish(problem: Problem, standing: tuple[int, ...]) -> Room:
    """What is left beside the `standing` columns."""
    city, columns = problem.city, problem.columns
    room = empty_room(city, np.array(problem.budgets, np.int64))
    for column in standing:
        put(city, columns, room, column, TAKE)
    for need in np.flatnonzero((room.slot >= 0).any(axis=1)).tolist():
        spend(problem, room, need)
    return room


def spend(problem: Problem, room: Room, need: int) -> None:
    """Take from the budget what a need that is in the room cannot do without."""
    if need in problem.subsidised:
        rows = [row for column in room.slot[need] if column >= 0 for row in problem.rows_of(int(column))]
        members = problem.columns.members
        shares = [int(members[row, SHARE] + members[row, IS_OPEN]) for row in rows if members[row, NEED] == need]
        programme = int(problem.city.needs["programme"][need])
        room.budget[programme] -= sum(problem.subsidy_of(need, share) for share in shares)
    else:
        can_pay(problem.city, problem.columns, room, need, SPEND)
