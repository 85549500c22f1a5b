"""The price of a slot, compiled: what `billing.split` says, with the cents left open that the order decides."""

from matching.arrays import NO_LIMIT, Ints, Records
from matching.compiled import lean

GROUP_FIELDS = 9
G_ROW, G_NEED, G_START, G_END, G_SEATS, G_CEILING, G_SHARE, G_TRIAL, G_OPEN = range(GROUP_FIELDS)
"""A group is a table of these rows; a column of it is a member.

`G_SHARE` is a member's least share; with `G_OPEN` it may have to pay a cent more, if its turn comes in a tie.
"""
TOO_LARGE = -1
MINUTES_PER_HOUR = 60


@lean
def price_slot(grid: int, group: Ints, count: int, offer: Records, venue: int) -> tuple[int, int]:
    """The exact cost of a slot in cents times minutes an hour, and the denominator of the exact shares in `G_TRIAL`.

    Rules 8 and 9. The denominator is `TOO_LARGE` where the numbers would not fit.
    """
    first, last, seat_minutes, dearest = group[G_START, 0], group[G_END, 0], 0, 0.0
    for i in range(count):
        first, last = min(first, group[G_START, i]), max(last, group[G_END, i])
        seat_minutes += grid * (group[G_END, i] - group[G_START, i]) * group[G_SEATS, i]
        dearest += offer.extra_seat * group[G_SEATS, i]
        group[G_TRIAL, i] = 0
    missing = max(0, offer.minutes_min - grid * (last - first))
    denominator = seat_minutes if missing else 1
    cost = missing * offer.rate
    # Shares grow over one denominator, which is raised to a multiple of the seats of each moment when it comes.
    for t in range(first, last):
        present = 0
        for i in range(count):
            if group[G_START, i] <= t < group[G_END, i]:
                present += group[G_SEATS, i]
        if present == 0:
            continue
        first_number, second_number = denominator, present
        while second_number:
            first_number, second_number = second_number, first_number % second_number
        factor = present // first_number
        denominator *= factor
        if denominator * (dearest + offer.rate + venue) * (grid * (last - first) + missing) > 1e18:
            return 0, TOO_LARGE
        price = grid * (offer.rate + offer.extra_seat * (present - 1) + venue)
        cost += price
        for i in range(count):
            group[G_TRIAL, i] *= factor
            if group[G_START, i] <= t < group[G_END, i]:
                group[G_TRIAL, i] += price * (denominator // present) * group[G_SEATS, i]
    if missing:
        per_seat_minute = missing * offer.rate * (denominator // seat_minutes)
        for i in range(count):
            minutes = grid * (group[G_END, i] - group[G_START, i])
            group[G_TRIAL, i] += per_seat_minute * minutes * group[G_SEATS, i]
    return cost, denominator * MINUTES_PER_HOUR


@lean
def round_shares(cost: int, denominator: int, group: Ints, count: int) -> tuple[int, int]:
    """Turn the exact shares in `G_SHARE` into least whole cents; the slot's cents, how many of the open pay one more.

    By largest remainder: who is above the threshold pays the cent for sure, those at it are open.
    """
    cents = (2 * cost + MINUTES_PER_HOUR) // (2 * MINUTES_PER_HOUR)
    extras = cents
    for i in range(count):
        extras -= group[G_SHARE, i] // denominator
    threshold, above, tied = -1, 0, 0
    for i in range(count):
        remainder = group[G_SHARE, i] % denominator
        higher, equal = 0, 0
        for j in range(count):
            other = group[G_SHARE, j] % denominator
            higher += other > remainder
            equal += other == remainder
        if higher < extras <= higher + equal:
            threshold, above, tied = remainder, higher, equal
    rest = extras - above
    for i in range(count):
        remainder = group[G_SHARE, i] % denominator
        group[G_SHARE, i] //= denominator
        group[G_OPEN, i] = extras > 0 and remainder == threshold and rest < tied
        if extras > 0 and (remainder > threshold or (remainder == threshold and rest == tied)):
            group[G_SHARE, i] += 1
    return cents, rest if extras > 0 and rest < tied else 0


@lean
def net_of(needs: Records, need: int, share: int) -> int:
    """What a need pays of one share with its subsidy (rule 10)."""
    return int(share - min(share * needs[need].part_above // needs[need].part_below, needs[need].cap))


@lean
def settle_open(needs: Records, group: Ints, count: int, extras: int) -> bool:
    """Whether all members can pay (their net of one slot within `G_CEILING`); who cannot pay a cent more is closed.

    Members with one session are decided here for good; for the others this is only necessary.
    """
    turns = 0
    for i in range(count):
        need, share, ceiling = group[G_NEED, i], group[G_SHARE, i], group[G_CEILING, i]
        if ceiling < NO_LIMIT:
            if net_of(needs, need, share) > ceiling:
                return False
            if group[G_OPEN, i] and net_of(needs, need, share + 1) > ceiling:
                group[G_OPEN, i] = 0
        turns += group[G_OPEN, i]
    return turns >= extras
