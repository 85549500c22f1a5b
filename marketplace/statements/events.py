"""A webhook is kept by its id, then handled; handling asks Stripe how things stand, so order and repeats are idle."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from billing import ledger
from billing.answers import GatewayError, Returned
from billing.webhooks import Event
from marketplace.db import Scope, set_scope
from marketplace.jobs import defer, job
from marketplace.slots.calendar import local_day
from marketplace.statements.gateways import AGAIN, gateway
from marketplace.statements.methods import save_method
from marketplace.statements.models import StripeEvent
from marketplace.statements.payments import record_charge
from marketplace.statements.payouts import retry_unfunded
from marketplace.statements.posting import post
from marketplace.statements.returns import record_dispute, record_refund

NO_MUNICIPALITY = ""
UNKNOWN = "resource_missing"
"""Stripe's word for an object that it does not have (any more): an event about it says nothing of ours."""


def receive_event(session: Session, event: Event, now: datetime) -> bool:
    """Keep an event and defer its handling, once; whether it was new."""
    row = {
        "id": event.id,
        "type": event.type,
        "payload": dict(event.object),
        "received_at": now,
    }
    new = session.connection().execute(
        insert(StripeEvent).values(row).on_conflict_do_nothing().returning(col(StripeEvent.id))
    )
    if new.scalar() is None:
        return False
    defer(session, handle_event, NO_MUNICIPALITY, event_id=event.id)
    return True


@job("statements.handle_event", retry=AGAIN)
def handle_event(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Bring our rows to where Stripe's objects are now; an event about something that is not ours changes nothing."""
    event = session.get_one(StripeEvent, arguments["event_id"], with_for_update=True)
    if event.handled_at is not None:
        return
    event.handled_at = now
    session.flush()
    try:
        _take(session, now, event.type, event.payload)
    except GatewayError as refused:
        if refused.code != UNKNOWN:
            raise


def _take(session: Session, now: datetime, kind: str, about: dict[str, Any]) -> None:
    if not about.get("id"):
        return
    if kind.startswith("payment_intent."):
        _take_charge(session, now, str(about.get("id", "")))
    elif kind.startswith("refund."):
        _take_return(session, now, gateway().get_refund(str(about["id"])), record_refund)
    elif kind.startswith("charge.dispute."):
        _take_return(session, now, gateway().get_dispute(str(about["id"])), record_dispute)
    elif kind == "topup.succeeded":
        _take_topup(session, now, str(about["id"]))
    elif kind == "checkout.session.completed" and about.get("mode") == "setup":
        _take_method(session, now, about)


def _take_charge(session: Session, now: datetime, intent_id: str) -> UUID | None:
    """Our payment behind an intent, brought up to date; None where it is not one of ours."""
    charge = gateway().get_charge(intent_id)
    if not (charge.municipality_id and charge.reference):
        return None
    set_scope(session, Scope(charge.municipality_id))
    payment_id = UUID(charge.reference)
    record_charge(session, charge.municipality_id, now, payment_id, charge)
    return payment_id


def _take_return(session: Session, now: datetime, found: Returned, record: Callable[..., None]) -> None:
    """What went back of one of our payments, brought up to date."""
    payment_id = _take_charge(session, now, found.intent_id)
    if payment_id is not None:
        record(session, session.info["scope"].municipality_id, now, payment_id, found)


def _take_topup(session: Session, now: datetime, topup_id: str) -> None:
    """The municipality put money on Stripe's balance: payouts that waited for it are tried again at once."""
    found = gateway().get_topup(topup_id)
    if not (found.cents and found.municipality_id):
        return
    set_scope(session, Scope(found.municipality_id))
    entry = ledger.stripe_topped_up(found.id, found.municipality_id, found.cents)
    if post(session, found.municipality_id, entry, now, local_day(now)):
        retry_unfunded(session, found.municipality_id)


def _take_method(session: Session, now: datetime, about: dict[str, Any]) -> None:
    municipality_id, _, household = str(about.get("client_reference_id") or "").partition(":")
    saved = gateway().find_saved_method(str(about["id"]))
    if saved is not None and household:
        set_scope(session, Scope(municipality_id))
        save_method(session, municipality_id, now, UUID(household), saved)
