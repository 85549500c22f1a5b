"""A meeting moves to a later day of its week at the same hours and price; who cannot come then pays nothing."""

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Role
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.messages.models import Message
from marketplace.places.models import CalendarEntry, CalendarKind, Venue
from marketplace.slots.agenda import list_household_meetings
from marketplace.slots.feed import event_of
from marketplace.slots.meetings import report_absence
from marketplace.slots.models import Meeting, Presence, SearchState, Substitution
from marketplace.slots.moving import list_days, move_meeting
from marketplace.slots.substitutes import seek_substitute
from tests.city import CITY, Group, add_need, add_provider, membership_of, provider_of, the_slot
from tests.slots.conftest import Confirm

TUESDAY = date(2026, 12, 1)
THURSDAY, FRIDAY, SATURDAY = (TUESDAY + timedelta(days=ahead) for ahead in (2, 3, 4))


@pytest.fixture
def meeting(city: Session, confirm: Confirm) -> Meeting:
    """The first meeting of n1, on a Tuesday at a venue that is open from Monday to Saturday."""
    add_need(city, "n1")
    confirm(Group(["n1"]))
    return city.exec(select(Meeting).where(Meeting.held_on == TUESDAY)).one()


def a_day_before(meeting: Meeting) -> datetime:
    return meeting.starts_at - timedelta(days=1)


def test_it_moves_later_in_its_week_where_the_calendar_and_the_venue_are_open(city: Session, meeting: Meeting) -> None:
    own, now = provider_of(the_slot(city)), a_day_before(meeting)
    city.add(CalendarEntry(municipality_id=CITY, kind=CalendarKind.CLOSURE, name="neve", first=FRIDAY, last=FRIDAY))
    city.flush()
    assert list_days(city, own, now, meeting.id) == [TUESDAY + timedelta(days=1), THURSDAY, SATURDAY]
    for wrong in (TUESDAY - timedelta(days=1), FRIDAY, SATURDAY + timedelta(days=1), TUESDAY + timedelta(days=7)):
        with pytest.raises(Rejected):
            move_meeting(city, own, now, meeting.id, wrong)


def test_everybody_is_told_the_phone_follows_and_a_search_ends(city: Session, meeting: Meeting) -> None:
    own, now = provider_of(the_slot(city)), a_day_before(meeting)
    seek_substitute(city, own, now, meeting.id)
    was = meeting.starts_at
    assert move_meeting(city, own, now, meeting.id, THURSDAY).starts_at == was + timedelta(days=2)
    move_meeting(city, own, now, meeting.id, THURSDAY)
    assert city.exec(select(Substitution.state)).one() == SearchState.ENDED
    told = [one.subject for one in city.exec(select(Message)) if one.recipient == "n1@example.org"]
    assert sum("passa a giovedì 3 dicembre" in subject for subject in told) == 1
    mine = membership_of(city, "n1")
    (shown,) = list_household_meetings(city, CITY, mine.household_id, TUESDAY, SATURDAY)
    assert (shown.held_on, shown.moved_days, shown.may_be_refused) == (THURSDAY, 2, True)
    assert event_of(shown, now)["sequence"] == 4


def test_who_cannot_come_that_day_pays_nothing_to_the_last(city: Session, meeting: Meeting) -> None:
    move_meeting(city, provider_of(the_slot(city)), a_day_before(meeting), meeting.id, THURSDAY)
    mine = membership_of(city, "n1")
    by = Actor(CITY, Role.FAMILY, household_id=mine.household_id)
    late = meeting.starts_at - timedelta(minutes=5)
    assert report_absence(city, by, late, meeting.id, mine.id) == Presence.ABSENT_NOTIFIED


def test_neither_a_full_venue_nor_the_providers_own_meetings_are_overlooked(
    city: Session, meeting: Meeting, confirm: Confirm
) -> None:
    own, now = provider_of(the_slot(city)), a_day_before(meeting)
    add_provider(city, "q2")
    for code in ("n2", "n3"):
        add_need(city, code)
    confirm(Group(["n2"], day=3), Group(["n3"], day=4, provider="q2"))
    for other in city.exec(select(Meeting).where(Meeting.held_on.in_([THURSDAY, FRIDAY]))):
        assert other.slot_id != meeting.slot_id
    assert THURSDAY not in list_days(city, own, now, meeting.id)
    assert FRIDAY in list_days(city, own, now, meeting.id)
    city.exec(select(Venue)).one().seats = 1
    city.flush()
    assert FRIDAY not in list_days(city, own, now, meeting.id)


def test_another_s_meeting_and_one_that_has_begun_do_not_move(city: Session, meeting: Meeting) -> None:
    own = provider_of(the_slot(city))
    other = Actor(CITY, Role.PROVIDER, provider_id=add_provider(city, "q2").id)
    with pytest.raises(NotFound):
        move_meeting(city, other, a_day_before(meeting), meeting.id, THURSDAY)
    with pytest.raises(Conflict):
        move_meeting(city, own, meeting.starts_at, meeting.id, THURSDAY)
    assert list_days(city, own, meeting.starts_at, meeting.id) == []
