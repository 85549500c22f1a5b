"""What goes back to a payer is in the ledger once, as Stripe has it now, in whatever order and however often told.

A refund that an officer asked for gives back a credit. Everything else that goes back, by the payer's bank or by hand
at Stripe, is owed again: the family is asked anew, and nobody is charged for it without asking.
"""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import Returned
from marketplace.slots.calendar import local_day
from marketplace.statements.models import (
    ASKED,
    Dispute,
    Payment,
    PaymentState,
    Refund,
    RefundState,
    StatementState,
)
from marketplace.statements.payments import lock_payment, statement_of, still_asked
from marketplace.statements.posting import post, post_fee


def record_refund(session: Session, municipality_id: str, now: datetime, payment_id: UUID, found: Returned) -> None:
    """A refund as it stands at Stripe: an officer's own, or one made by hand there."""
    payment = lock_payment(session, municipality_id, payment_id)
    ours = _find_refund(session, municipality_id, found.reference)
    new = _post_return(session, payment, now, found)
    if ours is None:
        _ask_again(session, payment, now, found, new)
        return
    ours.stripe_refund_id = found.id
    ours.state = RefundState.FAILED if found.returned_cents else RefundState.DONE
    ours.failure = found.reason
    session.flush()


def record_dispute(session: Session, municipality_id: str, now: datetime, payment_id: UUID, found: Returned) -> None:
    """A dispute as it stands at Stripe: opened, lost, or won."""
    payment = lock_payment(session, municipality_id, payment_id)
    dispute = session.exec(
        select(Dispute).where(Dispute.municipality_id == municipality_id, Dispute.stripe_dispute_id == found.id)
    ).first() or Dispute(
        municipality_id=municipality_id,
        payment_id=payment.id,
        household_id=payment.household_id,
        stripe_dispute_id=found.id,
        cents=found.cents,
        status=found.status,
        opened_at=now,
        updated_at=now,
    )
    dispute.status, dispute.reason, dispute.updated_at = found.status, found.reason, now
    dispute.taken_cents, dispute.returned_cents = found.taken_cents, found.returned_cents
    dispute.fee_cents = found.fee_cents
    session.add(dispute)
    new = _post_return(session, payment, now, found)
    post_fee(session, municipality_id, found.id, found.fee_cents, now, local_day(now))
    _ask_again(session, payment, now, found, new)


def _find_refund(session: Session, municipality_id: str, reference: str) -> Refund | None:
    try:
        refund_id = UUID(reference.removeprefix("refund-"))
    except ValueError:
        return None
    return session.get(Refund, (municipality_id, refund_id))


def _post_return(session: Session, payment: Payment, now: datetime, found: Returned) -> bool:
    """The entries of what went and of what came again; whether the first was new."""
    city, payer, today = payment.municipality_id, ledger.family(str(payment.household_id)), local_day(now)
    new = False
    if found.taken_cents:
        new = post(session, city, ledger.payment_returned(found.id, payer, found.taken_cents), now, today)
    if found.returned_cents:
        post(session, city, ledger.payment_reinstated(found.id, payer, found.returned_cents), now, today)
    return new


def _ask_again(session: Session, payment: Payment, now: datetime, found: Returned, new: bool) -> None:
    """Ask the family for what went back; ask no more once it came again."""
    statement = statement_of(session, payment)
    cause = f"returned:{found.id}"
    again = session.exec(
        select(Payment).where(
            Payment.municipality_id == payment.municipality_id,
            Payment.statement_id == payment.statement_id,
            Payment.cause == cause,
        )
    ).first()
    if found.taken_cents > found.returned_cents:
        if not new:
            return
        payment.state, payment.updated_at, payment.next_attempt_on = PaymentState.REFUNDED, now, None
        session.add(
            Payment(
                municipality_id=payment.municipality_id,
                statement_id=payment.statement_id,
                household_id=payment.household_id,
                cause=cause,
                cents=found.taken_cents - found.returned_cents,
                updated_at=now,
            )
        )
        if statement.state in (StatementState.PAID, StatementState.CLOSED):
            statement.state, statement.paid_at = StatementState.OVERDUE, None
    elif found.returned_cents:
        if again is not None and again.state in ASKED:
            again.state, again.next_attempt_on, again.updated_at = PaymentState.CANCELLED, None, now
        if payment.state == PaymentState.REFUNDED and not _is_still_gone(session, payment, cause):
            payment.state, payment.updated_at = PaymentState.SUCCEEDED, now
        session.flush()
        if statement.state == StatementState.OVERDUE and not still_asked(session, statement):
            statement.state, statement.paid_at = StatementState.PAID, now
    session.flush()


def _is_still_gone(session: Session, payment: Payment, but: str) -> bool:
    """Whether something else of a statement's payment went back and was not cancelled."""
    others = select(Payment.id).where(
        Payment.municipality_id == payment.municipality_id,
        Payment.statement_id == payment.statement_id,
        col(Payment.cause).startswith("returned:"),
        Payment.cause != but,
        Payment.state != PaymentState.CANCELLED,
    )
    return session.exec(others.limit(1)).first() is not None
