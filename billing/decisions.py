"""What a rule grants of a share: never above the share, its limits or what others paid, and every step is kept.

Uses are decided in the order of their dates: what a period's limit has left depends on those before (`History`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.money import round_half_up
from billing.rules import Kind, Limit, Per, Rule, Tariff
from billing.subsidy import RuleError, grade, stepped_cost

MINUTES_PER_HOUR = 60


@dataclass(frozen=True, slots=True)
class Use:
    """A person's share (cents) of one session, or of all that is counted as one; None is what is not known.

    `paid_cents` is what other programmes pay of it already.
    """

    household: str
    person: str
    on: date
    minutes: int
    share_cents: int
    isee: Decimal | None = None
    seats: int = 1
    service: str = ""
    age: int | None = None
    is_resident: bool | None = None
    has_disability: bool = False
    paid_cents: int = 0

    def who(self, of: str) -> str:
        """The person or the household."""
        return self.person if of == "person" else self.household


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a decision: what was looked at (`what`), with its inputs, and whether it lets the grant pass."""

    what: str
    values: dict[str, Any]
    passed: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What is granted (cents), of which band of ISEE (from 1), and why; `charged_cents`: what each tariff took."""

    grant_cents: int
    band: int | None
    steps: tuple[Step, ...]
    charged_cents: tuple[int, ...] = ()


class History:
    """What was granted and charged so far, in the periods that the limits and tariffs of `rules` ask for."""

    def __init__(self, *rules: Rule) -> None:
        self._limits = {(limit.of, limit.per, limit.counted) for rule in rules for limit in rule.limits}
        self._tariffs = {(index, tariff.per) for rule in rules for index, tariff in enumerate(rule.tariffs)}
        self._rises = any(tariff.steps for rule in rules for tariff in rule.tariffs)
        self._granted: Counter[tuple[str, str, Per, date]] = Counter()
        self._charged: Counter[tuple[int, str, Per, date]] = Counter()
        self._minutes: Counter[tuple[str, date]] = Counter()
        self._marks: dict[tuple[str, str, Per, date, Per], set[date]] = {}

    def add(self, use: Use, grant_cents: int, charged_cents: Sequence[int] = ()) -> None:
        """Count what was granted of a use, and what each tariff took of it."""
        if self._rises:
            self._minutes[use.household, Per.YEAR.start(use.on)] += use.minutes * use.seats
        for index, cents in enumerate(charged_cents):
            for _, per in (one for one in self._tariffs if one[0] == index and one[1] is not Per.HOUR):
                self._charged[index, use.person, per, per.start(use.on)] += cents
        if not grant_cents:
            return
        for of, per, counted in self._limits:
            who, start = use.who(of), per.start(use.on)
            if counted is not None:
                self._marks.setdefault((of, who, per, start, counted), set()).add(counted.start(use.on))
            elif per is not Per.HOUR:
                self._granted[of, who, per, start] += grant_cents

    def left_cents(self, limit: Limit, use: Use) -> int | None:
        """What a limit leaves for a use; None: any amount."""
        who, start = use.who(limit.of), limit.per.start(use.on)
        if limit.counted is not None:
            marks = self._marks.get((limit.of, who, limit.per, start, limit.counted), set())
            return None if limit.counted.start(use.on) in marks or len(marks) < limit.most else 0
        if limit.per is Per.HOUR:
            return limit.most * use.minutes * use.seats // MINUTES_PER_HOUR
        return max(0, limit.most - self._granted[limit.of, who, limit.per, start])

    def charged_cents(self, index: int, per: Per, use: Use) -> int:
        """What a tariff has taken already of the period of a use."""
        return self._charged[index, use.person, per, per.start(use.on)]

    def hours(self, use: Use) -> Fraction:
        """A household's hours in the year so far, by seats."""
        return Fraction(self._minutes[use.household, Per.YEAR.start(use.on)], MINUTES_PER_HOUR)


def decide(rule: Rule, use: Use, history: History, left_cents: int | None = None) -> Decision:
    """What the rule grants of a use; `left_cents` is what the budget has left (None: enough).

    The grant is at most the share less what others pay, each limit and the budget. A refusal grants 0, and its last
    step says why. The decision is not yet counted: `History.add` does that.
    """
    steps = [Step("share", {"share_cents": use.share_cents, "paid_cents": use.paid_cents})]
    open_cents = max(0, use.share_cents - use.paid_cents)
    steps += _conditions(rule, use)
    if not steps[-1].passed:
        return Decision(0, rule.band_of(use.isee), tuple(steps))
    grant, charged, graded = _graded(rule, use, history, open_cents)
    steps += graded
    for limit in rule.limits:
        left = history.left_cents(limit, use)
        if left is not None and left < grant:
            grant = left
            steps.append(
                Step("limit", limit.model_dump(mode="json", exclude_none=True) | {"left_cents": left}, left > 0)
            )
    if left_cents is not None and left_cents < grant:
        grant = max(0, left_cents)
        steps.append(Step("budget", {"left_cents": grant}, grant > 0))
    steps.append(Step("grant", {"grant_cents": grant}))
    return Decision(grant, rule.band_of(use.isee), tuple(steps), charged)


def decide_all(
    rules: Sequence[Rule], use: Use, histories: Sequence[History], left_cents: int | None = None
) -> list[Decision]:
    """What several rules grant of one use, each of what those before it (by `order`, then as given) left; counted."""
    found: dict[int, Decision] = {}
    for index in sorted(range(len(rules)), key=lambda index: rules[index].order):
        decision = found[index] = decide(rules[index], use, histories[index], left_cents)
        histories[index].add(use, decision.grant_cents, decision.charged_cents)
        use = replace(use, paid_cents=use.paid_cents + decision.grant_cents)
        left_cents = None if left_cents is None else left_cents - decision.grant_cents
    return [found[index] for index in range(len(rules))]


def run(rules: Sequence[Rule], uses: Sequence[Use], budget_cents: int | None = None) -> list[list[Decision]]:
    """Rules on many uses, one decision a rule: in the order of dates (within a day as given), as the budget lasts."""
    histories = [History(rule) for rule in rules]
    found: dict[int, list[Decision]] = {}
    for index in sorted(range(len(uses)), key=lambda index: uses[index].on):
        found[index] = decide_all(rules, uses[index], histories, budget_cents)
        if budget_cents is not None:
            budget_cents -= sum(decision.grant_cents for decision in found[index])
    return [found[index] for index in range(len(uses))]


@dataclass(frozen=True, slots=True)
class BandTotal:
    """What a rule cost in one band of ISEE (None: no ISEE, or above the last band)."""

    band: int | None
    households: int
    uses: int
    share_cents: int
    grant_cents: int


def totals_by_band(rule: Rule, uses: Sequence[Use], decisions: Sequence[Decision]) -> list[BandTotal]:
    """One row for each band of the rule, then one for those without; none is left out."""
    bands: list[int | None] = [*range(1, len(rule.edges) + 1), None]
    mine: dict[int | None, list[tuple[Use, Decision]]] = {band: [] for band in bands}
    for use, decision in zip(uses, decisions, strict=True):
        mine[decision.band].append((use, decision))
    return [
        BandTotal(
            band,
            len({use.household for use, _ in rows}),
            len(rows),
            sum(use.share_cents for use, _ in rows),
            sum(decision.grant_cents for _, decision in rows),
        )
        for band, rows in mine.items()
    ]


def _conditions(rule: Rule, use: Use) -> list[Step]:
    """Whom the rule is for: the first condition that is not met is the last step."""
    waived = rule.isee_waived and use.has_disability
    steps: list[Step] = []
    for step in (
        _step("service", bool(rule.services), use.service in rule.services, service=use.service),
        _step("age", rule.age_min is not None or rule.age_max is not None, _age_fits(rule, use), age=use.age),
        _step("residence", rule.residents_only, use.is_resident is True),
        _step("disability", rule.disability_only, use.has_disability),
        _step("others", not rule.with_others, use.paid_cents == 0, paid_cents=use.paid_cents),
        _step("isee", rule.needs_isee and not waived, use.isee is not None),
        _step(
            "isee_max",
            rule.isee_max is not None and not waived,
            use.isee is not None and rule.isee_max is not None and use.isee <= rule.isee_max,
            isee_max=str(rule.isee_max),
        ),
    ):
        if step is not None:
            steps.append(step)
            if not step.passed:
                break
    return steps or [Step("conditions", {})]


def _step(what: str, is_asked: bool, passed: bool, **values: Any) -> Step | None:
    return Step(what, values, passed) if is_asked else None


def _age_fits(rule: Rule, use: Use) -> bool:
    return use.age is not None and (rule.age_min or 0) <= use.age <= (120 if rule.age_max is None else rule.age_max)


def _graded(rule: Rule, use: Use, history: History, open_cents: int) -> tuple[int, tuple[int, ...], list[Step]]:
    """The grant before limits, what each tariff took of the share, and the steps.

    The shortest period comes first: a day's charge is due for its day, what a month's lacks is made up on another.
    """
    steps: list[Step] = []
    taken = [0] * len(rule.tariffs)
    periods = list(Per)
    for index in sorted(range(len(taken)), key=lambda index: periods.index(rule.tariffs[index].per)):
        cents, step = _tariff_cents(rule, index, rule.tariffs[index], use, history)
        steps.append(step)
        if cents is None:  # the full price, or no band
            return 0, (), steps
        taken[index] = min(cents, open_cents - sum(taken))
    whole = sum(taken)
    return (open_cents - whole if rule.kind is Kind.CHARGE else whole), tuple(taken), steps


def _tariff_cents(rule: Rule, index: int, tariff: Tariff, use: Use, history: History) -> tuple[int | None, Step]:
    """What a tariff comes to for a use: for a period, what the period has left of it. None: the full price."""
    if tariff.steps:
        return _stepped_cents(tariff, use, history)
    try:
        graded = grade(tariff.graded, use.isee if use.isee is not None else _highest(tariff))
    except RuleError:
        return None, Step("no_band", {}, False)
    values: dict[str, Any] = {
        "band": graded.number,
        "above": str(graded.below),
        "up_to": None if graded.band.up_to is None else str(graded.band.up_to),
        "per": tariff.per.value,
    }
    if graded.amount is None:
        return None, Step("full_price", values, False)
    values["amount"] = str(graded.amount)
    if graded.is_linear:
        values |= {"first": str(graded.band.first), "last": str(graded.band.last)}
    if rule.kind is Kind.PERCENT:
        cents = int(use.share_cents * Fraction(graded.amount) / 100)
        return cents, Step("percent", values | {"cents": cents})
    whole = _cents(graded.amount)
    if tariff.per is Per.HOUR:
        hours = whole * use.minutes * use.seats
        up = rule.kind is Kind.CHARGE
        cents = round_half_up(hours, MINUTES_PER_HOUR) if up else hours // MINUTES_PER_HOUR
        return cents, Step("hourly", values | {"minutes": use.minutes, "seats": use.seats, "cents": cents})
    before = history.charged_cents(index, tariff.per, use)
    cents = max(0, whole - before)
    return cents, Step("period", values | {"before_cents": before, "cents": cents})


def _stepped_cents(tariff: Tariff, use: Use, history: History) -> tuple[int | None, Step]:
    before = history.hours(use)
    after = before + Fraction(use.minutes * use.seats, MINUTES_PER_HOUR)
    try:
        cost = 100 * (stepped_cost(tariff.stepped, after) - stepped_cost(tariff.stepped, before))
    except RuleError:
        return None, Step("no_step", {"hours": str(after)}, False)
    cents = round_half_up(cost.numerator, cost.denominator)
    return cents, Step("stepped", {"before_hours": str(before), "hours": str(after), "cents": cents})


def _highest(tariff: Tariff) -> Decimal:
    """Where no ISEE is needed, the last band counts."""
    return tariff.bands[-1].up_to or Decimal(10**7)


def _cents(amount: Decimal) -> int:
    return int(amount * 100)
