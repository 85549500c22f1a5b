"""A day before a payment is due, or the time to contest it ends, the family is told, once. Letters would be late."""

from datetime import datetime, timedelta
from typing import Any, Final

from babel.dates import format_date
from babel.numbers import format_currency
from procrastinate import RetryStrategy
from sqlmodel import Session, col, select

from marketplace.households.addresses import addresses_of
from marketplace.households.models import Household
from marketplace.jobs import every, job
from marketplace.messages.models import Kind
from marketplace.messages.operations import link_to, tell
from marketplace.slots.calendar import local_day
from marketplace.statements.contests import CONTEST_DAYS, may_contest
from marketplace.statements.models import Payment, PaymentState, Statement, StatementState
from marketplace.words import N_

DAY: Final = "EEEE d MMMM"
TO_PAY: Final = (
    N_("Domani scade l'estratto conto: %(amount)s"),
    N_(
        "L'estratto conto di %(month)s, %(amount)s, va pagato entro %(due)s, e non sappiamo ancora come vuoi pagare."
        "\n\nPer pagare, o contestare una riga entro %(last)s:\n%(url)s"
    ),
)
TO_CHARGE: Final = (
    N_("Domani addebitiamo l'estratto conto: %(amount)s"),
    N_(
        "L'estratto conto di %(month)s, %(amount)s, viene addebitato %(due)s come hai scelto.\n\n"
        "Per guardarlo, o contestare una riga entro %(last)s:\n%(url)s"
    ),
)
TO_CONTEST: Final = (
    N_("Ultimo giorno per contestare l'estratto conto"),
    N_("Se qualcosa nell'estratto conto di %(month)s non torna, puoi contestare una riga entro %(last)s:\n%(url)s"),
)


def remind_of_money(session: Session, now: datetime, municipality_id: str) -> None:
    """Remind who has not paid yet. Where both ends are near, the first reminder names both."""
    today = local_day(now)
    rows = session.exec(
        select(Payment, Statement)
        .join(
            Statement,
            (col(Statement.municipality_id) == Payment.municipality_id) & (col(Statement.id) == Payment.statement_id),
        )
        .where(
            Payment.municipality_id == municipality_id,
            Payment.state == PaymentState.DUE,
            Payment.attempts == 0,
            Payment.cause == "",
            Statement.state == StatementState.CLOSED,
            col(Statement.closed_at) > now - timedelta(days=60),
        )
        .order_by(col(Payment.id))
    ).all()
    for payment, statement in rows:
        assert statement.closed_at is not None
        last = local_day(statement.closed_at) + timedelta(days=CONTEST_DAYS)
        if statement.due_on == today + timedelta(days=1):
            household = session.get_one(Household, (municipality_id, payment.household_id))
            words = TO_CHARGE if household.stripe_payment_method_id else TO_PAY
            _tell(session, now, payment, statement, "due", words)
        near = timedelta(0) <= statement.due_on - last <= timedelta(days=1)
        if last == today and not near and may_contest(statement, payment, today):
            _tell(session, now, payment, statement, "contest", TO_CONTEST)


def _tell(
    session: Session, now: datetime, payment: Payment, statement: Statement, what: str, words: tuple[str, str]
) -> None:
    assert statement.closed_at is not None
    last = local_day(statement.closed_at) + timedelta(days=CONTEST_DAYS)
    for to in addresses_of(session, {payment.municipality_id}, [payment.household_id])[payment.household_id]:
        if to.postal:
            continue
        values = {
            "amount": format_currency(payment.cents / 100, "EUR", locale=to.locale),
            "month": format_date(statement.month, "LLLL y", locale=to.locale),
            "due": format_date(statement.due_on, DAY, locale=to.locale),
            "last": format_date(last, DAY, locale=to.locale),
            "url": link_to(f"/estratti/{statement.month:%Y-%m}"),
        }
        key = f"remind {what} {payment.id} {statement.due_on} {to.mark}"
        tell(session, payment.municipality_id, now, to, key, *words, values, kind=Kind.TIMELY)


@job("statements.remind", retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def remind(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Send the reminders that are due."""
    remind_of_money(session, now, municipality_id)


every("11 * * * *", remind)
