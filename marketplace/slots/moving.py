"""A meeting may move to a later day of its own week, at its own hours and price; who cannot come then pays nothing.

In the same week, because a voucher is held by the week; never earlier, so that who has left by then stays out of it.
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, func, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.places.models import Venue
from marketplace.slots.calendar import get_calendar, instant, monday_of
from marketplace.slots.meetings import expected_members
from marketplace.slots.models import (
    Meeting,
    MeetingState,
    Membership,
    PlaceKind,
    ProposalState,
    SearchState,
    Slot,
    Substitution,
)
from marketplace.slots.notices import tell_moved
from marketplace.slots.venue_room import has_room
from marketplace.words import N_

NOTICE = timedelta(hours=24)
HAPPENING = (MeetingState.SCHEDULED, MeetingState.HELD)
NOT_THEN = N_("Quel giorno non si può: scegline uno tra quelli proposti.")


def list_days(session: Session, by: Actor, now: datetime, meeting_id: UUID) -> list[date]:
    """The days to which the actor, its provider or an officer, could move a meeting now. NotFound for another's."""
    meeting = session.get(Meeting, (by.municipality_id, meeting_id))
    if meeting is None or not _holds_it(by, meeting):
        raise NotFound
    slot = session.get_one(Slot, (by.municipality_id, meeting.slot_id))
    if meeting.state != MeetingState.SCHEDULED or now >= meeting.starts_at or slot.place == PlaceKind.HOST:
        return []
    if meeting.extra_id is not None:  # its day is what its members agreed to
        return []
    calendar = get_calendar(session, by.municipality_id)
    sunday = monday_of(meeting.held_on) + timedelta(days=6)
    days = [meeting.held_on + timedelta(days=ahead) for ahead in range(1, (sunday - meeting.held_on).days + 1)]
    return [
        day
        for day in days
        if day <= max(slot.last_date, meeting.held_on)
        and not calendar.is_closed(day, slot.service)
        and instant(day, slot.start_minute) >= now + NOTICE
        and _is_free(session, meeting, slot, day)
    ]


def move_meeting(session: Session, by: Actor, now: datetime, meeting_id: UUID, held_on: date) -> Meeting:
    """Hold a meeting on another day (one of `list_days`); families are told, and may stay away. Twice is once.

    NotFound for another's; Conflict once it has begun or is cancelled; Rejected for a day that does not do. Another
    meeting of the provider's at that time is refused by the database.
    """
    meeting = session.get(Meeting, (by.municipality_id, meeting_id), with_for_update=True, populate_existing=True)
    if meeting is None or not _holds_it(by, meeting):
        raise NotFound
    if meeting.held_on == held_on:
        return meeting
    if meeting.state != MeetingState.SCHEDULED or now >= meeting.starts_at:
        raise Conflict
    slot = session.get_one(Slot, (by.municipality_id, meeting.slot_id))
    if slot.venue_id is not None:  # one move into a venue at a time
        session.get_one(Venue, (by.municipality_id, slot.venue_id), with_for_update=True)
    if held_on not in list_days(session, by, now, meeting_id):
        raise Rejected(NOT_THEN)
    before, meeting.held_on, meeting.during = meeting.held_on, held_on, _during(slot, held_on)
    session.flush()
    session.connection().execute(
        update(Substitution)
        .where(
            col(Substitution.municipality_id) == by.municipality_id,
            col(Substitution.meeting_id) == meeting.id,
            col(Substitution.state) == SearchState.SEEKING,
        )
        .values(state=SearchState.ENDED, ended_at=now)
    )
    record(session, by, now, "move_meeting", "meeting", meeting.id, before=str(before), held_on=str(held_on))
    expected = expected_members(session, meeting)
    households = session.exec(select(Membership.household_id).where(col(Membership.id).in_(expected))).all()
    tell_moved(session, now, meeting, before, set(households))
    return meeting


def _holds_it(by: Actor, meeting: Meeting) -> bool:
    return by.role == Role.OFFICER or (by.provider_id is not None and by.provider_id == meeting.provider_id)


def _during(slot: Slot, day: date) -> Range[datetime]:
    return Range(instant(day, slot.start_minute), instant(day, slot.end_minute), bounds="[)")


def _is_free(session: Session, meeting: Meeting, slot: Slot, day: date) -> bool:
    """The provider has no meeting then, the group neither that day, and the venue is open and has room for all."""
    happening: list[ColumnElement[bool]] = [
        col(Meeting.municipality_id) == meeting.municipality_id,
        col(Meeting.state).in_(HAPPENING),
    ]
    then = col(Meeting.during).op("&&")(_during(slot, day))
    mine = (col(Meeting.provider_id) == meeting.provider_id) & then
    same_day = (col(Meeting.slot_id) == slot.id) & (col(Meeting.held_on) == day)
    others = select(Meeting.id).where(*happening, Meeting.id != meeting.id)
    if session.exec(others.where(mine | same_day).limit(1)).first() is not None:
        return False
    there = [col(Membership.slot_id) == slot.id, col(Membership.state) == ProposalState.CONFIRMED]
    seats = session.exec(
        select(func.coalesce(func.sum(Membership.seats), 0)).where(
            Membership.municipality_id == meeting.municipality_id, *there
        )
    ).one()
    return has_room(session, slot, day, (slot.start_minute, slot.end_minute), seats, but_for=meeting.id)
