"""How columns hang together: which one is left when a member leaves, and what each provider can take."""

from typing import NamedTuple

import numpy as np

from matching.arrays import Ints, Table
from matching.columns import Columns
from matching.compiled import compiled, lean
from matching.groups import BEGIN, DAY, END, MEMBERS, NEED, PIN, PLACE, START
from matching.problem import Problem

EMPTY, NONE = -2, -1


class Lattice(NamedTuple):
    """`without[row]` is the column that is left when the member of that row leaves: `EMPTY`, or `NONE` where none is.

    `column[row]` is the row's column; the rows of need n that may be added one by one, by provider, are
    `rows[rows_from[n]:rows_from[n + 1]]`. A bundle is all columns of one provider with the same members: bundle b has
    `bundle[bundle_from[b]:bundle_from[b + 1]]`, the cheapest first, and column c is in bundle `of[c]`. The bundles of
    provider p are `best[best_from[p]:best_from[p + 1]]`, those that save most first, and `dense[...]`, most for their
    time first, with two members of each in `best_needs` and `dense_needs`; `ranking` has all, the best first.
    """

    without: Table
    column: Table
    rows: Table
    rows_from: Ints
    of: Table
    bundle: Table
    bundle_from: Ints
    best: Table
    dense: Table
    best_needs: Table
    dense_needs: Table
    best_from: Ints
    ranking: Table


def make_lattice(problem: Problem) -> Lattice:
    """The lattice of all columns of a problem."""
    columns, needs = problem.columns, len(problem.value)
    column = np.repeat(np.arange(len(columns), dtype=np.int32), columns.table[:, MEMBERS])
    without = np.full(len(column), NONE, np.int32)
    marks = np.random.default_rng(13).integers(1, 1 << 62, (needs, 2))
    table = np.full(1 << max(4, (2 * len(columns)).bit_length()), NONE, np.int32)
    find_without(columns, marks, np.zeros(len(columns), np.int64), table, without)
    rows = np.flatnonzero(without != NONE).astype(np.int32)
    rows = rows[np.argsort(columns.members[rows, NEED], kind="stable")]
    rows_from = np.searchsorted(columns.members[rows, NEED], np.arange(needs + 1))
    return Lattice(without, column, rows, rows_from, *_bundles(problem, marks[:, 0]))


def _bundles(problem: Problem, marks: Ints) -> tuple[Table, Table, Ints, Table, Table, Table, Table, Ints, Table]:
    """Columns in bundles, and the bundles of each provider in two orders; see `Lattice`."""
    columns, first = problem.columns, problem.columns.offsets[:-1]
    if not len(columns):
        none = np.zeros(0, np.int32)
        pairs, nothing = np.zeros((0, 2), np.int32), np.zeros(len(problem.city.providers) + 1, np.int64)
        return none, none, np.zeros(1, np.int64), none, none, pairs, pairs, nothing, none
    with np.errstate(over="ignore"):
        key = np.add.reduceat(marks[columns.members[:, NEED]], first) * 31 + columns.provider
    bundle = np.lexsort((problem.weight, key)).astype(np.int32)
    begins = np.flatnonzero(np.diff(key[bundle], prepend=key[bundle[:1]] - 1))
    of = np.zeros(len(columns), np.int32)
    of[bundle] = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(columns))))
    head, sessions = bundle[begins], problem.city.needs["sessions"]
    worth = np.add.reduceat((problem.value // sessions)[columns.members[:, NEED]], first)[head] - problem.weight[head]
    saving = worth * np.minimum.reduceat(sessions[columns.members[:, NEED]], first)[head]
    dense = worth // (columns.table[head, END] - columns.table[head, START])
    provider = columns.provider[head]
    useful = np.flatnonzero((saving > 0) & (columns.table[head, PIN] < 0))
    ranking = useful[np.argsort(-saving[useful], kind="stable")].astype(np.int32)
    by_saving = ranking[np.argsort(provider[ranking], kind="stable")]
    by_time = useful[np.lexsort((-dense[useful], provider[useful]))].astype(np.int32)
    best_from = np.searchsorted(provider[by_saving], np.arange(len(problem.city.providers) + 1))
    needs = columns.members[np.stack((first[head], columns.offsets[1:][head] - 1), axis=1), NEED]
    begins = np.append(begins, len(columns))
    return of, bundle, begins, by_saving, by_time, needs[by_saving], needs[by_time], best_from, ranking


@compiled
def find_without(columns: Columns, marks: Ints, key: Ints, table: Table, without: Table) -> None:
    """Fill `without`; `key` and `table` (its size a power of two, every entry `NONE`) are scratch."""
    mask = len(table) - 1
    for c in range(len(columns.table)):
        row = columns.table[c]
        key[c] = ((columns.provider[c] * 4099 + row[PLACE]) * 7 + row[DAY]) * 4099 + row[PIN]
        for i in range(columns.offsets[c], columns.offsets[c + 1]):
            key[c] += _mark(columns, marks, i)
        k = _spread(key[c]) & mask
        while table[k] >= 0:
            k = (k + 1) & mask
        table[k] = c
    for c in range(len(columns.table)):
        for i in range(columns.offsets[c], columns.offsets[c + 1]):
            if columns.table[c, MEMBERS] == 1:
                without[i] = EMPTY
                continue
            rest = key[c] - _mark(columns, marks, i)
            k = _spread(rest) & mask
            while table[k] >= 0:
                if key[table[k]] == rest and columns.provider[table[k]] == columns.provider[c]:
                    without[i] = table[k]
                    break
                k = (k + 1) & mask


@lean
def _mark(columns: Columns, marks: Ints, row: int) -> int:
    """A number for a need and the start of its session."""
    need = columns.members[row, NEED]
    return int(marks[need, 0] * (1 + columns.members[row, BEGIN]) + marks[need, 1])


@lean
def _spread(key: int) -> int:
    """A key with its high bits mixed into the low ones."""
    return (key ^ (key >> 29)) * 0x9E3779B97F4A7C1 >> 17
