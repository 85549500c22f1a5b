"""Whatever happens at once, seats, budgets and answers hold: on real connections that commit."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, create_engine, select

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, db, set_scope
from marketplace.errors import MarketplaceError
from marketplace.households.models import MobileNumber
from marketplace.households.sms import ask_code
from marketplace.installation import Installation
from marketplace.rounds.joining import propose_to_join
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.waiting import offer_place
from marketplace.slots.advancing import advance
from marketplace.slots.leaving import leave_slot
from marketplace.slots.models import Meeting, Membership, Proposal, ProposalState, Slot, SlotState
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from marketplace.slots.substitutes import seek_substitute, take_over
from marketplace.vouchers.models import ProgrammeWeek
from marketplace.vouchers.operations import Hold, hold, lock_weeks
from marketplace.web import Application
from tests.city import (
    CITY,
    NOW,
    Group,
    add_need,
    add_programme,
    add_provider,
    family_of,
    found_city,
    membership_of,
    proposal_of,
    proposed,
    provider_of,
    the_slot,
)

Act = Callable[[Session], None]


@pytest.fixture
def city(app: Application) -> Iterator[Session]:
    """A committed city."""
    with app.app_context():
        found_city(db.session)
        yield db.session
        db.session.rollback()


@pytest.fixture
def at_once(installation: Installation) -> Iterator[Callable[..., list[str]]]:
    """Do things at once, each in a transaction of its own: "done", or the name of what the database refused."""
    engine = create_engine(installation.app_url)

    def act(*acts: Act) -> list[str]:
        together = threading.Barrier(len(acts))
        outcomes: list[str] = []

        def run(one: Act) -> None:
            with Session(engine) as session:
                set_scope(session, Scope(CITY))
                together.wait()
                try:
                    one(session)
                    session.commit()
                    outcomes.append("done")
                except IntegrityError as problem:
                    session.rollback()
                    outcomes.append(problem.orig.diag.constraint_name)
                except MarketplaceError as problem:
                    session.rollback()
                    outcomes.append(type(problem).__name__)

        threads = [threading.Thread(target=run, args=(one,)) for one in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(outcomes)

    yield act
    engine.dispose()


def test_the_last_seat_is_given_once(city: Session, at_once: Callable[..., list[str]]) -> None:
    for code in ("n1", "n2", "n3", "n4", "n5", "n6"):
        add_need(city, code)
    proposed(city, [Group(["n1", "n2", "n3", "n4"]), Group(["n5"], day=2), Group(["n6"], day=3)])
    full = city.exec(select(Slot).where(Slot.day == 1)).one()
    assert full.seats_limit == 5
    city.commit()
    wanted = [membership_of(city, code).id for code in ("n5", "n6")]
    slot_id = full.id
    city.rollback()

    def move(membership_id: object) -> Act:
        def act(session: Session) -> None:
            session.get_one(Membership, (CITY, membership_id)).slot_id = slot_id
            session.flush()

        return act

    assert at_once(*(move(one) for one in wanted)) == ["done", "seats_within_limit"]


def test_a_proposal_accepted_twice_at_once_is_accepted_once(city: Session, at_once: Callable[..., list[str]]) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    proposal = proposal_of(city, "n1")
    by, key, cap = family_of(proposal), proposal.id, proposal.cap_cents
    city.commit()

    def accept(session: Session) -> None:
        accept_proposal(session, by, NOW, key, cap)

    assert at_once(accept, accept, accept) == ["done", "done", "done"]
    city.expire_all()
    assert proposal_of(city, "n1").state == ProposalState.ACCEPTED


def test_an_answer_and_the_settling_at_once_agree(city: Session, at_once: Callable[..., list[str]]) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    proposed(city, [Group(["n1", "n2"])])
    slot = the_slot(city)
    answer_slot(city, provider_of(slot), NOW, slot.id, True)
    mine, other = proposal_of(city, "n1"), proposal_of(city, "n2")
    accept_proposal(city, family_of(mine), NOW, mine.id, mine.cap_cents)
    slot_id, by, key, cap, deadline = slot.id, family_of(other), other.id, other.cap_cents, other.deadline
    city.commit()
    outcome = at_once(
        lambda session: accept_proposal(session, by, deadline, key, cap),
        lambda session: settle(session, deadline + timedelta(seconds=1), CITY, slot_id),
    )
    city.expire_all()
    assert the_slot(city).state == SlotState.CONFIRMED
    late = proposal_of(city, "n2").state
    assert (outcome, late) in [
        (["done", "done"], ProposalState.CONFIRMED),
        (["Conflict", "done"], ProposalState.LAPSED),
    ]


def test_a_programmes_budget_is_not_overspent_by_holds_at_once(
    city: Session, at_once: Callable[..., list[str]]
) -> None:
    programme_id = add_programme(city, 1000).id
    for code in ("n1", "n2", "n3"):
        add_need(city, code)
    proposed(city, [Group(["n1", "n2", "n3"])])
    members = [(one.need_id, one.id) for one in city.exec(select(Membership))]
    week = date(2026, 12, 14)
    lock_weeks(city, CITY, [programme_id], [week])
    city.commit()

    def take(need_id: object, membership_id: object) -> Act:
        return lambda session: hold(session, NOW, CITY, [Hold(programme_id, need_id, membership_id, week, 400)])

    assert at_once(*(take(*member) for member in members)) == ["budget_not_exceeded", "done", "done"]
    city.expire_all()
    assert city.exec(select(ProgrammeWeek)).one().used_cents == 800


def test_jobs_settle_a_slot_after_the_last_answer(city: Session, work: Callable[[], None]) -> None:
    now = datetime.now(UTC)
    for code in ("n1", "n2"):
        add_need(city, code)
    found = proposed(city, [Group(["n1", "n2"])], now)
    key = (CITY, found.id)
    slot = the_slot(city)
    answer_slot(city, provider_of(slot), now, slot.id, True)
    for code in ("n1", "n2"):
        proposal = proposal_of(city, code)
        accept_proposal(city, family_of(proposal), now, proposal.id, proposal.cap_cents)
    city.commit()
    work()
    work()
    city.expire_all()
    assert the_slot(city).state == SlotState.CONFIRMED
    assert {one.state for one in city.exec(select(Proposal))} == {ProposalState.CONFIRMED}
    assert city.get(Round, key).state == RoundState.PROPOSED


def test_a_free_place_offered_and_asked_for_at_once_goes_to_one(
    city: Session, at_once: Callable[..., list[str]]
) -> None:
    for code in ("n1", "n2"):
        add_need(city, code, group_max=2)
    proposed(city, [Group(["n1", "n2"])])
    slot = the_slot(city)
    slot_id = slot.id
    answer_slot(city, provider_of(slot), NOW, slot_id, True)
    for code in ("n1", "n2"):
        mine = proposal_of(city, code)
        accept_proposal(city, family_of(mine), NOW, mine.id, mine.cap_cents)
    settle(city, NOW, CITY, slot_id)
    leaver = proposal_of(city, "n1")
    gone = datetime.combine(leave_slot(city, family_of(leaver), NOW, leaver.id).left_on, time(9), UTC)
    first, second = add_need(city, "n3", group_max=2), add_need(city, "n4", group_max=2)
    waiting, own = first.id, second.id
    by = Actor(CITY, Role.FAMILY, household_id=second.household_id)
    advance(city, gone, CITY)
    offered: list[object] = []
    outcome = at_once(
        lambda session: offered.append(offer_place(session, gone, CITY, slot_id, waiting)),
        lambda session: propose_to_join(session, by, gone, own, slot_id),
    )
    city.expire_all()
    assert (outcome, [one is None for one in offered]) in [(["Conflict", "done"], [False]), (["done", "done"], [True])]
    asked = city.exec(select(Membership).where(Membership.state == ProposalState.PROPOSED)).all()
    assert len(asked) == 1


def test_a_meeting_is_taken_over_by_one_and_nobody_holds_two_at_once(
    city: Session, at_once: Callable[..., list[str]]
) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    add_provider(city, "q2")
    proposed(city, [Group(["n1"]), Group(["n2"], provider="q2")])
    for slot in city.exec(select(Slot)).all():
        answer_slot(city, provider_of(slot), NOW, slot.id, True)
        settle_with(city, slot)
    colleagues = [
        Actor(CITY, Role.PROVIDER, provider_id=add_provider(city, code, seats_max=2).id) for code in ("q3", "q4")
    ]
    meetings = city.exec(select(Meeting).where(Meeting.held_on == date(2026, 12, 1))).all()
    now = meetings[0].starts_at - timedelta(days=1)
    for meeting in meetings:
        by = Actor(CITY, Role.PROVIDER, provider_id=meeting.provider_id)
        seek_substitute(city, by, now, meeting.id)
    first, second = (meeting.id for meeting in meetings)
    city.commit()
    race = at_once(*(partial(take_over, by=by, now=now, meeting_id=first) for by in colleagues))
    assert race == ["Conflict", "done"]
    city.expire_all()
    loser = next(by for by in colleagues if by.provider_id != city.get_one(Meeting, (CITY, first)).provider_id)
    winner = next(by for by in colleagues if by is not loser)
    both = at_once(*(partial(take_over, by=by, now=now, meeting_id=second) for by in (winner, loser)))
    assert both in (["NotFound", "done"], ["Conflict", "done"])  # the busy one is never let in
    third = at_once(lambda session: setattr_flush(session, second, winner.provider_id))
    assert third == ["provider_meets_once"]


def settle_with(session: Session, slot: Slot) -> None:
    """Everybody in a slot accepts, and it is settled."""
    members = session.exec(select(Membership).where(Membership.slot_id == slot.id)).all()
    for proposal in [session.get_one(Proposal, (CITY, member.proposal_id)) for member in members]:
        accept_proposal(session, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
    settle(session, NOW, CITY, slot.id)


def setattr_flush(session: Session, meeting_id: object, provider_id: object) -> None:
    """Give a meeting to a provider, whatever the operations say."""
    session.get_one(Meeting, (CITY, meeting_id)).provider_id = provider_id
    session.flush()


def test_two_codes_asked_at_once_are_one_number(city: Session, at_once: Callable[..., list[str]]) -> None:
    by = Actor(CITY, Role.FAMILY, household_id=add_need(city, "n1").household_id)
    city.commit()
    asked = [partial(ask_code, by=by, now=NOW, text=text) for text in ("347 1234567", "348 7654321")]
    assert at_once(*asked) == ["done", "done"]
    assert len(city.exec(select(MobileNumber)).all()) == 1
