"""A programme's week can hold and commit no more than its budget: the database says so (trigger on voucher_hold)."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlmodel import Field
from sqlmodel._compat import SQLModelConfig

from billing.rules import Rule
from marketplace.db import Row, cents, check, choice, json_object, refers


class Programme(Row, table=True):
    """A municipality's subsidy for one service: who is entitled (ISEE) and how much it pays.

    All its weeks together never use more than the total, nor more families than `families_max`: a trigger on the holds.
    """

    __table_args__ = (
        UniqueConstraint("municipality_id", "code", name="programme_code_once"),
        check("programme_percent", "cast(percent as numeric) between 0 and 100"),
        check("programme_budget", "weekly_budget_cents >= 0"),
        check("programme_total", "total_budget_cents >= 0"),
        check("programme_families", "families_max >= 0"),
    )

    code: str = Field(max_length=60)
    name: str = Field(max_length=200)
    service: str = Field(max_length=40)
    weekly_budget_cents: int = cents()
    isee_max_cents: int | None = cents(None)
    percent: str = Field(max_length=20)
    cap_cents_per_hour: int | None = cents(None)
    total_budget_cents: int | None = cents(None)
    families_max: int | None = None
    created_at: datetime
    ended_at: datetime | None = None


class ProgrammeRule(Row, table=True):
    """A version of a programme's rule (`rule/1` of billing): it counts on the days `during`, and is never edited.

    What it grants above the programme's percentage and cap, which the matcher promised, lowers a statement's price.
    A trigger lets nothing change but the end of `during`, which can only come sooner.
    """

    __tablename__ = "programme_rule"
    __table_args__ = (
        refers("programme"),
        UniqueConstraint("municipality_id", "programme_id", "number", name="rule_number_once"),
        ExcludeConstraint(("municipality_id", "="), ("programme_id", "="), ("during", "&&"), name="one_rule_a_day"),
    )
    model_config = SQLModelConfig(arbitrary_types_allowed=True)

    programme_id: UUID
    number: int
    rule: dict[str, Any] = json_object()
    during: Range[date] = Field(sa_type=DATERANGE)
    published_at: datetime
    published_by: UUID | None = None

    @property
    def as_rule(self) -> Rule:
        """The rule as `billing` applies it."""
        return Rule.model_validate(self.rule)

    @property
    def valid_from(self) -> date | None:
        """Its first day; None: withdrawn before it counted."""
        return self.during.lower

    @property
    def valid_to(self) -> date | None:
        """The day from which it counts no more; None: no end."""
        return self.during.upper


class RuleTrial(Row, table=True):
    """A rule that an officer tried on last year's meetings; `outcome` is what a job found, and is not found twice."""

    __tablename__ = "rule_trial"
    __table_args__ = (
        refers("programme"),
        Index("trial_by_programme", "municipality_id", "programme_id", "asked_at"),
        check("trial_finished", "(outcome is null) = (finished_at is null)"),
    )

    programme_id: UUID
    rule: dict[str, Any] = json_object()
    asked_at: datetime
    asked_by: UUID | None = None
    outcome: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    finished_at: datetime | None = None

    @property
    def as_rule(self) -> Rule:
        """The rule as `billing` applies it."""
        return Rule.model_validate(self.rule)


class HoldState(StrEnum):
    """What happened to a reserved amount."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"


class ProgrammeWeek(Row, table=True):
    """A programme's budget in the week that begins on Monday `week`; `used_cents` is kept by a trigger on the holds."""

    __tablename__ = "programme_week"
    __table_args__ = (
        refers("programme"),
        UniqueConstraint("municipality_id", "programme_id", "week", name="programme_week_once"),
        check("budget_not_exceeded", "used_cents <= budget_cents"),
        check("used_not_negative", "used_cents >= 0"),
        check("week_is_a_monday", "extract(isodow from week) = 1"),
    )

    programme_id: UUID
    week: date
    budget_cents: int = cents()
    used_cents: int = cents(0)


class VoucherHold(Row, table=True):
    """What one membership takes of a programme's week: at most `held_cents`; committed as used, or released."""

    __tablename__ = "voucher_hold"
    __table_args__ = (
        refers("programme"),
        UniqueConstraint("municipality_id", "membership_id", "week", name="hold_once"),
        Index("hold_by_week", "municipality_id", "programme_id", "week"),
        check("hold_not_negative", "held_cents >= 0 and committed_cents >= 0 and committed_cents <= held_cents"),
    )

    programme_id: UUID
    membership_id: UUID
    need_id: UUID
    week: date
    held_cents: int = cents()
    committed_cents: int = cents(0)
    state: HoldState = Field(default=HoldState.HELD, sa_type=choice(HoldState))
    created_at: datetime


class VoucherDecision(Row, table=True):
    """By a corrected means test a household has, or has not, a programme's voucher from a day on; the newest counts.

    Meetings that are billed already are billed again: the difference is a line of the next statement.
    """

    __tablename__ = "voucher_decision"
    __table_args__ = (
        refers("household"),
        refers("programme"),
        refers("means_test"),
        Index("decision_by_household", "municipality_id", "household_id", "programme_id"),
    )

    household_id: UUID
    programme_id: UUID
    means_test_id: UUID
    is_entitled: bool
    from_day: date
    reason: str = Field(max_length=300)
    decided_at: datetime
    decided_by: UUID | None = None


class VoucherRank(Row, table=True):
    """A need's place in a programme's ranking of one moment: entitled, or waiting for a voucher; never edited."""

    __tablename__ = "voucher_rank"
    __table_args__ = (
        refers("programme"),
        refers("need"),
        Index("rank_by_programme", "municipality_id", "programme_id", "ranked_at"),
        Index("rank_by_need", "municipality_id", "need_id", "ranked_at"),
        check("rank_from_one", "place >= 1"),
    )

    programme_id: UUID
    need_id: UUID
    household_id: UUID
    place: int
    is_entitled: bool
    weekly_cents: int = cents()
    ranked_at: datetime


class BudgetAlert(Row, table=True):
    """That a programme's week had reached a percentage of its budget, told to the officers once."""

    __tablename__ = "budget_alert"
    __table_args__ = (
        refers("programme"),
        UniqueConstraint("municipality_id", "programme_id", "percent", "week", name="alert_once"),
    )

    programme_id: UUID
    percent: int
    week: date
    used_cents: int = cents()
    budget_cents: int = cents()
    raised_at: datetime
