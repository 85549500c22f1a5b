"""Who pays how much of a slot: one function, behind the price that the matcher promises and the price that is billed.

Formulas are rules 8 to 10 of the matching contract. All arithmetic is on exact integers (numerators over one common
denominator); a slot's cost is rounded once, its shares by largest remainder, so that they always sum to the cost.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import factorial, lcm

from billing.money import largest_remainder, round_half_up

MINUTES_PER_HOUR = 60

Presence = tuple[int, int, int]
"""Start and end (minutes, end > start) and the seats (>= 1) that one member takes."""


def split_slot(
    rate_cents_per_hour: int,
    extra_seat_cents_per_hour: int,
    venue_cents_per_hour: int,
    minutes_min: int,
    presences: Sequence[Presence],
) -> tuple[int, list[int]]:
    """The cost of one slot and each member's share of it, in cents (rules 8 and 9); at least one presence.

    The slot lasts from the first start to the last end. A moment with g > 0 seats present costs
    `rate + extra_seat * (g - 1) + venue` an hour and is split by seats; a moment with nobody (the walk of a round)
    costs nothing. What the slot lacks of `minutes_min` costs `rate` and is split by seat-minutes.
    """
    first = presences[0]
    alike = all(presence[0] == first[0] and presence[1] == first[1] for presence in presences)
    if alike:
        return _split_common_time(
            rate_cents_per_hour, extra_seat_cents_per_hour, venue_cents_per_hour, minutes_min, presences
        )
    start, end = min(presence[0] for presence in presences), max(presence[1] for presence in presences)
    missing = rate_cents_per_hour * max(0, minutes_min - (end - start))
    stretches = list(moments(presences))
    seat_minutes = [seats * (until - since) for since, until, seats in presences]
    denominator = lcm(*{seats for _, _, seats in stretches}, sum(seat_minutes) if missing else 1)
    cost, per_seat, per_seat_until = missing, 0, {start: 0}  # per seat: what one seat pays from the start on
    for since, until, seats in stretches:
        price = rate_cents_per_hour + extra_seat_cents_per_hour * (seats - 1) + venue_cents_per_hour
        cost += price * (until - since)
        per_seat_until[since] = per_seat
        per_seat += price * (until - since) * (denominator // seats)
        per_seat_until[until] = per_seat
    per_seat_minute = missing * (denominator // sum(seat_minutes)) if missing else 0
    shares = [
        seats * (per_seat_until[until] - per_seat_until[since]) + per_seat_minute * own
        for (since, until, seats), own in zip(presences, seat_minutes, strict=True)
    ]
    cents = round_half_up(cost, MINUTES_PER_HOUR)
    return cents, largest_remainder(cents, shares, denominator * MINUTES_PER_HOUR)


def moments(presences: Iterable[Presence]) -> Iterator[tuple[int, int, int]]:
    """The stretches of time (start, end, seats present) in which the same seats are present, in order, none empty."""
    changes: dict[int, int] = {}
    for start, end, seats in presences:
        changes[start] = changes.get(start, 0) + seats
        changes[end] = changes.get(end, 0) - seats
    present, since = 0, 0
    for moment in sorted(changes):
        if present:
            yield since, moment, present
        present += changes[moment]
        since = moment


def exact_cost(
    rate_cents_per_hour: int,
    extra_seat_cents_per_hour: int,
    venue_cents_per_hour: int,
    minutes_min: int,
    presences: Sequence[Presence],
) -> Fraction:
    """What `split_slot` rounds: the cost in cents, to tell the cheapest of several offers."""
    minutes = max(presence[1] for presence in presences) - min(presence[0] for presence in presences)
    cost = rate_cents_per_hour * max(0, minutes_min - minutes)
    for since, until, seats in moments(presences):
        price = rate_cents_per_hour + extra_seat_cents_per_hour * (seats - 1) + venue_cents_per_hour
        cost += price * (until - since)
    return Fraction(cost, MINUTES_PER_HOUR)


def subsidy_cents(
    share_cents: int, percent: Fraction | int, cap_cents_per_hour: int | None, minutes: int, seats: int
) -> int:
    """What a programme pays of one share (rule 10): `percent` of it, at most the cap, rounded down to a cent."""
    part = share_cents * percent.numerator // (100 * percent.denominator)
    if cap_cents_per_hour is None:
        return part
    return min(part, cap_cents_per_hour * minutes * seats // MINUTES_PER_HOUR)


def _split_common_time(
    rate: int, extra_seat: int, venue: int, minutes_min: int, presences: Sequence[Presence]
) -> tuple[int, list[int]]:
    """`split_slot` where all are present from start to end: everything, missing time too, goes by seats."""
    minutes = presences[0][1] - presences[0][0]
    present = sum(presence[2] for presence in presences)
    cost = (rate + extra_seat * (present - 1) + venue) * minutes + rate * max(0, minutes_min - minutes)
    cents = round_half_up(cost, MINUTES_PER_HOUR)
    if len(presences) == 1:
        return cents, [cents]
    return cents, largest_remainder(cents, [cost * presence[2] for presence in presences], MINUTES_PER_HOUR * present)


class Split(StrEnum):
    """How a group shares its cost; the first is the rule, the others a group may choose unanimously."""

    BY_SEAT = "by_seat"
    BY_FAMILY = "by_family"
    SEAT_HOURS = "seat_hours"
    SHAPLEY = "shapley"


@dataclass(frozen=True, slots=True)
class Price:
    """What a slot's offer and venue ask: cents an hour, and the minutes that are charged at least."""

    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    venue_cents_per_hour: int
    minutes_min: int

    def cost(self, presences: Sequence[Presence]) -> Fraction:
        """The exact cost of a slot with these presences, in cents; nobody costs nothing."""
        if not presences:
            return Fraction(0)
        return exact_cost(
            self.rate_cents_per_hour,
            self.extra_seat_cents_per_hour,
            self.venue_cents_per_hour,
            self.minutes_min,
            presences,
        )


@dataclass(frozen=True, slots=True)
class Atom:
    """A stretch of time in which the same seats are present: its exact cost in cents, and each family's part of it."""

    start: int
    end: int
    seats: tuple[int, ...]
    cost: Fraction
    parts: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Sharing:
    """A slot's cost atom by atom, then the missing time, then each family's whole cents; they sum to the cost."""

    atoms: tuple[Atom, ...]
    missing: Fraction
    missing_parts: tuple[Fraction, ...]
    cost_cents: int
    shares_cents: tuple[int, ...]


def share_among_families(split: Split, price: Price, families: Sequence[Sequence[Presence]]) -> Sharing:
    """One slot's cost among families, by the way of splitting that the group chose, with every step of it.

    A family's presences are its people's, at least one. `BY_SEAT`: each moment by the seats present; `BY_FAMILY`:
    evenly among the families present; what is missing of the minimum time goes by the minutes of either;
    `SEAT_HOURS`: everything by seat-minutes (the French rule); `SHAPLEY`: each pays what it adds, on the average over
    all orders of coming, also of the time that a smaller group would miss (ValueError for that above `SUBGROUP_MAX`).
    """
    parted, lacking = _SPLITS[split]
    atoms = []
    for start, end, seats in _stretches(families):
        cost = _moment_cost(price, start, end, sum(seats))
        atoms.append(Atom(start, end, seats, cost, tuple(parted(price, families, start, end, seats))))
    whole = price.cost([presence for family in families for presence in family])
    missing = whole - sum(atom.cost for atom in atoms)
    missing_parts = tuple(lacking(price, families))
    exact = [sum((atom.parts[index] for atom in atoms), own) for index, own in enumerate(missing_parts)]
    denominator = lcm(*(share.denominator for share in exact))
    cents = round_half_up(whole.numerator, whole.denominator)
    shares = largest_remainder(cents, [int(share * denominator) for share in exact], denominator)
    return Sharing(tuple(atoms), missing, missing_parts, cents, tuple(shares))


def split_among_families(split: Split, price: Price, families: Sequence[Sequence[Presence]]) -> list[int]:
    """Each family's share of one slot in cents (`share_among_families`)."""
    return list(share_among_families(split, price, families).shares_cents)


def groups_better_off_alone(
    price: Price, families: Sequence[Sequence[Presence]], shares_cents: Sequence[int]
) -> list[tuple[int, ...]]:
    """The sub-groups (indices of families) that would pay less on their own, a cent of rounding each left aside.

    All of them are tried, up to `SUBGROUP_MAX` families (ValueError above).
    """
    found = []
    for mask, cost in enumerate(_costs_of_subgroups(price, families)):
        group = _members(mask)
        if group and cost < sum(shares_cents[index] for index in group) - len(group):
            found.append(group)
    return sorted(found, key=lambda group: (len(group), group))


SUBGROUP_MAX = 12
"""Among more families sub-groups are not enumerated."""

Parts = list[Fraction]
Families = Sequence[Sequence[Presence]]


def _stretches(families: Families) -> list[tuple[int, int, tuple[int, ...]]]:
    """The stretches (start, end, seats of each family) in which the same seats are present, none of them empty."""
    instants = sorted({instant for family in families for start, end, _ in family for instant in (start, end)})
    found: list[tuple[int, int, tuple[int, ...]]] = []
    for since, until in pairwise(instants):
        seats = tuple(sum(own for start, end, own in family if start <= since < end) for family in families)
        if found and found[-1][1] == since and found[-1][2] == seats:
            found[-1] = (found[-1][0], until, seats)
        elif any(seats):
            found.append((since, until, seats))
    return found


def _seat_minutes(families: Families) -> list[int]:
    return [sum(seats * (end - start) for start, end, seats in family) for family in families]


def _in_proportion(whole: Fraction, weights: Sequence[int]) -> Parts:
    return [whole * weight / sum(weights) for weight in weights]


def _moment_cost(price: Price, start: int, end: int, seats: int) -> Fraction:
    hourly = price.rate_cents_per_hour + price.extra_seat_cents_per_hour * (seats - 1) + price.venue_cents_per_hour
    return Fraction(hourly * (end - start), MINUTES_PER_HOUR)


def _missing_cost(price: Price, families: Families) -> Fraction:
    starts, ends = zip(*((start, end) for family in families for start, end, _ in family), strict=True)
    lacking = max(0, price.minutes_min - (max(ends) - min(starts)))
    return Fraction(price.rate_cents_per_hour * lacking, MINUTES_PER_HOUR)


def _atom_by_seat(price: Price, families: Families, start: int, end: int, seats: Sequence[int]) -> Parts:
    return _in_proportion(_moment_cost(price, start, end, sum(seats)), seats)


def _missing_by_seat_minutes(price: Price, families: Families) -> Parts:
    return _in_proportion(_missing_cost(price, families), _seat_minutes(families))


def _atom_by_family(price: Price, families: Families, start: int, end: int, seats: Sequence[int]) -> Parts:
    return _in_proportion(_moment_cost(price, start, end, sum(seats)), [min(own, 1) for own in seats])


def _missing_by_minutes(price: Price, families: Families) -> Parts:
    minutes = [0] * len(families)
    for start, end, seats in _stretches(families):
        for index, own in enumerate(seats):
            minutes[index] += (end - start) * min(own, 1)
    return _in_proportion(_missing_cost(price, families), minutes)


def _atom_by_seat_hours(price: Price, families: Families, start: int, end: int, seats: Sequence[int]) -> Parts:
    return _in_proportion(_moment_cost(price, start, end, sum(seats)), _seat_minutes(families))


def _atom_shapley(price: Price, families: Families, start: int, end: int, seats: Sequence[int]) -> Parts:
    """What its seats add is each family's; what does not grow with them is the first's, so on the average even."""
    extra = Fraction(price.extra_seat_cents_per_hour * (end - start), MINUTES_PER_HOUR)
    fixed = _moment_cost(price, start, end, sum(seats)) - extra * sum(seats)
    present = sum(1 for own in seats if own)
    return [fixed / present + extra * own if own else Fraction(0) for own in seats]


def _missing_shapley(price: Price, families: Families) -> Parts:
    """The average over all orders of coming of what each adds to the missing time, by enumerating all sub-groups."""
    if all(_missing_cost(price, [family]) == 0 for family in families):
        return [Fraction(0)] * len(families)  # nor is any time missing of a group
    costs = [Fraction(0)] + [
        _missing_cost(price, [families[index] for index in _members(mask)])
        for mask in range(1, _count_subgroups(families))
    ]
    count = len(families)
    shares = [Fraction(0)] * count
    for mask, own in enumerate(costs):
        size = mask.bit_count()
        if size < count:
            weight = Fraction(factorial(size) * factorial(count - size - 1), factorial(count))
            for index in range(count):
                if not mask >> index & 1:
                    shares[index] += weight * (costs[mask | 1 << index] - own)
    return shares


def _costs_of_subgroups(price: Price, families: Families) -> list[Fraction]:
    """The cost of each sub-group on its own, by its bit mask."""
    return [
        price.cost([presence for index in _members(mask) for presence in families[index]])
        for mask in range(_count_subgroups(families))
    ]


def _count_subgroups(families: Families) -> int:
    if len(families) > SUBGROUP_MAX:
        raise ValueError(f"sub-groups of more than {SUBGROUP_MAX} families are not enumerated")
    return 1 << len(families)


def _members(mask: int) -> tuple[int, ...]:
    return tuple(index for index in range(mask.bit_length()) if mask >> index & 1)


_SPLITS: dict[
    Split,
    tuple[Callable[[Price, Families, int, int, Sequence[int]], Parts], Callable[[Price, Families], Parts]],
] = {
    Split.BY_SEAT: (_atom_by_seat, _missing_by_seat_minutes),
    Split.BY_FAMILY: (_atom_by_family, _missing_by_minutes),
    Split.SEAT_HOURS: (_atom_by_seat_hours, _missing_by_seat_minutes),
    Split.SHAPLEY: (_atom_shapley, _missing_shapley),
}
