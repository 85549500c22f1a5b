"""A provider follows each cent: meetings by the week with their corrections, payouts by the day with their source."""

from datetime import date, timedelta

from sqlmodel import col, select

from billing import ledger
from marketplace.slots.models import Presence
from marketplace.statements.earnings import Earnings, get_earnings
from marketplace.statements.models import Payout, Statement
from marketplace.statements.operations import close_month
from marketplace.statements.posting import balance_cents
from tests.statements.test_payments import DUE
from tests.statements.world import CITY, CLOSED_AT, NOVEMBER, OFFICER, City, Group


def of(city: City, group: Group, month: date | None = None) -> Earnings:
    return get_earnings(city.session, CITY, group.provider.id, month)


def three_came(city: City) -> Group:
    group = city.group()
    for _ in range(3):
        city.join(group, city.household())
    city.everybody_came(group)
    return group


def test_a_month_s_weeks_and_its_corrections_are_all_that_is_due(city: City) -> None:
    group = three_came(city)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    november = of(city, group)
    assert november.month == NOVEMBER
    assert [one.held_on for week in november.weeks for one in week.earned] == sorted(
        meeting.held_on for meeting in group.meetings
    )
    assert all(
        week.monday.weekday() == 0 and week.monday <= one.held_on for week in november.weeks for one in week.earned
    )
    assert november.month_cents == november.due_cents
    absent = {one.id: Presence.ABSENT_NOTIFIED for one in group.memberships}
    city.attend(group.meetings[1], absent, at=CLOSED_AT + timedelta(days=2))
    close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    december = of(city, group)
    [week] = december.weeks
    [correction] = week.earned
    assert (correction.held_on, correction.is_correction) == (group.meetings[1].held_on, True)
    assert correction.cents < 0
    assert november.month_cents + december.month_cents == december.due_cents
    assert of(city, group, NOVEMBER).month_cents == november.month_cents
    account = ledger.provider(str(group.provider.id))
    assert december.due_cents == -balance_cents(city.session, CITY, account)


def test_what_many_families_pay_on_a_day_is_one_row(city: City) -> None:
    group = three_came(city)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    statements = city.session.exec(select(Statement).order_by(col(Statement.number))).all()
    for number, statement in enumerate(statements):
        paid_at = DUE if number else None
        city.session.add(
            Payout(
                municipality_id=CITY,
                provider_id=group.provider.id,
                statement_id=statement.id,
                due_cents=1000 + number,
                reversed_cents=number,
                due_on=DUE.date(),
                paid_at=paid_at,
            )
        )
    city.session.flush()
    rows = of(city, group).payouts
    assert [(one.families, one.is_paid, one.cents, one.reversed_cents) for one in rows] == [
        (1, False, 1000, 0),
        (2, True, 2003, 3),
    ]
