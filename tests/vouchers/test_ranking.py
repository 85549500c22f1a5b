"""A published ranking decides who has a voucher; budgets, totals and numbers of families are the database's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool
from sqlmodel import Session, select
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, set_scope
from marketplace.errors import Rejected
from marketplace.installation import Installation
from marketplace.messages.models import Message
from marketplace.rounds.instances import build_instance
from marketplace.sealed import keyring
from marketplace.vouchers import programmes
from marketplace.vouchers.alerts import list_alerts
from marketplace.vouchers.models import BudgetAlert, Programme, ProgrammeWeek, VoucherHold, VoucherRank
from marketplace.vouchers.operations import Hold, hold, lock_weeks
from marketplace.vouchers.programmes import Rule
from marketplace.vouchers.ranking import list_ranking, list_waiting, rank_needs, weekly_most_cents
from tests.city import CITY, NOW, add_need, add_programme, found_city
from tests.database import KEYS

FIRST, SECOND = date(2026, 12, 14), date(2026, 12, 21)
TODAY = NOW.date()
MOST = 1350  # half of 18 euros an hour, for an hour and a half


@pytest.fixture
def city(session: Session) -> Session:
    found_city(session)
    return session


def codes_with_subsidy(session: Session) -> list[str]:
    return [need["id"] for need in build_instance(session, CITY, TODAY)["needs"] if need["subsidy"]]


def rule_of(programme: Programme, **changes: object) -> Rule:
    values = {
        "code": programme.code,
        "name": programme.name,
        "service": programme.service,
        "weekly_budget_cents": programme.weekly_budget_cents,
        "isee_max_cents": programme.isee_max_cents,
        "percent": programme.percent,
        "cap_cents_per_hour": programme.cap_cents_per_hour,
    }
    return Rule(**{**values, **changes})


def test_the_lowest_isee_comes_first_and_the_budget_ends_the_list_for_all_behind(city: Session) -> None:
    programme = add_programme(city, 2 * MOST + 100)
    for code, isee in (("n1", 900_000), ("n2", 500_000), ("n3", 700_000), ("n4", 2_000_001), ("n5", None)):
        add_need(city, code, isee)
    add_need(city, "n6", 1_000_000, minutes=30)
    rank_needs(city, CITY, NOW, TODAY)
    ranking = list_ranking(city, programme)
    assert [(rank.place, household.family_name[-2:], rank.is_entitled) for rank, household in ranking] == [
        (1, "n2", True),
        (2, "n3", True),
        (3, "n1", False),
        (4, "n6", False),
    ], "the small need does not overtake"
    assert codes_with_subsidy(city) == ["n2", "n3"]
    assert len(list_waiting(city, CITY)) == 2


def test_equal_isee_goes_by_date_and_a_number_of_families_ends_the_list_too(city: Session) -> None:
    programme = add_programme(city, 100_000)
    programme.families_max = 1
    add_need(city, "n1", 500_000)
    add_need(city, "n2", 500_000)
    rank_needs(city, CITY, NOW, TODAY)
    assert [rank.is_entitled for rank, _ in list_ranking(city, programme)] == [True, False]


def test_who_waits_gets_its_turn_when_the_budget_is_raised_and_is_told_once(city: Session) -> None:
    programme = add_programme(city, MOST)
    add_need(city, "n1", 500_000)
    add_need(city, "n2", 600_000)
    rank_needs(city, CITY, NOW, TODAY)
    assert codes_with_subsidy(city) == ["n1"]
    programme.weekly_budget_cents = 2 * MOST
    for hours in (1, 2):
        rank_needs(city, CITY, NOW + timedelta(hours=hours), TODAY)
    assert codes_with_subsidy(city) == ["n1", "n2"]
    assert [message.recipient for message in city.exec(select(Message)).all()] == ["n2@example.org"]


def test_what_is_held_in_the_fullest_week_counts_and_so_does_the_total(city: Session) -> None:
    programme = add_programme(city, 2 * MOST)
    lock_weeks(city, CITY, [programme.id], [FIRST, SECOND])
    served = add_need(city, "n0", 1_000)
    hold(city, NOW, CITY, [Hold(programme.id, served.id, uuid7(), SECOND, MOST + 1)])
    served.state = "served"
    add_need(city, "n1", 500_000)
    rank_needs(city, CITY, NOW, TODAY)
    assert codes_with_subsidy(city) == []
    programme.weekly_budget_cents = 10 * MOST
    for week in city.exec(select(ProgrammeWeek)).all():
        week.budget_cents = 10 * MOST
    programme.total_budget_cents = 2 * MOST
    rank_needs(city, CITY, NOW + timedelta(hours=1), TODAY)
    assert codes_with_subsidy(city) == []
    programme.total_budget_cents = 3 * MOST
    rank_needs(city, CITY, NOW + timedelta(hours=2), TODAY)
    assert codes_with_subsidy(city) == ["n1"]


def test_the_most_of_a_week_is_bounded_by_percentage_and_cap(city: Session) -> None:
    programme, need = add_programme(city, 0), add_need(city, "n1", 1, sessions=2)
    assert weekly_most_cents(programme, need, 1800) == 2 * MOST
    programme.cap_cents_per_hour = 400
    assert weekly_most_cents(programme, need, 1800) == 2 * 600


def test_officers_are_told_once_at_80_and_once_at_95_per_cent(city: Session) -> None:
    for name in ("a", "b"):
        user = add_user(city, NOW, f"{name}@example.org", name)
        appoint(city, NOW, user.id, CITY, Role.OFFICER)
    set_scope(city, Scope(CITY))
    programme = add_programme(city, 1000)
    need = add_need(city, "n1")
    lock_weeks(city, CITY, [programme.id], [FIRST, SECOND])
    for cents, alerts in ((799, []), (1, [80]), (149, [80]), (1, [95, 80]), (50, [95, 80])):
        hold(city, NOW, CITY, [Hold(programme.id, need.id, uuid7(), SECOND, cents)])
        assert [alert.percent for alert in list_alerts(city, CITY, NOW)] == alerts
    hold(city, NOW, CITY, [Hold(programme.id, need.id, uuid7(), FIRST, 900)])
    assert len(city.exec(select(BudgetAlert)).all()) == 2, "one of each stands for the weeks to come"
    told = city.exec(select(Message)).all()
    assert sorted((message.recipient, "95" in message.subject) for message in told) == [
        ("a@example.org", False),
        ("a@example.org", True),
        ("b@example.org", False),
        ("b@example.org", True),
    ]
    assert list_alerts(city, CITY, NOW + timedelta(days=60)) == []


def test_a_total_and_a_number_of_families_are_never_passed_nor_set_below_use(city: Session) -> None:
    programme = add_programme(city, 1000)
    programme.total_budget_cents, programme.families_max = 1500, 2
    city.flush()
    needs = [add_need(city, code) for code in ("n1", "n2", "n3")]
    lock_weeks(city, CITY, [programme.id], [FIRST, SECOND])
    hold(city, NOW, CITY, [Hold(programme.id, needs[0].id, uuid7(), FIRST, 900)])
    with pytest.raises(IntegrityError, match="no more than its total"), city.begin_nested():
        hold(city, NOW, CITY, [Hold(programme.id, needs[1].id, uuid7(), SECOND, 601)])
    hold(city, NOW, CITY, [Hold(programme.id, needs[1].id, uuid7(), SECOND, 600)])
    programme.total_budget_cents = 5000
    city.flush()
    with pytest.raises(IntegrityError, match="no place for more families"), city.begin_nested():
        hold(city, NOW, CITY, [Hold(programme.id, needs[2].id, uuid7(), SECOND, 1)])
    user = add_user(city, NOW, "ufficio@example.org", "")
    set_scope(city, Scope(CITY))
    officer = Actor(CITY, Role.OFFICER, user.id)
    for changes in ({"total_budget_cents": 1499}, {"families_max": 1}):
        with pytest.raises(Rejected):
            programmes.change_programme(city, officer, NOW, TODAY, programme.id, rule_of(programme, **changes))
    changed = programmes.change_programme(
        city, officer, NOW, TODAY, programme.id, rule_of(programme, total_budget_cents=1500, families_max=2)
    )
    assert (changed.total_budget_cents, changed.families_max) == (1500, 2)


@pytest.fixture
def bounded(installation: Installation) -> Iterator[tuple[str, UUID, list[UUID]]]:
    """A committed programme of 1,000 euro cents in all, with eight weeks of 500 and eight families."""
    keyring.unlock(list(KEYS))
    engine = create_engine(installation.app_url, poolclass=NullPool)
    with Session(engine) as session:
        found_city(session)
        programme = add_programme(session, 500)
        programme.total_budget_cents, programme.families_max = 1000, 5
        needs = [add_need(session, f"n{number}").id for number in range(8)]
        session.flush()
        lock_weeks(session, CITY, [programme.id], [FIRST + timedelta(weeks=number) for number in range(8)])
        programme_id = programme.id
        session.commit()
    yield installation.app_url, programme_id, needs


@pytest.mark.parametrize(("cents", "served"), [(300, 3), (150, 5)])
def test_many_at_once_never_take_more_than_the_total_or_the_places(
    bounded: tuple[str, UUID, list[UUID]], cents: int, served: int
) -> None:
    url, programme_id, needs = bounded

    def take(number: int) -> bool:
        engine = create_engine(url, poolclass=NullPool)
        week = FIRST + timedelta(weeks=number)
        with Session(engine) as session:
            set_scope(session, Scope(CITY))
            try:
                lock_weeks(session, CITY, [programme_id], [week])
                hold(session, NOW, CITY, [Hold(programme_id, needs[number], uuid7(), week, cents)])
                session.commit()
            except IntegrityError:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == served
    with Session(create_engine(url, poolclass=NullPool)) as session:
        set_scope(session, Scope(CITY))
        assert sum(one.used_cents for one in session.exec(select(ProgrammeWeek))) == served * cents <= 1000
        assert len(session.exec(select(VoucherHold)).all()) == served


def test_a_ranking_is_never_edited(city: Session) -> None:
    add_programme(city, 100_000)
    add_need(city, "n1", 1)
    rank_needs(city, CITY, NOW, TODAY)
    found = city.exec(select(VoucherRank)).one()
    with pytest.raises(Exception, match="never changed"), city.begin_nested():
        found.is_entitled = False
        city.flush()
