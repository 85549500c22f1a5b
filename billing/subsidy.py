"""A means-tested rule is data: bands of ISEE that neither overlap nor leave a gap, each with what it charges or pays.

Published rates are rounded to cents before anything is multiplied; a decision says which band it used, and how.
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
class Decision:
    """An amount in euro, to the cent, and the steps that led to it; None is the full price."""

    amount: Decimal | None
    steps: tuple[str, ...]


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


def grade(bands: Sequence[Band], isee: Decimal) -> Decision:
    """The amount for an ISEE, rounded half up to a cent; RuleError where no band reaches that far."""
    check_bands(bands)
    below = Decimal(0)
    for number, band in enumerate(bands, 1):
        if band.up_to is None or isee <= band.up_to:
            named = f"fascia {number}: ISEE {isee} oltre {below}"
            if band.first is None or band.last is None:
                return Decision(None, (named, "prezzo intero"))
            if band.up_to is None or band.first == band.last:
                return Decision(band.first.quantize(CENT, ROUND_HALF_UP), (named, f"importo fisso {band.first}"))
            exact = Fraction(band.first) + Fraction(band.last - band.first) * Fraction(isee - below) / Fraction(
                band.up_to - below
            )
            step = f"lineare da {band.first} a {band.last} tra {below} e {band.up_to}"
            return Decision(_to_cent(exact), (named, step))
        below = band.up_to
    raise RuleError(f"no band for an ISEE of {isee}")


@dataclass(frozen=True)
class Step:
    """Units up to the `up_to`-th of a period cost `price` each (None: no limit)."""

    up_to: int | None
    price: Decimal


def stepped_cost(steps: Sequence[Step], units: int) -> Decimal:
    """What `units` of a period cost where the price rises by steps; RuleError above the last."""
    cost, counted = Decimal(0), 0
    for step in steps:
        here = units - counted if step.up_to is None else min(units, step.up_to) - counted
        cost += max(0, here) * step.price
        counted += max(0, here)
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
