"""Ledger entries balance and are append-only, a month closes once, an event is handled once: database rules."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from marketplace.db import Row, cents, check, choice, json_list, json_object, refers
from marketplace.sealed import SealedText


class StatementState(StrEnum):
    """States of product.md."""

    OPEN = "open"
    CLOSED = "closed"
    PAID = "paid"
    OVERDUE = "overdue"
    WRITTEN_OFF = "written_off"


class MonthClosing(Row, table=True):
    """That a month (its first day) was closed, by whom and with which totals."""

    __tablename__ = "month_closing"
    __table_args__ = (UniqueConstraint("municipality_id", "month", name="month_closed_once"),)

    month: date
    closed_at: datetime
    closed_by: UUID | None = None
    totals: dict[str, Any] = json_object()


class Statement(Row, table=True):
    """What a household owes for a month; it gets its number, without gaps per municipality and year, when it closes."""

    __table_args__ = (
        refers("household"),
        UniqueConstraint("municipality_id", "household_id", "month", name="statement_once"),
        UniqueConstraint("municipality_id", "year", "number", name="statement_number_once"),
    )

    household_id: UUID
    month: date
    year: int | None = None
    number: int | None = None
    state: StatementState = Field(default=StatementState.OPEN, sa_type=choice(StatementState))
    total_cents: int = cents(0)
    due_on: date
    closed_at: datetime | None = None
    paid_at: datetime | None = None
    reminded_at: datetime | None = None
    written_off_at: datetime | None = None


class StatementLine(Row, table=True):
    """One membership at one meeting: the share, who pays it, and why; a correction is a line of a later month.

    `provider_cents` is the part of the net that is the provider's: due to it once this family has paid.
    """

    __tablename__ = "statement_line"
    __table_args__ = (
        refers("statement"),
        refers("meeting"),
        refers("membership"),
        UniqueConstraint("municipality_id", "meeting_id", "membership_id", "kind", name="line_once"),
        refers("provider"),
        check("line_adds_up", "net_cents = share_cents - subsidy_cents - guarantee_cents"),
        Index("line_by_provider", "municipality_id", "provider_id"),
        Index("line_by_statement", "municipality_id", "statement_id"),
    )

    statement_id: UUID
    household_id: UUID
    meeting_id: UUID
    membership_id: UUID
    provider_id: UUID
    kind: str = Field(default="meeting", max_length=20)
    share_cents: int = cents()
    subsidy_cents: int = cents()
    guarantee_cents: int = cents(0)
    net_cents: int = cents()
    provider_cents: int = cents(0)
    explanation: dict[str, Any] = json_object()


class LedgerEntry(Row, table=True):
    """One event's postings, known by its business key: doing it twice does it once."""

    __tablename__ = "ledger_entry"
    __table_args__ = (UniqueConstraint("municipality_id", "business_key", name="posted_once"),)

    business_key: str = Field(max_length=200)
    event: str = Field(max_length=40)
    at: datetime
    booked_on: date


class Posting(Row, table=True):
    """One side of an entry: debit positive, credit negative; an entry's come all at once and sum to zero (trigger)."""

    __table_args__ = (
        refers("ledger_entry", "entry_id"),
        Index("posting_by_account", "municipality_id", "account"),
        Index("posting_by_entry", "municipality_id", "entry_id"),
        check("posting_not_zero", "cents <> 0"),
    )

    entry_id: UUID
    account: str = Field(max_length=120)
    cents: int = cents()


class PaymentState(StrEnum):
    """How far a payment has come: WAITING for an officer's decision; REFUNDED went back, and is asked for anew."""

    DUE = "due"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUNDED = "refunded"
    WAITING = "waiting"
    CANCELLED = "cancelled"


ASKED = (PaymentState.DUE, PaymentState.PROCESSING, PaymentState.FAILED, PaymentState.WAITING)


class Payment(Row, table=True):
    """What is asked for a statement, or again for what went back of it; with an attempt's number, Stripe's key.

    `cause` is empty for what its closing asked, else says why there is one more: each cause asks once.
    """

    __table_args__ = (
        refers("statement"),
        UniqueConstraint("municipality_id", "statement_id", "cause", name="payment_once"),
        check("payment_positive", "cents > 0"),
    )

    statement_id: UUID
    household_id: UUID
    cause: str = Field(default="", max_length=120, sa_column_kwargs={"server_default": ""})
    cents: int = cents()
    state: PaymentState = Field(default=PaymentState.DUE, sa_type=choice(PaymentState))
    stripe_intent_id: str | None = Field(default=None, index=True)
    bank_line_id: UUID | None = None
    attempts: int = 0
    next_attempt_on: date | None = None
    failure: str = Field(default="", max_length=300)
    updated_at: datetime


class Settlement(Row, table=True):
    """The municipality paid, by bank, what its programmes and its guarantee fund owe for a month: once."""

    __table_args__ = (
        refers("month_closing", "closing_id"),
        UniqueConstraint("municipality_id", "closing_id", name="settled_once"),
        check("settlement_positive", "paid_cents > 0"),
    )

    closing_id: UUID
    paid_cents: int = cents()
    settled_at: datetime
    settled_by: UUID | None = None


class Payout(Row, table=True):
    """What a provider is paid with a family's payment (by Stripe) or of a settled month (by bank); never twice."""

    __table_args__ = (
        refers("provider"),
        refers("statement"),
        refers("settlement"),
        UniqueConstraint("municipality_id", "provider_id", "payment_id", name="payout_once"),
        UniqueConstraint("municipality_id", "provider_id", "settlement_id", name="settlement_payout_once"),
        check("payout_positive", "due_cents > 0"),
        check("payout_has_one_source", "(statement_id is null) <> (settlement_id is null)"),
        check("payout_taken_back", "reversed_cents between 0 and due_cents"),
    )

    provider_id: UUID = Field(index=True)
    statement_id: UUID | None = None
    payment_id: UUID | None = None
    settlement_id: UUID | None = None
    due_cents: int = cents()
    by_bank: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    reversed_cents: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    due_on: date
    stripe_transfer_id: str | None = None
    paid_at: datetime | None = None
    failure: str = Field(default="", max_length=300)


class RefundState(StrEnum):
    """How far a refund has come; FAILED gave nothing back."""

    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"


class Refund(Row, table=True):
    """A family's credit that an officer gives back on one of its payments; its id is Stripe's idempotency key."""

    __table_args__ = (
        refers("payment"),
        UniqueConstraint("municipality_id", "request_key", name="refund_once"),
        check("refund_positive", "cents > 0"),
    )

    payment_id: UUID = Field(index=True)
    household_id: UUID
    cents: int = cents()
    reason: str = Field(max_length=300)
    request_key: UUID
    state: RefundState = Field(default=RefundState.ASKED, sa_type=choice(RefundState))
    stripe_refund_id: str | None = None
    failure: str = Field(default="", max_length=300)
    asked_at: datetime
    asked_by: UUID | None = None


class Reversal(Row, table=True):
    """A part of a transfer that an officer takes back from a provider who had too much; its id is Stripe's key."""

    __table_args__ = (
        refers("payout"),
        UniqueConstraint("municipality_id", "request_key", name="reversal_once"),
        check("reversal_positive", "cents > 0"),
    )

    payout_id: UUID = Field(index=True)
    provider_id: UUID
    cents: int = cents()
    reason: str = Field(max_length=300)
    request_key: UUID
    state: RefundState = Field(default=RefundState.ASKED, sa_type=choice(RefundState))
    stripe_reversal_id: str | None = None
    failure: str = Field(default="", max_length=300)
    asked_at: datetime
    asked_by: UUID | None = None


class ContestState(StrEnum):
    """Where a contested line is: it waits for the officer, stands, or is billed anew with the next closing."""

    OPEN = "open"
    REJECTED = "rejected"
    UPHELD = "upheld"


class Outcome(StrEnum):
    """What an upheld contest changes: the fund bears the line, or an attendance was recorded anew."""

    FUND = "fund"
    ATTENDANCE = "attendance"


class Contest(Row, table=True):
    """A family says that a line is wrong, within seven days of the closing: its part is not charged until decided."""

    __table_args__ = (
        refers("statement_line", "line_id"),
        UniqueConstraint("municipality_id", "line_id", name="contested_once"),
        Index("contest_by_meeting", "municipality_id", "meeting_id", "membership_id"),
        check("contest_decided", "(state = 'open') = (decided_at is null)"),
        check("contest_outcome", "(state = 'upheld') = (outcome is not null)"),
    )

    line_id: UUID
    statement_id: UUID
    household_id: UUID
    meeting_id: UUID
    membership_id: UUID
    reason: str = Field(max_length=500)
    opened_at: datetime
    state: ContestState = Field(default=ContestState.OPEN, sa_type=choice(ContestState))
    outcome: Outcome | None = Field(default=None, sa_type=choice(Outcome))
    answer: str = Field(default="", max_length=500)
    decided_at: datetime | None = None
    decided_by: UUID | None = None


class Dispute(Row, table=True):
    """A payment that its payer's bank contests, as Stripe has it: what it took, gave back, and keeps for itself."""

    __table_args__ = (
        refers("payment"),
        UniqueConstraint("municipality_id", "stripe_dispute_id", name="dispute_once"),
    )

    payment_id: UUID = Field(index=True)
    household_id: UUID
    stripe_dispute_id: str = Field(max_length=120)
    status: str = Field(max_length=40)
    reason: str = Field(default="", max_length=60)
    taken_cents: int = cents(0)
    returned_cents: int = cents(0)
    fee_cents: int = cents(0)
    cents: int = cents()
    opened_at: datetime
    updated_at: datetime


class BankState(StrEnum):
    """What became of a bank's line: matched to what was due, still nobody's, or money that went out."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"
    OUT = "out"


class BankRow(Row, table=True):
    """A line of the municipality's bank account as a file had it, once in however many files; words are sealed.

    `notice` is the pagoPA notice that it paid, empty for a transfer.
    """

    __tablename__ = "bank_line"
    __table_args__ = (
        UniqueConstraint("municipality_id", "account", "reference", name="bank_line_once"),
        check("bank_line_matched", "(state = 'matched') = (matched_to is not null)"),
    )

    account: str = Field(max_length=40)
    reference: str = Field(max_length=140)
    booked_on: date
    cents: int = cents()
    name: str = Field(sa_type=SealedText)
    text: str = Field(sa_type=SealedText)
    state: BankState = Field(sa_type=choice(BankState))
    matched_to: str | None = Field(default=None, max_length=80)
    why: str = Field(default="", max_length=40)
    notice: str = Field(default="", max_length=18, sa_column_kwargs={"server_default": ""})
    read_at: datetime


class PagopaFlow(Row, table=True):
    """A flow of pagoPA's as it was read: `rows` are its payments, which count once it is confirmed; staff's alone."""

    __tablename__ = "pagopa_flow"
    __table_args__ = (UniqueConstraint("municipality_id", "identifier", name="flow_once"),)

    identifier: str = Field(max_length=35)
    transfer: str = Field(max_length=35)
    settled_on: date
    total_cents: int = cents()
    rows: list[dict[str, Any]] = json_list()
    read_at: datetime
    confirmed_at: datetime | None = None


class BooksCheck(Row, table=True):
    """That the books were audited at an instant, and what did not agree: the first differences of `count`."""

    __tablename__ = "books_check"

    at: datetime
    count: int
    differences: list[dict[str, str]] = json_list()
    with_stripe: bool


class StripeEvent(SQLModel, table=True):
    """A webhook as it came, stored by its id before it is handled (global: it names its municipality inside)."""

    __tablename__ = "stripe_event"

    id: str = Field(primary_key=True, max_length=120)
    type: str = Field(max_length=80)
    payload: dict[str, Any] = json_object()
    received_at: datetime
    handled_at: datetime | None = None
