"""A plan's columns and who serves each need, changed step by step; every step can be taken back, compiled."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from matching.arrays import NO_PROGRAMME, City, Flags, Ints, Table
from matching.columns import Columns
from matching.compiled import lean
from matching.lattice import NONE
from matching.room import GIVE_BACK, TAKE, Room, put

Bytes = npt.NDArray[np.uint8]

NOBODY, LOCKED = -1, -2
"""Who serves a need: a provider, nobody, or it is not ours to move."""
NUMBERS = 4
WEIGHT, STEPS, RANDOM, ON_CREDIT = range(NUMBERS)
ADDED, DROPPED, SERVED = range(3)


class Work(NamedTuple):
    """`server[need]` is who serves it, `spent[need]` what it takes of its programme.

    `is_chosen[column]` is 1 for the plan's columns; `head[provider]` begins its list of them, `after` and `before`.
    `steps` is what was done since the move began, `numbers[STEPS]` of it. `is_ours[provider]` says who may be changed,
    `is_fixed[need]` who stays as it is, though others may join it.
    """

    room: Room
    server: Table
    spent: Ints
    is_chosen: Bytes
    head: Table
    after: Table
    before: Table
    steps: Ints
    numbers: Ints
    is_ours: Flags
    is_fixed: Flags


@lean
def random_below(work: Work, most: int) -> int:
    """A random whole number from 0 to `most` - 1."""
    work.numbers[RANDOM] = work.numbers[RANDOM] * 6364136223846793005 + 1442695040888963407
    return int(((work.numbers[RANDOM] >> 33) & 0x3FFFFFFF) % most)


@lean
def _note(work: Work, kind: int, what: int, server: int, spent: int) -> None:
    k = work.numbers[STEPS]
    work.steps[k, 0], work.steps[k, 1], work.steps[k, 2], work.steps[k, 3] = kind, what, server, spent
    work.numbers[STEPS] += 1


@lean
def _link(work: Work, provider: int, column: int) -> None:
    first = int(work.head[provider])
    work.is_chosen[column] = 1
    work.after[column], work.before[column], work.head[provider] = first, NONE, column
    if first >= 0:
        work.before[first] = column


@lean
def _unlink(work: Work, provider: int, column: int) -> None:
    work.is_chosen[column] = 0
    left, right = int(work.before[column]), int(work.after[column])
    if left >= 0:
        work.after[left] = right
    else:
        work.head[provider] = right
    if right >= 0:
        work.before[right] = left


@lean
def add(city: City, columns: Columns, work: Work, weight: Ints, column: int) -> None:
    """Choose a column that fits."""
    put(city, columns, work.room, column, TAKE)
    _link(work, int(columns.provider[column]), column)
    work.numbers[WEIGHT] += weight[column]
    _note(work, ADDED, column, 0, 0)


@lean
def drop(city: City, columns: Columns, work: Work, weight: Ints, column: int) -> None:
    """Choose a column no longer."""
    put(city, columns, work.room, column, GIVE_BACK)
    _unlink(work, int(columns.provider[column]), column)
    work.numbers[WEIGHT] -= weight[column]
    _note(work, DROPPED, column, 0, 0)


@lean
def serve(city: City, work: Work, value: Ints, need: int, server: int, spent: int) -> None:
    """Write down who serves a need, and what it takes of its programme."""
    _note(work, SERVED, need, int(work.server[need]), work.spent[need])
    _serve(city, work, value, need, server, spent)


@lean
def _serve(city: City, work: Work, value: Ints, need: int, server: int, spent: int) -> None:
    if city.needs[need].programme != NO_PROGRAMME:
        work.room.budget[city.needs[need].programme] += work.spent[need] - spent
    if work.server[need] < 0 <= server:
        work.numbers[WEIGHT] -= value[need]
    elif server < 0 <= work.server[need]:
        work.numbers[WEIGHT] += value[need]
    work.server[need], work.spent[need] = server, spent


@lean
def take_back(city: City, columns: Columns, work: Work, weight: Ints, value: Ints, mark: int) -> None:
    """Undo the steps after the first `mark`."""
    while work.numbers[STEPS] > mark:
        work.numbers[STEPS] -= 1
        kind, what, server, spent = work.steps[work.numbers[STEPS]]
        if kind == SERVED:
            _serve(city, work, value, what, server, spent)
            continue
        provider, sign = int(columns.provider[what]), GIVE_BACK if kind == ADDED else TAKE
        put(city, columns, work.room, what, sign)
        work.numbers[WEIGHT] += sign * weight[what]
        if kind == ADDED:
            _unlink(work, provider, what)
        else:
            _link(work, provider, what)
