"""Who pays how much of a slot: one function, behind the price that the matcher promises and the price that is billed.

Formulas are rules 8 to 10 of the matching contract. All arithmetic is on exact integers (numerators over one common
denominator); a slot's cost is rounded once, its shares by largest remainder, so that they always sum to the cost.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import combinations, pairwise
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


def split_among_families(split: Split, price: Price, families: Sequence[Sequence[Presence]]) -> list[int]:
    """Each family's share of one slot in cents, by the way of splitting that the group chose; they sum to its cost.

    A family's presences are its people's, at least one. `BY_FAMILY`: each moment is split evenly among the families
    present, the missing time by the minutes that they are; `SEAT_HOURS`: everything by seat-minutes (the French rule);
    `SHAPLEY`: each pays what it adds, on the average over all orders of coming (up to `SUBGROUP_MAX` families).
    """
    whole = [presence for family in families for presence in family]
    cost = price.cost(whole)
    exact = _SPLITS[split](price, families, cost)
    denominator = lcm(*(share.denominator for share in exact))
    cents = round_half_up(cost.numerator, cost.denominator)
    return largest_remainder(cents, [int(share * denominator) for share in exact], denominator)


def groups_better_off_alone(
    price: Price, families: Sequence[Sequence[Presence]], shares_cents: Sequence[int]
) -> list[tuple[int, ...]]:
    """The sub-groups (indices of families) that would pay less on their own, a cent of rounding each left aside."""
    return [
        group
        for group in _subgroups(len(families))
        if price.cost([presence for index in group for presence in families[index]])
        < sum(shares_cents[index] for index in group) - len(group)
    ]


SUBGROUP_MAX = 8
"""Among more families sub-groups are not enumerated."""


def _by_seat(price: Price, families: Sequence[Sequence[Presence]], cost: Fraction) -> list[Fraction]:
    return _by_moment(price, families, cost, lambda seats: seats)


def _by_family(price: Price, families: Sequence[Sequence[Presence]], cost: Fraction) -> list[Fraction]:
    return _by_moment(price, families, cost, lambda seats: min(seats, 1))


def _by_moment(
    price: Price, families: Sequence[Sequence[Presence]], cost: Fraction, weight: Callable[[int], int]
) -> list[Fraction]:
    """Each moment split by the weight of the seats that a family has there, the missing time by weight-minutes."""
    shares = [Fraction(0)] * len(families)
    minutes = [0] * len(families)
    shared = Fraction(0)
    instants = sorted({instant for family in families for start, end, _ in family for instant in (start, end)})
    for since, until in pairwise(instants):
        seats = [sum(own for start, end, own in family if start <= since < end) for family in families]
        if not any(seats):
            continue
        part = Price(price.rate_cents_per_hour, price.extra_seat_cents_per_hour, price.venue_cents_per_hour, 0).cost(
            [(since, until, sum(seats))]
        )
        weights = [weight(own) for own in seats]
        for index, own in enumerate(weights):
            shares[index] += part * own / sum(weights)
            minutes[index] += own * (until - since)
        shared += part
    missing = cost - shared
    return [share + missing * own / sum(minutes) for share, own in zip(shares, minutes, strict=True)]


def _by_seat_hours(price: Price, families: Sequence[Sequence[Presence]], cost: Fraction) -> list[Fraction]:
    minutes = [sum(seats * (end - start) for start, end, seats in family) for family in families]
    return [cost * own / sum(minutes) for own in minutes]


def _shapley(price: Price, families: Sequence[Sequence[Presence]], cost: Fraction) -> list[Fraction]:
    count = len(families)
    costs = {
        group: price.cost([presence for index in group for presence in families[index]])
        for group in ((), *_subgroups(count))
    }
    shares = [Fraction(0)] * count
    for group, own in costs.items():
        for index in set(range(count)) - set(group):  # those who may come next, in as many orders
            orders = factorial(len(group)) * factorial(count - len(group) - 1)
            shares[index] += Fraction(orders, factorial(count)) * (costs[tuple(sorted((*group, index)))] - own)
    return shares


def _subgroups(count: int) -> list[tuple[int, ...]]:
    """All groups of up to `count` families, none empty, each in order."""
    if count > SUBGROUP_MAX:
        raise ValueError(f"sub-groups of more than {SUBGROUP_MAX} families are not enumerated")
    return [group for size in range(1, count + 1) for group in combinations(range(count), size)]


_SPLITS: dict[Split, Callable[[Price, Sequence[Sequence[Presence]], Fraction], list[Fraction]]] = {
    Split.BY_SEAT: _by_seat,
    Split.BY_FAMILY: _by_family,
    Split.SEAT_HOURS: _by_seat_hours,
    Split.SHAPLEY: _shapley,
}
