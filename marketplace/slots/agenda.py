"""Who meets whom on which day: the calendars of households and providers, and the sheets of attendance."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Actor, Role
from marketplace.errors import NotFound
from marketplace.providers.models import Provider
from marketplace.slots.calendar import instant, minute_of
from marketplace.slots.extra_seats import list_taken
from marketplace.slots.facts import MemberRow, SlotFacts, read_slots
from marketplace.slots.models import (
    Attendance,
    Meeting,
    MeetingState,
    Membership,
    PlaceKind,
    Presence,
    Slot,
    SlotState,
)


@dataclass(frozen=True, slots=True)
class MeetingFacts:
    """A dated meeting of one member. `state` and `presence` (None: unrecorded) say what became of it.

    `provider_name` is who holds it; `is_substituted`: not the group's own provider;
    `moved_days`: by how many days it is later in the week than the group's own day; `extra_id`: it is one more than
    the week's own, at its own hours.
    """

    meeting_id: UUID
    membership_id: UUID
    slot_id: UUID
    need_id: UUID
    service: str
    topic: str | None
    first_name: str
    provider_name: str
    place_name: str
    place_address: str
    held_on: date
    starts_at: datetime
    ends_at: datetime
    start_minute: int
    end_minute: int
    state: MeetingState
    presence: Presence | None
    reason: str
    is_substituted: bool = False
    moved_days: int = 0
    extra_id: UUID | None = None

    @property
    def may_be_refused(self) -> bool:
        """Whether it is not what the family agreed to, who holds it or when: staying away is free."""
        return self.is_substituted or self.moved_days > 0


@dataclass(frozen=True, slots=True)
class Attendee:
    """A member on the provider's sheet; `notes` is what the family wants whoever does the service to know."""

    membership_id: UUID
    first_name: str
    seats: int
    start_minute: int
    end_minute: int
    address: str
    presence: Presence | None
    recorded_at: datetime | None
    notes: str = ""


@dataclass(frozen=True, slots=True)
class ProviderMeeting:
    """A dated meeting of a provider with everybody who is expected."""

    meeting_id: UUID
    slot: SlotFacts
    held_on: date
    starts_at: datetime
    ends_at: datetime
    state: MeetingState
    reason: str
    attendees: tuple[Attendee, ...]
    extra_id: UUID | None = None

    def is_to_record(self, now: datetime) -> bool:
        """It has begun, and somebody's attendance is missing."""
        return (
            self.starts_at <= now
            and self.state in (MeetingState.SCHEDULED, MeetingState.HELD)
            and any(one.presence is None for one in self.attendees)
        )


@dataclass(frozen=True, slots=True)
class ProviderWeek:
    """A provider's seven days from a Monday, what it has yet to record, and the slots that wait for its answer."""

    first_day: date
    meetings: tuple[ProviderMeeting, ...]
    to_record: tuple[ProviderMeeting, ...]
    answers_due: tuple[SlotFacts, ...]


def list_household_meetings(
    session: Session, municipality_id: str, household_id: UUID, first: date, last: date
) -> list[MeetingFacts]:
    """A household's meetings from `first` to `last`, in order, cancelled ones too; for its calendar and its feed."""
    mine = col(Meeting.slot_id).in_(_slots_of(municipality_id, household_id))
    meetings = session.exec(_between(municipality_id, first, last).where(mine)).all()
    slots, members = read_slots(session, municipality_id, {one.slot_id for one in meetings})
    recorded = read_presence(session, municipality_id, [one.id for one in meetings])
    names = _substitutes(session, municipality_id, meetings, slots)
    taken = list_taken(session, municipality_id, [one.extra_id for one in meetings if one.extra_id])
    return [
        _meeting_facts(
            meeting,
            slots[meeting.slot_id],
            row,
            recorded.get((meeting.id, row.membership.id)),
            names.get(meeting.provider_id),
        )
        for meeting in meetings
        for row in members[meeting.slot_id]
        if row.membership.household_id == household_id and _is_expected(row, meeting, taken)
    ]


def get_provider_week(
    session: Session, municipality_id: str, now: datetime, provider_id: UUID, first_day: date
) -> ProviderWeek:
    """A provider's week from the Monday `first_day`; members by first name (their slots are confirmed)."""
    week = _between(municipality_id, first_day, first_day + timedelta(days=6))
    started = (
        select(Meeting)
        .where(
            Meeting.municipality_id == municipality_id,
            Meeting.state == MeetingState.SCHEDULED,
            col(Meeting.held_on) < first_day,
        )
        .order_by(col(Meeting.during))
    )
    mine = col(Meeting.provider_id) == provider_id
    meetings = _provider_meetings(session, municipality_id, session.exec(week.where(mine)).all())
    late = _provider_meetings(session, municipality_id, session.exec(started.where(mine)).all())
    asked = session.exec(
        select(Slot.id)
        .where(
            Slot.municipality_id == municipality_id, Slot.provider_id == provider_id, Slot.state == SlotState.PROPOSED
        )
        .order_by(col(Slot.deadline), col(Slot.day), col(Slot.start_minute))
    ).all()
    facts, _ = read_slots(session, municipality_id, asked)
    return ProviderWeek(
        first_day,
        tuple(meetings),
        tuple(one for one in [*late, *meetings] if one.is_to_record(now)),
        tuple(facts[slot_id] for slot_id in asked),
    )


def get_provider_meeting(session: Session, by: Actor, meeting_id: UUID) -> ProviderMeeting:
    """One meeting with its sheet of attendance, for its provider or an officer. Raises NotFound."""
    meeting = session.get(Meeting, (by.municipality_id, meeting_id))
    if meeting is None or not (by.role == Role.OFFICER or (by.provider_id and by.provider_id == meeting.provider_id)):
        raise NotFound
    return _provider_meetings(session, by.municipality_id, [meeting])[0]


def read_presence(
    session: Session, municipality_id: str, meeting_ids: Collection[UUID]
) -> dict[tuple[UUID, UUID], Attendance]:
    """What counts of each (meeting, membership): the newest row."""
    rows = session.exec(
        select(Attendance)
        .where(Attendance.municipality_id == municipality_id, col(Attendance.meeting_id).in_(meeting_ids))
        .order_by(col(Attendance.recorded_at), col(Attendance.id))
    )
    return {(row.meeting_id, row.membership_id): row for row in rows}


def _is_expected(row: MemberRow, meeting: Meeting, taken: Mapping[UUID, Collection[UUID]]) -> bool:
    has_seat = meeting.extra_id is None or row.membership.id in taken[meeting.extra_id]
    return has_seat and row.is_expected_on(meeting.held_on)


def _hours(meeting: Meeting, member: Membership) -> tuple[int, int]:
    """From which to which local minute a member is there: in an extra session all from its start to its end."""
    if meeting.extra_id is None:
        return member.start_minute, member.end_minute
    return minute_of(meeting.starts_at), minute_of(meeting.ends_at) or 24 * 60


def _between(municipality_id: str, first: date, last: date) -> SelectOfScalar[Meeting]:
    return (
        select(Meeting)
        .where(Meeting.municipality_id == municipality_id, col(Meeting.held_on).between(first, last))
        .where(Meeting.state != MeetingState.DISSOLVED)
        .order_by(col(Meeting.during), col(Meeting.id))
    )


def _slots_of(municipality_id: str, household_id: UUID) -> SelectOfScalar[UUID]:
    return select(Membership.slot_id).where(
        Membership.municipality_id == municipality_id, Membership.household_id == household_id
    )


def _substitutes(
    session: Session, municipality_id: str, meetings: Sequence[Meeting], slots: Mapping[UUID, SlotFacts]
) -> dict[UUID, str]:
    """The names of those who hold a meeting in the place of a group's own provider."""
    others = {one.provider_id for one in meetings if one.provider_id != slots[one.slot_id].provider_id}
    if not others:
        return {}
    query = select(col(Provider.id), col(Provider.name)).where(Provider.municipality_id == municipality_id)
    return dict(session.exec(query.where(col(Provider.id).in_(others))).all())


def _meeting_facts(
    meeting: Meeting, slot: SlotFacts, row: MemberRow, recorded: Attendance | None, substitute: str | None
) -> MeetingFacts:
    member = row.membership
    start, end = _hours(meeting, member)
    is_substituted = meeting.provider_id != slot.provider_id
    return MeetingFacts(
        meeting_id=meeting.id,
        membership_id=member.id,
        slot_id=slot.slot_id,
        need_id=member.need_id,
        service=slot.service,
        topic=slot.topic,
        first_name=row.first_name,
        provider_name=substitute if is_substituted and substitute else slot.provider_name,
        place_name=slot.spot.name,
        place_address=slot.spot.address or row.home.address,
        held_on=meeting.held_on,
        starts_at=instant(meeting.held_on, start),
        ends_at=instant(meeting.held_on, end),
        start_minute=start,
        end_minute=end,
        state=meeting.state,
        presence=None if recorded is None else recorded.presence,
        reason=meeting.reason,
        is_substituted=is_substituted,
        moved_days=0 if meeting.extra_id else meeting.held_on.weekday() - slot.day,
        extra_id=meeting.extra_id,
    )


def _provider_meetings(session: Session, municipality_id: str, meetings: Sequence[Meeting]) -> list[ProviderMeeting]:
    slots, members = read_slots(session, municipality_id, {meeting.slot_id for meeting in meetings})
    recorded = read_presence(session, municipality_id, [meeting.id for meeting in meetings])
    taken = list_taken(session, municipality_id, [one.extra_id for one in meetings if one.extra_id])
    found = []
    for meeting in meetings:
        slot = slots[meeting.slot_id]
        attendees = tuple(
            _attendee(row, slot, _hours(meeting, row.membership), recorded.get((meeting.id, row.membership.id)))
            for row in members[meeting.slot_id]
            if _is_expected(row, meeting, taken)
        )
        found.append(
            ProviderMeeting(
                meeting.id,
                slot,
                meeting.held_on,
                meeting.starts_at,
                meeting.ends_at,
                meeting.state,
                meeting.reason,
                attendees,
                meeting.extra_id,
            )
        )
    return found


def _attendee(row: MemberRow, slot: SlotFacts, hours: tuple[int, int], recorded: Attendance | None) -> Attendee:
    return Attendee(
        membership_id=row.membership.id,
        first_name=row.first_name,
        seats=row.membership.seats,
        start_minute=hours[0],
        end_minute=hours[1],
        address=row.home.address if slot.spot.kind == PlaceKind.HOMES else slot.spot.address,
        presence=None if recorded is None else recorded.presence,
        recorded_at=None if recorded is None else recorded.recorded_at,
        notes=row.need.notes,
    )
