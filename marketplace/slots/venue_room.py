"""A venue holds no more people at a time than it has seats, and nobody meets there while it is closed."""

from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from marketplace.db import Scope, seeing
from marketplace.places.models import Venue
from marketplace.slots.calendar import instant
from marketplace.slots.models import Slot

_SEATS = """
select coalesce(sum(m.seats), 0) from meeting mt
join slot s on s.municipality_id = mt.municipality_id and s.id = mt.slot_id and s.venue_id = :venue
join membership m on m.municipality_id = mt.municipality_id and m.slot_id = mt.slot_id and m.state = 'confirmed'
where mt.municipality_id = :municipality and mt.state in ('scheduled', 'held')
  and mt.during && tstzrange(:since, :until) and mt.id is distinct from cast(:but_for as uuid)
  and (mt.extra_id is null or exists (select 1 from extra_seat xs where xs.municipality_id = mt.municipality_id
    and xs.extra_id = mt.extra_id and xs.membership_id = m.id and xs.state = 'taken'))
"""


def has_room(
    session: Session, slot: Slot, day: date, hours: tuple[int, int], seats: int, *, but_for: UUID | None = None
) -> bool:
    """Whether a slot's venue is open on a day from one local minute to another, with so many seats free all the time.

    Always where it meets at no venue. `but_for`: the meeting that would be there instead.
    """
    if slot.venue_id is None:
        return True
    start, end = hours
    with seeing(session, Scope(slot.municipality_id)):
        venue = session.get_one(Venue, (slot.municipality_id, slot.venue_id))
        there = session.connection().execute(
            text(_SEATS),
            {
                "municipality": slot.municipality_id,
                "venue": venue.id,
                "since": instant(day, start),
                "until": instant(day, end),
                "but_for": but_for,
            },
        )
        taken = int(there.scalar_one())
    is_open = any(
        window["day"] == day.weekday() and window["start"] <= start and end <= window["end"] for window in venue.windows
    )
    return is_open and taken + seats <= venue.seats
