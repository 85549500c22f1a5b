"""What an extra session costs a member at most, and whether it can be at all, before anybody is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, func, select

from billing.split import split_slot
from marketplace.accounts.models import Actor
from marketplace.accounts.policy import get_policy
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.slots.agenda import read_presence
from marketplace.slots.calendar import get_calendar, instant, local_day
from marketplace.slots.facts import may_act_for
from marketplace.slots.meetings import expected_members, is_otherwise
from marketplace.slots.models import Meeting, MeetingState, Membership, PlaceKind, Proposal, ProposalState, Slot
from marketplace.slots.settlement import STANDING
from marketplace.slots.venue_room import has_room
from marketplace.words import N_

ANSWER_WITHIN = timedelta(hours=24)
JOIN_FOR = timedelta(hours=24)
MINUTES_MIN, MINUTES_MAX = 30, 240
HAPPENING = (MeetingState.SCHEDULED, MeetingState.HELD)
TOO_SOON = N_("È troppo presto: scegli un giorno dal %(day)s in poi, così tutti fanno in tempo a rispondere.")
NOT_THAT_DAY = N_("Quel giorno il gruppo non può: è festa, o è dopo la fine degli incontri. Scegli un altro giorno.")
NOT_THOSE_HOURS = N_("Scegli da mezz'ora a quattro ore, nello stesso giorno.")
PROVIDER_BUSY = N_("A quell'ora il professionista ha già un incontro. Scegli un altro orario.")
NO_ROOM = N_("A quell'ora il luogo del gruppo è chiuso, o è pieno. Scegli un altro orario.")
HOST_ALONE = N_("Vi trovate a casa di una famiglia: un incontro in più lo può chiedere solo lei.")
TOO_LATE_INSTEAD = N_("A quell'incontro non puoi più rinunciare così: segnala l'assenza dal calendario.")


@dataclass(frozen=True, slots=True)
class Missed:
    """The group's own meeting that the family would stay away from instead, and the most that it pays of that one."""

    meeting_id: UUID
    held_on: date
    most_cents: int


@dataclass(frozen=True, slots=True)
class Quote:
    """What an extra session would cost a member: `alone_cents` is the most; `shares` falls with the seats of all."""

    membership_id: UUID
    held_on: date
    start_minute: int
    end_minute: int
    alone_cents: int
    shares: tuple[tuple[int, int], ...]
    answer_by: datetime
    join_until: datetime
    missed: Missed | None = None


def shares_of(slot: Slot, hours: tuple[int, int], seats: Sequence[int]) -> list[int]:
    """Each one's share of an extra session of `hours` (local minutes), by the seats that each takes."""
    return split_slot(
        slot.rate_cents_per_hour,
        slot.extra_seat_cents_per_hour,
        slot.venue_cents_per_hour,
        slot.minutes_min,
        [(*hours, own) for own in seats],
    )[1]


def quote_extra(
    session: Session,
    by: Actor,
    now: datetime,
    membership_id: UUID,
    held_on: date,
    hours: tuple[int, int],
    instead_of: UUID | None = None,
) -> Quote:
    """The price of one more session on a day, from one local minute to another, before it is asked for.

    `instead_of`: a meeting of the group to stay away from, with what that costs. NotFound for another's place; Rejected
    where it cannot be: the reason says what to change.
    """
    member, slot = get_place(session, by, now, membership_id, held_on)
    if slot.host_need_id is not None and slot.host_need_id != member.need_id:
        raise Rejected(HOST_ALONE)
    start, end = hours
    if not (start >= 0 and end <= 24 * 60 and MINUTES_MIN <= end - start <= MINUTES_MAX):
        raise Rejected(NOT_THOSE_HOURS, field="end")
    notice = timedelta(hours=get_policy(session, by.municipality_id, held_on).absence_notice_hours)
    earliest = now + ANSWER_WITHIN + JOIN_FOR + notice
    if instant(held_on, start) < earliest:
        raise Rejected(TOO_SOON, field="held_on", day=f"{local_day(earliest) + timedelta(days=1):%d/%m}")
    refuse_unless_possible(session, slot, held_on, hours, member.seats)
    rest = slot.seats_limit - member.seats if slot.mode != "round" else 0
    shares = [(member.seats + more, shares_of(slot, hours, [member.seats, *[1] * more])[0]) for more in range(rest + 1)]
    return Quote(
        member.id,
        held_on,
        start,
        end,
        shares[0][1],
        tuple(shares),
        answer_by=now + ANSWER_WITHIN,
        join_until=instant(held_on, start) - notice,
        missed=None if instead_of is None else quote_absence(session, now, member, instead_of),
    )


def quote_absence(session: Session, now: datetime, member: Membership, meeting_id: UUID) -> Missed:
    """What staying away from a meeting costs at most, told now; it takes the provider's yes, so it begins after that.

    NotFound where the member is not expected; Conflict where it is too late, or the absence is already told.
    """
    meeting = session.get(Meeting, (member.municipality_id, meeting_id))
    if meeting is None or meeting.extra_id is not None or member.id not in expected_members(session, meeting):
        raise NotFound
    is_told = (meeting.id, member.id) in read_presence(session, member.municipality_id, [meeting.id])
    if meeting.state != MeetingState.SCHEDULED or is_told or meeting.starts_at <= now + ANSWER_WITHIN:
        raise Conflict(TOO_LATE_INSTEAD)
    policy = get_policy(session, member.municipality_id, meeting.held_on)
    in_time = now <= meeting.starts_at - timedelta(hours=policy.absence_notice_hours)
    is_free = is_otherwise(session, meeting) or (in_time and policy.absence_notified_is_free)
    return Missed(meeting.id, meeting.held_on, 0 if is_free else member.cap_cents)


def get_place(
    session: Session, by: Actor, now: datetime, membership_id: UUID, held_on: date
) -> tuple[Membership, Slot]:
    """The actor's place in a slot that stands, if it counts on a day to come."""
    member = session.get(Membership, (by.municipality_id, membership_id))
    if member is None or not may_act_for(by, member.household_id) or member.state != ProposalState.CONFIRMED:
        raise NotFound
    slot = session.get_one(Slot, (by.municipality_id, member.slot_id))
    proposal = session.get_one(Proposal, (by.municipality_id, member.proposal_id))
    if slot.state not in STANDING:
        raise NotFound
    has_left = proposal.left_on is not None and proposal.left_on <= held_on
    if held_on <= local_day(now) or held_on < (member.first_date or slot.first_date) or has_left:
        raise Rejected(NOT_THAT_DAY, field="held_on")
    return member, slot


def refuse_unless_possible(session: Session, slot: Slot, day: date, hours: tuple[int, int], seats: int) -> None:
    if day > slot.last_date or get_calendar(session, slot.municipality_id).is_closed(day, slot.service):
        raise Rejected(NOT_THAT_DAY, field="held_on")
    during = Range(*(instant(day, minute) for minute in hours), bounds="[)")
    busy = session.exec(
        select(func.count())
        .select_from(Meeting)
        .where(
            Meeting.municipality_id == slot.municipality_id,
            Meeting.provider_id == slot.provider_id,
            col(Meeting.state).in_(HAPPENING),
            col(Meeting.during).op("&&")(during),
        )
    ).one()
    if busy:
        raise Rejected(PROVIDER_BUSY, field="start")
    if slot.place == PlaceKind.VENUE and not has_room(session, slot, day, hours, seats):
        raise Rejected(NO_ROOM, field="start")
