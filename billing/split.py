"""Who pays how much of a slot: one function, behind the price that the matcher promises and the price that is billed.

Formulas are rules 8 to 10 of the matching contract. All arithmetic is on exact integers (numerators over one common
denominator); a slot's cost is rounded once, its shares by largest remainder, so that they always sum to the cost.
"""

from collections.abc import Iterator, Sequence
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
    moments = list(_moments(presences))
    seat_minutes = [seats * (until - since) for since, until, seats in presences]
    denominator = lcm(*{seats for _, _, seats in moments}, sum(seat_minutes) if missing else 1)
    cost, shares = missing, [0] * len(presences)
    for since, until, seats in moments:
        price = (until - since) * (rate_cents_per_hour + extra_seat_cents_per_hour * (seats - 1) + venue_cents_per_hour)
        cost += price
        per_seat = price * (denominator // seats)
        for index, (begins, ends, own) in enumerate(presences):
            if begins <= since and until <= ends:
                shares[index] += per_seat * own
    if missing:
        per_seat_minute = missing * (denominator // sum(seat_minutes))
        shares = [share + per_seat_minute * own for share, own in zip(shares, seat_minutes, strict=True)]
    cents = round_half_up(cost, MINUTES_PER_HOUR)
    return cents, largest_remainder(cents, shares, denominator * MINUTES_PER_HOUR)


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


def _moments(presences: Sequence[Presence]) -> Iterator[tuple[int, int, int]]:
    """Stretches of time (start, end, seats present) with the same seats present, in order, empty ones left out."""
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
