"""A problem is an instance with all its columns and what each weighs: the ground that every search stands on.

Weights are whole numbers, `SCALE` a cent, always rounded down: a bound in weights is a bound in cents.
"""

from dataclasses import dataclass
from functools import cached_property
from math import floor

import numpy as np

from matching.arrays import HOMES, NO_PROGRAMME, City, Ints, flatten
from matching.columns import Columns
from matching.distance import distance_km
from matching.enumeration import Limits, enumerate_columns
from matching.groups import COST, IS_OPEN, MEMBERS, NEED, PLACE, SHARE
from matching.instance import Instance
from matching.objective import unserved_cost

SCALE = 10_000
ROWS_AT_ONCE = 1 << 20


def cents_of(weight: int) -> int:
    """A weight in cents, rounded half up."""
    return (2 * weight + SCALE) // (2 * SCALE)


@dataclass(frozen=True)
class Problem:
    """`weight[c]` is a column's cost and travel, `value[n]` what it costs to leave a need unserved."""

    instance: Instance
    city: City
    columns: Columns
    weight: Ints
    value: Ints

    @cached_property
    def subsidised(self) -> frozenset[int]:
        """The needs that a pinned slot has with a subsidy: they keep it (rule 10)."""
        names = {member.need for slot in self.instance.pinned for member in slot.members if member.subsidised}
        return frozenset(index for index, name in enumerate(self.instance.needs) if name in names)

    @cached_property
    def budgets(self) -> list[int]:
        """What each programme has; last, what an unknown one has (its number is -1): nothing."""
        return [*(programme.weekly_budget_cents for programme in self.instance.programmes.values()), 0]

    @cached_property
    def is_ample(self) -> list[bool]:
        """For each of `budgets`, whether it would hold the largest subsidies of all needs that columns have."""
        needs, members = self.city.needs, self.columns.members
        share = np.zeros(len(needs), np.int64)
        for first in range(0, len(members), ROWS_AT_ONCE):
            rows = members[first : first + ROWS_AT_ONCE]
            np.maximum.at(share, rows[:, NEED], rows[:, SHARE] + rows[:, IS_OPEN].astype(np.int64))
        largest = np.minimum(share * needs["part_above"] // needs["part_below"], needs["cap"])
        total = np.zeros(len(self.budgets), np.int64)
        entitled = needs["programme"] != NO_PROGRAMME
        np.add.at(total, needs["programme"][entitled], (largest * needs["sessions"])[entitled])
        return [bool(asked <= held) for asked, held in zip(total, self.budgets, strict=True)]

    def rows_of(self, column: int) -> range:
        """The member rows of a column."""
        return range(int(self.columns.offsets[column]), int(self.columns.offsets[column + 1]))

    def subsidy_of(self, need: int, share: int) -> int:
        """What a programme pays of one share (rule 10)."""
        row = self.city.needs[need]
        return min(share * int(row["part_above"]) // int(row["part_below"]), int(row["cap"]))


def make_problem(instance: Instance, limits: Limits) -> Problem:
    """Enumerate and weigh the columns of an instance."""
    city = flatten(instance)
    columns = enumerate_columns(city, limits)
    value = [floor(unserved_cost(instance, need) * SCALE) for need in instance.needs.values()]
    return Problem(instance, city, columns, weigh(instance, city, columns), np.array(value, np.int64))


def weigh(instance: Instance, city: City, columns: Columns) -> Ints:
    """The weight of each column."""
    weight = columns.table[:, COST].astype(np.int64) * SCALE
    cents = instance.policy.travel_cents_per_km
    if not cents or not len(columns.table):
        return weight
    homes = list(instance.needs.values())
    places = [*instance.venues.values(), *homes]
    place = np.repeat(columns.table[:, PLACE], columns.table[:, MEMBERS]).astype(np.int64)
    pairs, position = np.unique(place * len(homes) + columns.members[:, NEED], return_inverse=True)
    travel = np.zeros(len(pairs), np.int64)
    for index, (where, who) in enumerate(zip(pairs // len(homes), pairs % len(homes), strict=True)):
        if where != HOMES:
            km = distance_km(homes[who].lat, homes[who].lon, places[where].lat, places[where].lon)
            travel[index] = floor(km * cents * SCALE * (1 - 1e-12))
    added: Ints = np.add.reduceat(travel[position], columns.offsets[:-1])
    return weight + added
