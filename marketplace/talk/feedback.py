"""After each month a family says how it went, in stars; who teaches sees the mean of many, an officer the words."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.db import Scope, seeing
from marketplace.errors import Conflict, Forbidden, Rejected
from marketplace.slots.calendar import ROME
from marketplace.slots.models import Attendance, Meeting, MeetingState, Membership, Presence, Slot
from marketplace.talk.models import Feedback
from marketplace.words import N_

STARS: Final = range(1, 6)
FEW: Final = 5
MONTHS_BACK: Final = 2
NOTHING_TO_RATE: Final = N_("Di questo mese non c'è niente da valutare, o lo hai già fatto.")


@dataclass(frozen=True, slots=True)
class Rating:
    """What families say of a provider; `mean` is None while they are so few that one could be told."""

    count: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class ToRate:
    """A month (its first day) of a group in which the family came at least once."""

    slot_id: UUID
    month: date
    service: str
    topic: str | None


def list_to_rate(session: Session, by: Actor, now: datetime) -> list[ToRate]:
    """The months that are over and that the actor's family has not said anything of, the oldest first."""
    this_month = now.astimezone(ROME).date().replace(day=1)
    since = _months_before(this_month, MONTHS_BACK)
    month = func.date_trunc("month", col(Meeting.held_on))
    came = (
        select(col(Slot.id), month, col(Slot.service), col(Slot.topic))
        .join(
            Membership, (col(Membership.municipality_id) == Slot.municipality_id) & (col(Membership.slot_id) == Slot.id)
        )
        .join(
            Attendance,
            (col(Attendance.municipality_id) == Membership.municipality_id)
            & (col(Attendance.membership_id) == Membership.id),
        )
        .join(
            Meeting,
            (col(Meeting.municipality_id) == Attendance.municipality_id) & (col(Meeting.id) == Attendance.meeting_id),
        )
        .where(
            Slot.municipality_id == by.municipality_id,
            Membership.household_id == by.household_id,
            Attendance.presence == Presence.PRESENT,
            Meeting.state == MeetingState.HELD,
            col(Meeting.held_on) >= since,
            col(Meeting.held_on) < this_month,
        )
        .group_by(col(Slot.id), month, col(Slot.service), col(Slot.topic))
        .order_by(month, col(Slot.id))
    )
    said = select(col(Feedback.slot_id), col(Feedback.month)).where(
        Feedback.municipality_id == by.municipality_id, Feedback.household_id == by.household_id
    )
    known = set(session.exec(said).all())
    found = [ToRate(slot_id, first.date(), service, topic) for slot_id, first, service, topic in session.exec(came)]
    return [one for one in found if (one.slot_id, one.month) not in known]


def rate(session: Session, by: Actor, now: datetime, slot_id: UUID, month: date, stars: int, words: str) -> None:
    """Say how a month went. Rejected for stars that there are not; Conflict for a month that is not to be rated."""
    if stars not in STARS:
        raise Rejected(N_("Scegli da una a cinque stelle."), field="stars")
    wanted = [one for one in list_to_rate(session, by, now) if (one.slot_id, one.month) == (slot_id, month)]
    if not wanted or by.household_id is None:
        raise Conflict(NOTHING_TO_RATE)
    with seeing(session, Scope(by.municipality_id)):
        provider_id = session.get_one(Slot, (by.municipality_id, slot_id)).provider_id
    row = {
        "municipality_id": by.municipality_id,
        "household_id": by.household_id,
        "slot_id": slot_id,
        "provider_id": provider_id,
        "month": month,
        "stars": stars,
        "words": words.strip(),
        "given_at": now,
    }
    session.connection().execute(insert(Feedback).values(row).on_conflict_do_nothing(constraint="feedback_once"))
    record(session, by, now, "rate", "slot", slot_id, month=month.isoformat())
    session.flush()


def rating_of(session: Session, municipality_id: str, provider_id: UUID) -> Rating:
    """What all families have said of a provider."""
    with seeing(session, Scope(municipality_id)):
        count, mean = session.exec(
            select(func.count(), func.avg(Feedback.stars)).where(
                Feedback.municipality_id == municipality_id, Feedback.provider_id == provider_id
            )
        ).one()
    return Rating(count, float(mean) if count >= FEW else None)


def list_feedback(session: Session, by: Actor, provider_id: UUID) -> list[Feedback]:
    """What families said of a provider, the newest first, for an officer. Raises Forbidden."""
    if by.role != Role.OFFICER:
        raise Forbidden
    return list(
        session.exec(
            select(Feedback)
            .where(Feedback.municipality_id == by.municipality_id, Feedback.provider_id == provider_id)
            .order_by(col(Feedback.given_at).desc(), col(Feedback.id))
            .limit(100)
        )
    )


def _months_before(first: date, count: int) -> date:
    months = first.year * 12 + first.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)
