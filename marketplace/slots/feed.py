"""A family's meetings as an iCalendar: hours of Europe/Rome, one stable UID a meeting, nobody's name, no home."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext
from icalendar import Calendar, Event

from marketplace.slots.agenda import MeetingFacts
from marketplace.slots.models import MeetingState, Presence
from marketplace.states import STATES

ROME = ZoneInfo("Europe/Rome")


def calendar_of(meetings: Iterable[MeetingFacts], city: str, now: datetime) -> bytes:
    """RFC 5545; cancelled meetings stay as CANCELLED, so that a phone takes them away."""
    calendar = Calendar()
    calendar.add("prodid", "-//Condiviso//IT")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", gettext("Condiviso, Comune di %(city)s", city=city))
    for meeting in meetings:
        calendar.add_component(event_of(meeting, now))
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def event_of(meeting: MeetingFacts, now: datetime) -> Event:
    """One meeting; its sequence grows when it moves, is cancelled or the family stays away."""
    off = meeting.state not in (MeetingState.SCHEDULED, MeetingState.HELD) or meeting.presence in (
        Presence.ABSENT,
        Presence.ABSENT_NOTIFIED,
    )
    event = Event()
    event.add("uid", f"{meeting.meeting_id}.{meeting.membership_id}@condiviso")
    event.add("dtstamp", now)
    event.add("dtstart", meeting.starts_at.astimezone(ROME))
    event.add("dtend", meeting.ends_at.astimezone(ROME))
    event.add("summary", gettext(STATES["service"][meeting.service]))
    event.add("location", meeting.place_name)
    event.add("status", "CANCELLED" if off else "CONFIRMED")
    event.add("sequence", 2 * meeting.moved_days + int(off))
    return event
