"""A day before money is due, or the time to contest ends, the family hears of it once, by the way that it chose."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from marketplace.households.models import Household
from marketplace.messages.models import Channel, Kind, Message
from marketplace.slots.calendar import local_day
from marketplace.statements.models import PaymentState, Statement
from marketplace.statements.reminders import remind_of_money
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, one_family
from tests.statements.world import CITY, CLOSED_AT, City

DAY = timedelta(days=1)


def reminded(session: Session) -> list[str]:
    found = select(Message).where(col(Message.key).startswith("remind ")).order_by(col(Message.id))
    return [one.subject for one in session.exec(found)]


def look_every_hour(city: City, first: datetime, days: int) -> None:
    for hour in range(24 * days):
        remind_of_money(city.session, first + timedelta(hours=hour), CITY)


def test_a_charge_is_announced_once_the_day_before(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in)
    remind_of_money(city.session, DUE - 2 * DAY, CITY)
    assert reminded(city.session) == []
    look_every_hour(city, CLOSED_AT, 9)
    assert reminded(city.session) == ["Domani addebitiamo l'estratto conto: 108,00\xa0€"]
    message = city.session.exec(select(Message).where(col(Message.key).startswith("remind due"))).one()
    assert message.kind is Kind.TIMELY
    assert local_day(message.created_at) == local_day(DUE - DAY)
    assert "contestare una riga entro martedì 8 dicembre" in message.body


def test_who_has_chosen_no_way_to_pay_is_asked_to(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in, None)
    remind_of_money(city.session, DUE - DAY, CITY)
    assert reminded(city.session) == ["Domani scade l'estratto conto: 108,00\xa0€"]


@pytest.mark.parametrize("hour", [0, 12, 22])
def test_the_last_day_to_contest_is_told_where_the_payment_is_due_later(
    city: City, stand_in: StandIn, hour: int
) -> None:
    one_family(city, stand_in)
    city.session.exec(select(Statement)).one().due_on += timedelta(days=10)
    last = CLOSED_AT.replace(hour=hour) + timedelta(days=7)
    remind_of_money(city.session, last - DAY, CITY)
    assert reminded(city.session) == []
    for _ in range(2):
        remind_of_money(city.session, last, CITY)
    assert reminded(city.session) == ["Ultimo giorno per contestare l'estratto conto"]


def test_who_has_paid_hears_nothing(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    collect(city.session, payment)
    assert payment.state == PaymentState.SUCCEEDED
    look_every_hour(city, DUE - 2 * DAY, 3)
    assert reminded(city.session) == []


def test_a_run_that_was_killed_is_made_again_whole(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in)
    killed = city.session.begin_nested()
    remind_of_money(city.session, DUE - DAY, CITY)
    killed.rollback()
    assert reminded(city.session) == []
    remind_of_money(city.session, DUE - DAY, CITY)
    assert len(reminded(city.session)) == 1


def test_no_reminder_is_put_in_the_post(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in)
    city.session.exec(select(Household)).one().by_letter = True
    city.session.flush()
    remind_of_money(city.session, DUE - DAY, CITY)
    assert city.session.exec(select(Message).where(Message.channel == Channel.LETTER)).all() == []
