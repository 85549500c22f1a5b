"""What is held and used of a week is counted by the database, however many holds change at once."""

from datetime import date

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select
from uuid_utils.compat import uuid7

from marketplace.vouchers.models import HoldState, ProgrammeWeek, VoucherHold
from marketplace.vouchers.operations import Hold, hold, lock_weeks, release
from tests.city import CITY, NOW, add_programme, found_city

FIRST, SECOND = date(2026, 12, 14), date(2026, 12, 21)


@pytest.fixture
def city(session: Session) -> Session:
    found_city(session)
    return session


def used(session: Session) -> dict[date, int]:
    return dict(session.exec(select(ProgrammeWeek.week, ProgrammeWeek.used_cents)).all())


def test_holds_are_counted_released_used_and_deleted(city: Session) -> None:
    programme = add_programme(city, 1000).id
    assert lock_weeks(city, CITY, [programme], [FIRST, SECOND]) == {
        (programme, FIRST): 1000,
        (programme, SECOND): 1000,
    }
    mine, other = uuid7(), uuid7()
    hold(city, NOW, CITY, [Hold(programme, mine, mine, week, 300) for week in (FIRST, SECOND)])
    hold(city, NOW, CITY, [Hold(programme, other, other, FIRST, 700)])
    assert used(city) == {FIRST: 1000, SECOND: 300}
    assert lock_weeks(city, CITY, [programme], [FIRST]) == {(programme, FIRST): 0}
    spent = city.exec(select(VoucherHold).where(VoucherHold.membership_id == other)).one()
    spent.state, spent.committed_cents = HoldState.COMMITTED, 450
    assert release(city, CITY, [mine, other], from_week=SECOND) == 1
    assert used(city) == {FIRST: 750, SECOND: 0}
    assert release(city, CITY, [mine, other], but_for=[FIRST]) == 0
    city.connection().execute(delete(VoucherHold).where(VoucherHold.membership_id == mine))
    assert used(city) == {FIRST: 450, SECOND: 0}


def test_one_hold_too_many_is_refused_and_so_is_a_week_without_a_budget(city: Session) -> None:
    programme = add_programme(city, 1000).id
    lock_weeks(city, CITY, [programme], [FIRST])
    mine = uuid7()
    with pytest.raises(IntegrityError, match="budget_not_exceeded"), city.begin_nested():
        hold(city, NOW, CITY, [Hold(programme, mine, mine, FIRST, 1001)])
    with pytest.raises(IntegrityError, match="has no budget"), city.begin_nested():
        hold(city, NOW, CITY, [Hold(programme, mine, mine, SECOND, 1)])
    assert used(city) == {FIRST: 0}


def test_a_budget_that_is_raised_counts_for_weeks_not_yet_asked_for(city: Session) -> None:
    programme = add_programme(city, 1000)
    lock_weeks(city, CITY, [programme.id], [FIRST])
    programme.weekly_budget_cents = 2000
    city.flush()
    assert lock_weeks(city, CITY, [programme.id], [FIRST, SECOND]) == {
        (programme.id, FIRST): 1000,
        (programme.id, SECOND): 2000,
    }
