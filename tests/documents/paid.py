"""A month that was paid, for the tests of what is issued of it."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Session, select

from marketplace.documents.models import Document, TaxProfile, TaxRegime
from marketplace.providers.models import Provider
from marketplace.statements.models import Payment
from marketplace.statements.operations import close_month
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, pay_by
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, City, Group

PAYER, ISSUER, VAT_NUMBER = "RSSMRA85D41A794Y", "NRELRA80A41H223Z", "00145920351"


def says(session: Session, provider: Provider, regime: TaxRegime = TaxRegime.EXEMPT, **more: Any) -> TaxProfile:
    """A provider says how it stands with tax."""
    provider.tax_code = ISSUER
    values = {
        "municipality_id": CITY,
        "provider_id": provider.id,
        "regime": regime,
        "vat_number": VAT_NUMBER if regime != TaxRegime.OCCASIONAL else None,
        "vat_percent": "5" if regime == TaxRegime.ORDINARY else None,
        "legal_name": "Laura Neri",
        "street": "Via Roma 2",
        "postal_code": "42121",
        "town": "Reggio Emilia",
        "province": "RE",
        "created_at": LONG_AGO,
    }
    profile = TaxProfile(**(values | more))
    session.add(profile)
    session.flush()
    return profile


def a_group(city: City, families: int = 1, at_venue: bool = False) -> Group:
    """Families with tax codes who came to every meeting."""
    group = city.group(at_venue=at_venue)
    for _ in range(families):
        household = city.household()
        household.tax_code = PAYER
        city.join(group, household)
    city.everybody_came(group)
    return group


def close_and_pay(city: City, stand_in: StandIn, month: date = NOVEMBER, closed_at: datetime = CLOSED_AT) -> None:
    """Close a month; every family pays what is due."""
    for group in city.groups:
        for membership in group.memberships:
            from marketplace.households.models import Household

            household = city.session.get_one(Household, (CITY, membership.household_id))
            if household.stripe_payment_method_id is None:
                pay_by(city.session, stand_in, household, "visa")
    close_month(city.session, OFFICER, closed_at, CITY, month)
    for payment in city.session.exec(select(Payment)).all():
        if payment.state == "due":
            collect(city.session, payment, max(DUE, closed_at + (DUE - CLOSED_AT)))


def documents(session: Session) -> list[Document]:
    """All that was issued, in order."""
    return list(session.exec(select(Document).order_by(Document.issuer, Document.number)))  # type: ignore[arg-type]
