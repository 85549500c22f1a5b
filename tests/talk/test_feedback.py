"""Who came at least once says, once, how the month went; a mean is told only of many."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, seeing
from marketplace.errors import Conflict, Forbidden, Rejected
from marketplace.slots.meetings import record_attendance
from marketplace.slots.models import Meeting, Presence
from marketplace.talk.feedback import Rating, list_feedback, list_to_rate, rate, rating_of
from marketplace.talk.models import Feedback
from tests.city import CITY, Group, add_need, family_of, membership_of, proposal_of, provider_of, the_slot
from tests.slots.conftest import Confirm

CODES = ("n1", "n2")


@pytest.fixture
def held(city: Session, confirm: Confirm) -> tuple[Session, date, datetime]:
    """A group whose first meeting n1 came to and n2 did not; its month, and an instant of the next."""
    for code in CODES:
        add_need(city, code)
    confirm(Group(list(CODES)))
    first = city.exec(select(Meeting).order_by(col(Meeting.held_on)).limit(1)).one()
    presence = {
        membership_of(city, "n1").id: Presence.PRESENT,
        membership_of(city, "n2").id: Presence.ABSENT,
    }
    record_attendance(city, provider_of(the_slot(city)), first.ends_at, first.id, presence)
    month = first.held_on.replace(day=1)
    after = date(month.year + month.month // 12, month.month % 12 + 1, 2)
    return city, month, datetime(after.year, after.month, after.day, 9, tzinfo=UTC)


def family(session: Session, code: str) -> Actor:
    return replace(family_of(proposal_of(session, code)), user_id=uuid4())


def test_a_month_is_rated_once_by_who_came(held: tuple[Session, date, datetime]) -> None:
    session, month, after = held
    anna, slot = family(session, "n1"), the_slot(session)
    assert [(one.slot_id, one.month) for one in list_to_rate(session, anna, after)] == [(slot.id, month)]
    rate(session, anna, after, slot.id, month, 4, "  brava ")
    assert list_to_rate(session, anna, after) == []
    with pytest.raises(Conflict):
        rate(session, anna, after, slot.id, month, 1, "")
    [said] = list_feedback(session, Actor(CITY, Role.OFFICER), slot.provider_id)
    assert (said.stars, said.words, said.month) == (4, "brava", month)


def test_who_was_absent_and_a_month_that_goes_on_have_nothing_to_rate(held: tuple[Session, date, datetime]) -> None:
    session, month, after = held
    assert list_to_rate(session, family(session, "n2"), after) == []
    assert list_to_rate(session, family(session, "n1"), datetime(month.year, month.month, 28, 9, tzinfo=UTC)) == []
    assert list_to_rate(session, family(session, "n1"), after.replace(year=after.year + 1)) == []


@pytest.mark.parametrize("stars", [0, 6, -1])
def test_there_are_one_to_five_stars(held: tuple[Session, date, datetime], stars: int) -> None:
    session, month, after = held
    with pytest.raises(Rejected):
        rate(session, family(session, "n1"), after, the_slot(session).id, month, stars, "")


def test_a_mean_is_told_of_five_and_more(held: tuple[Session, date, datetime]) -> None:
    session, month, after = held
    slot = the_slot(session)
    for number in range(1, 6):
        household_id = add_need(session, f"f{number}").household_id
        if number == 5:
            assert rating_of(session, CITY, slot.provider_id) == Rating(4, None)
        session.add(
            Feedback(
                municipality_id=CITY, household_id=household_id, slot_id=slot.id, provider_id=slot.provider_id,
                month=month, stars=number, words="", given_at=after,
            )
        )  # fmt: skip
        session.flush()
    assert rating_of(session, CITY, slot.provider_id) == Rating(5, 3.0)


def test_the_words_are_for_officers_and_of_others_nothing_is_seen(held: tuple[Session, date, datetime]) -> None:
    session, month, after = held
    slot = the_slot(session)
    rate(session, family(session, "n1"), after, slot.id, month, 2, "in ritardo")
    for who in (family(session, "n2"), provider_of(slot)):
        with pytest.raises(Forbidden):
            list_feedback(session, who, slot.provider_id)
    with seeing(session, Scope(CITY, family(session, "n2").household_id, "nobody")):
        assert session.exec(select(Feedback)).all() == []
