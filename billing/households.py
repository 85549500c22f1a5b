"""A city's households as a CSV, one line for each use of a service: what a rule is tried on before it is published."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from billing.decisions import MINUTES_PER_HOUR, Use
from billing.reading import Data, Euros, Faults, Name, model_of, read_rows
from billing.rules import Per, Rule

YES, NO = ("1", "true", "yes", "si", "sì", "y", "s"), ("", "0", "false", "no", "n")
FAULTS_MAX = 1000
FIRST_DAY = date(2000, 1, 1)  # of whoever has no date: all in one period
REQUIRED = ("household", "cost")


def _flag(text: object) -> object:
    if isinstance(text, str) and text.casefold() in (*YES, *NO):
        return text.casefold() in YES
    raise ValueError("must be yes or no")


def _decimal(text: object) -> object:
    return text.replace(",", ".") if isinstance(text, str) else text


def _count(text: object) -> object:
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 5:
        return int(text)
    raise ValueError("must be a whole number")


Amount = Annotated[Euros, BeforeValidator(_decimal)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class Line(Data):
    """A line of the file; an empty value is as if its column were not there."""

    household: Name
    cost: Amount
    person: Name | None = None
    on: date | None = None
    hours: Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=744, allow_inf_nan=False)] | None = None
    seats: Annotated[int, BeforeValidator(_count), Field(ge=1, le=100)] = 1
    isee: Amount | None = None
    service: str = ""
    age: Annotated[int, BeforeValidator(_count), Field(le=120)] | None = None
    resident: Flag | None = None
    disability: Flag = False
    paid: Amount = Decimal(0)

    @property
    def use(self) -> Use:
        """What is decided about; hours to the minute, rounded down."""
        return Use(
            household=self.household,
            person=self.person or self.household,
            on=self.on or FIRST_DAY,
            minutes=int((self.hours or 0) * MINUTES_PER_HOUR),
            seats=self.seats,
            share_cents=int(self.cost * 100),
            isee=self.isee,
            service=self.service,
            age=self.age,
            is_resident=self.resident,
            has_disability=self.disability,
            paid_cents=int(self.paid * 100),
        )


def read_households(path: str, rules: Iterable[Rule]) -> list[Use]:
    """The uses of a CSV file, in its order; raises Faults for all that is wrong in it, and for what a rule lacks."""
    needed = {*REQUIRED, *(column for rule in rules for column in _columns(rule))}
    faults: list[str] = []
    uses: list[Use] = []
    for number, row in read_rows(path):
        if not uses and not faults:
            faults += [f"{path}: no column {column}" for column in sorted(needed - set(row))]
            faults += [f"{path}: unknown column {column}" for column in row if column not in Line.model_fields]
            if faults:
                break
        faults += _read(f"{path}: line {number}", row, needed, uses)
        if len(faults) > FAULTS_MAX:
            break
    if not uses and not faults:
        faults.append(f"{path}: no household")
    if faults:
        raise Faults(faults[:FAULTS_MAX])
    return uses


def _read(where: str, row: Mapping[str, str], needed: set[str], uses: list[Use]) -> list[str]:
    values: dict[str, Any] = {name: text for name, text in row.items() if text or name in REQUIRED}
    lacking = [f"{where}: {name}: missing" for name in sorted(needed) if not row[name] and name not in REQUIRED]
    try:
        uses.append(model_of(values, Line, where).use)
    except Faults as faults:
        return [*lacking, *faults.lines]
    return lacking


def _columns(rule: Rule) -> set[str]:
    """The columns without which a rule cannot be applied."""
    periods = {tariff.per for tariff in rule.tariffs if rule.kind != "percent"} | {limit.per for limit in rule.limits}
    found = {"hours"} if Per.HOUR in periods else set()
    return found | ({"on"} if periods - {Per.HOUR} else set())
