"""Who cannot hold a meeting asks colleagues; the first who fits takes it, and families may refuse free of charge."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role, User
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.errors import Conflict, NotFound
from marketplace.messages.models import Message
from marketplace.needs.models import Need
from marketplace.providers.models import Accreditation, Provider
from marketplace.slots.advancing import advance
from marketplace.slots.agenda import get_provider_week, list_household_meetings
from marketplace.slots.meetings import record_attendance, report_absence
from marketplace.slots.models import Meeting, MeetingState, Presence, SearchState, Substitution
from marketplace.slots.stopping import stop_provider
from marketplace.slots.substitutes import end_searches, list_searches, seek_for_days, seek_substitute, take_over
from tests.city import CITY, NOW, OFFICER, Group, add_need, add_provider, membership_of, provider_of, the_slot
from tests.slots.conftest import Confirm

A_DAY = timedelta(days=1)


@pytest.fixture
def meeting(city: Session, confirm: Confirm) -> Meeting:
    """The first meeting of n1 and n2 with q1; q2 could hold it too, q3 teaches another subject."""
    for code in ("n1", "n2"):
        add_need(city, code)
    confirm(Group(["n1", "n2"]))
    add_provider(city, "q2").name = "Marco Bianchi"
    add_provider(city, "q3", topics=["latin"])
    city.flush()
    return city.exec(select(Meeting).order_by(Meeting.held_on)).first()


def who(session: Session, code: str) -> Actor:
    return Actor(CITY, Role.PROVIDER, provider_id=session.exec(select(Provider.id).where(Provider.code == code)).one())


def seek(session: Session, meeting: Meeting, before: timedelta = A_DAY) -> datetime:
    now = meeting.starts_at - before
    seek_substitute(session, provider_of(the_slot(session)), now, meeting.id)
    return now


def test_a_colleague_is_asked_in_the_language_of_its_account(city: Session, meeting: Meeting) -> None:
    user = add_user(city, NOW, "marco@example.org", "Marco")
    user.locale = "en"
    appoint(city, NOW, user.id, CITY, Role.PROVIDER, provider_id=who(city, "q2").provider_id)
    seek(city, meeting)
    assert any("Somebody is needed" in subject for subject in told(city, "q2@example.org"))
    assert not any("Si cerca" in subject for subject in told(city, "q2@example.org"))


def told(session: Session, email: str) -> list[str]:
    return [one.subject for one in session.exec(select(Message)) if one.recipient == email]


def test_only_those_who_fit_are_asked_and_see_it(city: Session, meeting: Meeting) -> None:
    now = seek(city, meeting)
    assert [one.meeting_id for one in list_searches(city, who(city, "q2"), now)] == [meeting.id]
    assert list_searches(city, who(city, "q3"), now) == []
    assert list_searches(city, who(city, "q1"), now) == []
    assert any("Si cerca" in subject for subject in told(city, "q2@example.org"))
    assert not any("Si cerca" in subject for subject in told(city, "q3@example.org"))


@pytest.mark.parametrize(
    "change",
    [
        {"languages": ["fr"]},
        {"travel_km_max": "0.01"},
        {"accreditation": Accreditation.SUSPENDED},
        {"certificate_expires": date(2026, 11, 25)},
    ],
)
def test_who_does_not_suit_is_not_asked_and_may_not_take_it(
    city: Session, meeting: Meeting, change: dict[str, object]
) -> None:
    other = city.exec(select(Provider).where(Provider.code == "q2")).one()
    for name, value in change.items():
        setattr(other, name, value)
    city.flush()
    now = seek(city, meeting)
    with pytest.raises(NotFound):
        take_over(city, who(city, "q2"), now, meeting.id)


def test_whom_a_family_must_never_meet_is_no_substitute(city: Session, meeting: Meeting) -> None:
    city.exec(select(Need).where(Need.code == "n2")).one().excludes = ["q2"]
    city.flush()
    assert list_searches(city, who(city, "q2"), seek(city, meeting)) == []


def test_who_takes_it_holds_it_and_is_paid_and_families_read_the_name(city: Session, meeting: Meeting) -> None:
    now = seek(city, meeting)
    take_over(city, who(city, "q2"), now, meeting.id)
    assert take_over(city, who(city, "q2"), now, meeting.id).provider_id == who(city, "q2").provider_id
    mine = membership_of(city, "n1")
    shown = list_household_meetings(city, CITY, mine.household_id, meeting.held_on, meeting.held_on)
    assert [(one.provider_name, one.is_substituted) for one in shown] == [("Marco Bianchi", True)]
    assert any("Marco Bianchi" in subject for subject in told(city, "n1@example.org"))
    monday = meeting.held_on - timedelta(days=meeting.held_on.weekday())
    sheets = get_provider_week(city, CITY, now, who(city, "q2").provider_id, monday).meetings
    assert [one.first_name for one in sheets[0].attendees] == ["Figlion1", "Figlion2"]
    at = meeting.starts_at
    with pytest.raises(NotFound):
        record_attendance(city, who(city, "q1"), at, meeting.id, {mine.id: Presence.PRESENT})
    assert record_attendance(city, who(city, "q2"), at, meeting.id, {mine.id: Presence.PRESENT}).state == "held"


def test_a_substitute_may_be_refused_free_of_charge_to_the_last(city: Session, meeting: Meeting) -> None:
    late = meeting.starts_at - timedelta(minutes=10)
    now = seek(city, meeting)
    mine, other = membership_of(city, "n1"), membership_of(city, "n2")
    families = [Actor(CITY, Role.FAMILY, household_id=one.household_id) for one in (mine, other)]
    second = city.exec(select(Meeting).order_by(Meeting.held_on).offset(1)).first()
    assert report_absence(city, families[1], second.starts_at - timedelta(minutes=10), second.id, other.id) == "absent"
    take_over(city, who(city, "q2"), now, meeting.id)
    assert report_absence(city, families[0], late, meeting.id, mine.id) == Presence.ABSENT_NOTIFIED


def test_the_second_is_too_late_and_so_is_a_search_just_before(city: Session, meeting: Meeting) -> None:
    add_provider(city, "q4")
    now = seek(city, meeting)
    take_over(city, who(city, "q2"), now, meeting.id)
    with pytest.raises(Conflict):
        take_over(city, who(city, "q4"), now, meeting.id)
    later = city.exec(select(Meeting).order_by(Meeting.held_on).offset(1)).first()
    with pytest.raises(Conflict):
        seek(city, later, timedelta(hours=2))


def test_without_a_substitute_the_meeting_is_cancelled_in_time_and_costs_nothing(
    city: Session, meeting: Meeting
) -> None:
    now = seek(city, meeting)
    assert end_searches(city, now, CITY) == 0
    advance(city, meeting.starts_at - timedelta(hours=2), CITY)
    assert meeting.state == MeetingState.CANCELLED_BY_PROVIDER
    assert city.exec(select(Substitution)).one().state == SearchState.ENDED
    with pytest.raises(Conflict):
        take_over(city, who(city, "q2"), now, meeting.id)


def test_an_illness_of_days_seeks_for_each_meeting(city: Session, meeting: Meeting) -> None:
    now = meeting.starts_at - A_DAY
    own = provider_of(the_slot(city))
    assert seek_for_days(city, own, now, meeting.held_on, meeting.held_on + timedelta(days=14)) == 2
    assert seek_for_days(city, own, now, meeting.held_on, meeting.held_on + timedelta(days=14)) == 2
    assert len(city.exec(select(Substitution)).all()) == 2
    with pytest.raises(NotFound):
        seek_substitute(city, who(city, "q2"), now, meeting.id)


def test_an_illness_of_days_is_one_message_to_each_colleague(city: Session, meeting: Meeting) -> None:
    own, now = provider_of(the_slot(city)), meeting.starts_at - A_DAY
    for _ in range(2):
        seek_for_days(city, own, now, meeting.held_on, meeting.held_on + timedelta(days=14))
    sent = [one for one in city.exec(select(Message)) if one.recipient == "q2@example.org"]
    assert [one.subject for one in sent] == ["Si cerca chi tenga 2 incontri, dal martedì 1 dicembre 2026"]
    assert "- martedì 1 dicembre 2026\n- martedì 15 dicembre 2026" in sent[0].body
    assert len(list_searches(city, who(city, "q2"), now)) == 2


def test_searches_of_a_long_illness_are_read_in_as_many_queries_as_one(city: Session, meeting: Meeting) -> None:
    own, now = provider_of(the_slot(city)), meeting.starts_at - A_DAY
    connection = city.connection()

    def count() -> int:
        asked: list[str] = []
        event.listen(connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
        list_searches(city, who(city, "q2"), now)
        return len(asked)

    seek_substitute(city, own, now, meeting.id)
    one = count()
    seek_for_days(city, own, now, meeting.held_on, meeting.held_on + timedelta(days=90))
    assert len(list_searches(city, who(city, "q2"), now)) > 5
    assert count() == one


def test_why_a_meeting_is_cancelled_is_told_in_the_readers_language(city: Session, meeting: Meeting) -> None:
    mine = membership_of(city, "n1")
    person = User(
        email="anna@example.org", fs_uniquifier="anna", create_datetime=NOW, confirmed_at=NOW, password="-", locale="en"
    )
    city.add(person)
    city.flush()
    appoint(city, NOW, person.id, CITY, Role.FAMILY, mine.household_id)
    seek(city, meeting)
    advance(city, meeting.starts_at - timedelta(hours=2), CITY)
    told_her = [one.body for one in city.exec(select(Message)) if one.recipient == "anna@example.org"]
    assert any("(nobody can hold it)" in body for body in told_her)


def test_a_substitute_who_is_stopped_holds_nothing(city: Session, meeting: Meeting) -> None:
    now = seek(city, meeting)
    take_over(city, who(city, "q2"), now, meeting.id)
    stop_provider(city, OFFICER, now, who(city, "q2").provider_id)
    assert meeting.state == MeetingState.CANCELLED_BY_PROVIDER
    later = city.exec(select(Meeting.state).where(Meeting.id != meeting.id)).all()
    assert set(later) == {MeetingState.SCHEDULED}
