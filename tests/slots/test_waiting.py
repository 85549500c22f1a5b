"""A place that somebody left is offered to those who wait, in order, to one at a time and until a deadline."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, select

from marketplace.messages.models import Message
from marketplace.needs.models import Need, NeedState
from marketplace.rounds.waiting import offer_free_places
from marketplace.slots.advancing import advance
from marketplace.slots.leaving import leave_slot
from marketplace.slots.models import Membership, ProposalState
from marketplace.slots.operations import accept_proposal, decline_proposal
from marketplace.slots.settlement import settle
from tests.city import CITY, NOW, Group, add_need, family_of, membership_of, proposal_of, the_slot
from tests.slots.conftest import Confirm

IN_FEBRUARY = datetime(2027, 2, 3, 9, 0, tzinfo=UTC)
AFTER = datetime(2027, 2, 17, 9, 0, tzinfo=UTC)


@pytest.fixture
def freed(city: Session, confirm: Confirm) -> Session:
    """A group that n1 has left and in which n2 stays; n3 waits longer than n4."""
    for code in ("n1", "n2"):
        add_need(city, code)
    confirm(Group(["n1", "n2"]))
    add_need(city, "n4", created_at=NOW + timedelta(days=2))
    add_need(city, "n3", created_at=NOW + timedelta(days=1))
    mine = proposal_of(city, "n1")
    leave_slot(city, family_of(mine), IN_FEBRUARY, mine.id)
    assert offer_free_places(city, IN_FEBRUARY, CITY) == 0  # not yet free
    advance(city, AFTER, CITY)
    return city


def states(session: Session) -> dict[str, NeedState]:
    return {need.code: need.state for need in session.exec(select(Need))}


def test_a_free_place_is_offered_to_who_has_waited_longest_and_to_nobody_else_meanwhile(freed: Session) -> None:
    assert [offer_free_places(freed, AFTER, CITY) for _ in range(2)] == [1, 0]
    assert (states(freed)["n3"], states(freed)["n4"]) == (NeedState.PROPOSED, NeedState.OPEN)
    offered = proposal_of(freed, "n3")
    assert offered.deadline > AFTER and offered.share_cents == 1725
    told = [one.subject for one in freed.exec(select(Message)) if one.recipient == "n3@example.org"]
    assert len(told) == 1 and "C'è un posto per te" in told[0]


def test_who_lost_a_place_comes_first(freed: Session) -> None:
    freed.exec(select(Need).where(Need.code == "n4")).one().first_in_line = True
    freed.flush()
    offer_free_places(freed, AFTER, CITY)
    assert states(freed)["n4"] == NeedState.PROPOSED


def test_a_no_and_a_silence_pass_the_place_on_and_nobody_is_asked_twice(freed: Session) -> None:
    slot_id = the_slot(freed).id
    offer_free_places(freed, AFTER, CITY)
    first = proposal_of(freed, "n3")
    decline_proposal(freed, family_of(first), AFTER, first.id)
    assert offer_free_places(freed, AFTER, CITY) == 1
    second = proposal_of(freed, "n4")
    late = second.deadline + timedelta(seconds=1)
    settle(freed, late, CITY, slot_id)
    assert second.state == ProposalState.LAPSED
    assert offer_free_places(freed, late, CITY) == 0
    assert (states(freed)["n3"], states(freed)["n4"]) == (NeedState.OPEN, NeedState.OPEN)


def test_a_yes_fills_the_place_and_the_others_pay_less(freed: Session) -> None:
    assert membership_of(freed, "n2").share_cents == 3000
    offer_free_places(freed, AFTER, CITY)
    mine = proposal_of(freed, "n3")
    accept_proposal(freed, family_of(mine), AFTER, mine.id, mine.cap_cents)
    settle(freed, AFTER, CITY, the_slot(freed).id)
    assert membership_of(freed, "n3").state == ProposalState.CONFIRMED
    assert membership_of(freed, "n2").share_cents == 1725


def test_a_need_that_does_not_fit_is_passed_over(freed: Session) -> None:
    freed.exec(select(Need).where(Need.code == "n3")).one().windows = [{"day": 1, "start": 600, "end": 720}]
    freed.flush()
    offer_free_places(freed, AFTER, CITY)
    asked = freed.exec(select(Membership.need_id).where(Membership.state == ProposalState.PROPOSED)).one()
    assert freed.get_one(Need, (CITY, asked)).code == "n4"
