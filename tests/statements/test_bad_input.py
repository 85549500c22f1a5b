"""Input that no honest caller sends is refused or idle, and nothing of it stays; midnight is Italy's on both clocks."""

from datetime import UTC, date, datetime

import pytest
from sqlmodel import Session, select

from billing.webhooks import Event
from marketplace.slots.models import Presence
from marketplace.statements import events
from marketplace.statements.models import LedgerEntry, Payment, Statement, StatementLine, StripeEvent
from marketplace.statements.operations import MonthNotOver, close_month
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, handle, one_family
from tests.statements.world import CITY, OFFICER, City


def take(session: Session, kind: str, about: dict[str, object]) -> StripeEvent:
    """An event that Stripe signed, kept and handled."""
    events.receive_event(session, Event("evt_odd", kind, DUE, about), DUE)
    session.commit()
    handle(session, "evt_odd")
    return session.get_one(StripeEvent, "evt_odd")


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("payment_intent.succeeded", {"id": "pi_nobody_knows"}),
        ("payment_intent.succeeded", {}),
        ("refund.created", {"id": "re_nobody_knows"}),
        ("refund.created", {}),
        ("charge.dispute.created", {"id": "dp_nobody_knows"}),
        ("topup.succeeded", {"id": "tu_nobody_knows"}),
        ("checkout.session.completed", {"id": "cs_nobody_knows", "mode": "setup", "client_reference_id": f"{CITY}:x"}),
        ("customer.tax_id.created", {"id": "txi_1"}),
    ],
)
def test_an_event_about_something_unknown_is_kept_and_changes_nothing(
    city: City, stand_in: StandIn, kind: str, about: dict[str, object]
) -> None:
    _, payment = one_family(city, stand_in)
    before = len(city.session.exec(select(LedgerEntry)).all())
    kept = take(city.session, kind, about)
    assert kept.handled_at is not None
    assert payment.state == "due"
    assert len(city.session.exec(select(LedgerEntry)).all()) == before


def test_an_intent_that_is_not_of_this_service_pays_nothing(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    collect(city.session, payment)
    with stand_in.store.transaction():
        foreign = stand_in.store.find("payment_intent", payment.stripe_intent_id or "")
        assert foreign is not None
        stand_in.store.put("payment_intent", foreign | {"id": "pi_foreign", "metadata": {}})
    before = len(city.session.exec(select(LedgerEntry)).all())
    assert take(city.session, "payment_intent.succeeded", {"id": "pi_foreign"}).handled_at is not None
    assert len(city.session.exec(select(LedgerEntry)).all()) == before
    assert len(city.session.exec(select(Payment)).all()) == 1


@pytest.mark.parametrize(
    ("month", "too_early", "over"),
    [
        # From 25 October Italy is one hour ahead of UTC, from 28 March two.
        (date(2026, 10, 1), datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)),
        (date(2027, 3, 1), datetime(2027, 3, 31, 21, 59, 59, tzinfo=UTC), datetime(2027, 3, 31, 22, tzinfo=UTC)),
    ],
)
def test_a_month_with_a_change_of_clock_is_over_at_midnight_in_italy(
    city: City, month: date, too_early: datetime, over: datetime
) -> None:
    with pytest.raises(MonthNotOver):
        close_month(city.session, OFFICER, too_early, CITY, month)
    assert close_month(city.session, OFFICER, over, CITY, month).month == month


@pytest.mark.parametrize("day", [date(2026, 10, 25), date(2027, 3, 28)])
def test_a_meeting_across_the_change_of_clock_costs_what_its_hours_say(city: City, day: date) -> None:
    group = city.group(days=[day], at_venue=False, start=90)  # from half past one, over the hour that is twice or never
    city.join(group, city.household())
    (meeting,) = group.meetings
    city.attend(meeting, {group.memberships[0].id: Presence.PRESENT})
    following = day.replace(day=1, month=day.month + 1)
    close_month(city.session, OFFICER, datetime(*following.timetuple()[:3], 8, tzinfo=UTC), CITY, day.replace(day=1))
    (line,) = city.session.exec(select(StatementLine)).all()
    assert line.share_cents == 2700
    assert city.session.exec(select(Statement)).one().month == day.replace(day=1)


def test_a_closing_in_the_hour_that_comes_twice_is_one_closing(city: City) -> None:
    first = close_month(city.session, OFFICER, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), CITY, date(2026, 9, 1))
    again = close_month(city.session, OFFICER, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), CITY, date(2026, 9, 1))
    assert first.id == again.id
