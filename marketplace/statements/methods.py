"""How a family pays and where a provider is paid: known to us by Stripe's ids alone, never by a card's number."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from billing.answers import HostedPage, SavedMethod
from billing.gateway import Gateway
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import NotFound
from marketplace.households.models import Household
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.models import Payment, PaymentState, Statement
from marketplace.statements.payments import NO_METHOD, pay_now


def open_setup_page(
    session: Session, by: Actor, now: datetime, through: Gateway, done_url: str, cancel_url: str
) -> HostedPage:
    """Where the household saves how it pays; each visit is a page of its own."""
    household = session.get(Household, (by.municipality_id, by.household_id))
    if household is None:
        raise NotFound
    return through.open_setup_page(
        f"{household.id}-{now.timestamp():.3f}",
        customer_id=_customer(session, household, through),
        reference=f"{household.municipality_id}:{household.id}",
        done_url=done_url,
        cancel_url=cancel_url,
    )


def open_payment_page(
    session: Session, now: datetime, through: Gateway, payment: Payment, done_url: str, cancel_url: str
) -> HostedPage:
    """Where the household pays a statement itself, now."""
    household = session.get_one(Household, (payment.municipality_id, payment.household_id))
    statement = session.get_one(Statement, (payment.municipality_id, payment.statement_id))
    return through.open_payment_page(
        f"{payment.id}-{now.timestamp():.3f}",
        customer_id=_customer(session, household, through),
        amount_cents=payment.cents,
        reference=str(payment.id),
        group=str(statement.id),
        municipality_id=payment.municipality_id,
        description=f"Condiviso {statement.month:%m/%Y}",
        done_url=done_url,
        cancel_url=cancel_url,
    )


def _customer(session: Session, household: Household, through: Gateway) -> str:
    if household.stripe_customer_id is None:
        household.stripe_customer_id = through.create_customer(
            str(household.id), municipality_id=household.municipality_id, email=household.email
        )
        session.flush()
    return household.stripe_customer_id


def save_method(
    session: Session, municipality_id: str, now: datetime, household_id: UUID, saved: SavedMethod
) -> Household:
    """Charge the household on this method from now on; payments that failed for want of one are tried again."""
    household = session.get_one(Household, (municipality_id, household_id), with_for_update=True)
    if household.stripe_payment_method_id == saved.method_id:
        return household
    household.stripe_customer_id = saved.customer_id
    household.stripe_payment_method_id = saved.method_id
    household.stripe_method_label = f"{saved.kind}:{saved.last4}"
    by = Actor(municipality_id, household_id=household_id)
    record(session, by, now, "save_payment_method", "household", household_id, kind=saved.kind)
    waiting = session.exec(
        select(Payment).where(
            Payment.municipality_id == municipality_id,
            Payment.household_id == household_id,
            Payment.state == PaymentState.FAILED,
            Payment.failure == NO_METHOD,
            col(Payment.next_attempt_on) > local_day(now),
        )
    )
    for payment in waiting:
        pay_now(session, municipality_id, now, payment)
    return household


def open_onboarding_page(session: Session, by: Actor, through: Gateway, done_url: str, again_url: str) -> str:
    """Where a provider gives Stripe what it needs to be paid."""
    provider = session.get(Provider, (by.municipality_id, by.provider_id))
    if provider is None:
        raise NotFound
    if provider.stripe_account_id is None:
        provider.stripe_account_id = through.create_account(
            str(provider.id), municipality_id=provider.municipality_id, email=provider.email
        )
        session.flush()
    return through.open_onboarding_page(account_id=provider.stripe_account_id, done_url=done_url, again_url=again_url)
