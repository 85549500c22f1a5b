"""What a municipality owes for a closed month comes in once, and goes out to the providers whose hours it paid."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from billing import ledger
from billing.ledger import Account
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, Rejected
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.models import MonthClosing, Payout, Settlement
from marketplace.statements.months import last_day
from marketplace.statements.posting import post
from marketplace.words import N_


class NothingToSettle(Rejected):
    """No programme and no fund owes anything for the month."""

    default = N_("Per questo mese il Comune non deve nulla.")


class AlreadySettled(Conflict):
    """A month is settled once."""

    default = N_("Il versamento di questo mese è già registrato.")


def owed_by_municipality(session: Session, municipality_id: str, month: date) -> dict[Account, int]:
    """What each programme and the guarantee fund owe for the meetings billed with a month, from the ledger."""
    rows = session.connection().execute(
        text("""
            select p.account, sum(p.cents)::bigint from posting p
            join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
            where p.municipality_id = :municipality and e.booked_on = :booked_on
              and e.event in ('meeting_billed', 'meeting_corrected')
              and (p.account like 'programme:%' or p.account like 'guarantee:%')
            group by p.account having sum(p.cents) > 0 order by p.account"""),
        {"municipality": municipality_id, "booked_on": last_day(month)},
    )
    return {Account.parse(account): int(cents) for account, cents in rows}


def find_settlement(session: Session, closing: MonthClosing) -> Settlement | None:
    """The settlement of a closed month, if it came in."""
    return session.exec(
        select(Settlement).where(
            Settlement.municipality_id == closing.municipality_id, Settlement.closing_id == closing.id
        )
    ).first()


def settle_month(session: Session, by: Actor, now: datetime, closing: MonthClosing) -> Settlement:
    """Record that the municipality's transfer for a month came in; each provider's part is then due to it by bank."""
    if find_settlement(session, closing) is not None:
        raise AlreadySettled
    city = closing.municipality_id
    owed = owed_by_municipality(session, city, closing.month)
    if not owed:
        raise NothingToSettle
    settlement = Settlement(
        municipality_id=city,
        closing_id=closing.id,
        paid_cents=sum(owed.values()),
        settled_at=now,
        settled_by=by.user_id,
    )
    session.add(settlement)
    session.flush()
    for account, cents in owed.items():
        key = f"{closing.month:%Y-%m}:{account}"
        post(session, city, ledger.bank_transfer_received(key, city, account, cents), now, local_day(now))
    session.add_all(
        Payout(
            municipality_id=city,
            provider_id=provider_id,
            settlement_id=settlement.id,
            due_cents=cents,
            due_on=local_day(now),
        )
        for provider_id, cents in _due_to_providers(session, city, closing.month).items()
    )
    record(session, by, now, "settle_month", "settlement", settlement.id, cents=settlement.paid_cents)
    session.flush()
    return settlement


def _due_to_providers(session: Session, municipality_id: str, month: date) -> dict[UUID, int]:
    """Of what providers earned with a month, the part that no family pays: vouchers, the fund, cancelled days."""
    rows = session.connection().execute(
        text("""
            with earned as (
                select replace(p.account, 'provider:', '')::uuid as provider_id, -sum(p.cents) as cents from posting p
                join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
                where p.municipality_id = :municipality and e.booked_on = :booked_on
                  and e.event in ('meeting_billed', 'meeting_corrected') and p.account like 'provider:%'
                group by 1),
            families as (
                select l.provider_id, sum(l.provider_cents) as cents from statement_line l
                join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
                where l.municipality_id = :municipality and s.month = :month group by 1)
            select e.provider_id, (e.cents - coalesce(f.cents, 0))::bigint from earned e left join families f
                on f.provider_id = e.provider_id
            where e.cents > coalesce(f.cents, 0) order by 1"""),
        {"municipality": municipality_id, "booked_on": last_day(month), "month": month},
    )
    return {provider_id: int(cents) for provider_id, cents in rows}


def list_bank_payouts(session: Session, settlement: Settlement) -> list[tuple[Payout, Provider]]:
    """The bank transfers of a settled month, by provider's name."""
    rows = session.exec(
        select(Payout, Provider)
        .join(Provider, col(Provider.id) == col(Payout.provider_id))
        .where(
            Payout.municipality_id == settlement.municipality_id,
            Provider.municipality_id == settlement.municipality_id,
            Payout.settlement_id == settlement.id,
        )
        .order_by(col(Provider.name), col(Provider.id))
    )
    return list(rows)


def record_bank_payouts(session: Session, by: Actor, now: datetime, settlement: Settlement) -> int:
    """Record that the treasury made a settled month's transfers to providers; how many were not recorded before."""
    city, done = settlement.municipality_id, 0
    for payout, _ in list_bank_payouts(session, settlement):
        if payout.paid_at is None:
            payee = ledger.provider(str(payout.provider_id))
            entry = ledger.paid_by_bank(str(payout.id), city, payee, payout.due_cents)
            post(session, city, entry, now, local_day(now))
            payout.paid_at = now
            done += 1
    if done:
        record(session, by, now, "record_bank_payouts", "settlement", settlement.id, payouts=done)
    session.flush()
    return done
