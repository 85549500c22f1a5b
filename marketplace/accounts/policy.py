"""A municipality's rules are dated data: the version valid on a day, over the defaults written here."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from marketplace.accounts.models import PolicyVersion
from marketplace.messages.quiet import ROME, QuietHours


class SafetyStep(BaseModel):
    """With anybody under `under_age` years in the group, at most `seats_max` seats."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    under_age: int
    seats_max: int


class Policy(BaseModel):
    """Defaults of product.md, import.md and billing.md; a municipality's versions override them field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unserved_cents_per_hour: int = 6000
    travel_cents_per_km: int = 50
    first_in_line_priority: str = "1.5"
    round_seconds: int = 60
    proposal_hours: int = 48
    notice_days: int = 14
    withdrawal_days: int = 14
    absence_notice_hours: int = 24
    absence_notified_is_free: bool = True
    absence_rise_borne_by: Literal["others", "absent", "guarantee"] = "others"
    absence_is_subsidised: bool = True
    cancelled_day_percent: str = "50"
    unrecorded_after_hours: int = 48
    payout_delay_days: int = 7
    charge_after_days: int = 7
    platform_fee_percent: str = "0"
    gap_minutes: int = 15
    walk_minutes: int = 15
    walk_km_max: str = "0.4"
    level_gap_max: int = 2
    age_gap_max: int = 4
    travel_km_max: str = "1.5"
    group_max: int = 6
    languages: tuple[str, ...] = ("it",)
    provider_minutes_max_per_week: int = 2400
    provider_minutes_max_per_day: int = 480
    provider_travel_km_max: str = "5"
    pay_floor_cents_per_hour: int = 0
    safety: tuple[SafetyStep, ...] = (
        SafetyStep(under_age=3, seats_max=2),
        SafetyStep(under_age=6, seats_max=4),
        SafetyStep(under_age=111, seats_max=6),
    )
    subjects: dict[str, str] = {
        "matematica": "maths",
        "inglese": "english",
        "italiano": "italian",
        "fisica": "physics",
        "latino": "latin",
        "chimica": "chemistry",
    }
    quiet_from_hour: int = 21
    quiet_until_hour: int = 8
    """Between these hours of the clock nothing is sent that can wait; equal ones are never."""
    looks_kept_months: int = Field(default=24, ge=12)
    phone: str = ""
    email: str = ""
    iban: str = ""
    """Where families without a card pay by bank transfer; without it the page does not offer that."""
    payee: str = ""
    postal_code: str = ""
    """Of families whose address does not say theirs, on electronic invoices."""
    tax_notes: dict[str, str] = {}
    """By service, what receipts say of deducting it: the law changes, so these words are dated data."""
    pagopa_creditor: str = ""
    """The municipality's tax code at pagoPA (11 digits); without it there are no notices."""
    pagopa_segregation: str = "01"
    pagopa_interbank: str = ""


def quiet_hours(session: Session, municipality_id: str, now: datetime) -> QuietHours:
    """The hours of the municipality in which nothing is sent that can wait, as its policy of the day has them."""
    policy = get_policy(session, municipality_id, now.astimezone(ROME).date())
    return QuietHours(policy.quiet_from_hour, policy.quiet_until_hour)


def get_policy(session: Session, municipality_id: str, on: date) -> Policy:
    """The policy valid on the day `on`."""
    version = session.exec(
        select(PolicyVersion)
        .where(PolicyVersion.municipality_id == municipality_id, PolicyVersion.valid_from <= on)
        .order_by(col(PolicyVersion.valid_from).desc(), col(PolicyVersion.id).desc())
        .limit(1)
    ).first()
    settings: dict[str, Any] = version.settings if version else {}
    return Policy.model_validate(settings)
