"""A document has the next number of its issuer and year (trigger), holds what it said, and is never changed."""

import json
from datetime import date, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, cents, check, choice, refers
from marketplace.sealed import SealedText


class TaxRegime(StrEnum):
    """How a provider stands with VAT."""

    EXEMPT = "exempt"  # art. 10 DPR 633/1972: lessons given by teachers, for instance
    ORDINARY = "ordinary"
    FLAT = "flat"  # L. 190/2014
    OCCASIONAL = "occasional"
    LIBRETTO = "libretto"  # INPS pays and certifies: no receipts of ours


WITH_VAT_NUMBER = (TaxRegime.EXEMPT, TaxRegime.ORDINARY, TaxRegime.FLAT)


class TaxProfile(Row, table=True):
    """What a provider's documents say of it, from `created_at` on: the newest counts, an older one is kept."""

    __tablename__ = "tax_profile"
    __table_args__ = (
        refers("provider"),
        Index("tax_profile_newest", "municipality_id", "provider_id", "created_at"),
        check("vat_where_ordinary", "(regime = 'ordinary') = (vat_percent is not null)"),
        check("vat_number_where_due", "regime <> 'ordinary' or vat_number is not null"),
    )

    provider_id: UUID
    regime: TaxRegime = Field(sa_type=choice(TaxRegime))
    vat_number: str | None = Field(default=None, max_length=11)
    vat_percent: str | None = Field(default=None, max_length=6)
    is_third_sector: bool = False
    legal_name: str = Field(max_length=80)
    street: str = Field(max_length=60)
    postal_code: str = Field(max_length=5)
    town: str = Field(max_length=60)
    province: str = Field(max_length=2)
    created_at: datetime


class DocumentKind(StrEnum):
    """What a document is: its issuer is the provider, for the last two the municipality."""

    RECEIPT = "receipt"
    CREDIT_NOTE = "credit_note"
    PAYOUT_NOTE = "payout_note"
    CERTIFICATE = "certificate"


class DocumentCounter(Row, table=True):
    """The last number of an issuer in a year: locked by whoever makes a document until its transaction ends."""

    __tablename__ = "document_counter"
    __table_args__ = (UniqueConstraint("municipality_id", "issuer", "year", name="document_counter_once"),)

    issuer: str = Field(max_length=60)
    year: int
    last: int
    issued_on: date


class Document(Row, table=True):
    """A document as it was issued; `subject` is what it is about, once; `content` is all that it says, sealed.

    `issuer` is `provider:<id>` or `municipality`; a credit note is negative and names its `original_id`.
    """

    __table_args__ = (
        UniqueConstraint("municipality_id", "issuer", "year", "number", name="document_number_once"),
        UniqueConstraint("municipality_id", "subject", name="documented_once"),
        Index("document_by_household", "municipality_id", "household_id"),
        Index("document_by_provider", "municipality_id", "provider_id"),
        refers("document", "original_id"),
        check("document_of_its_year", "year = extract(year from issued_on)"),
        check("credit_names_original", "(kind = 'credit_note') = (original_id is not null)"),
        check("credit_is_negative", "kind = 'payout_note' or (kind = 'credit_note') = (total_cents < 0)"),
        check("document_for_somebody", "num_nonnulls(household_id, provider_id) > 0"),
    )

    kind: DocumentKind = Field(sa_type=choice(DocumentKind))
    issuer: str = Field(max_length=60)
    year: int
    number: int
    subject: str = Field(max_length=120)
    issued_on: date
    issued_at: datetime
    household_id: UUID | None = None
    provider_id: UUID | None = None
    original_id: UUID | None = None
    total_cents: int = cents()
    stamp_cents: int = cents(0)
    content: str = Field(sa_type=SealedText)

    @property
    def facts(self) -> dict[str, Any]:
        """What the document says."""
        return cast(dict[str, Any], json.loads(self.content))


class DocumentLine(Row, table=True):
    """That a statement's line is on a document: on one, for ever."""

    __tablename__ = "document_line"
    __table_args__ = (
        refers("document"),
        refers("statement_line", "line_id"),
        UniqueConstraint("municipality_id", "line_id", name="line_documented_once"),
        Index("document_line_by_document", "municipality_id", "document_id"),
    )

    document_id: UUID
    line_id: UUID
    household_id: UUID
    provider_id: UUID
