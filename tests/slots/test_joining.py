"""A later round may add members to a slot that stands: at no more than the caps of those who are in it."""

from datetime import UTC, datetime, timedelta

from sqlmodel import Session, select

from marketplace.rounds.proposing import propose
from marketplace.slots.meetings import expected_members
from marketplace.slots.models import Meeting, ProposalState, SlotState
from marketplace.slots.operations import accept_proposal
from marketplace.slots.settlement import settle
from tests.city import CITY, OFFICER, Group, add_need, family_of, membership_of, proposal_of, solved, the_slot
from tests.slots.conftest import Confirm

IN_JANUARY = datetime(2027, 1, 11, 9, 0, tzinfo=UTC)


def test_a_newcomer_is_proposed_into_a_standing_slot_and_counts_from_its_first_day(
    city: Session, confirm: Confirm
) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    add_need(city, "n2")
    slot = the_slot(city)
    joined = Group(["n1", "n2"], slot_id=str(slot.id))
    propose(city, OFFICER, IN_JANUARY, solved(city, [joined], IN_JANUARY).id)
    newcomer = proposal_of(city, "n2")
    assert (newcomer.share_cents, newcomer.cap_cents) == (1725, 3000)
    assert membership_of(city, "n1").share_cents == 3000
    accept_proposal(city, family_of(newcomer), IN_JANUARY, newcomer.id, newcomer.cap_cents)
    assert settle(city, IN_JANUARY, CITY, slot.id)
    assert [membership_of(city, code).share_cents for code in ("n1", "n2")] == [1725, 1725]
    expected = {one.held_on: len(expected_members(city, one)) for one in city.exec(select(Meeting))}
    since = membership_of(city, "n2").first_date
    assert since > IN_JANUARY.date()
    assert all(count == (2 if day >= since else 1) for day, count in expected.items())
    assert slot.state == SlotState.CONFIRMED


def test_a_newcomer_that_does_not_answer_changes_nothing_for_the_others(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    add_need(city, "n2")
    slot = the_slot(city)
    joined = Group(["n1", "n2"], slot_id=str(slot.id))
    propose(city, OFFICER, IN_JANUARY, solved(city, [joined], IN_JANUARY).id)
    assert settle(city, IN_JANUARY + timedelta(days=9), CITY, slot.id)
    assert proposal_of(city, "n2").state == ProposalState.LAPSED
    assert membership_of(city, "n1").share_cents == 3000
    assert slot.state == SlotState.CONFIRMED
