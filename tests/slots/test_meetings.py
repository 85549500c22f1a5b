"""What happened at a meeting is appended; a family's notice in time stands; what is cancelled is not held."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.slots.agenda import get_provider_meeting, get_provider_week, list_household_meetings
from marketplace.slots.meetings import cancel_meeting, close_days, record_attendance, report_absence
from marketplace.slots.models import Attendance, Meeting, MeetingState, Membership, Presence
from tests.city import CITY, OFFICER, Group, add_need, membership_of
from tests.slots.conftest import Confirm

TEACHER_SAYS = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)


@pytest.fixture
def meeting(city: Session, confirm: Confirm) -> Meeting:
    """The first of the meetings of n1 and n2: 1 December 2026, 16:00."""
    add_need(city, "n1")
    add_need(city, "n2")
    confirm(Group(["n1", "n2"]))
    return city.exec(select(Meeting).order_by(Meeting.held_on)).first()


def teacher(meeting: Meeting) -> Actor:
    return Actor(CITY, Role.PROVIDER, provider_id=meeting.provider_id)


def family(member: Membership) -> Actor:
    return Actor(CITY, Role.FAMILY, household_id=member.household_id)


def test_attendance_is_recorded_once_it_has_begun_and_corrected_by_a_new_row(city: Session, meeting: Meeting) -> None:
    first, second = membership_of(city, "n1"), membership_of(city, "n2")
    came = {first.id: Presence.PRESENT, second.id: Presence.ABSENT}
    with pytest.raises(Conflict, match="non è ancora cominciato"):
        record_attendance(city, teacher(meeting), meeting.starts_at - timedelta(minutes=1), meeting.id, came)
    record_attendance(city, teacher(meeting), TEACHER_SAYS, meeting.id, came)
    record_attendance(city, teacher(meeting), TEACHER_SAYS, meeting.id, came)
    assert meeting.state == MeetingState.HELD
    later = TEACHER_SAYS + timedelta(hours=1)
    record_attendance(city, teacher(meeting), later, meeting.id, {second.id: Presence.PRESENT})
    assert len(city.exec(select(Attendance)).all()) == 3
    sheet = get_provider_meeting(city, teacher(meeting), meeting.id)
    assert [(one.first_name, one.presence) for one in sheet.attendees] == [
        ("Figlion1", Presence.PRESENT),
        ("Figlion2", Presence.PRESENT),
    ]


def test_after_48_hours_only_an_officer_records(city: Session, meeting: Meeting) -> None:
    came = {membership_of(city, "n1").id: Presence.PRESENT}
    late = meeting.ends_at + timedelta(hours=49)
    with pytest.raises(Conflict, match="48 ore"):
        record_attendance(city, teacher(meeting), late, meeting.id, came)
    record_attendance(city, OFFICER, late, meeting.id, came)
    with pytest.raises(NotFound):
        record_attendance(city, Actor(CITY, Role.PROVIDER, provider_id=meeting.id), late, meeting.id, came)


def test_only_members_are_recorded(city: Session, meeting: Meeting) -> None:
    with pytest.raises(Rejected):
        record_attendance(city, teacher(meeting), TEACHER_SAYS, meeting.id, {meeting.id: Presence.PRESENT})


def test_a_notice_in_time_stands_whatever_is_marked_later(city: Session, meeting: Meeting) -> None:
    member = membership_of(city, "n1")
    in_time = meeting.starts_at - timedelta(hours=24)
    assert report_absence(city, family(member), in_time, meeting.id, member.id) == Presence.ABSENT_NOTIFIED
    assert report_absence(city, family(member), meeting.starts_at - timedelta(1), meeting.id, member.id)
    record_attendance(city, teacher(meeting), TEACHER_SAYS, meeting.id, {member.id: Presence.ABSENT})
    assert [row.presence for row in city.exec(select(Attendance))] == [Presence.ABSENT_NOTIFIED]
    mine = list_household_meetings(city, CITY, member.household_id, date(2026, 12, 1), date(2026, 12, 31))
    assert (mine[0].held_on.day, mine[0].presence) == (1, Presence.ABSENT_NOTIFIED)


def test_a_late_notice_is_an_absence_but_for_two_illnesses_told_by_eight(city: Session, meeting: Meeting) -> None:
    member = membership_of(city, "n2")
    assert (
        report_absence(city, family(member), meeting.starts_at - timedelta(hours=2), meeting.id, member.id)
        == Presence.ABSENT
    )
    heard = []
    for other in city.exec(select(Meeting).order_by(Meeting.held_on)).all()[1:4]:
        dawn = datetime.combine(other.held_on, datetime.min.time(), UTC) + timedelta(hours=6, minutes=30)
        heard.append(report_absence(city, family(member), dawn, other.id, member.id, illness=True))
    assert heard == [Presence.ABSENT_NOTIFIED, Presence.ABSENT_NOTIFIED, Presence.ABSENT]
    with pytest.raises(NotFound):
        report_absence(city, family(membership_of(city, "n1")), TEACHER_SAYS, meeting.id, member.id)
    with pytest.raises(Conflict, match="già cominciato"):
        other = membership_of(city, "n1")
        report_absence(city, family(other), TEACHER_SAYS, meeting.id, other.id)


def test_a_cancelled_meeting_names_who_cancelled_and_is_not_recorded(city: Session, meeting: Meeting) -> None:
    before = meeting.starts_at - timedelta(hours=1)
    cancel_meeting(city, teacher(meeting), before, meeting.id, "malattia")
    cancel_meeting(city, OFFICER, before, meeting.id, "altro")
    assert (meeting.state, meeting.reason) == (MeetingState.CANCELLED_BY_PROVIDER, "malattia")
    with pytest.raises(Conflict, match="annullato"):
        record_attendance(city, teacher(meeting), TEACHER_SAYS, meeting.id, {})


def test_closed_days_cancel_what_was_planned_and_plan_nothing_more(city: Session, meeting: Meeting) -> None:
    now = datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
    assert close_days(city, OFFICER, now, date(2026, 12, 14), date(2026, 12, 23), "neve") == 2
    states = {one.held_on: one.state for one in city.exec(select(Meeting))}
    assert states[date(2026, 12, 15)] == MeetingState.CANCELLED_BY_MUNICIPALITY
    assert states[date(2026, 12, 29)] == MeetingState.SCHEDULED


def test_a_providers_week_has_its_meetings_and_what_is_to_record(city: Session, meeting: Meeting) -> None:
    week = get_provider_week(city, CITY, TEACHER_SAYS, meeting.provider_id, date(2026, 11, 30))
    assert [one.held_on for one in week.meetings] == [date(2026, 12, 1)]
    assert [one.meeting_id for one in week.to_record] == [meeting.id]
    assert week.answers_due == ()
    next_week = get_provider_week(city, CITY, TEACHER_SAYS, meeting.provider_id, date(2026, 12, 7))
    assert [one.meeting_id for one in next_week.to_record] == [meeting.id]
