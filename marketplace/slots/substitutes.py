"""Who cannot hold a meeting asks colleagues to; one who is accredited and fits the group takes it, at the same price.

The first who takes it is the meeting's provider and is paid for it. A family may refuse a substitute free of charge.
Where nobody has taken it by `ENDS_BEFORE` its beginning, the meeting is cancelled and families pay nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.db import Scope, seeing
from marketplace.errors import Conflict, NotFound
from marketplace.providers.models import Accreditation, Offer, Provider
from marketplace.slots.facts import Home, MemberRow, SlotFacts, read_slots
from marketplace.slots.group import peak_seats
from marketplace.slots.meetings import cancel_meeting, expected_members
from marketplace.slots.models import Meeting, MeetingState, PlaceKind, SearchState, Substitution
from marketplace.slots.notices import tell_substitute_found, tell_substitute_sought
from marketplace.slots.settlement import member_of
from marketplace.words import N_
from matching.distance import is_within

ENDS_BEFORE = timedelta(hours=3)
TOO_SOON = N_("Mancano meno di %(hours)s ore: non c'è più tempo per cercare. Annulla l'incontro.")
TAKEN = N_("Questo incontro non cerca più chi lo tenga: lo ha preso qualcun altro, o non si fa.")


@dataclass(frozen=True, slots=True)
class Search:
    """A meeting whose provider is away, as a colleague who could hold it reads it: seats, no names."""

    meeting_id: UUID
    held_on: date
    starts_at: datetime
    ends_at: datetime
    slot: SlotFacts
    seats: int
    until: datetime


def seek_substitute(session: Session, by: Actor, now: datetime, meeting_id: UUID) -> Substitution:
    """The provider of a meeting cannot hold it: those who could are asked. Twice is once.

    An officer may do it for the provider. NotFound for another's meeting; Conflict once it is cancelled or too soon.
    """
    meeting = _lock_meeting(session, by, meeting_id)
    if not (by.role == Role.OFFICER or (by.provider_id and by.provider_id == meeting.provider_id)):
        raise NotFound
    known = _find_search(session, meeting)
    if known is not None:
        return known
    if meeting.state != MeetingState.SCHEDULED:
        raise Conflict(TAKEN)
    if now >= meeting.starts_at - ENDS_BEFORE:
        raise Conflict(TOO_SOON, hours=int(ENDS_BEFORE.total_seconds() // 3600))
    made = Substitution(
        municipality_id=by.municipality_id, meeting_id=meeting.id, absent_id=meeting.provider_id, created_at=now
    )
    session.add(made)
    session.flush()
    record(session, by, now, "seek_substitute", "meeting", meeting.id)
    tell_substitute_sought(session, now, meeting, _who_could_hold(session, meeting), meeting.starts_at - ENDS_BEFORE)
    return made


def seek_for_days(session: Session, by: Actor, now: datetime, first: date, last: date) -> int:
    """The provider is away from `first` to `last`: a substitute is sought for each meeting that allows it. How many."""
    meetings = session.exec(
        select(Meeting)
        .where(
            Meeting.municipality_id == by.municipality_id,
            Meeting.provider_id == by.provider_id,
            Meeting.state == MeetingState.SCHEDULED,
            col(Meeting.held_on).between(first, last),
        )
        .order_by(col(Meeting.id))
    ).all()
    coming = [meeting.id for meeting in meetings if now < meeting.starts_at - ENDS_BEFORE]
    for meeting_id in coming:
        seek_substitute(session, by, now, meeting_id)
    return len(coming)


def list_searches(session: Session, by: Actor, now: datetime) -> list[Search]:
    """The meetings that the actor, a provider, could take over now, the nearest first."""
    rows = session.exec(
        select(Meeting)
        .join(
            Substitution,
            (col(Substitution.municipality_id) == Meeting.municipality_id)
            & (col(Substitution.meeting_id) == Meeting.id),
        )
        .where(
            Meeting.municipality_id == by.municipality_id,
            Substitution.state == SearchState.SEEKING,
            Meeting.state == MeetingState.SCHEDULED,
        )
        .order_by(col(Meeting.during), col(Meeting.id))
    ).all()
    found = []
    for meeting in rows:
        if now < meeting.starts_at - ENDS_BEFORE and by.provider_id in _who_could_hold(session, meeting):
            facts, members = read_slots(session, by.municipality_id, {meeting.slot_id})
            there = _expected(members[meeting.slot_id], meeting)
            found.append(
                Search(
                    meeting_id=meeting.id,
                    held_on=meeting.held_on,
                    starts_at=meeting.starts_at,
                    ends_at=meeting.ends_at,
                    slot=facts[meeting.slot_id],
                    seats=sum(row.membership.seats for row in there),
                    until=meeting.starts_at - ENDS_BEFORE,
                )
            )
    return found


def take_over(session: Session, by: Actor, now: datetime, meeting_id: UUID) -> Meeting:
    """The actor, a provider who could, holds the meeting; families and who is away are told. Twice is once.

    NotFound for whom it does not fit; Conflict where somebody was faster, it is cancelled, or time is over. Another
    meeting of the actor's at that time is refused by the database.
    """
    meeting = _lock_meeting(session, by, meeting_id)
    if by.provider_id is None:
        raise NotFound
    search = _find_search(session, meeting)
    if search is None and meeting.provider_id == by.provider_id:
        return meeting
    if search is None or meeting.state != MeetingState.SCHEDULED or now >= meeting.starts_at - ENDS_BEFORE:
        raise Conflict(TAKEN)
    if by.provider_id not in _who_could_hold(session, meeting):
        raise NotFound
    meeting.provider_id = by.provider_id
    search.state, search.substitute_id, search.ended_at = SearchState.FOUND, by.provider_id, now
    session.flush()
    record(session, by, now, "take_over", "meeting", meeting.id, absent=str(search.absent_id))
    tell_substitute_found(session, now, meeting, search.absent_id, _households(session, meeting))
    return meeting


def end_searches(session: Session, now: datetime, municipality_id: str) -> int:
    """Cancel the meetings for which nobody was found in time, and end the searches that are over; how many ended."""
    searches = session.exec(
        select(Substitution)
        .where(Substitution.municipality_id == municipality_id, Substitution.state == SearchState.SEEKING)
        .order_by(col(Substitution.meeting_id))
    ).all()
    ended = 0
    for search in searches:
        by = Actor(municipality_id, Role.PROVIDER, provider_id=search.absent_id)
        meeting = _lock_meeting(session, by, search.meeting_id)
        session.refresh(search)
        if search.state != SearchState.SEEKING:
            continue
        if meeting.state == MeetingState.SCHEDULED and now < meeting.starts_at - ENDS_BEFORE:
            continue
        search.state, search.ended_at = SearchState.ENDED, now
        if meeting.state == MeetingState.SCHEDULED and now < meeting.starts_at:
            cancel_meeting(session, by, now, meeting.id, N_("nessuno può tenerlo"))
        ended += 1
    session.flush()
    return ended


def list_sought(session: Session, municipality_id: str, meeting_ids: Collection[UUID]) -> set[UUID]:
    """Those of the meetings for which a substitute is being sought."""
    return set(
        session.exec(
            select(Substitution.meeting_id).where(
                Substitution.municipality_id == municipality_id,
                Substitution.state == SearchState.SEEKING,
                col(Substitution.meeting_id).in_(meeting_ids),
            )
        )
    )


def _lock_meeting(session: Session, by: Actor, meeting_id: UUID) -> Meeting:
    meeting = session.get(Meeting, (by.municipality_id, meeting_id), with_for_update=True, populate_existing=True)
    if meeting is None:
        raise NotFound
    return meeting


def _find_search(session: Session, meeting: Meeting) -> Substitution | None:
    return session.exec(
        select(Substitution)
        .where(
            Substitution.municipality_id == meeting.municipality_id,
            Substitution.meeting_id == meeting.id,
            Substitution.state == SearchState.SEEKING,
        )
        .execution_options(populate_existing=True)
    ).first()


def _households(session: Session, meeting: Meeting) -> set[UUID]:
    _, members = read_slots(session, meeting.municipality_id, {meeting.slot_id})
    expected = expected_members(session, meeting)
    return {row.membership.household_id for row in members[meeting.slot_id] if row.membership.id in expected}


def _expected(rows: Sequence[MemberRow], meeting: Meeting) -> list[MemberRow]:
    return [row for row in rows if row.is_expected_on(meeting.held_on)]


def _who_could_hold(session: Session, meeting: Meeting) -> dict[UUID, Provider]:
    """Accredited colleagues, free at that time, who suit everybody who is expected; but for those who could not."""
    city = meeting.municipality_id
    facts, members = read_slots(session, city, {meeting.slot_id})
    slot, there = facts[meeting.slot_id], _expected(members[meeting.slot_id], meeting)
    with seeing(session, Scope(city)):
        providers = session.exec(
            select(Provider).where(Provider.municipality_id == city, Provider.accreditation == Accreditation.ACCREDITED)
        ).all()
        offers: dict[UUID, list[Offer]] = defaultdict(list)
        for offer in session.exec(select(Offer).where(Offer.municipality_id == city, Offer.service == slot.service)):
            offers[offer.provider_id].append(offer)
        away = _list_away(session, meeting)
    return {
        one.id: one
        for one in providers
        if there
        and one.id not in away
        and one.is_accredited(meeting.held_on)
        and _reaches(one, slot, there)
        and all(_suits(one, row) for row in there)
        and any(_covers(offer, slot, there) for offer in offers[one.id])
    }


def _list_away(session: Session, meeting: Meeting) -> set[UUID]:
    """Who has said that it cannot hold the meeting, and who has another one then."""
    city = meeting.municipality_id
    absent = session.exec(
        select(Substitution.absent_id).where(
            Substitution.municipality_id == city, Substitution.meeting_id == meeting.id
        )
    )
    busy = session.exec(
        select(Meeting.provider_id).where(
            Meeting.municipality_id == city,
            col(Meeting.state).in_((MeetingState.SCHEDULED, MeetingState.HELD)),
            col(Meeting.during).op("&&")(meeting.during),
        )
    )
    return {meeting.provider_id, *absent, *busy}


def _reaches(provider: Provider, slot: SlotFacts, there: Sequence[MemberRow]) -> bool:
    """Near enough to the place, or to every home of a round."""
    if slot.spot.kind == PlaceKind.HOMES:
        homes = [row.home for row in there]
    else:
        homes = [Home("", slot.spot.lat or 0.0, slot.spot.lon or 0.0)]
    travels = slot.spot.kind != PlaceKind.HOMES or provider.visits_homes
    return travels and all(is_within(provider, home, float(provider.travel_km_max)) for home in homes)


def _suits(provider: Provider, row: MemberRow) -> bool:
    """A common language, the qualifications asked for, and not one whom the family must never meet."""
    need = row.need
    return (
        provider.code not in need.excludes
        and bool(set(need.languages) & set(provider.languages))
        and set(need.requires) <= set(provider.qualifications)
    )


def _covers(offer: Offer, slot: SlotFacts, there: Sequence[MemberRow]) -> bool:
    """Topic, classes, ages and seats of the whole group."""
    return (
        (slot.topic is None or slot.topic in offer.topics)
        and peak_seats([member_of(row.membership) for row in there]) <= offer.seats_max
        and all(
            (row.need.level is None or offer.level_min <= row.need.level <= offer.level_max)
            and (row.need.age is None or offer.age_min <= row.need.age <= offer.age_max)
            for row in there
        )
    )
