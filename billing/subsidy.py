"""A means-tested rule is data: bands of ISEE that neither overlap nor leave a gap, each with what it charges or pays.

Published rates are rounded to cents before anything is multiplied; `billing.decisions` applies them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

CENT = Decimal("0.01")


class RuleError(ValueError):
    """A rule that cannot be: bands with a gap or an overlap, an amount below zero, a percentage above 100."""


def percent_of(percent: Fraction, cents: int, cap_cents: int | None = None) -> int:
    """A percentage with a cap, rounded down to a cent. Source: rule 10 of the matching contract."""
    if not 0 <= percent <= 100:
        raise RuleError(f"{percent} per cent")
    part = cents * percent.numerator // (100 * percent.denominator)
    return part if cap_cents is None else min(part, cap_cents)


@dataclass(frozen=True)
class Band:
    """ISEE above the band before and up to `up_to` (euro; None: any), with a flat or linear amount in euro.

    Linear from `first`, at the edge of the band before, to `last`, at `up_to`; flat where they are equal. None: the
    full price, nothing graded.
    """

    up_to: Decimal | None
    first: Decimal | None
    last: Decimal | None


@dataclass(frozen=True)
class Graded:
    """The band (from 1) of an ISEE, which begins above `below`, and its amount to the cent; None is the full price."""

    number: int
    band: Band
    below: Decimal
    amount: Decimal | None

    @property
    def is_linear(self) -> bool:
        """Whether the amount grows with the ISEE."""
        return self.band.first != self.band.last


def check_bands(bands: Sequence[Band]) -> None:
    """Raise RuleError unless the bands rise, end with an open one or a last edge, and hold no negative amount."""
    edge = Decimal(-1)
    for number, band in enumerate(bands):
        if band.up_to is None:
            if number != len(bands) - 1:
                raise RuleError(f"band {number + 1} has no end, and others follow")
            if band.first != band.last:
                raise RuleError(f"band {number + 1} has no end and cannot be linear")
        elif band.up_to <= edge:
            raise RuleError(f"band {number + 1} ends at {band.up_to}, not above {edge}")
        else:
            edge = band.up_to
        if (band.first is None) != (band.last is None):
            raise RuleError(f"band {number + 1} has one amount of two")
        if band.first is not None and band.last is not None and min(band.first, band.last) < 0:
            raise RuleError(f"band {number + 1} has an amount below zero")
    if not bands:
        raise RuleError("no band")


def grade(bands: Sequence[Band], isee: Decimal) -> Graded:
    """The amount for an ISEE, rounded half up to a cent, by bands that `check_bands` found in order.

    RuleError where no band reaches that far.
    """
    below = Decimal(0)
    for number, band in enumerate(bands, 1):
        if band.up_to is None or isee <= band.up_to:
            return Graded(number, band, below, _amount(band, below, isee))
        below = band.up_to
    raise RuleError(f"no band for an ISEE of {isee}")


def _amount(band: Band, below: Decimal, isee: Decimal) -> Decimal | None:
    if band.first is None or band.last is None:
        return None
    if band.up_to is None or band.first == band.last:
        return band.first.quantize(CENT, ROUND_HALF_UP)
    along = Fraction(isee - below) / Fraction(band.up_to - below)
    return _to_cent(Fraction(band.first) + Fraction(band.last - band.first) * along)


@dataclass(frozen=True)
class Step:
    """Units up to the `up_to`-th of a period cost `price` each (None: no limit)."""

    up_to: int | None
    price: Decimal


def stepped_cost(steps: Sequence[Step], units: Fraction | int) -> Fraction:
    """What `units` of a period cost, exactly, where the price rises by steps; RuleError above the last."""
    cost, counted = Fraction(0), Fraction(0)
    for step in steps:
        until = Fraction(units) if step.up_to is None else min(Fraction(units), Fraction(step.up_to))
        here = max(Fraction(0), until - counted)
        cost += here * Fraction(step.price)
        counted += here
    if counted < units:
        raise RuleError(f"{units} units, and the steps end at {counted}")
    return cost


def limited(amount_cents: int, *, per_unit_cents: int | None, left_cents: int | None) -> int:
    """What is paid of an amount: at most so much a unit (a week, an hour), and what is left of a period's limit."""
    for limit in (per_unit_cents, left_cents):
        if limit is not None:
            amount_cents = min(amount_cents, max(0, limit))
    return amount_cents


def top_up(paid_cents: int, percent: Fraction, limit_cents: int) -> int:
    """A share added to what the family pays itself, to a limit a period."""
    return percent_of(percent, paid_cents, limit_cents)


def _to_cent(value: Fraction) -> Decimal:
    cents = (2 * value.numerator * 100 + value.denominator) // (2 * value.denominator)
    return Decimal(cents).scaleb(-2)
