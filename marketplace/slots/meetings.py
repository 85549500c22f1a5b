"""What happened at a meeting is in rows that are never edited; one that did not happen names who cancelled it.

The newest row of a member at a meeting counts. A family's notice in time stands, whatever the provider marks later.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.places.models import CalendarEntry, CalendarKind
from marketplace.slots.calendar import instant
from marketplace.slots.extra_seats import list_taken
from marketplace.slots.facts import may_act_for
from marketplace.slots.models import (
    Attendance,
    Meeting,
    MeetingState,
    Membership,
    Presence,
    Proposal,
    ProposalState,
    Slot,
)
from marketplace.slots.notices import tell_cancelled
from marketplace.words import N_

ILLNESS_BY_HOUR = 8
ILLNESSES_FREE = 2
NOT_YET = N_("L'incontro non è ancora cominciato: potrai segnare le presenze da allora.")
TOO_LONG_AGO = N_("Sono passate più di %(hours)s ore: ora decide il Comune. Scrivigli che cosa è successo.")
CANCELLED = N_("Questo incontro è stato annullato.")
BEGUN = N_("L'incontro è già cominciato.")
NOT_IN_THE_GROUP = N_("Una delle persone indicate non fa parte di questo incontro.")


def record_attendance(
    session: Session, by: Actor, now: datetime, meeting_id: UUID, presence: Mapping[UUID, Presence]
) -> Meeting:
    """The provider says who came, by membership; the meeting counts as held from the first row on.

    Until `unrecorded_after_hours` (policy) after its end by the provider, later by an officer only. Saying the same
    again writes nothing. NotFound; Rejected for somebody who is not in the group; Conflict before the meeting begins,
    too late, or when it was cancelled.
    """
    meeting = _lock_meeting(session, by.municipality_id, meeting_id)
    if meeting is None or not _holds_it(by, meeting):
        raise NotFound
    if meeting.state not in (MeetingState.SCHEDULED, MeetingState.HELD):
        raise Conflict(CANCELLED)
    if now < meeting.starts_at:
        raise Conflict(NOT_YET)
    hours = get_policy(session, by.municipality_id, meeting.held_on).unrecorded_after_hours
    if by.role != Role.OFFICER and now > meeting.ends_at + timedelta(hours=hours):
        raise Conflict(TOO_LONG_AGO, hours=hours)
    if not set(presence) <= expected_members(session, meeting):
        raise Rejected(NOT_IN_THE_GROUP)
    known = _latest(session, meeting)
    news = {member: what for member, what in presence.items() if _is_news(known.get(member), what)}
    for membership_id, what in sorted(news.items()):
        _write(session, by, now, meeting, membership_id, what)
    if presence:
        meeting.state = MeetingState.HELD
    if news:
        record(session, by, now, "record_attendance", "meeting", meeting.id, members=len(news))
    session.flush()
    return meeting


def report_absence(
    session: Session, by: Actor, now: datetime, meeting_id: UUID, membership_id: UUID, *, illness: bool = False
) -> Presence:
    """The family says beforehand that its member will not come; what that counts as is the answer.

    `ABSENT_NOTIFIED` at least `absence_notice_hours` (policy) before the meeting, at any time where a substitute holds
    it or it has moved, or for an illness told by 8:00 of its day, twice a term; else `ABSENT`. Saying it again changes
    nothing. NotFound; Conflict once it has begun.
    """
    meeting = _lock_meeting(session, by.municipality_id, meeting_id)
    membership = session.get(Membership, (by.municipality_id, membership_id))
    if meeting is None or membership is None or not may_act_for(by, membership.household_id):
        raise NotFound
    if membership_id not in expected_members(session, meeting):
        raise NotFound
    if meeting.state != MeetingState.SCHEDULED:
        raise Conflict(CANCELLED if meeting.state != MeetingState.HELD else BEGUN)
    if now >= meeting.starts_at:
        raise Conflict(BEGUN)
    known = _latest(session, meeting).get(membership_id)
    if known is not None:
        return known.presence
    notice = timedelta(hours=get_policy(session, by.municipality_id, meeting.held_on).absence_notice_hours)
    ill = illness and _is_free_illness(session, now, meeting, membership_id)
    in_time = ill or now <= meeting.starts_at - notice or is_otherwise(session, meeting)
    what = Presence.ABSENT_NOTIFIED if in_time else Presence.ABSENT
    _write(session, by, now, meeting, membership_id, what, illness=ill and now > meeting.starts_at - notice)
    record(session, by, now, "report_absence", "meeting", meeting.id, counts_as=what.value)
    session.flush()
    return what


def cancel_meeting(session: Session, by: Actor, now: datetime, meeting_id: UUID, reason: str) -> Meeting:
    """The provider, or an officer for the municipality (closed venue, strike, snow), says that it does not take place.

    Families pay nothing. The provider until the meeting begins; an officer also later, as long as nobody's presence
    is recorded. Twice is once. NotFound; Conflict.
    """
    meeting = _lock_meeting(session, by.municipality_id, meeting_id)
    if meeting is None or not _holds_it(by, meeting):
        raise NotFound
    if meeting.state in (MeetingState.CANCELLED_BY_PROVIDER, MeetingState.CANCELLED_BY_MUNICIPALITY):
        return meeting
    if meeting.state != MeetingState.SCHEDULED or (by.role != Role.OFFICER and now >= meeting.starts_at):
        raise Conflict(BEGUN)
    officer = by.role == Role.OFFICER
    meeting.state = MeetingState.CANCELLED_BY_MUNICIPALITY if officer else MeetingState.CANCELLED_BY_PROVIDER
    meeting.reason = reason[:300]
    session.flush()
    record(session, by, now, "cancel_meeting", "meeting", meeting.id, state=meeting.state.value)
    members = expected_members(session, meeting)
    households = session.exec(select(Membership.household_id).where(col(Membership.id).in_(members))).all()
    tell_cancelled(session, now, meeting, set(households))
    return meeting


def close_days(
    session: Session, by: Actor, now: datetime, first: date, last: date, name: str, services: tuple[str, ...] = ()
) -> int:
    """The municipality closes from `first` to `last`: no group meets (of `services`; none named: of any).

    Meetings planned then and not yet begun are cancelled by the municipality; how many they were.
    """
    if by.role != Role.OFFICER:
        raise NotFound
    if first > last:
        raise Rejected(N_("Il primo giorno di chiusura viene dopo l'ultimo."))
    session.add(
        CalendarEntry(
            municipality_id=by.municipality_id,
            kind=CalendarKind.CLOSURE,
            name=name,
            first=first,
            last=last,
            services=list(services),
        )
    )
    planned = session.exec(
        select(Meeting.id)
        .join(Slot, (col(Slot.municipality_id) == Meeting.municipality_id) & (col(Slot.id) == Meeting.slot_id))
        .where(
            Meeting.municipality_id == by.municipality_id,
            Meeting.state == MeetingState.SCHEDULED,
            col(Meeting.held_on).between(first, last),
            func.lower(Meeting.during) > now,
            *([col(Slot.service).in_(services)] if services else []),
        )
        .order_by(col(Meeting.id))
    ).all()
    for meeting_id in planned:
        cancel_meeting(session, by, now, meeting_id, name)
    return len(planned)


def is_otherwise(session: Session, meeting: Meeting) -> bool:
    """Whether somebody else holds it, or on another day than the group's: a family may stay away free of charge."""
    slot = session.get_one(Slot, (meeting.municipality_id, meeting.slot_id))
    has_moved = meeting.extra_id is None and slot.day != meeting.held_on.weekday()
    return slot.provider_id != meeting.provider_id or has_moved


def expected_members(session: Session, meeting: Meeting) -> set[UUID]:
    """The memberships that count at a meeting: confirmed since, not left by its day, in an extra one with a seat."""
    expected = set(
        session.exec(
            select(Membership.id)
            .join(
                Proposal,
                (col(Proposal.municipality_id) == Membership.municipality_id)
                & (col(Proposal.id) == Membership.proposal_id),
            )
            .where(
                Membership.municipality_id == meeting.municipality_id,
                Membership.slot_id == meeting.slot_id,
                col(Membership.state).in_((ProposalState.CONFIRMED, ProposalState.LEFT)),
                col(Membership.first_date).is_(None) | (col(Membership.first_date) <= meeting.held_on),
                col(Proposal.left_on).is_(None) | (col(Proposal.left_on) > meeting.held_on),
            )
        )
    )
    if meeting.extra_id is None:
        return expected
    return expected & list_taken(session, meeting.municipality_id, [meeting.extra_id])[meeting.extra_id]


def _holds_it(by: Actor, meeting: Meeting) -> bool:
    return by.role == Role.OFFICER or (by.provider_id is not None and by.provider_id == meeting.provider_id)


def _lock_meeting(session: Session, municipality_id: str, meeting_id: UUID) -> Meeting | None:
    return session.get(Meeting, (municipality_id, meeting_id), with_for_update=True, populate_existing=True)


def _latest(session: Session, meeting: Meeting) -> dict[UUID, Attendance]:
    rows = session.exec(
        select(Attendance)
        .where(Attendance.municipality_id == meeting.municipality_id, Attendance.meeting_id == meeting.id)
        .order_by(col(Attendance.recorded_at), col(Attendance.id))
    )
    return {row.membership_id: row for row in rows}


def _is_news(known: Attendance | None, what: Presence) -> bool:
    if known is None:
        return True
    stands = known.presence == Presence.ABSENT_NOTIFIED and what == Presence.ABSENT
    return known.presence != what and not stands


def _write(
    session: Session,
    by: Actor,
    now: datetime,
    meeting: Meeting,
    membership_id: UUID,
    what: Presence,
    *,
    illness: bool = False,
) -> None:
    session.add(
        Attendance(
            municipality_id=meeting.municipality_id,
            meeting_id=meeting.id,
            membership_id=membership_id,
            presence=what,
            illness=illness,
            recorded_at=now,
            recorded_by=by.user_id,
        )
    )


def _is_free_illness(session: Session, now: datetime, meeting: Meeting, membership_id: UUID) -> bool:
    """Told by 8:00 of the day, and not oftener than the term allows (a membership lasts one term)."""
    if now > instant(meeting.held_on, ILLNESS_BY_HOUR * 60):
        return False
    used = session.exec(
        select(func.count())
        .select_from(Attendance)
        .where(
            Attendance.municipality_id == meeting.municipality_id,
            Attendance.membership_id == membership_id,
            col(Attendance.illness),
        )
    ).one()
    return used < ILLNESSES_FREE
