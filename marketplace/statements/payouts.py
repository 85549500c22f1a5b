"""A provider is paid what has been settled for its meetings, less what it was paid before: never twice, never more."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from procrastinate.types import JSONDict
from sqlalchemy import text
from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import GatewayError, GatewayUnavailableError
from marketplace.accounts.policy import get_policy
from marketplace.jobs import defer, defer_each, job
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.gateways import AGAIN, gateway
from marketplace.statements.models import Payment, Payout
from marketplace.statements.months import morning_of
from marketplace.statements.posting import post

UNFUNDED = "balance_insufficient"
"""Stripe's word: its balance has less than is due; nothing was moved, and tomorrow it is tried again."""

# A statement is settled once its family has paid what its closing asked, or was asked nothing; what went back later
# was settled. A contested line is settled by its own payment, or, where it was billed anew, with its correction.
SETTLED_LINES = """
    with settled as (
      select s.id from statement s
      left join payment p on p.municipality_id = s.municipality_id and p.statement_id = s.id and p.cause = ''
      where s.municipality_id = :municipality
        and (p.state in ('succeeded', 'refunded') or p.id is null and s.state = 'paid'))
    select l.provider_id, sum(l.provider_cents) as cents from statement_line l
    left join contest c on c.municipality_id = l.municipality_id and c.line_id = l.id
    where l.municipality_id = :municipality and l.provider_id = any(:providers) and case c.state
      when 'open' then false
      when 'rejected' then exists (select 1 from payment p where p.municipality_id = l.municipality_id
        and p.cause = 'contested:' || l.id and p.state in ('succeeded', 'refunded'))
      when 'upheld' then exists (select 1 from statement_line k join settled on settled.id = k.statement_id
        where k.municipality_id = l.municipality_id and k.meeting_id = l.meeting_id
          and k.membership_id = l.membership_id and k.kind <> 'meeting')
      else exists (select 1 from settled where settled.id = l.statement_id) end
    group by 1"""


def make_payouts(session: Session, payment: Payment, now: datetime) -> None:
    """What the providers of a statement are due now that a payment of it arrived, after the delay.

    Corrections of other families' months count with their sign, so that what a provider was paid too much is kept
    back from the next payout. The providers' rows are locked: two payments at once do not both pay the same lines.
    """
    city = payment.municipality_id
    connection = session.connection()
    providers = connection.execute(
        text("""
            select id from provider p where municipality_id = :municipality and exists (
              select 1 from statement_line l where l.municipality_id = p.municipality_id
                and l.statement_id = :statement and l.provider_id = p.id)
            order by id for no key update"""),
        {"municipality": city, "statement": payment.statement_id},
    ).scalars()
    due_on = local_day(now) + timedelta(days=get_policy(session, city, local_day(now)).payout_delay_days)
    payouts = connection.execute(
        text(f"""
            insert into payout (municipality_id, id, provider_id, statement_id, payment_id, by_bank, due_cents,
                                due_on, failure)
            select :municipality, uuidv7(), settled.provider_id, :statement, :payment, :by_bank,
                   settled.cents - coalesce(paid.cents, 0), :due_on, ''
            from ({SETTLED_LINES}) settled
            left join (select provider_id, sum(due_cents - reversed_cents) as cents from payout
                where municipality_id = :municipality and statement_id is not null group by 1) paid
              on paid.provider_id = settled.provider_id
            where settled.cents > coalesce(paid.cents, 0)
            on conflict on constraint payout_once do nothing returning id"""),  # noqa: S608 - no input in it
        {
            "municipality": city,
            "statement": payment.statement_id,
            "payment": payment.id,
            "by_bank": payment.bank_line_id is not None,
            "providers": list(providers),
            "due_on": due_on,
        },
    )
    if payment.bank_line_id is None:  # money in the bank is paid on by the bank
        defer_payouts(session, city, list(payouts.scalars()), due_on)


def defer_payouts(session: Session, municipality_id: str, payout_ids: Sequence[UUID], due_on: date) -> None:
    """A job for every payout, on the morning of `due_on`."""
    each: list[JSONDict] = [{"payout_id": str(payout_id)} for payout_id in payout_ids]
    defer_each(session, pay_provider, municipality_id, each, at=morning_of(due_on))


@job("statements.pay_provider", retry=AGAIN)
def pay_provider(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Transfer a payout that is due; where it cannot be made yet, say why and try again tomorrow."""
    payout = session.exec(
        select(Payout)
        .where(Payout.municipality_id == municipality_id, Payout.id == UUID(arguments["payout_id"]))
        .with_for_update()
    ).one()
    if payout.paid_at is not None or payout.by_bank or payout.due_on > local_day(now):
        return
    provider = session.get_one(Provider, (municipality_id, payout.provider_id))
    try:
        if provider.stripe_account_id is None:
            raise GatewayError("", "no_account")
        payout.stripe_transfer_id = gateway().transfer(
            f"payout-{payout.id}",
            account_id=provider.stripe_account_id,
            amount_cents=payout.due_cents,
            group=str(payout.statement_id or payout.settlement_id),
            municipality_id=municipality_id,
        )
    except GatewayUnavailableError:
        raise
    except GatewayError as refused:
        payout.failure = (refused.code or str(refused))[:300]
        defer(session, pay_provider, municipality_id, at=now + timedelta(days=1), payout_id=str(payout.id))
        return
    payout.paid_at, payout.failure = now, ""
    payee = ledger.provider(str(provider.id))
    entry = ledger.transferred(payout.stripe_transfer_id, payee, payout.due_cents)
    post(session, municipality_id, entry, now, local_day(now))


def retry_unfunded(session: Session, municipality_id: str) -> None:
    """Try again, now, the payouts for which Stripe's balance did not suffice; the oldest first."""
    waiting = session.exec(
        select(Payout.id)
        .where(
            Payout.municipality_id == municipality_id,
            col(Payout.paid_at).is_(None),
            Payout.failure == UNFUNDED,
        )
        .order_by(col(Payout.due_on), col(Payout.id))
    ).all()
    each: list[JSONDict] = [{"payout_id": str(payout_id)} for payout_id in waiting]
    defer_each(session, pay_provider, municipality_id, each)


def to_top_up_cents(session: Session, municipality_id: str) -> int:
    """What Stripe kept of the municipality's payments, less what was put back: transfers lack as much."""
    kept = session.connection().execute(
        text("""
            select coalesce(sum(-p.cents), 0)::bigint from posting p
            join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
            where p.municipality_id = :municipality and p.account = :clearing
              and e.event in ('stripe_fee_charged', 'stripe_topped_up')"""),
        {"municipality": municipality_id, "clearing": str(ledger.STRIPE_CLEARING)},
    )
    return max(0, int(kept.scalar_one()))


def overpaid_cents(session: Session, municipality_id: str, provider_id: UUID) -> int:
    """What a provider had of families' payments above what is settled for it now; 0 where that is nothing."""
    connection = session.connection()
    values = {"municipality": municipality_id, "providers": [provider_id], "provider": provider_id}
    settled = connection.execute(text(f"select coalesce(sum(cents), 0) from ({SETTLED_LINES}) s"), values)  # noqa: S608
    paid = connection.execute(
        text("""
            select coalesce(sum(due_cents - reversed_cents), 0) from payout
            where municipality_id = :municipality and provider_id = :provider and statement_id is not null"""),
        values,
    )
    return max(0, int(paid.scalar_one()) - int(settled.scalar_one()))
