"""A plan becomes proposals once, and only as far as it still holds."""

from datetime import date

import pytest
from sqlmodel import Session, select

from marketplace.errors import Conflict
from marketplace.households.models import Household
from marketplace.needs.models import Need, NeedState
from marketplace.providers.models import Accreditation, Provider
from marketplace.rounds.models import RoundState
from marketplace.rounds.proposing import propose
from marketplace.slots.models import Membership, Proposal, Slot, SlotState
from marketplace.vouchers.models import ProgrammeWeek, VoucherHold
from tests.city import (
    NOW,
    OFFICER,
    Group,
    add_need,
    add_programme,
    found_city,
    membership_of,
    proposal_of,
    proposed,
    solved,
    the_slot,
)


@pytest.fixture
def city(session: Session) -> Session:
    found_city(session)
    return session


def test_a_plan_becomes_slots_memberships_and_proposals_once(city: Session) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code)
    found = proposed(city, [Group(["n1", "n2", "n3"])])
    slot = the_slot(city)
    assert (slot.cost_cents, slot.state, slot.seats_limit) == (3900, SlotState.PROPOSED, 5)
    assert slot.first_date == date(2026, 12, 1)
    mine = proposal_of(city, "n1")
    assert (mine.alone_cents, mine.share_cents, mine.cap_cents) == (3000, 1300, 3000)
    assert mine.term_max_cents == mine.meetings_count * 3000
    assert found.state == RoundState.PROPOSED
    assert {need.state for need in city.exec(select(Need))} == {NeedState.PROPOSED}
    propose(city, OFFICER, NOW, found.id)
    assert len(city.exec(select(Membership)).all()) == 3


def test_the_cap_is_the_price_in_the_smallest_group_that_all_can_pay(city: Session) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code, price_max_cents_per_hour=1200)
    proposed(city, [Group(["n1", "n2", "n3"])])
    member = membership_of(city, "n1")
    assert (member.cap_cents, member.cap_seats) == (1725, 2)


def test_the_cap_is_net_of_the_voucher_which_is_held_at_its_most(city: Session) -> None:
    add_programme(city, 100_000)
    for code in ("n1", "n2", "n3"):
        add_need(city, code, isee_cents=1_000_000, price_max_cents_per_hour=600)
    proposed(city, [Group(["n1", "n2", "n3"])])
    member = membership_of(city, "n1")
    assert (member.share_cents, member.subsidy_cents, member.cap_cents, member.held_cents) == (1300, 650, 863, 862)
    holds = city.exec(select(VoucherHold).where(VoucherHold.membership_id == member.id)).all()
    assert len(holds) == proposal_of(city, "n1").meetings_count
    weeks = {week.week: week.used_cents for week in city.exec(select(ProgrammeWeek))}
    assert weeks[date(2026, 11, 30)] == 3 * 862
    assert date(2026, 12, 7) not in weeks  # 8 December is a holiday: no meeting, no hold


def test_what_was_withdrawn_falls_out_with_its_slot_repriced_for_the_others(city: Session) -> None:
    for code in ("n1", "n2", "n3"):
        add_need(city, code)
    found = solved(city, [Group(["n1", "n2", "n3"])])
    city.exec(select(Need).where(Need.code == "n2")).one().state = NeedState.WITHDRAWN
    propose(city, OFFICER, NOW, found.id)
    assert membership_of(city, "n1").share_cents == 1725
    assert found.summary["proposed"] == {"slots": 1, "proposals": 2, "dropped": ["n2"]}


def test_a_slot_that_no_longer_holds_falls_with_all_sessions_of_its_needs(city: Session) -> None:
    add_need(city, "n1", price_max_cents_per_hour=1200, sessions=2)
    for code in ("n2", "n3"):
        add_need(city, code, price_max_cents_per_hour=1200)
    found = solved(city, [Group(["n1", "n2"], day=1), Group(["n1", "n3"], day=3)])
    city.exec(select(Need).where(Need.code == "n2")).one().minutes = 60
    propose(city, OFFICER, NOW, found.id)
    assert city.exec(select(Slot)).all() == []
    assert found.summary["proposed"]["dropped"] == ["n1", "n2", "n3"]
    assert {need.state for need in city.exec(select(Need))} == {NeedState.OPEN}


def test_a_suspended_provider_has_no_slots(city: Session) -> None:
    add_need(city, "n1")
    found = solved(city, [Group(["n1"])])
    city.exec(select(Provider)).one().accreditation = Accreditation.SUSPENDED
    propose(city, OFFICER, NOW, found.id)
    assert city.exec(select(Proposal)).all() == []


def test_whom_the_budget_no_longer_covers_is_left_out(city: Session) -> None:
    programme = add_programme(city, 3000)
    add_need(city, "n1", isee_cents=0)
    add_need(city, "n2", isee_cents=0)
    found = solved(city, [Group(["n1", "n2"])])
    city.add(
        ProgrammeWeek(
            municipality_id=programme.municipality_id,
            programme_id=programme.id,
            week=date(2026, 12, 14),
            budget_cents=1000,
        )
    )
    propose(city, OFFICER, NOW, found.id)
    assert found.summary["proposed"]["dropped"] == ["n1", "n2"]


def test_a_group_with_somebody_reached_by_letter_has_seven_days_for_all(city: Session) -> None:
    for code in ("n1", "n2", "n3", "n4"):
        add_need(city, code)
    city.exec(select(Household).where(Household.email == "n2@example.org")).one().email = None
    proposed(city, [Group(["n1", "n2"]), Group(["n3", "n4"], day=3)])
    letter, mail = date(2026, 12, 1), date(2026, 11, 25)  # a Sunday does not count
    deadlines = [proposal_of(city, code).deadline.date() for code in ("n1", "n2", "n3", "n4")]
    assert deadlines == [letter, letter, mail, mail]


def test_only_a_solved_round_is_proposed(city: Session) -> None:
    add_need(city, "n1")
    found = solved(city, [Group(["n1"])])
    found.state = RoundState.SOLVING
    with pytest.raises(Conflict):
        propose(city, OFFICER, NOW, found.id)
