"""Who pays how much of a slot: one function, behind the price that the matcher promises and the price that is billed.

Formulas are rules 8 to 10 of the matching contract. All arithmetic is on exact integers (numerators over one common
denominator); a slot's cost is rounded once, its shares by largest remainder, so that they always sum to the cost.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import lcm

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
