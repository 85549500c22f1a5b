"""An extra session is billed to those who said yes, without a voucher, and leaves the week's vouchers alone."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlmodel import select

from marketplace.slots.calendar import instant
from marketplace.slots.extra_models import ExtraSeat, ExtraSession, ExtraState
from marketplace.slots.models import Meeting, MeetingState, Presence
from marketplace.statements.audit import audit
from marketplace.statements.models import StatementLine
from marketplace.statements.operations import close_month, count_waiting
from marketplace.statements.queries import get_statement, list_open_months
from marketplace.statements.wording import explain
from marketplace.vouchers.models import VoucherHold
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, TUESDAYS, City, Group

MONDAY = date(2026, 11, 30)


def meets_once_more(city: City, group: Group, comers: list[int], day: date = MONDAY) -> Meeting:
    """An hour more of a group, at which these of its members have a seat."""
    extra = ExtraSession(
        municipality_id=CITY,
        slot_id=group.slot.id,
        household_id=group.memberships[comers[0]].household_id,
        held_on=day,
        start_minute=900,
        end_minute=960,
        state=ExtraState.ACCEPTED,
        answer_by=instant(date(2026, 10, 1), 0),
        join_until=instant(day, 0),
        created_at=LONG_AGO,
    )
    city.session.add(extra)
    city.session.flush()
    for member in (group.memberships[index] for index in comers):
        values = {"municipality_id": CITY, "membership_id": member.id, "household_id": member.household_id}
        city.session.add(ExtraSeat(extra_id=extra.id, seats=1, cap_cents=2000, created_at=LONG_AGO, **values))
    meeting = Meeting(
        municipality_id=CITY,
        slot_id=group.slot.id,
        provider_id=group.provider.id,
        held_on=day,
        during=Range(instant(day, 900), instant(day, 960), bounds="[)"),
        state=MeetingState.HELD,
        extra_id=extra.id,
    )
    city.session.add(meeting)
    city.session.flush()
    return meeting


@pytest.fixture
def group(city: City) -> Group:
    """Three families, the first with a voucher also held for the week of the extra session and its meeting to come."""
    group = city.group([*TUESDAYS, date(2026, 12, 1)])
    city.join(group, city.household(), percent="50", held=900)
    for _ in range(2):
        city.join(group, city.household())
    for meeting in group.meetings[:-1]:
        city.attend(meeting, {one.id: Presence.PRESENT for one in group.memberships})
    return group


def came(city: City, meeting: Meeting, group: Group, **presence: Presence) -> None:
    members = {f"m{index}": one.id for index, one in enumerate(group.memberships)}
    city.attend(meeting, {members[name]: what for name, what in presence.items()})


def test_those_who_said_yes_share_it_without_a_voucher_and_nobody_else_pays(city: City, group: Group, app) -> None:
    meeting = meets_once_more(city, group, [0, 1])
    came(city, meeting, group, m0=Presence.PRESENT, m1=Presence.PRESENT)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    lines = city.session.exec(select(StatementLine).where(StatementLine.meeting_id == meeting.id)).all()
    assert sorted((one.share_cents, one.subsidy_cents, one.net_cents) for one in lines) == [(1150, 0, 1150)] * 2
    assert {one.household_id for one in lines} == {one.household_id for one in group.memberships[:2]}
    with app.test_request_context():
        mine = get_statement(city.session, CITY, group.memberships[0].household_id, NOVEMBER)
        (line,) = [one for one in mine.lines if one.held_on == MONDAY]
        assert line.alone_cents == 2000
        assert "senza buono" in explain(line)[0]
        assert "23,00" in explain(line)[1]
    hold = city.session.exec(select(VoucherHold).where(VoucherHold.week == MONDAY)).one()
    assert hold.state == "held"  # it is Tuesday's, which December bills
    assert list(audit(city.session, CITY)) == []


def test_in_a_week_with_its_own_meeting_only_that_uses_the_voucher(city: City, group: Group) -> None:
    meeting = meets_once_more(city, group, [0], day=date(2026, 11, 27))
    came(city, meeting, group, m0=Presence.PRESENT)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    hold = city.session.exec(select(VoucherHold).where(VoucherHold.week == date(2026, 11, 23))).one()
    assert (hold.state, hold.committed_cents) == ("committed", 650)
    assert list(audit(city.session, CITY)) == []


def test_who_told_in_time_pays_nothing_and_the_other_at_most_what_it_costs_alone(city: City, group: Group) -> None:
    meeting = meets_once_more(city, group, [1, 2])
    came(city, meeting, group, m1=Presence.ABSENT_NOTIFIED, m2=Presence.PRESENT)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    lines = city.session.exec(select(StatementLine).where(StatementLine.meeting_id == meeting.id)).all()
    assert sorted(one.net_cents for one in lines) == [0, 2000]
    assert list(audit(city.session, CITY)) == []


def test_it_waits_for_those_who_have_a_seat_and_for_nobody_else(city: City, group: Group) -> None:
    meeting = meets_once_more(city, group, [0, 1])
    came(city, meeting, group, m0=Presence.PRESENT)
    assert count_waiting(city.session, CITY, date(2026, 12, 1)) == 1
    came(city, meeting, group, m1=Presence.PRESENT)
    assert count_waiting(city.session, CITY, date(2026, 12, 1)) == 0
    (month,) = list_open_months(city.session, CITY, date(2026, 12, 2))
    assert (month.ready, month.waiting) == (5, 0)


@pytest.mark.parametrize(
    ("tampering", "check"),
    [
        ("update extra_seat set cap_cents = 100", "Una famiglia paga più"),
        ("update extra_seat set cap_cents = 100", "Una riga non segue"),
        ("update extra_seat set state = 'withdrawn' where cap_cents = 2000", "Un incontro in più ha un buono"),
    ],
)
def test_the_audit_derives_it_again(city: City, group: Group, tampering: str, check: str) -> None:
    meeting = meets_once_more(city, group, [0, 1])
    came(city, meeting, group, m0=Presence.PRESENT, m1=Presence.PRESENT)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    city.session.connection().execute(text(tampering))
    assert any(one.check.startswith(check) for one in audit(city.session, CITY))
