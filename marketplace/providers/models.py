"""A provider is matched only while accredited; every decision on that is a dated row."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, cents, check, choice, json_list, refers
from marketplace.sealed import IndexOf, SealedBytes, SealedText


class Accreditation(StrEnum):
    """States of product.md."""

    DRAFT = "draft"
    APPLIED = "applied"
    IN_REVIEW = "in_review"
    ACCREDITED = "accredited"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Provider(Row, table=True):
    """Somebody who gives care; `windows` are the weekly hours [{day, start, end}] in local minutes."""

    __table_args__ = (
        UniqueConstraint("municipality_id", "code", name="provider_code_once"),
        Index("provider_by_tax_code", "municipality_id", "tax_code_index"),
    )

    code: str = Field(max_length=60)
    name: str = Field(max_length=200)
    tax_code: str | None = Field(default=None, sa_type=SealedText)
    tax_code_index: bytes | None = Field(default=None, sa_type=IndexOf("tax_code"))
    email: str | None = Field(default=None, max_length=255)
    phone: str | None = Field(default=None, max_length=40)
    address: str = Field(max_length=300)
    lat: float
    lon: float
    travel_km_max: str = Field(default="5", max_length=20)
    languages: list[str] = json_list()
    qualifications: list[str] = json_list()
    minutes_max_per_week: int = 2400
    minutes_max_per_day: int = 480
    gap_minutes: int = 15
    visits_homes: bool = False
    windows: list[dict[str, int]] = json_list()
    accreditation: Accreditation = Field(default=Accreditation.DRAFT, sa_type=choice(Accreditation))
    certificate_expires: date | None = None
    stripe_account_id: str | None = None
    created_at: datetime

    def is_accredited(self, on: date) -> bool:
        """Accredited, with a criminal-record certificate that still holds on that day."""
        return (
            self.accreditation == Accreditation.ACCREDITED
            and self.certificate_expires is not None
            and self.certificate_expires >= on
        )


class Offer(Row, table=True):
    """What a provider gives for one service, for whom, and at which price; levels are school classes 1-13."""

    __table_args__ = (
        refers("provider"),
        check(
            "offer_extra_within_rate",
            "0 <= extra_seat_cents_per_hour and extra_seat_cents_per_hour <= rate_cents_per_hour",
        ),
        check("offer_seats", "1 <= seats_min and seats_min <= seats_max"),
    )

    provider_id: UUID = Field(index=True)
    service: str = Field(max_length=40)
    topics: list[str] = json_list()
    level_min: int = 1
    level_max: int = 13
    age_min: int = 0
    age_max: int = 110
    seats_max: int
    seats_min: int = 1
    rate_cents_per_hour: int = cents()
    extra_seat_cents_per_hour: int = cents(0)
    minutes_min: int = 60


class ProviderVenue(Row, table=True):
    """A venue at which a provider works."""

    __tablename__ = "provider_venue"
    __table_args__ = (
        refers("provider"),
        refers("venue"),
        UniqueConstraint("municipality_id", "provider_id", "venue_id", name="provider_venue_once"),
    )

    provider_id: UUID
    venue_id: UUID


class AccreditationDecision(Row, table=True):
    """One step of an accreditation: who decided what, when and why."""

    __tablename__ = "accreditation_decision"
    __table_args__ = (refers("provider"),)

    provider_id: UUID = Field(index=True)
    state: Accreditation = Field(sa_type=choice(Accreditation))
    at: datetime
    by_user_id: UUID | None = None
    reason: str = ""


class DocumentKind(StrEnum):
    """What a provider hands in."""

    CRIMINAL_RECORD = "criminal_record"
    IDENTITY = "identity"
    QUALIFICATION = "qualification"
    INSURANCE = "insurance"


class ProviderDocument(Row, table=True):
    """A document of an application, sealed; served only to the provider and to officers."""

    __tablename__ = "provider_document"
    __table_args__ = (refers("provider"),)

    provider_id: UUID = Field(index=True)
    kind: DocumentKind = Field(sa_type=choice(DocumentKind))
    file_name: str = Field(max_length=200)
    media_type: str = Field(max_length=100)
    content: bytes = Field(sa_type=SealedBytes)
    expires: date | None = None
    created_at: datetime
