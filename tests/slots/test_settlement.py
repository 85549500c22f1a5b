"""Answers settle a slot: confirmed within everybody's cap, or dissolved at no charge."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.errors import Conflict, NotFound
from marketplace.needs.models import Need, NeedState
from marketplace.places.models import CalendarEntry, CalendarKind
from marketplace.slots.models import Answer, Meeting, ProposalState, SlotState
from marketplace.slots.operations import accept_proposal, answer_slot, decline_proposal
from marketplace.slots.settlement import settle
from marketplace.vouchers.models import HoldState, ProgrammeWeek, VoucherHold
from tests.city import (
    CITY,
    NOW,
    Group,
    add_need,
    add_programme,
    family_of,
    membership_of,
    proposal_of,
    proposed,
    provider_of,
    the_slot,
)

LATER = NOW + timedelta(days=5)


def need(session: Session, code: str) -> Need:
    return session.exec(select(Need).where(Need.code == code)).one()


def accept(session: Session, *codes: str) -> None:
    for code in codes:
        proposal = proposal_of(session, code)
        accept_proposal(session, family_of(proposal), NOW, proposal.id, proposal.cap_cents)


def provider_accepts(session: Session) -> None:
    slot = the_slot(session)
    answer_slot(session, provider_of(slot), NOW, slot.id, True)


def test_a_slot_that_all_accept_is_confirmed_with_its_meetings(city: Session) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    found = proposed(city, [Group(["n1", "n2"])])
    accept(city, "n1", "n2")
    assert not settle(city, NOW, CITY, the_slot(city).id)
    provider_accepts(city)
    assert settle(city, NOW, CITY, the_slot(city).id)
    slot = the_slot(city)
    assert (slot.state, need(city, "n1").state) == (SlotState.CONFIRMED, NeedState.SERVED)
    meetings = city.exec(select(Meeting).order_by(Meeting.held_on)).all()
    assert len(meetings) == proposal_of(city, "n1").meetings_count
    assert (meetings[0].held_on, meetings[-1].held_on) == (date(2026, 12, 1), date(2027, 6, 29))
    assert date(2026, 12, 8) not in [meeting.held_on for meeting in meetings]
    assert found.id == slot.round_id
    assert settle(city, LATER, CITY, slot.id)
    assert len(city.exec(select(Meeting)).all()) == len(meetings)


def test_local_hours_stay_across_both_changes_of_clock(city: Session) -> None:
    city.add(
        CalendarEntry(
            municipality_id=CITY,
            kind=CalendarKind.TERM,
            name="anno",
            first=date(2026, 9, 14),
            last=date(2027, 12, 31),
        )
    )
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    accept(city, "n1")
    provider_accepts(city)
    settle(city, NOW, CITY, the_slot(city).id)
    begins = {meeting.held_on: meeting.starts_at for meeting in city.exec(select(Meeting))}
    assert begins[date(2027, 3, 23)] == datetime(2027, 3, 23, 15, 0, tzinfo=UTC)
    assert begins[date(2027, 3, 30)] == datetime(2027, 3, 30, 14, 0, tzinfo=UTC)
    assert begins[date(2027, 10, 26)] == datetime(2027, 10, 26, 14, 0, tzinfo=UTC)
    assert begins[date(2027, 11, 2)] == datetime(2027, 11, 2, 15, 0, tzinfo=UTC)


def test_a_share_that_would_pass_a_members_cap_dissolves_the_slot(city: Session) -> None:
    add_programme(city, 100_000)
    add_need(city, "n1", price_max_cents_per_hour=1200)
    add_need(city, "n2", isee_cents=0, price_max_cents_per_hour=1200)
    proposed(city, [Group(["n1", "n2"])])
    accept(city, "n1")
    provider_accepts(city)
    slot_id = the_slot(city).id
    assert not settle(city, NOW, CITY, slot_id)
    assert settle(city, LATER, CITY, slot_id)
    assert the_slot(city).state == SlotState.DISSOLVED
    assert proposal_of(city, "n1").state == ProposalState.DISSOLVED
    assert proposal_of(city, "n2").state == ProposalState.LAPSED
    assert (need(city, "n1").state, need(city, "n1").first_in_line) == (NeedState.OPEN, True)
    assert (need(city, "n2").state, need(city, "n2").first_in_line) == (NeedState.OPEN, False)
    assert city.exec(select(Meeting)).all() == []
    assert {hold.state for hold in city.exec(select(VoucherHold))} == {HoldState.RELEASED}
    assert {week.used_cents for week in city.exec(select(ProgrammeWeek))} == {0}


def test_who_is_left_pays_the_smaller_groups_share_within_the_cap(city: Session) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code, price_max_cents_per_hour=1200)
    proposed(city, [Group(["n1", "n2", "n3"])])
    accept(city, "n1", "n2")
    provider_accepts(city)
    proposal = proposal_of(city, "n3")
    decline_proposal(city, family_of(proposal), NOW, proposal.id, "troppo lontano")
    assert need(city, "n3").state == NeedState.OPEN
    assert settle(city, NOW, CITY, the_slot(city).id)
    assert membership_of(city, "n1").share_cents == membership_of(city, "n1").cap_cents == 1725
    assert the_slot(city).cost_cents == 3450


def test_linked_slots_settle_together(city: Session) -> None:
    add_need(city, "n1", sessions=2)
    add_need(city, "n2", price_max_cents_per_hour=1200)
    add_need(city, "n3")
    proposed(city, [Group(["n1", "n2"], day=1), Group(["n1", "n3"], day=3)])
    accept(city, "n2", "n3")
    from marketplace.slots.models import Slot

    slots = city.exec(select(Slot).order_by(Slot.day)).all()
    for slot in slots:
        answer_slot(city, provider_of(slot), NOW, slot.id, True)
    assert settle(city, LATER, CITY, slots[1].id)
    assert [slot.state for slot in slots] == [SlotState.DISSOLVED, SlotState.CONFIRMED]
    assert [proposal_of(city, code).state for code in ("n1", "n2", "n3")] == [
        ProposalState.LAPSED,
        ProposalState.DISSOLVED,
        ProposalState.CONFIRMED,
    ]
    assert membership_of(city, "n3").share_cents == 3000


def test_a_provider_that_declines_ends_it_at_once(city: Session) -> None:
    add_need(city, "n1")
    add_need(city, "n2")
    proposed(city, [Group(["n1", "n2"])])
    accept(city, "n1")
    slot = the_slot(city)
    answer_slot(city, provider_of(slot), NOW, slot.id, False)
    settle(city, NOW, CITY, slot.id)
    assert slot.state == SlotState.DISSOLVED
    assert need(city, "n1").first_in_line
    assert need(city, "n2").state == NeedState.OPEN


def test_without_the_providers_answer_nothing_is_confirmed(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    accept(city, "n1")
    assert settle(city, LATER, CITY, the_slot(city).id)
    assert the_slot(city).state == SlotState.DISSOLVED
    assert the_slot(city).provider_answer == Answer.ASKED


def test_an_acceptance_after_the_deadline_is_refused(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    proposal = proposal_of(city, "n1")
    with pytest.raises(Conflict, match="Il tempo per rispondere è scaduto"):
        accept_proposal(city, family_of(proposal), proposal.deadline + timedelta(seconds=1), proposal.id, 3000)
    assert proposal.state == ProposalState.PROPOSED


def test_an_acceptance_is_of_the_cap_that_was_shown_and_counts_once(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    proposal = proposal_of(city, "n1")
    with pytest.raises(Conflict, match="Il tetto"):
        accept_proposal(city, family_of(proposal), NOW, proposal.id, 2999)
    accept_proposal(city, family_of(proposal), NOW, proposal.id, 3000)
    accept_proposal(city, family_of(proposal), LATER, proposal.id, 3000)
    assert proposal.decided_at == NOW
    with pytest.raises(NotFound):
        accept_proposal(city, Actor(CITY, Role.FAMILY, household_id=proposal.id), NOW, proposal.id, 3000)


def test_a_family_may_change_its_mind_until_the_slot_is_settled(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    accept(city, "n1")
    proposal = proposal_of(city, "n1")
    decline_proposal(city, family_of(proposal), NOW, proposal.id)
    settle(city, NOW, CITY, the_slot(city).id)
    assert the_slot(city).state == SlotState.DISSOLVED
    assert proposal.state == ProposalState.DECLINED
