"""What an officer does about money is said before it is done: the entry that is shown is the entry that is posted."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from billing import ledger
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound
from marketplace.slots.calendar import local_day
from marketplace.statements.models import (
    ASKED,
    Payment,
    PaymentState,
    Payout,
    Statement,
    StatementState,
)
from marketplace.statements.notices import tell_household
from marketplace.statements.payments import lock_payment, pay_now, statement_of
from marketplace.statements.posting import TO_COME, Deed, post
from marketplace.words import N_

GRACE_DAYS = 30
REMINDER = (
    N_("Sollecito di pagamento"),
    N_(
        "L'estratto conto %(month)s non è ancora pagato. Paga entro 30 giorni da Estratti conto, o chiama il Comune"
        " se sei in difficoltà: cerchiamo insieme una soluzione. Dopo, il posto nel gruppo può essere sospeso."
    ),
)
"""From the letter to the write-off."""


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
    household = (payment.municipality_id, payment.household_id)
    month = f"{statement.month:%m/%Y}"
    tell_household(session, now, household, f"reminder-{statement.id}", REMINDER, lambda _: {"month": month})
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
