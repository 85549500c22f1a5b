"""What a municipality owes for a closed month comes in once, and goes out to the providers whose hours it paid."""

from collections.abc import Sequence
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
from marketplace.statements.posting import Deed, post
from marketplace.words import N_

# Entries of what was billed, corrected, written off or kept by Stripe in a settled month or in :month.
_OF_MONTHS = """e.event in ('meeting_billed', 'meeting_corrected', 'borne_by_guarantee', 'fee_borne')
  and date_trunc('month', e.booked_on)::date in (
    select :month union select c.month from settlement s
    join month_closing c on c.municipality_id = s.municipality_id and c.id = s.closing_id
    where s.municipality_id = :municipality)"""


class NothingToSettle(Rejected):
    """No programme and no fund owes anything for the month."""

    default = N_("Per questo mese il Comune non deve nulla.")


class AlreadySettled(Conflict):
    """A month is settled once."""

    default = N_("Il versamento di questo mese è già registrato.")


def owed_by_municipality(session: Session, municipality_id: str, month: date) -> dict[Account, int]:
    """What each programme and the guarantee fund owe with a closed month, from the ledger.

    It is what was booked to the settled months and to this one, less what was settled: a correction that lowers an
    earlier month lowers this one.
    """
    rows = session.connection().execute(
        text(f"""
            with booked as (
                select p.account, sum(p.cents) as cents from posting p
                join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
                where p.municipality_id = :municipality and {_OF_MONTHS}
                  and (p.account like 'programme:%' or p.account like 'guarantee:%') group by 1),
            settled as (
                select p.account, -sum(p.cents) as cents from posting p
                join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
                where p.municipality_id = :municipality and e.event = 'bank_transfer_received'
                  and (p.account like 'programme:%' or p.account like 'guarantee:%') group by 1)
            select account, (b.cents - coalesce(s.cents, 0))::bigint from booked b left join settled s using (account)
            where b.cents > coalesce(s.cents, 0) order by 1"""),  # noqa: S608 - no input in it
        {"municipality": municipality_id, "month": month},
    )
    return {Account.parse(account): int(cents) for account, cents in rows}


def find_settlement(session: Session, closing: MonthClosing) -> Settlement | None:
    """The settlement of a closed month, if it came in."""
    return session.exec(
        select(Settlement).where(
            Settlement.municipality_id == closing.municipality_id, Settlement.closing_id == closing.id
        )
    ).first()


class NothingToPay(Conflict):
    """There is no transfer to providers that is due and not recorded."""

    default = N_("Nessun compenso aspetta un bonifico: sono già tutti registrati, o non ancora dovuti.")


def preview_settlement(session: Session, closing: MonthClosing) -> Deed:
    """What the municipality's transfer for a month posts: an entry for each programme, and for the fund."""
    if find_settlement(session, closing) is not None:
        raise AlreadySettled
    city = closing.municipality_id
    owed = owed_by_municipality(session, city, closing.month)
    if not owed:
        raise NothingToSettle
    entries = tuple(
        ledger.bank_transfer_received(f"{closing.month:%Y-%m}:{account}", city, account, cents)
        for account, cents in owed.items()
    )
    return Deed(entries, N_("Subito"), (N_("Poi si possono pagare con bonifico i professionisti, per la loro parte."),))


def settle_month(
    session: Session, by: Actor, now: datetime, closing: MonthClosing, shown: str | None = None
) -> Settlement:
    """Record that the municipality's transfer for a month came in; each provider's part is then due to it by bank.

    `shown` is the mark of the deed that the officer saw; None where the bank's own line says so.
    """
    deed = preview_settlement(session, closing)
    deed.check_shown(shown)
    city = closing.municipality_id
    settlement = Settlement(
        municipality_id=city,
        closing_id=closing.id,
        paid_cents=sum(ledger.moved_cents(entry) for entry in deed.entries),
        settled_at=now,
        settled_by=by.user_id,
    )
    session.add(settlement)
    session.flush()
    for entry in deed.entries:
        post(session, city, entry, now, local_day(now))
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
    """What no family pays of what providers earned to a month: vouchers, the fund, cancelled days; less what was paid.

    Of the settled months and this one, like `owed_by_municipality`. A statement that was written off before anybody
    paid it is the fund's: what its family would have paid its providers is due here.
    """
    rows = session.connection().execute(
        text(f"""
            with earned as (
                select replace(p.account, 'provider:', '')::uuid as provider_id, -sum(p.cents) as cents from posting p
                join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
                where p.municipality_id = :municipality and {_OF_MONTHS} and p.account like 'provider:%'
                group by 1),
            families as (
                select l.provider_id, sum(l.provider_cents) as cents from statement_line l
                join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
                where l.municipality_id = :municipality and s.month in (
                    select :month union select c.month from settlement t
                    join month_closing c on c.municipality_id = t.municipality_id and c.id = t.closing_id
                    where t.municipality_id = :municipality)
                group by 1),
            written_off as (
                select l.provider_id, sum(l.provider_cents) as cents from statement_line l
                join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
                where l.municipality_id = :municipality and s.state = 'written_off' and not exists (
                    select 1 from payment p where p.municipality_id = s.municipality_id and p.statement_id = s.id
                      and p.cause = '' and p.state in ('succeeded', 'refunded'))
                group by 1),
            paid as (
                select provider_id, sum(due_cents) as cents from payout
                where municipality_id = :municipality and settlement_id is not null group by 1),
            due as (
                select coalesce(e.provider_id, w.provider_id) as provider_id,
                  (coalesce(e.cents, 0) - coalesce(f.cents, 0) + coalesce(w.cents, 0) - coalesce(p.cents, 0))::bigint
                    as cents
                from earned e full join written_off w on w.provider_id = e.provider_id
                left join families f on f.provider_id = coalesce(e.provider_id, w.provider_id)
                left join paid p on p.provider_id = coalesce(e.provider_id, w.provider_id))
            select provider_id, cents from due where cents > 0 order by 1"""),  # noqa: S608 - no input in it
        {"municipality": municipality_id, "month": month},
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


def _not_recorded(session: Session, settlement: Settlement) -> list[Payout]:
    return [payout for payout, _ in list_bank_payouts(session, settlement) if payout.paid_at is None]


def preview_bank_payouts(session: Session, settlement: Settlement) -> Deed:
    """What a settled month's transfers to providers post: an entry for each that is not recorded yet."""
    payouts = _not_recorded(session, settlement)
    if not payouts:
        raise NothingToPay
    return paid_by_bank(payouts)


def paid_by_bank(payouts: Sequence[Payout]) -> Deed:
    """That the treasury paid these providers."""
    entries = tuple(
        ledger.paid_by_bank(str(one.id), one.municipality_id, ledger.provider(str(one.provider_id)), one.due_cents)
        for one in payouts
    )
    return Deed(entries, N_("Subito"), (N_("I bonifici li fa la tesoreria: qui si scrive solo che sono partiti."),))


def record_bank_payouts(
    session: Session, by: Actor, now: datetime, settlement: Settlement, shown: str | None = None
) -> int:
    """Record that the treasury made a settled month's transfers to providers; how many were not recorded before."""
    session.refresh(settlement, with_for_update=True)
    payouts = _not_recorded(session, settlement)
    post_paid(session, now, payouts, shown)
    if payouts:
        record(session, by, now, "record_bank_payouts", "settlement", settlement.id, payouts=len(payouts))
    session.flush()
    return len(payouts)


def post_paid(session: Session, now: datetime, payouts: Sequence[Payout], shown: str | None) -> None:
    """Book payouts as paid by the treasury, as they were `shown`."""
    deed = paid_by_bank(payouts)
    deed.check_shown(shown)
    for payout, entry in zip(payouts, deed.entries, strict=True):
        post(session, payout.municipality_id, entry, now, local_day(now))
        payout.paid_at = now
