"""A need that waits is proposed at once into a group that stands, at no higher price for anybody."""

import pytest
from sqlmodel import Session

from marketplace.accounts.models import Actor, Role
from marketplace.errors import Conflict, NotFound
from marketplace.needs.models import Need, NeedState
from marketplace.rounds.instances import build_instance
from marketplace.rounds.joining import list_openings, propose_to_join
from marketplace.slots.calendar import local_day
from marketplace.slots.models import ProposalState
from marketplace.slots.operations import accept_proposal
from marketplace.slots.settlement import settle
from tests.city import CITY, NOW, Group, add_need, membership_of, proposal_of, the_slot
from tests.slots.conftest import Confirm


def family(need: Need) -> Actor:
    return Actor(CITY, Role.FAMILY, household_id=need.household_id)


@pytest.fixture
def waiting(city: Session, confirm: Confirm) -> Need:
    """n2, beside a group in which n1 is alone."""
    add_need(city, "n1")
    confirm(Group(["n1"]))
    return add_need(city, "n2")


def test_an_opening_tells_everybody_s_new_price_and_no_name(city: Session, waiting: Need) -> None:
    (found,) = list_openings(city, family(waiting), NOW, waiting.id)
    assert found.slot_id == the_slot(city).id
    assert (found.share_cents, found.net_cents, found.saving_cents, found.others) == (1725, 1725, 1275, 1)
    assert "Scuola Vochieri" in found.place
    assert "Famiglia n1" not in repr(found)


def test_who_says_yes_is_in_the_group_and_all_pay_less(city: Session, waiting: Need) -> None:
    slot = the_slot(city)
    proposal = propose_to_join(city, family(waiting), NOW, waiting.id, slot.id)
    assert (proposal.share_cents, waiting.state) == (1725, NeedState.PROPOSED)
    assert membership_of(city, "n1").share_cents == 3000
    accept_proposal(city, family(waiting), NOW, proposal.id, proposal.cap_cents)
    assert settle(city, NOW, CITY, slot.id)
    assert proposal_of(city, "n2").state == ProposalState.CONFIRMED
    assert [membership_of(city, code).share_cents for code in ("n1", "n2")] == [1725, 1725]


def test_a_need_with_a_proposal_joins_nothing_else(city: Session, waiting: Need) -> None:
    propose_to_join(city, family(waiting), NOW, waiting.id, the_slot(city).id)
    with pytest.raises(Conflict):
        propose_to_join(city, family(waiting), NOW, waiting.id, the_slot(city).id)
    with pytest.raises(Conflict):
        list_openings(city, family(waiting), NOW, waiting.id)


def test_a_group_at_other_hours_or_another_family_s_need_is_no_opening(city: Session, waiting: Need) -> None:
    late = add_need(city, "n3", windows=[{"day": 5, "start": 840, "end": 930}])
    assert list_openings(city, family(late), NOW, late.id) == []
    with pytest.raises(Conflict):
        propose_to_join(city, family(late), NOW, late.id, the_slot(city).id)
    with pytest.raises(NotFound):
        list_openings(city, family(late), NOW, waiting.id)


def test_for_one_need_the_others_that_wait_are_not_read_and_what_stands_is_the_same(
    city: Session, waiting: Need
) -> None:
    add_need(city, "n3")
    whole, one = (build_instance(city, CITY, local_day(NOW), asking) for asking in (None, {waiting.id}))
    assert [[need["id"] for need in each["needs"]] for each in (whole, one)] == [["n1", "n2", "n3"], ["n1", "n2"]]
    assert one["pinned"] == whole["pinned"] != []
