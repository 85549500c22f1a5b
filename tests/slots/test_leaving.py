"""Whoever leaves tells in time; the others stay as long as it costs none of them more than its cap."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.errors import Conflict, NotFound
from marketplace.needs.models import Need, NeedState
from marketplace.slots.advancing import advance
from marketplace.slots.leaving import leave_slot
from marketplace.slots.models import Meeting, MeetingState, ProposalState, Slot, SlotState
from marketplace.vouchers.models import HoldState, VoucherHold
from tests.city import CITY, NOW, Group, add_need, add_programme, family_of, membership_of, proposal_of, the_slot
from tests.slots.conftest import Confirm

IN_FEBRUARY = datetime(2027, 2, 3, 9, 0, tzinfo=UTC)  # a Wednesday; the group meets on Tuesdays
OUT = date(2027, 2, 17)


def need(session: Session, code: str) -> Need:
    return session.exec(select(Need).where(Need.code == code)).one()


def leave(session: Session, code: str, now: datetime) -> date | None:
    proposal = proposal_of(session, code)
    return leave_slot(session, family_of(proposal), now, proposal.id).left_on


def test_leaving_takes_the_notice_but_is_free_for_14_days_and_after_the_first_session(
    city: Session, confirm: Confirm
) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code)
    confirm(Group(["n1", "n2", "n3"], day=2))  # the first session is on 2 December
    assert leave(city, "n1", NOW + timedelta(days=13)) == date(2026, 12, 7)
    assert leave(city, "n2", IN_FEBRUARY) == OUT
    assert leave(city, "n2", IN_FEBRUARY + timedelta(days=3)) == OUT
    with pytest.raises(NotFound):
        leave_slot(city, Actor(CITY, Role.FAMILY, household_id=the_slot(city).id), NOW, proposal_of(city, "n3").id)


def test_the_rest_stay_within_their_caps_and_pay_the_smaller_groups_share_from_that_day(
    city: Session, confirm: Confirm
) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code, price_max_cents_per_hour=1200)
    confirm(Group(["n1", "n2", "n3"]))
    leave(city, "n1", IN_FEBRUARY)
    advance(city, IN_FEBRUARY, CITY)
    assert membership_of(city, "n2").share_cents == 1300
    assert the_slot(city).state == SlotState.RUNNING
    advance(city, datetime(2027, 2, 17, 9, 0, tzinfo=UTC), CITY)
    assert membership_of(city, "n2").share_cents == 1725
    assert proposal_of(city, "n1").state == ProposalState.LEFT
    assert (need(city, "n1").state, need(city, "n2").state) == (NeedState.WITHDRAWN, NeedState.SERVED)
    with pytest.raises(Conflict):
        leave(city, "n1", IN_FEBRUARY)


def test_a_group_that_would_cost_somebody_more_than_its_cap_ends_that_day(city: Session, confirm: Confirm) -> None:
    add_programme(city, 100_000)
    add_need(city, "n1", price_max_cents_per_hour=1200)
    add_need(city, "n2", isee_cents=0, price_max_cents_per_hour=600)
    confirm(Group(["n1", "n2"]))
    leave(city, "n1", IN_FEBRUARY)
    other = proposal_of(city, "n2")
    assert (other.left_on, other.reopens) == (OUT, True)
    after = city.exec(select(Meeting).where(Meeting.held_on >= OUT)).all()
    assert {meeting.state for meeting in after} == {MeetingState.DISSOLVED}
    held = city.exec(select(VoucherHold).where(VoucherHold.state == HoldState.HELD)).all()
    assert max(hold.week for hold in held) == date(2027, 2, 15)
    advance(city, datetime(2027, 2, 17, 9, 0, tzinfo=UTC), CITY)
    assert (need(city, "n2").state, need(city, "n2").first_in_line) == (NeedState.OPEN, True)
    assert the_slot(city).state == SlotState.ENDED


def test_what_ends_takes_the_other_slots_of_its_members_along(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1", price_max_cents_per_hour=1200)
    add_need(city, "n2", price_max_cents_per_hour=1200, sessions=2)
    add_need(city, "n3")
    confirm(Group(["n1", "n2"], day=1), Group(["n2", "n3"], day=3))
    leave(city, "n1", IN_FEBRUARY)
    assert [proposal_of(city, code).reopens for code in ("n1", "n2", "n3")] == [False, True, False]
    assert proposal_of(city, "n3").left_on is None
    last = {slot.day: slot.last_date for slot in city.exec(select(Slot))}
    assert last == {1: date(2027, 2, 16), 3: date(2027, 6, 24)}
