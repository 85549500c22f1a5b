"""A month as it happens, for the tests that look at its books afterwards."""

from datetime import timedelta

from sqlmodel import select

from marketplace.slots.models import Presence
from marketplace.statements.models import Payment, Payout
from marketplace.statements.operations import close_month
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, pay_by, pay_out, take_events
from tests.statements.world import CITY, CLOSED_AT, NOVEMBER, OFFICER, City


def a_lived_month(city: City, stand_in: StandIn) -> City:
    """A month with absences, vouchers, caps, a payment that succeeded, one disputed, and a payout made."""
    group, other = city.group(), city.group(start=9 * 60)
    households = [city.household() for _ in range(4)]
    apart = city.group(start=12 * 60)  # its provider has no account: its money stays at Stripe
    city.join(apart, households[3])
    city.everybody_came(apart)
    city.join(group, households[0], percent="50", held=900)
    city.join(group, households[1], cap=1400)
    city.join(group, households[2])
    city.join(other, households[2])
    city.everybody_came(other)
    first, second, third, fourth = group.meetings
    a, b, c = (one.id for one in group.memberships)
    city.attend(first, {a: Presence.PRESENT, b: Presence.PRESENT, c: Presence.PRESENT})
    city.attend(second, {a: Presence.ABSENT, b: Presence.PRESENT, c: Presence.ABSENT_NOTIFIED})
    city.attend(third, {a: Presence.ABSENT_NOTIFIED, b: Presence.ABSENT_NOTIFIED, c: Presence.ABSENT_NOTIFIED})
    city.attend(fourth, {a: Presence.PRESENT, b: Presence.PRESENT})
    for household, choice in zip(households, ("visa", "disputed", "no_funds", "visa"), strict=True):
        pay_by(city.session, stand_in, household, choice)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    for payment in city.session.exec(select(Payment)).all():
        collect(city.session, payment)
    take_events(city.session, stand_in, shuffled=True, times=2)
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    for payout in city.session.exec(select(Payout)).all():
        pay_out(city.session, payout, DUE + timedelta(days=8))
    return city
