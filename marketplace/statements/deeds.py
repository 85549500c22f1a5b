"""What an officer does about money is said before it is done: the entry that is shown is the entry that is posted."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import GatewayError, GatewayUnavailableError
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.households.models import Household
from marketplace.jobs import defer, job
from marketplace.messages.operations import Recipient, tell
from marketplace.slots.calendar import local_day
from marketplace.statements.gateways import AGAIN, gateway
from marketplace.statements.models import (
    ASKED,
    Payment,
    PaymentState,
    Payout,
    Refund,
    RefundState,
    Reversal,
    Statement,
    StatementState,
)
from marketplace.statements.payments import lock_payment, pay_now, statement_of
from marketplace.statements.payouts import overpaid_cents
from marketplace.statements.posting import Deed, balance_cents, post
from marketplace.statements.returns import record_refund
from marketplace.words import N_

GRACE_DAYS = 30
"""From the letter to the write-off."""
TO_COME = "..."
"""In an entry that is only shown: the id that Stripe will give."""


class AboveCredit(Rejected):
    """Only a credit is given back, and no more than was paid."""

    default = N_("Si può rimborsare al massimo %(euros)s euro: il credito della famiglia, entro quello che ha pagato.")


class AboveOverpaid(Rejected):
    """Only what a provider had too much is taken back."""

    default = N_("Si può riprendere al massimo %(euros)s euro: quello che il professionista ha avuto in più.")


class NotYet(Conflict):
    """A debt is written off 30 days after the letter."""

    default = N_("Si stralcia un estratto in ritardo 30 giorni dopo la lettera di sollecito.")


class NotOpen(Conflict):
    """Nothing is asked, or the attempt is under way."""

    default = N_("Per questo pagamento non c'è niente da fare: è riuscito, è in corso o aspetta una decisione.")


# Another attempt, and the letter ------------------------------------------------------------------


def preview_retry(session: Session, payment: Payment) -> Deed:
    """Another attempt to charge what is open."""
    if payment.state not in (PaymentState.DUE, PaymentState.FAILED):
        raise NotOpen
    entry = ledger.payment_succeeded(TO_COME, ledger.family(str(payment.household_id)), payment.cents)
    return Deed((entry,), N_("Se l'addebito riesce"), (N_("Se non riesce, la famiglia riceve un messaggio."),))


def retry(session: Session, by: Actor, now: datetime, payment: Payment) -> None:
    """Try again, now."""
    preview_retry(session, payment)
    pay_now(session, by.municipality_id, now, payment)
    record(session, by, now, "retry_payment", "payment", payment.id)


def preview_reminder(session: Session, payment: Payment) -> Deed:
    """The letter before a write-off."""
    if payment.state not in (PaymentState.DUE, PaymentState.FAILED):
        raise NotOpen
    if statement_of(session, payment).state != StatementState.OVERDUE:
        raise NotOpen
    then = (N_("Parte per e-mail: a chi non ne ha, scrivi tu. Dopo 30 giorni il debito può passare al fondo."),)
    return Deed((), N_("Subito"), then)


def remind(session: Session, by: Actor, now: datetime, payment: Payment) -> None:
    """Send the letter, once; a second one would not start the 30 days again."""
    preview_reminder(session, payment)
    statement = statement_of(session, payment)
    if statement.reminded_at is not None:
        return
    statement.reminded_at = now
    household = session.get_one(Household, (payment.municipality_id, payment.household_id))
    if household.email:
        body = N_(
            "L'estratto conto %(month)s non è ancora pagato. Paga entro 30 giorni da Estratti conto, o chiama il Comune"
            " se sei in difficoltà: cerchiamo insieme una soluzione. Dopo, il posto nel gruppo può essere sospeso."
        )
        values = {"month": f"{statement.month:%m/%Y}"}
        subject, key = N_("Sollecito di pagamento"), f"reminder-{statement.id}"
        tell(session, payment.municipality_id, now, Recipient(household.email), key, subject, body, values)
    record(session, by, now, "remind", "statement", statement.id)
    session.flush()


# Write-off ----------------------------------------------------------------------------------------


def preview_write_off(session: Session, now: datetime, payment: Payment) -> Deed:
    """What the guarantee fund takes over: all that is still asked for the payment's statement."""
    statement = statement_of(session, payment)
    reminded = statement.reminded_at
    if statement.state != StatementState.OVERDUE or reminded is None or now < reminded + timedelta(days=GRACE_DAYS):
        raise NotYet
    asked = _asked(session, statement)
    if not asked or any(one.state in (PaymentState.PROCESSING, PaymentState.WAITING) for one in asked):
        raise NotOpen
    cents = sum(one.cents for one in asked)
    city, payer = payment.municipality_id, ledger.family(str(payment.household_id))
    then = (
        N_("L'estratto diventa stralciato e non si chiede più online: il debito è verso il Comune."),
        N_("I professionisti ricevono la loro parte con il prossimo versamento del Comune."),
    )
    return Deed((ledger.borne_by_guarantee(str(statement.id), city, payer, cents),), N_("Subito"), then)


def write_off(session: Session, by: Actor, now: datetime, payment: Payment, shown: str | None = None) -> None:
    """The guarantee fund takes the debt over, as it was `shown` (a deed's mark); once."""
    lock_payment(session, payment.municipality_id, payment.id)
    statement = statement_of(session, payment)
    if statement.state == StatementState.WRITTEN_OFF:
        return
    deed = preview_write_off(session, now, payment)
    deed.check_shown(shown)
    [entry] = deed.entries
    for one in _asked(session, statement):
        one.state, one.next_attempt_on, one.updated_at = PaymentState.CANCELLED, None, now
    statement.state, statement.written_off_at = StatementState.WRITTEN_OFF, now
    post(session, payment.municipality_id, entry, now, local_day(now))
    record(session, by, now, "write_off", "statement", statement.id, cents=entry.postings[0].amount_cents)
    session.flush()


def _asked(session: Session, statement: Statement) -> list[Payment]:
    return list(
        session.exec(
            select(Payment).where(
                Payment.municipality_id == statement.municipality_id,
                Payment.statement_id == statement.id,
                col(Payment.state).in_(ASKED),
            )
        )
    )


# Refund of a credit -------------------------------------------------------------------------------


def refundable_cents(session: Session, payment: Payment) -> int:
    """The most that can be given back on a payment: the family's credit, within what was paid and not given back."""
    if payment.state != PaymentState.SUCCEEDED or not payment.stripe_intent_id:
        return 0
    city = payment.municipality_id
    credit = -balance_cents(session, city, ledger.family(str(payment.household_id)))
    of_payment = payment.cents - _refunded(session, city, (RefundState.ASKED, RefundState.DONE), payment_id=payment.id)
    on_its_way = _refunded(session, city, (RefundState.ASKED,), household_id=payment.household_id)
    return max(0, min(credit - on_its_way, of_payment))


def preview_refund(session: Session, payment: Payment, cents: int) -> Deed:
    """Give back a part of a family's credit on the card or account that it paid with."""
    most = refundable_cents(session, payment)
    if not 0 < cents <= most:
        raise AboveCredit(euros=_euros(most))
    entry = ledger.payment_returned(TO_COME, ledger.family(str(payment.household_id)), cents)
    return Deed((entry,), N_("Appena Stripe conferma"), (N_("La famiglia riceve il rimborso in 5-10 giorni."),))


def refund(session: Session, by: Actor, now: datetime, payment: Payment, cents: int, reason: str, key: UUID) -> Refund:
    """Ask for a refund, by a job; the same `key` again is the same refund."""
    city = by.municipality_id
    lock_payment(session, city, payment.id)
    known = session.exec(select(Refund).where(Refund.municipality_id == city, Refund.request_key == key)).first()
    if known is not None:
        return known
    preview_refund(session, payment, cents)
    asked = Refund(
        municipality_id=city,
        payment_id=payment.id,
        household_id=payment.household_id,
        cents=cents,
        reason=reason,
        request_key=key,
        asked_at=now,
        asked_by=by.user_id,
    )
    session.add(asked)
    session.flush()
    record(session, by, now, "refund", "payment", payment.id, cents=cents)
    defer(session, make_refund, city, refund_id=str(asked.id))
    return asked


@job("statements.refund", retry=AGAIN)
def make_refund(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Have Stripe give a credit back, and write down how that stands."""
    asked = session.get_one(Refund, (municipality_id, UUID(arguments["refund_id"])), with_for_update=True)
    if asked.state != RefundState.ASKED:
        return
    payment = session.get_one(Payment, (municipality_id, asked.payment_id))
    through = gateway()
    made = _once(
        asked,
        lambda: through.refund(
            f"refund-{asked.id}",
            intent_id=payment.stripe_intent_id or "",
            amount_cents=asked.cents,
            municipality_id=municipality_id,
        ),
    )
    if made is not None:
        record_refund(session, municipality_id, now, payment.id, through.get_refund(made))


def _refunded(session: Session, municipality_id: str, states: tuple[RefundState, ...], **where: UUID) -> int:
    total = select(func.coalesce(func.sum(Refund.cents), 0)).where(
        Refund.municipality_id == municipality_id, col(Refund.state).in_(states)
    )
    return int(session.exec(total.filter_by(**where)).one())


# Taking back a transfer ---------------------------------------------------------------------------


def reclaimable_cents(session: Session, payout: Payout) -> int:
    """The most that can be taken back of a transfer: what its provider had too much, within what is left of it."""
    if payout.stripe_transfer_id is None or payout.statement_id is None:
        return 0
    city = payout.municipality_id
    asked = select(func.coalesce(func.sum(Reversal.cents), 0)).where(
        Reversal.municipality_id == city,
        Reversal.provider_id == payout.provider_id,
        Reversal.state == RefundState.ASKED,
    )
    on_its_way = int(session.exec(asked).one())
    too_much = overpaid_cents(session, city, payout.provider_id) - on_its_way
    return max(0, min(too_much, payout.due_cents - payout.reversed_cents - on_its_way))


def preview_reversal(session: Session, payout: Payout, cents: int) -> Deed:
    """Take back a part of a transfer; without it the next payouts are lower until it is made up for."""
    most = reclaimable_cents(session, payout)
    if not 0 < cents <= most:
        raise AboveOverpaid(euros=_euros(most))
    entry = ledger.transfer_reversed(TO_COME, ledger.provider(str(payout.provider_id)), cents)
    then = (N_("Se non lo riprendi, i prossimi compensi sono più bassi fino a pareggiare."),)
    return Deed((entry,), N_("Appena Stripe conferma"), then)


def reverse(session: Session, by: Actor, now: datetime, payout: Payout, cents: int, reason: str, key: UUID) -> Reversal:
    """Ask for a part of a transfer back, by a job; the same `key` again is the same."""
    city = by.municipality_id
    session.refresh(payout, with_for_update=True)
    known = session.exec(select(Reversal).where(Reversal.municipality_id == city, Reversal.request_key == key)).first()
    if known is not None:
        return known
    preview_reversal(session, payout, cents)
    asked = Reversal(
        municipality_id=city,
        payout_id=payout.id,
        provider_id=payout.provider_id,
        cents=cents,
        reason=reason,
        request_key=key,
        asked_at=now,
        asked_by=by.user_id,
    )
    session.add(asked)
    session.flush()
    record(session, by, now, "reverse_transfer", "payout", payout.id, cents=cents)
    defer(session, make_reversal, city, reversal_id=str(asked.id))
    return asked


@job("statements.reverse", retry=AGAIN)
def make_reversal(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Have Stripe take a part of a transfer back."""
    asked = session.get_one(Reversal, (municipality_id, UUID(arguments["reversal_id"])), with_for_update=True)
    if asked.state != RefundState.ASKED:
        return
    payout = session.get_one(Payout, (municipality_id, asked.payout_id), with_for_update=True)
    through = gateway()
    made = _once(
        asked,
        lambda: through.reverse_transfer(
            f"reversal-{asked.id}",
            transfer_id=payout.stripe_transfer_id or "",
            amount_cents=asked.cents,
            municipality_id=municipality_id,
        ),
    )
    if made is not None:
        asked.stripe_reversal_id, asked.state = made, RefundState.DONE
        payout.reversed_cents += asked.cents
        entry = ledger.transfer_reversed(made, ledger.provider(str(asked.provider_id)), asked.cents)
        post(session, municipality_id, entry, now, local_day(now))


def _once(asked: Refund | Reversal, call: Callable[[], str]) -> str | None:
    """Stripe's id of what was asked; None, and why, where it refuses for good."""
    try:
        return call()
    except GatewayUnavailableError:
        raise
    except GatewayError as refused:
        asked.state, asked.failure = RefundState.FAILED, str(refused)[:300]
        return None


def get_payment(session: Session, municipality_id: str, payment_id: UUID) -> Payment:
    """A municipality's payment; raises NotFound."""
    payment = session.get(Payment, (municipality_id, payment_id))
    if payment is None:
        raise NotFound
    return payment


def get_payout(session: Session, municipality_id: str, payout_id: UUID) -> Payout:
    """A municipality's payout; raises NotFound."""
    payout = session.get(Payout, (municipality_id, payout_id))
    if payout is None:
        raise NotFound
    return payout


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02d}"
