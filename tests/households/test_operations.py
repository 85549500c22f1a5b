"""What a family may say of itself, once, and what nobody else can take from it."""

from dataclasses import replace
from datetime import date

import pytest
from sqlmodel import select

from marketplace.accounts.models import Appointment
from marketplace.db import NOBODY, Scope, set_scope
from marketplace.errors import NotFound, Rejected
from marketplace.households import operations as households
from marketplace.households.models import Household, MeansTestState
from tests.families import CHILD, CITY, HOME, NOW, ROSSI, TODAY, child, city, family, user


@pytest.fixture(autouse=True)
def _city(session):
    city(session)


def test_a_family_registers_once_however_often_it_taps(session):
    by = user(session)
    first = households.register_household(session, by, NOW, ROSSI, HOME)
    again = households.register_household(session, by, NOW, ROSSI, HOME)
    assert first.id == again.id
    assert len(session.exec(select(Appointment)).all()) == 1


def test_another_persons_tax_code_opens_nothing(session):
    family(session)
    stranger = user(session, "altro@example.org")
    with pytest.raises(households.AlreadyRegistered):
        households.register_household(session, stranger, NOW, ROSSI, HOME)
    assert len(session.exec(select(Appointment)).all()) == 1


@pytest.mark.parametrize(("confirmed", "joins"), [(True, True), (False, False)])
def test_a_household_from_a_file_is_joined_by_its_confirmed_email_alone(session, confirmed, joins):
    first = family(session)
    session.delete(session.exec(select(Appointment)).one())
    session.flush()
    by = user(session, "MARIA@example.org", confirmed)
    if joins:
        assert households.register_household(session, by, NOW, ROSSI, HOME).id == first.household_id
    else:
        with pytest.raises(households.AlreadyRegistered):
            households.register_household(session, by, NOW, ROSSI, HOME)


def test_no_other_family_sees_a_household(session):
    mine = family(session)
    set_scope(session, Scope(CITY, NOBODY, NOBODY))
    session.expire_all()
    assert session.exec(select(Household)).all() == []
    with pytest.raises(NotFound):
        households.get_household(session, mine)


def test_the_same_person_told_twice_is_one(session):
    by = family(session)
    assert child(session, by).id == child(session, by).id
    assert child(session, by, replace(CHILD, name="Anna")).name == "Anna"
    assert [one.name for one in households.list_people(session, by)] == ["Luca", "Anna"]


def test_a_person_grows_older(session):
    person = child(session, family(session))
    assert [person.age_at(date(2026 + years, 11, 23)) for years in (0, 1, 2)] == [12, 13, 14]


def test_a_person_without_needs_can_be_forgotten(session):
    by = family(session)
    households.remove_person(session, by, NOW, child(session, by).id)
    assert households.list_people(session, by) == []


def test_the_newest_means_test_counts_and_is_declared_to_the_end_of_the_year(session):
    by = family(session)
    households.declare_means_test(session, by, NOW, TODAY, 1_450_000)
    again = households.declare_means_test(session, by, NOW, TODAY, 1_450_000)
    newest = households.declare_means_test(session, by, NOW, TODAY, 900_000)
    assert again.id != newest.id
    found = households.find_means_test(session, by)
    assert found is not None
    assert (found.isee_cents, found.state, found.valid_until) == ("900000", MeansTestState.DECLARED, date(2026, 12, 31))


def test_an_isee_below_zero_is_refused(session):
    by = family(session)
    with pytest.raises(Rejected):
        households.declare_means_test(session, by, NOW, TODAY, -1)
    assert households.find_means_test(session, by) is None
