"""What the console of payments lists: one query for each list, the oldest first."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from marketplace.statements.models import Payment


@dataclass(frozen=True, slots=True)
class Open:
    """A payment that is late or failed; `reminded_at` is when the letter went out."""

    payment_id: UUID
    family_name: str
    month: date
    cents: int
    failure: str
    cause: str
    state: str
    next_attempt_on: date | None
    reminded_at: datetime | None
    household_id: UUID


@dataclass(frozen=True, slots=True)
class Gone:
    """A refund, a dispute or a transfer taken back."""

    kind: str
    payment_id: UUID | None
    name: str
    cents: int
    state: str
    at: datetime
    household_id: UUID | None


@dataclass(frozen=True, slots=True)
class Stuck:
    """A payout that could not be made, or whose provider had too much: `overpaid_cents`."""

    payout_id: UUID
    name: str
    cents: int
    due_on: date
    failure: str


@dataclass(frozen=True, slots=True)
class Movement:
    """One posting about a payment's family, as the ledger has it."""

    at: datetime
    event: str
    cents: int


def list_open(session: Session, municipality_id: str) -> list[Open]:
    """Payments that failed, came back or are overdue."""
    rows = session.connection().execute(
        text("""
            select p.id, h.family_name, s.month, p.cents, p.failure, p.cause, s.state, p.next_attempt_on, s.reminded_at,
                   h.id
            from payment p
            join statement s on s.municipality_id = p.municipality_id and s.id = p.statement_id
            join household h on h.municipality_id = p.municipality_id and h.id = p.household_id
            where p.municipality_id = :municipality
              and (p.state = 'failed' or p.state = 'due' and p.cause like 'returned:%')
            order by s.due_on, h.family_name, p.id"""),
        {"municipality": municipality_id},
    )
    return [Open(*row) for row in rows]


def list_gone(session: Session, municipality_id: str, limit: int = 100) -> list[Gone]:
    """What went back, newest first: disputes, refunds, transfers."""
    rows = session.connection().execute(
        text("""
            select 'dispute' as kind, d.payment_id, h.family_name, d.cents, d.status, d.updated_at, h.id from dispute d
            join household h on h.municipality_id = d.municipality_id and h.id = d.household_id
            where d.municipality_id = :municipality
            union all
            select 'refund', r.payment_id, h.family_name, r.cents, r.state, r.asked_at, h.id from refund r
            join household h on h.municipality_id = r.municipality_id and h.id = r.household_id
            where r.municipality_id = :municipality
            union all
            select 'reversal', null, p.name, v.cents, v.state, v.asked_at, null from reversal v
            join provider p on p.municipality_id = v.municipality_id and p.id = v.provider_id
            where v.municipality_id = :municipality
            order by 6 desc limit :limit"""),
        {"municipality": municipality_id, "limit": limit},
    )
    return [Gone(*row) for row in rows]


def list_stuck(session: Session, municipality_id: str) -> list[Stuck]:
    """Payouts that Stripe did not make."""
    rows = session.connection().execute(
        text("""
            select o.id, p.name, o.due_cents, o.due_on, o.failure from payout o
            join provider p on p.municipality_id = o.municipality_id and p.id = o.provider_id
            where o.municipality_id = :municipality and o.paid_at is null and o.failure <> ''
            order by o.due_on, p.name"""),
        {"municipality": municipality_id},
    )
    return [Stuck(*row) for row in rows]


def list_overpaid(session: Session, municipality_id: str) -> list[Stuck]:
    """The last transfer to each provider who had more than it earned so far."""
    rows = session.connection().execute(
        text("""
            select distinct on (o.provider_id) o.id, p.name, o.due_cents - o.reversed_cents, o.due_on, ''
            from payout o
            join provider p on p.municipality_id = o.municipality_id and p.id = o.provider_id
            join (select account from posting where municipality_id = :municipality and account like 'provider:%'
                  group by account having sum(cents) > 0) too_much on too_much.account = 'provider:' || o.provider_id
            where o.municipality_id = :municipality and o.stripe_transfer_id is not null
              and o.due_cents > o.reversed_cents
            order by o.provider_id, o.paid_at desc"""),
        {"municipality": municipality_id},
    )
    return [Stuck(*row) for row in rows]


def list_movements(session: Session, payment: Payment, limit: int = 50) -> list[Movement]:
    """The newest postings on the account of a payment's family."""
    rows: Any = session.connection().execute(
        text("""
            select e.at, e.event, p.cents from posting p
            join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
            where p.municipality_id = :municipality and p.account = 'family:' || :household
            order by e.at desc, e.id desc limit :limit"""),
        {"municipality": payment.municipality_id, "household": str(payment.household_id), "limit": limit},
    )
    return [Movement(*row) for row in rows]
