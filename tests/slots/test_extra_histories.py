"""No history of asks, answers, joins and withdrawals overfills an extra session or charges anybody above its cap."""

from datetime import date, timedelta
from random import Random
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from marketplace.errors import MarketplaceError
from marketplace.slots.extra_models import ExtraSeat, ExtraSession, ExtraState, SeatState
from marketplace.slots.extra_prices import shares_of
from marketplace.slots.extras import advance_extras, answer_extra, ask_extra, join_extra, step_out
from marketplace.slots.leaving import leave_slot
from marketplace.slots.meetings import expected_members, record_attendance
from marketplace.slots.models import Meeting, MeetingState, Presence
from marketplace.statements.bills import iter_unbilled
from tests.city import CITY, NOW, Group, add_need, membership_of, proposal_of, the_slot
from tests.city import provider_of as teacher_of
from tests.slots.conftest import Confirm
from tests.slots.test_extras import CODES, FRIDAY, HOURS, family, place


class Story:
    """A history of asks, answers, joins and withdrawals, some of them not allowed."""

    def __init__(self, session: Session, seed: int) -> None:
        self.session, self.random = session, Random(seed)
        self.slot, self.now = the_slot(session), NOW
        self.slot.extra_seat_cents_per_hour = self.random.choice([0, 300, 2000, 2001, 4000])
        self.slot.rate_cents_per_hour = self.random.choice([1800, 1777, 1])
        self.slot.seats_limit = self.random.choice([3, 4, 5])
        session.flush()

    def step(self) -> None:
        code = self.random.choice(CODES)
        by, mine = family(self.session, code), place(self.session, code)
        alone = shares_of(self.slot, HOURS, [membership_of(self.session, code).seats])[0]
        extras = self.session.exec(select(ExtraSession.id)).all()
        deed = self.random.choice(["ask", "yes", "no", "join", "join", "join", "out", "wait", "leave"])
        if deed == "ask" or not extras:
            ask_extra(self.session, by, self.now, mine, FRIDAY, HOURS, alone)
        elif deed in ("yes", "no"):
            answer_extra(self.session, teacher_of(self.slot), self.now, self.random.choice(extras), deed == "yes")
        elif deed == "join":
            join_extra(self.session, by, self.now, self.random.choice(extras), mine, alone)
        elif deed == "out":
            step_out(self.session, by, self.now, self.random.choice(extras), mine)
        elif deed == "wait":
            self.now += timedelta(hours=self.random.choice([1, 12, 30]))
            advance_extras(self.session, self.now, CITY)
        elif self.random.random() < 0.1:
            leave_slot(self.session, by, self.now, proposal_of(self.session, code).id)

    def check_seats(self) -> None:
        for extra in self.session.exec(select(ExtraSession)).all():
            seats = self.session.exec(select(ExtraSeat).where(ExtraSeat.extra_id == extra.id)).all()
            taken = [one for one in seats if one.state == SeatState.TAKEN]
            assert sum(one.seats for one in taken) <= self.slot.seats_limit
            meetings = self.session.exec(select(Meeting).where(Meeting.extra_id == extra.id)).all()
            assert len(meetings) == (extra.state in (ExtraState.ACCEPTED, ExtraState.HELD)) or (
                extra.state == ExtraState.WITHDRAWN and all(one.state not in ("scheduled", "held") for one in meetings)
            )
            if extra.state == ExtraState.ACCEPTED:
                assert expected_members(self.session, meetings[0]) == {one.membership_id for one in taken} != set()

    def bill(self) -> None:
        """Whoever comes or not: everybody pays within its cap, and the shares of those who count are the cost."""
        for meeting in self.session.exec(select(Meeting).where(col(Meeting.extra_id).is_not(None))).all():
            if meeting.state != MeetingState.SCHEDULED:
                continue
            there = expected_members(self.session, meeting)
            presence = {one: self.random.choice(list(Presence)) for one in sorted(there)}
            record_attendance(self.session, teacher_of(self.slot), meeting.ends_at, meeting.id, presence)
            bills = iter_unbilled(self.session, CITY, date(2027, 1, 1), meeting.ends_at)
            (bill,) = [one for one in bills if one.meeting_id == meeting.id]
            assert bill.bill is not None
            assert {row.membership_id for row in bill.members} == there
            assert sum(line.share_cents for line in bill.bill.lines) == bill.bill.cost_cents
            caps = {one.membership_id: one.cap_cents for one in self.session.exec(select(ExtraSeat))}
            for line in bill.bill.lines:
                assert line.share_cents == line.net_cents + line.guarantee_cents
                assert line.net_cents <= caps[UUID(line.attendee.id)]


@pytest.mark.parametrize("seed", range(12))
def test_no_history_overfills_it_or_charges_anybody_above_its_cap(city: Session, confirm: Confirm, seed: int) -> None:
    for code, seats in zip(CODES, (1, 2, 1), strict=True):
        add_need(city, code, seats=seats)
    confirm(Group(CODES))
    story = Story(city, seed)
    for _ in range(30):
        try:
            with city.begin_nested():
                story.step()
        except (MarketplaceError, IntegrityError):
            city.expire_all()
        story.check_seats()
    story.bill()
