"""Money is asked for and passed on once, whatever is killed or repeated: what we are about to do is written first.

An attempt's number is committed before Stripe is called with a key made of it; the outcome is written after, and
writing it again changes nothing. Payouts likewise: Stripe's key is our row's id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.types import JSONDict
from sqlalchemy import text
from sqlmodel import Session, col, select

from billing import ledger
from billing.gateway import Charge, ChargeStatus, Gateway, GatewayError, GatewayUnavailableError
from marketplace.accounts.policy import get_policy
from marketplace.households.models import Household
from marketplace.jobs import defer, defer_each, job
from marketplace.messages.operations import Recipient, tell
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.models import Payment, PaymentState, Payout, Statement, StatementState
from marketplace.statements.months import morning_of
from marketplace.statements.posting import post
from marketplace.words import N_

# Days from an attempt that failed to the next: three attempts in all, on the day, three days and seven days later.
RETRY_DAYS = {1: 3, 2: 4}
NO_METHOD = "no_method"
AGAIN = RetryStrategy(max_attempts=12, exponential_wait=4)

_gateway: list[Gateway] = []


def pay_through(gateway: Gateway | None) -> None:
    """From now on this process charges and pays through `gateway`; None: it cannot."""
    _gateway[:] = [gateway] if gateway else []


def gateway() -> Gateway:
    """The gateway of this process; GatewayUnavailableError where none is set up."""
    if not _gateway:
        raise GatewayUnavailableError("no payment service is set up")
    return _gateway[0]


@dataclass(frozen=True)
class Attempt:
    """What is asked of Stripe; `key` is the same however often this attempt is made."""

    key: str
    payment_id: UUID
    statement_id: UUID
    cents: int
    customer_id: str
    method_id: str
    intent_id: str | None
    month: date


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
        _fail(session, _lock_payment(session, municipality_id, attempt.payment_id), now, str(refused)[:300])
        return
    record_charge(session, municipality_id, now, attempt.payment_id, charge)


def begin_attempt(session: Session, municipality_id: str, now: datetime, payment_id: UUID) -> Attempt | None:
    """The attempt to make now, its number written down; None where there is nothing to try.

    An attempt under way, whose outcome nobody wrote, is the same attempt again. Without a way to pay it fails here.
    """
    payment = _lock_payment(session, municipality_id, payment_id)
    if payment.state in (PaymentState.SUCCEEDED, PaymentState.REFUNDED):
        return None
    if payment.state != PaymentState.PROCESSING:
        if payment.next_attempt_on is None or payment.next_attempt_on > local_day(now):
            return None
        payment.attempts += 1
        payment.state = PaymentState.PROCESSING
        payment.updated_at = now
    household = _household(session, payment)
    if not (household.stripe_customer_id and household.stripe_payment_method_id):
        _fail(session, payment, now, NO_METHOD)
        return None
    statement = _statement(session, payment)
    return Attempt(
        key=f"payment-{payment.id}-{payment.attempts}",
        payment_id=payment.id,
        statement_id=statement.id,
        cents=payment.cents,
        customer_id=household.stripe_customer_id,
        method_id=household.stripe_payment_method_id,
        intent_id=payment.stripe_intent_id,
        month=statement.month,
    )


def make_attempt(through: Gateway, municipality_id: str, attempt: Attempt) -> Charge:
    """Ask Stripe, and then how it stands: a repeated call may give back an old answer."""
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
    payment = _lock_payment(session, municipality_id, payment_id)
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
    if charge.fee_cents:
        post(session, city, ledger.stripe_fee_charged(charge.intent_id, charge.fee_cents), now, today)
    if payment.state in (PaymentState.SUCCEEDED, PaymentState.REFUNDED):
        return
    settle_payment(session, payment, now)


def settle_payment(session: Session, payment: Payment, now: datetime) -> None:
    """A statement is paid, by whichever way: its providers are paid after the delay."""
    payment.state, payment.failure, payment.next_attempt_on, payment.updated_at = PaymentState.SUCCEEDED, "", None, now
    statement = _statement(session, payment)
    statement.state, statement.paid_at = StatementState.PAID, now
    session.flush()
    due_on = local_day(now) + timedelta(
        days=get_policy(session, payment.municipality_id, local_day(now)).payout_delay_days
    )
    payouts = session.connection().execute(
        text("""
            insert into payout (municipality_id, id, provider_id, statement_id, due_cents, due_on, failure)
            select municipality_id, uuidv7(), provider_id, statement_id, sum(provider_cents), :due_on, ''
            from statement_line where municipality_id = :municipality and statement_id = :statement
            group by municipality_id, provider_id, statement_id having sum(provider_cents) > 0
            on conflict on constraint payout_once do nothing returning id"""),
        {"municipality": payment.municipality_id, "statement": statement.id, "due_on": due_on},
    )
    defer_payouts(session, payment.municipality_id, list(payouts.scalars()), due_on)


def defer_payouts(session: Session, municipality_id: str, payout_ids: Sequence[UUID], due_on: date) -> None:
    """A job for every payout, on the morning of `due_on`."""
    each: list[JSONDict] = [{"payout_id": str(payout_id)} for payout_id in payout_ids]
    defer_each(session, pay_provider, municipality_id, each, at=morning_of(due_on))


def _fail(session: Session, payment: Payment, now: datetime, reason: str) -> None:
    """A declined attempt: the family is told, and it is tried again, or overdue after the last."""
    payment.state, payment.failure, payment.updated_at = PaymentState.FAILED, reason, now
    days = RETRY_DAYS.get(payment.attempts)
    payment.next_attempt_on = None if days is None else local_day(now) + timedelta(days=days)
    statement = _statement(session, payment)
    if payment.next_attempt_on is None:
        if statement.state == StatementState.CLOSED:
            statement.state = StatementState.OVERDUE
    else:
        at = morning_of(payment.next_attempt_on)
        defer(session, collect, payment.municipality_id, at=at, payment_id=str(payment.id))
    _tell_failure(session, payment, statement, now)


def _tell_failure(session: Session, payment: Payment, statement: Statement, now: datetime) -> None:
    household = _household(session, payment)
    if not household.email:
        return
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
    values = {
        "euros": f"{payment.cents // 100},{payment.cents % 100:02d}",
        "month": f"{statement.month:%m/%Y}",
        "again": f"{again:%d/%m/%Y}" if again else "",
    }
    key = f"payment-failed-{payment.id}-{payment.attempts}"
    to = Recipient(household.email)
    tell(session, payment.municipality_id, now, to, key, N_("Il pagamento non è riuscito"), body, values)


def pay_now(session: Session, municipality_id: str, now: datetime, payment: Payment) -> None:
    """The family asks for the next attempt at once."""
    if payment.state in (PaymentState.DUE, PaymentState.FAILED):
        payment.next_attempt_on = local_day(now)
        session.flush()
        defer(session, collect, municipality_id, payment_id=str(payment.id))


def record_return(
    session: Session, municipality_id: str, now: datetime, payment_id: UUID, return_id: str, cents: int
) -> None:
    """A payment, or a part of it, went back (refunded, or disputed): the family owes it again, the statement is late.

    Providers keep what they earned; what stays unpaid is the guarantee fund's, by a decision of its own.
    """
    payment = _lock_payment(session, municipality_id, payment_id)
    payer = ledger.family(str(payment.household_id))
    if not post(session, municipality_id, ledger.payment_returned(return_id, payer, cents), now, local_day(now)):
        return
    payment.state, payment.updated_at, payment.next_attempt_on = PaymentState.REFUNDED, now, None
    statement = _statement(session, payment)
    if statement.state in (StatementState.PAID, StatementState.CLOSED):
        statement.state, statement.paid_at = StatementState.OVERDUE, None
    session.flush()


@job("statements.pay_provider", retry=AGAIN)
def pay_provider(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Transfer a payout that is due; where it cannot be made yet, say why and try again tomorrow."""
    payout = session.exec(
        select(Payout)
        .where(Payout.municipality_id == municipality_id, Payout.id == UUID(arguments["payout_id"]))
        .with_for_update()
    ).one()
    if payout.paid_at is not None or payout.due_on > local_day(now):
        return
    provider = session.get_one(Provider, (municipality_id, payout.provider_id))
    try:
        if provider.stripe_account_id is None:
            raise GatewayError("no_account")
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
        payout.failure = str(refused)[:300]
        defer(session, pay_provider, municipality_id, at=now + timedelta(days=1), payout_id=str(payout.id))
        return
    payout.paid_at, payout.failure = now, ""
    payee = ledger.provider(str(provider.id))
    entry = ledger.transferred(payout.stripe_transfer_id, payee, payout.due_cents)
    post(session, municipality_id, entry, now, local_day(now))


def _lock_payment(session: Session, municipality_id: str, payment_id: UUID) -> Payment:
    return session.exec(
        select(Payment)
        .where(Payment.municipality_id == municipality_id, Payment.id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _household(session: Session, payment: Payment) -> Household:
    return session.get_one(Household, (payment.municipality_id, payment.household_id))


def _statement(session: Session, payment: Payment) -> Statement:
    return session.get_one(Statement, (payment.municipality_id, payment.statement_id))
