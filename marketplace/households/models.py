"""A household is known by its applicant's tax code; a means test is dated and never edited."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, check, choice, json_list, refers
from marketplace.sealed import IndexOf, SealedText

ROME = ZoneInfo("Europe/Rome")


class Household(Row, table=True):
    """A family: how to reach it and where it lives. The tax code is sealed, `tax_code_index` finds it.

    `by_letter`: it wants its messages on paper.
    """

    __table_args__ = (
        Index("household_by_tax_code", "municipality_id", "tax_code_index", unique=True),
        check("household_lat", "lat between -90 and 90"),
        check("household_lon", "lon between -180 and 180"),
    )

    family_name: str = Field(max_length=120)
    given_name: str = Field(max_length=120)
    tax_code: str | None = Field(default=None, sa_type=SealedText)
    tax_code_index: bytes | None = Field(default=None, sa_type=IndexOf("tax_code"))
    email: str | None = Field(default=None, max_length=255)
    phone: str | None = Field(default=None, max_length=40)
    address: str = Field(max_length=300)
    lat: float
    lon: float
    by_letter: bool = False
    stripe_customer_id: str | None = None
    stripe_payment_method_id: str | None = None
    stripe_method_label: str = Field(default="", max_length=40)
    created_at: datetime


class MobileNumber(Row, table=True):
    """A number to which a household gets its messages by SMS, once the code that was sent there has come back.

    `number_index` finds it; of the code only a keyed hash is kept.
    """

    __tablename__ = "mobile_number"
    __table_args__ = (
        refers("household"),
        UniqueConstraint("municipality_id", "household_id", name="one_mobile_number"),
        Index("mobile_number_by_index", "municipality_id", "number_index"),
    )

    household_id: UUID
    number: str = Field(sa_type=SealedText)
    number_index: bytes = Field(sa_type=IndexOf("number"))
    code_hash: bytes
    asked_at: datetime
    verified_at: datetime | None = None


class Farewell(Row, table=True):
    """That a household leaves the service: asked on a day; erased once what it owes and is owed is settled."""

    __table_args__ = (refers("household"), UniqueConstraint("municipality_id", "household_id", name="one_farewell"))

    household_id: UUID
    asked_at: datetime
    asked_by: UUID | None = None
    erased_at: datetime | None = None


class Person(Row, table=True):
    """Somebody of a household who needs care; `age` in years as of `age_on`, `level` is the school class 1-13."""

    __table_args__ = (refers("household"), check("person_age", "age between 0 and 110"))

    household_id: UUID = Field(index=True)
    name: str = Field(default="", max_length=120)
    age: int | None = None
    age_on: date
    level: int | None = None
    languages: list[str] = json_list()
    created_at: datetime

    def age_at(self, day: date) -> int | None:
        """The age on a day: a year more at each anniversary of `age_on`, as there is no birth date."""
        if self.age is None:
            return None
        before_anniversary = (day.month, day.day) < (self.age_on.month, self.age_on.day)
        return min(110, self.age + max(0, day.year - self.age_on.year - before_anniversary))


class MeansTestState(StrEnum):
    """Whether an officer has looked at the declaration."""

    DECLARED = "declared"
    VERIFIED = "verified"
    REFUSED = "refused"


class MeansTest(Row, table=True):
    """An ISEE as declared or verified; valid to 31 December; a correction is a new row, the newest counts.

    `attestation` is the number of INPS's attestation, where that was seen.
    """

    __tablename__ = "means_test"
    __table_args__ = (refers("household"),)

    household_id: UUID = Field(index=True)
    isee_cents: str = Field(sa_type=SealedText)
    state: MeansTestState = Field(sa_type=choice(MeansTestState))
    valid_until: date
    counts_from: date | None = None
    is_resident: bool | None = None
    disability: str | None = Field(default=None, sa_type=SealedText)
    attestation: str = Field(default="", max_length=60)
    decided_by: UUID | None = None
    created_at: datetime

    @property
    def valid_from(self) -> date:
        """The first day on which it counts: that of its making, but for a correction of what was before it."""
        return self.counts_from or self.created_at.astimezone(ROME).date()

    @property
    def has_disability(self) -> bool:
        """Whether somebody of the household has a disability (sealed: health data)."""
        return self.disability == "yes"

    @property
    def held_until(self) -> date:
        """The last day on which it counts: a verified one provisionally to 31 March, until there is a new one."""
        if self.state == MeansTestState.VERIFIED and (self.valid_until.month, self.valid_until.day) == (12, 31):
            return date(self.valid_until.year + 1, 3, 31)
        return self.valid_until

    def counts_on(self, day: date) -> bool:
        """Whether it counts on a day, if nothing newer does."""
        return self.valid_from <= day <= self.held_until


class IseeOutcome(StrEnum):
    """What INPS said of a declared ISEE."""

    AGREES = "agrees"
    DIFFERS = "differs"
    MISSING = "missing"


class IseeAnswer(Row, table=True):
    """INPS's answer about one declared means test: what it holds, as of `asked_at`."""

    __tablename__ = "isee_answer"
    __table_args__ = (refers("means_test"),)

    means_test_id: UUID = Field(index=True)
    household_id: UUID
    outcome: IseeOutcome = Field(sa_type=choice(IseeOutcome))
    isee_cents: str | None = Field(default=None, sa_type=SealedText)
    attestation: str = Field(default="", max_length=60)
    asked_at: datetime
