"""An estimate is made of real offers by the function that bills, and says nothing where nobody near covers the need."""

from dataclasses import replace
from datetime import date

import pytest
from sqlmodel import Session

from marketplace.households.models import Household, Person
from marketplace.needs.drafts import answers_of, wish_of
from marketplace.rounds.estimate import count_neighbours, estimate
from tests.city import CITY, add_need, add_programme, found_city

TODAY = date(2026, 11, 23)


@pytest.fixture
def asked(session: Session):
    found_city(session)
    add_programme(session, 1_000_000)
    need = add_need(session, "n1", isee_cents=900_000)
    return (
        session.get_one(Household, (CITY, need.household_id)),
        session.get_one(Person, (CITY, need.person_id)),
        wish_of(answers_of(need)),
    )


def test_the_price_is_alone_shared_and_after_the_voucher(session: Session, asked) -> None:
    found = estimate(session, *asked, TODAY)
    assert (found.alone_cents, found.shared_cents, found.subsidy_cents, found.net_cents) == (2700, 1200, 600, 600)
    assert (found.providers, found.in_time, found.seats) == (1, True, 3)


def test_without_a_common_hour_the_estimate_says_so(session: Session, asked) -> None:
    household, person, wish = asked
    night = replace(wish, windows=tuple(replace(one, start=0, end=600) for one in wish.windows))
    assert not estimate(session, household, person, night, TODAY).in_time


@pytest.mark.parametrize("change", [{"topic": "latin"}, {"languages": ("zh",)}, {"seats": 6}])
def test_where_nobody_covers_the_need_there_is_no_estimate(session: Session, asked, change) -> None:
    household, person, wish = asked
    assert estimate(session, household, person, replace(wish, **change), TODAY) is None


def test_chances_are_counted_only_over_rounds_that_have_settled(session: Session, asked) -> None:
    household, _, wish = asked
    for code in ("n2", "n3"):
        add_need(session, code)
    found = count_neighbours(session, household, wish.service)
    assert (found.waiting, found.served, found.past) == (2, 0, 0)
