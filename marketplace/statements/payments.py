"""Money is asked for and passed on once, whatever is killed or repeated: what we are about to do is written first.

An attempt's number is committed before Stripe is called with a key made of it; the outcome is written after, and
writing it again changes nothing. Payouts likewise: Stripe's key is our row's id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.dates import format_date
from babel.numbers import format_decimal
from procrastinate.types import JSONDict
from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import Charge, ChargeStatus, GatewayError, GatewayUnavailableError
from billing.gateway import Gateway
from marketplace.households.models import Household
from marketplace.jobs import defer, defer_each, job
from marketplace.slots.calendar import local_day
from marketplace.statements.gateways import AGAIN, gateway
from marketplace.statements.models import ASKED, Payment, PaymentState, Statement, StatementState
from marketplace.statements.months import morning_of
from marketplace.statements.notices import tell_household
from marketplace.statements.payouts import make_payouts
from marketplace.statements.posting import post, post_fee
from marketplace.words import N_

# Days from an attempt that failed to the next: three attempts in all, on the day, three days and seven days later.
RETRY_DAYS = {1: 3, 2: 4}
NO_METHOD = "no_method"

Paid = Callable[[Session, str, UUID], None]
_when_paid: list[Paid] = []


def when_paid(told: Paid) -> None:
    """From now on `told` learns, in the same transaction, of each statement that is paid (documents are above)."""
    _when_paid[:] = [told]


@dataclass(frozen=True)
class Attempt:
    """What is asked of Stripe; `key` is the same however often this attempt is made.

    `is_under_way`: it was begun before, and nobody wrote its outcome.
    """

    key: str
    payment_id: UUID
    statement_id: UUID
    cents: int
    customer_id: str
    method_id: str
    intent_id: str | None
    month: date
    is_under_way: bool


def defer_collections(session: Session, municipality_id: str, month: date, due_on: date) -> None:
    """A job for every payment of a month's statements, on the morning of `due_on`, deferred in this transaction."""
    payments = session.exec(
        select(Payment.id)
        .join(Statement, col(Statement.id) == col(Payment.statement_id))
        .where(
            Payment.municipality_id == municipality_id,
            Statement.municipality_id == municipality_id,
            Statement.month == month,
            Payment.state == PaymentState.DUE,
        )
    ).all()
    each: list[JSONDict] = [{"payment_id": str(payment_id)} for payment_id in payments]
    defer_each(session, collect, municipality_id, each, at=morning_of(due_on))


@job("statements.collect", retry=AGAIN)
def collect(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Try to collect a payment that is due, on the family's saved method."""
    attempt = begin_attempt(session, municipality_id, now, UUID(arguments["payment_id"]))
    session.commit()
    if attempt is None:
        return
    try:
        charge = make_attempt(gateway(), municipality_id, attempt)
    except GatewayUnavailableError:
        raise
    except GatewayError as refused:
        _fail(session, lock_payment(session, municipality_id, attempt.payment_id), now, str(refused)[:300])
        return
    record_charge(session, municipality_id, now, attempt.payment_id, charge)


def begin_attempt(session: Session, municipality_id: str, now: datetime, payment_id: UUID) -> Attempt | None:
    """The attempt to make now, its number written down; None where there is nothing to try.

    An attempt under way, whose outcome nobody wrote, is the same attempt again. Without a way to pay it fails here.
    """
    payment = lock_payment(session, municipality_id, payment_id)
    if payment.state not in (PaymentState.DUE, PaymentState.PROCESSING, PaymentState.FAILED):
        return None
    is_under_way = payment.state == PaymentState.PROCESSING
    if not is_under_way:
        if payment.next_attempt_on is None or payment.next_attempt_on > local_day(now):
            return None
        payment.attempts += 1
        payment.state = PaymentState.PROCESSING
        payment.updated_at = now
    household = household_of(session, payment)
    if not (household.stripe_customer_id and household.stripe_payment_method_id):
        _fail(session, payment, now, NO_METHOD)
        return None
    statement = statement_of(session, payment)
    return Attempt(
        key=f"payment-{payment.id}-{payment.attempts}",
        payment_id=payment.id,
        statement_id=statement.id,
        cents=payment.cents,
        customer_id=household.stripe_customer_id,
        method_id=household.stripe_payment_method_id,
        intent_id=payment.stripe_intent_id,
        month=statement.month,
        is_under_way=is_under_way,
    )


def make_attempt(through: Gateway, municipality_id: str, attempt: Attempt) -> Charge:
    """Ask Stripe, and then how it stands: a repeated call may give back an old answer.

    Where an attempt is under way and its intent has become known meanwhile, there is only that to ask.
    """
    if attempt.intent_id and attempt.is_under_way:
        return through.get_charge(attempt.intent_id)
    if attempt.intent_id:
        charge = through.charge_again(attempt.key, intent_id=attempt.intent_id, method_id=attempt.method_id)
    else:
        charge = through.charge(
            attempt.key,
            customer_id=attempt.customer_id,
            method_id=attempt.method_id,
            amount_cents=attempt.cents,
            reference=str(attempt.payment_id),
            group=str(attempt.statement_id),
            municipality_id=municipality_id,
            description=f"Condiviso {attempt.month:%m/%Y}",
        )
    return through.get_charge(charge.intent_id)


def record_charge(session: Session, municipality_id: str, now: datetime, payment_id: UUID, charge: Charge) -> None:
    """Write down how a payment stands at Stripe, in whatever order and however often this is learnt."""
    payment = lock_payment(session, municipality_id, payment_id)
    if payment.stripe_intent_id is None or charge.status is ChargeStatus.SUCCEEDED:
        payment.stripe_intent_id = charge.intent_id
    if charge.status is ChargeStatus.SUCCEEDED:
        _succeed(session, payment, now, charge)
    elif charge.status is ChargeStatus.PROCESSING:
        payment.updated_at = now
    elif payment.state == PaymentState.PROCESSING:
        _fail(session, payment, now, charge.reason or str(charge.status))
    session.flush()


def _succeed(session: Session, payment: Payment, now: datetime, charge: Charge) -> None:
    """The money is at Stripe: ledger, statement, and what the providers are due of it.

    The entry's key is Stripe's intent, so that a statement paid twice by mistake is a credit, not a lost payment.
    """
    today = local_day(now)
    city, payer = payment.municipality_id, ledger.family(str(payment.household_id))
    post(session, city, ledger.payment_succeeded(charge.intent_id, payer, charge.amount_cents), now, today)
    post_fee(session, city, charge.intent_id, charge.fee_cents, now, today)
    if payment.state in ASKED:
        settle_payment(session, payment, now)


def settle_payment(session: Session, payment: Payment, now: datetime) -> None:
    """A payment arrived, by whichever way; with the last that was asked its statement is paid."""
    payment.state, payment.failure, payment.next_attempt_on, payment.updated_at = PaymentState.SUCCEEDED, "", None, now
    session.flush()
    statement = statement_of(session, payment)
    if not still_asked(session, statement):
        statement.state, statement.paid_at = StatementState.PAID, now
        for told in _when_paid:
            told(session, payment.municipality_id, statement.id)
    session.flush()
    make_payouts(session, payment, now)


def still_asked(session: Session, statement: Statement) -> bool:
    """Whether anything of a statement is not paid yet."""
    asked = select(Payment.id).where(
        Payment.municipality_id == statement.municipality_id,
        Payment.statement_id == statement.id,
        col(Payment.state).in_(ASKED),
    )
    return session.exec(asked.limit(1)).first() is not None


def _fail(session: Session, payment: Payment, now: datetime, reason: str) -> None:
    """A declined attempt: the family is told, and it is tried again, or overdue after the last."""
    payment.state, payment.failure, payment.updated_at = PaymentState.FAILED, reason, now
    days = RETRY_DAYS.get(payment.attempts)
    payment.next_attempt_on = None if days is None else local_day(now) + timedelta(days=days)
    statement = statement_of(session, payment)
    if payment.next_attempt_on is None:
        if statement.state == StatementState.CLOSED:
            statement.state = StatementState.OVERDUE
    else:
        at = morning_of(payment.next_attempt_on)
        defer(session, collect, payment.municipality_id, at=at, payment_id=str(payment.id))
    _tell_failure(session, payment, statement, now)


def _tell_failure(session: Session, payment: Payment, statement: Statement, now: datetime) -> None:
    again = payment.next_attempt_on
    body = N_(
        "Non siamo riusciti a incassare %(euros)s euro per l'estratto conto %(month)s. Riproviamo il %(again)s."
        " Per pagare subito o cambiare come paghi: Estratti conto, %(month)s."
    )
    if again is None:
        body = N_(
            "Non siamo riusciti a incassare %(euros)s euro per l'estratto conto %(month)s: ora è in ritardo."
            " Puoi pagare da Estratti conto, %(month)s, oppure chiamare il Comune."
        )
    household = (payment.municipality_id, payment.household_id)
    key, words = f"payment-failed-{payment.id}-{payment.attempts}", (N_("Il pagamento non è riuscito"), body)
    tell_household(session, now, household, key, words, lambda locale: _failure(payment, statement, locale))


def _failure(payment: Payment, statement: Statement, locale: str) -> dict[str, str]:
    again = payment.next_attempt_on
    return {
        "euros": format_decimal(Decimal(payment.cents) / 100, "#,##0.00", locale=locale),
        "month": f"{statement.month:%m/%Y}",
        "again": format_date(again, "d MMMM y", locale=locale) if again else "",
    }


def pay_now(session: Session, municipality_id: str, now: datetime, payment: Payment) -> None:
    """The family asks for the next attempt at once."""
    if payment.state in (PaymentState.DUE, PaymentState.FAILED):
        payment.next_attempt_on = local_day(now)
        session.flush()
        defer(session, collect, municipality_id, payment_id=str(payment.id))


def lock_payment(session: Session, municipality_id: str, payment_id: UUID) -> Payment:
    return session.exec(
        select(Payment)
        .where(Payment.municipality_id == municipality_id, Payment.id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def household_of(session: Session, payment: Payment) -> Household:
    return session.get_one(Household, (payment.municipality_id, payment.household_id))


def statement_of(session: Session, payment: Payment) -> Statement:
    return session.get_one(Statement, (payment.municipality_id, payment.statement_id))
