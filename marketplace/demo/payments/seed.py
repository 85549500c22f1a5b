"""In the demo most families have saved a way to pay, and every provider at work has its account."""

import random
from pathlib import Path

from sqlmodel import Session, col, select

from marketplace.db import Scope, set_scope
from marketplace.demo.payments import behaviour, hosted
from marketplace.demo.payments.store import Store
from marketplace.households.models import Household
from marketplace.providers.models import Provider
from marketplace.slots.models import Membership, ProposalState, Slot

# What families of confirmed groups have saved; one in twenty has not yet said how it pays.
CHOICES = (*["visa"] * 13, *["iban"] * 4, "no_funds", "disputed", "")


def save_ways_to_pay(session: Session, folder: Path, municipality_id: str) -> None:
    """Give members without one a way to pay, and their providers an account, as their visits to the pages would.

    Which way is drawn by name and address: the same city, the same ways; doing it again changes nothing.
    """
    set_scope(session, Scope(municipality_id))
    members = select(Membership.household_id).where(
        Membership.municipality_id == municipality_id, Membership.state == ProposalState.CONFIRMED
    )
    households = select(Household).where(
        Household.municipality_id == municipality_id,
        col(Household.stripe_payment_method_id).is_(None),
        col(Household.id).in_(members),
    )
    at_work = select(Slot.provider_id).where(Slot.municipality_id == municipality_id)
    providers = select(Provider).where(
        Provider.municipality_id == municipality_id,
        col(Provider.stripe_account_id).is_(None),
        col(Provider.id).in_(at_work),
    )
    store = Store(folder / "payments.sqlite")
    try:
        with store.transaction():
            for household in session.exec(households).all():
                _save_method(store, household)
            for provider in session.exec(providers).all():
                _open_account(store, provider)
        session.commit()
    finally:
        store.close()


def _save_method(store: Store, household: Household) -> None:
    choice = random.Random(f"{household.given_name} {household.family_name} {household.address}").choice(CHOICES)  # noqa: S311 - made-up people, not secrets
    if not choice:
        return
    reference = f"{household.municipality_id}:{household.id}"
    metadata = {"reference": str(household.id), "municipality": household.municipality_id}
    customer = behaviour.create_customer(store, {"metadata": metadata})
    asked = {"mode": "setup", "currency": "eur", "customer": customer["id"], "success_url": "http://127.0.0.1/"}
    page = hosted.create_session(store, asked | {"client_reference_id": reference}, "http://127.0.0.1")
    done = hosted.complete_session(store, page["id"], choice)
    setup = behaviour.get(store, "setup_intent", done["setup_intent"])
    method = behaviour.get(store, "payment_method", setup["payment_method"])
    household.stripe_customer_id, household.stripe_payment_method_id = customer["id"], method["id"]
    household.stripe_method_label = f"{method['type']}:{method[method['type']]['last4']}"


def _open_account(store: Store, provider: Provider) -> None:
    metadata = {"reference": str(provider.id), "municipality": provider.municipality_id}
    asked = {"type": "express", "country": "IT", "capabilities": {"transfers": {"requested": True}}}
    account = hosted.create_account(store, asked | {"metadata": metadata})
    hosted.complete_onboarding(store, account["id"])
    provider.stripe_account_id = account["id"]
