"""A programme's rule as data, `rule/1`: bands that neither overlap nor leave a gap, limits, and whom it is for.

A version of a rule is never edited: what a decision was made under can be read again.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from billing.reading import Data, Euros, Name, Whole
from billing.subsidy import Band, Step, check_bands


class Kind(StrEnum):
    """What a rule's amounts are: what the family pays, what the programme pays, or its percentage of the share."""

    CHARGE = "charge"
    GRANT = "grant"
    PERCENT = "percent"


class Per(StrEnum):
    """What an amount is for. A week begins on Monday; a year is the calendar's."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    def start(self, day: date) -> date:
        """The first day of the period in which a day lies; an hour has only its day."""
        if self is Per.WEEK:
            return day - timedelta(days=day.weekday())
        if self is Per.MONTH:
            return day.replace(day=1)
        return day.replace(month=1, day=1) if self is Per.YEAR else day


class RuleBand(Data):
    """ISEE above `above` (the end of the band before) to `up_to` (null: any): `amount`, or a line `first` to `last`.

    Without any of them the family pays the full price.
    """

    above: Euros | None = None
    up_to: Euros | None = None
    amount: Euros | None = None
    first: Euros | None = None
    last: Euros | None = None

    @model_validator(mode="after")
    def _it_says_one_thing(self) -> "RuleBand":
        if self.amount is not None and (self.first is not None or self.last is not None):
            raise ValueError("must have amount, or first and last")
        if (self.first is None) != (self.last is None):
            raise ValueError("must have both first and last")
        return self

    @property
    def band(self) -> Band:
        """As `billing.subsidy` grades it."""
        flat = self.amount is not None
        return Band(self.up_to, self.amount if flat else self.first, self.amount if flat else self.last)


class PriceStep(Data):
    """Units up to the `up_to`-th of a year cost `price` each (null: no limit)."""

    up_to: Annotated[Whole, Field(ge=1)] | None = None
    price: Euros


class Tariff(Data):
    """An amount for each hour, day, week or month, graded by ISEE (`bands`) or rising with the hours (`steps`)."""

    per: Per = Per.HOUR
    bands: Annotated[tuple[RuleBand, ...], Field(max_length=100)] = ()
    steps: Annotated[tuple[PriceStep, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _it_holds_together(self) -> "Tariff":
        if bool(self.bands) == bool(self.steps):
            raise ValueError("must have bands, or steps")
        if self.steps and self.per is not Per.HOUR:
            raise ValueError("steps are by the hour")
        if self.per is Per.YEAR:
            raise ValueError("an amount is for an hour, a day, a week or a month")
        if self.bands:
            _check_edges(self.bands)
            check_bands(self.graded)
        _check_steps(self.steps)
        return self

    @cached_property
    def graded(self) -> tuple[Band, ...]:
        """The bands as `billing.subsidy` grades by them."""
        return tuple(band.band for band in self.bands)

    @cached_property
    def edges(self) -> tuple[Decimal | None, ...]:
        """Where the bands end; None is the open one."""
        return tuple(band.up_to for band in self.bands)

    @cached_property
    def stepped(self) -> tuple[Step, ...]:
        """The steps as `billing.subsidy` adds them up."""
        return tuple(Step(step.up_to, step.price) for step in self.steps)


def _check_edges(bands: Sequence[RuleBand]) -> None:
    edge: Decimal | None = None
    for number, band in enumerate(bands, 1):
        above = band.above if number > 1 or band.above else None
        if above is not None and edge is None and number == 1:
            raise ValueError(f"a gap: the first band starts above {above}")
        if above is not None and edge is not None and above != edge:
            kind = "a gap" if above > edge else "an overlap"
            raise ValueError(f"{kind} between bands {number - 1} and {number}: {edge} and {above}")
        edge = band.up_to


def _check_steps(steps: Sequence[PriceStep]) -> None:
    for number, (earlier, later) in enumerate(pairwise(steps), 2):
        if earlier.up_to is None or (later.up_to is not None and later.up_to <= earlier.up_to):
            raise ValueError(f"step {number} does not follow step {number - 1}")


class Limit(Data):
    """At most `amount` euro, or at most `weeks` or `days` with a grant, to a person or a household in each period."""

    amount: Euros | None = None
    weeks: Annotated[Whole, Field(ge=1)] | None = None
    days: Annotated[Whole, Field(ge=1)] | None = None
    of: Literal["person", "household"] = "person"
    per: Per

    @model_validator(mode="after")
    def _it_limits_one_thing(self) -> "Limit":
        if sum(value is not None for value in (self.amount, self.weeks, self.days)) != 1:
            raise ValueError("must have one of amount, weeks, days")
        if self.amount is None and self.per not in (Per.MONTH, Per.YEAR):
            raise ValueError("weeks and days are counted by the month or year")
        return self

    @cached_property
    def counted(self) -> Per | None:
        """What is counted, weeks or days; None where it is money."""
        if self.amount is not None:
            return None
        return Per.WEEK if self.weeks is not None else Per.DAY

    @cached_property
    def most(self) -> int:
        """The limit, in cents or as a count."""
        return int(self.amount * 100) if self.amount is not None else self.weeks or self.days or 0


class Rule(Data):
    """A programme's rule: who it is for, what it grants, its limits, and how it adds to other programmes.

    `order`: programmes are applied in this order, each to what the ones before left; `with_others` false: only where
    no other has paid. `isee_waived` : with a disability neither `isee_max` nor a missing ISEE counts.
    """

    format: Literal["rule/1"] = "rule/1"
    name: Name = "rule"
    kind: Kind
    tariffs: Annotated[tuple[Tariff, ...], Field(min_length=1, max_length=5)]
    limits: Annotated[tuple[Limit, ...], Field(max_length=10)] = ()
    services: tuple[Name, ...] = ()
    age_min: Annotated[Whole, Field(le=120)] | None = None
    age_max: Annotated[Whole, Field(le=120)] | None = None
    residents_only: bool = False
    disability_only: bool = False
    isee_max: Euros | None = None
    isee_waived: bool = False
    order: Annotated[Whole, Field(le=100)] = 1
    with_others: bool = True

    @model_validator(mode="after")
    def _it_can_be_applied(self) -> "Rule":
        if self.age_min is not None and self.age_max is not None and self.age_max < self.age_min:
            raise ValueError("age_max must not be below age_min")
        if self.kind is Kind.PERCENT:
            if len(self.tariffs) > 1 or self.tariffs[0].steps:
                raise ValueError("a percentage has one tariff of bands")
            for number, band in enumerate(self.tariffs[0].graded, 1):
                if max(band.first or 0, band.last or 0) > 100:
                    raise ValueError(f"tariffs[0].bands[{number - 1}]: a percentage above 100")
        if any(tariff.steps for tariff in self.tariffs) and self.kind is not Kind.CHARGE:
            raise ValueError("steps are what the family pays")
        return self

    @cached_property
    def needs_isee(self) -> bool:
        """Whether it depends on the ISEE at all."""
        return self.isee_max is not None or any(tariff.bands and tariff.edges != (None,) for tariff in self.tariffs)

    @cached_property
    def edges(self) -> tuple[Decimal | None, ...]:
        """Where the bands of ISEE end, for totals by band."""
        return self.tariffs[0].edges or (None,)

    def band_of(self, isee: Decimal | None) -> int | None:
        """The number of the band of an ISEE, from 1; None without one, or above the last."""
        if isee is None:
            return None
        return next((number for number, edge in enumerate(self.edges, 1) if edge is None or isee <= edge), None)
