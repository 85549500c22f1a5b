"""A secret address opens one household's dates to whoever holds it, until its owner revokes it or is out."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Appointment, Municipality, User
from marketplace.accounts.operations import record
from marketplace.db import Scope, seeing
from marketplace.errors import Forbidden, NotFound
from marketplace.sealed import keyring, unfolded
from marketplace.slots.agenda import MeetingFacts, list_household_meetings
from marketplace.slots.calendar import local_day
from marketplace.slots.models import CalendarFeed

SECRET_BYTES = 24
WEEKS_BEFORE, WEEKS_AFTER = 4, 44


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What a calendar's secret address shows, and in which language."""

    meetings: list[MeetingFacts]
    city: str
    locale: str


def open_feed(session: Session, by: Actor, now: datetime) -> CalendarFeed:
    """The actor's address, made if it has none. Raises Forbidden for whoever is not of the household."""
    if by.user_id is None or by.household_id is None or by.on_behalf_of is not None:
        raise Forbidden
    known = find_feed(session, by)
    if known is not None:
        return known
    secret = secrets.token_urlsafe(SECRET_BYTES)
    feed = CalendarFeed(
        municipality_id=by.municipality_id,
        household_id=by.household_id,
        user_id=by.user_id,
        secret=secret,
        secret_index=keyring.index(unfolded(secret)),
        created_at=now,
    )
    session.add(feed)
    record(session, by, now, "open_calendar_feed", "calendar_feed", feed.id)
    session.flush()
    return feed


def find_feed(session: Session, by: Actor) -> CalendarFeed | None:
    """The address that the actor has now."""
    return session.exec(
        select(CalendarFeed).where(
            CalendarFeed.municipality_id == by.municipality_id,
            CalendarFeed.household_id == by.household_id,
            CalendarFeed.user_id == by.user_id,
            col(CalendarFeed.revoked_at).is_(None),
        )
    ).first()


def revoke_feed(session: Session, by: Actor, now: datetime) -> None:
    """From now on the actor's address opens nothing. Twice is once."""
    feed = find_feed(session, by)
    if feed is not None:
        feed.revoked_at = now
        record(session, by, now, "revoke_calendar_feed", "calendar_feed", feed.id)
        session.flush()


def read_feed(session: Session, now: datetime, municipality_id: str, secret: str) -> Subscribed:
    """What an address shows, for whoever has it. NotFound for one that is unknown, revoked, or of one who has left."""
    with seeing(session, Scope(municipality_id)):
        found = session.exec(
            select(CalendarFeed, User, Municipality)
            .join(User, col(User.id) == CalendarFeed.user_id)
            .join(Municipality, col(Municipality.id) == CalendarFeed.municipality_id)
            .join(
                Appointment,
                (col(Appointment.user_id) == CalendarFeed.user_id)
                & (col(Appointment.municipality_id) == CalendarFeed.municipality_id)
                & (col(Appointment.household_id) == CalendarFeed.household_id),
            )
            .where(
                CalendarFeed.municipality_id == municipality_id,
                col(CalendarFeed.secret_index).in_(keyring.indexes(unfolded(secret))),
                col(CalendarFeed.revoked_at).is_(None),
                col(Appointment.ended_at).is_(None),
                col(User.active),
            )
        ).first()
        if found is None:
            raise NotFound
        feed, user, municipality = found
        return Subscribed(
            list_feed_meetings(session, now, municipality_id, feed.household_id), municipality.name, user.locale
        )


def list_feed_meetings(session: Session, now: datetime, municipality_id: str, household_id: UUID) -> list[MeetingFacts]:
    """A household's meetings from four weeks ago to the end of the term, for its calendar."""
    today = local_day(now)
    first, last = today - timedelta(weeks=WEEKS_BEFORE), today + timedelta(weeks=WEEKS_AFTER)
    return list_household_meetings(session, municipality_id, household_id, first, last)
