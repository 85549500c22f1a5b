"""Who cannot hold a meeting asks colleagues to; one who is accredited and fits the group takes it, at the same price.

The first who takes it is the meeting's provider and is paid for it. A family may refuse a substitute free of charge.
Where nobody has taken it by `ENDS_BEFORE` its beginning, the meeting is cancelled and families pay nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import aliased
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
NOT_FOR_EXTRA = N_("Un incontro in più si tiene con chi lo ha accettato: se non puoi, annullalo.")
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
    made, is_new = _open_search(session, by, now, meeting_id)
    if is_new:
        _ask_colleagues(session, now, by.municipality_id, [meeting_id])
    return made


def seek_for_days(session: Session, by: Actor, now: datetime, first: date, last: date) -> int:
    """The provider is away from `first` to `last`: a substitute is sought for each meeting that allows it. How many.

    A colleague who could hold several of them gets one message about all.
    """
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
    extra = {meeting.id for meeting in meetings if meeting.extra_id}
    for meeting_id in extra.intersection(coming):
        cancel_meeting(session, by, now, meeting_id, N_("chi doveva tenerlo non può"))
    weekly = [meeting_id for meeting_id in coming if meeting_id not in extra]
    sought = [meeting_id for meeting_id in weekly if _open_search(session, by, now, meeting_id)[1]]
    _ask_colleagues(session, now, by.municipality_id, sought)
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
    coming = [meeting for meeting in rows if now < meeting.starts_at - ENDS_BEFORE]
    groups = _read_groups(session, by.municipality_id, coming)
    mine = _who_could_hold(session, by.municipality_id, groups, only=by.provider_id)
    return [
        Search(
            meeting_id=one.meeting.id,
            held_on=one.meeting.held_on,
            starts_at=one.meeting.starts_at,
            ends_at=one.meeting.ends_at,
            slot=one.slot,
            seats=sum(row.membership.seats for row in one.there),
            until=one.meeting.starts_at - ENDS_BEFORE,
        )
        for one in groups
        if mine[one.meeting.id]
    ]


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
    groups = _read_groups(session, by.municipality_id, [meeting])
    if not _who_could_hold(session, by.municipality_id, groups, only=by.provider_id)[meeting.id]:
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


def _open_search(session: Session, by: Actor, now: datetime, meeting_id: UUID) -> tuple[Substitution, bool]:
    """The search for a meeting, and whether it begins now."""
    meeting = _lock_meeting(session, by, meeting_id)
    if not (by.role == Role.OFFICER or (by.provider_id and by.provider_id == meeting.provider_id)):
        raise NotFound
    known = _find_search(session, meeting)
    if known is not None:
        return known, False
    if meeting.state != MeetingState.SCHEDULED:
        raise Conflict(TAKEN)
    if meeting.extra_id is not None:
        raise Conflict(NOT_FOR_EXTRA)
    if now >= meeting.starts_at - ENDS_BEFORE:
        raise Conflict(TOO_SOON, hours=int(ENDS_BEFORE.total_seconds() // 3600))
    made = Substitution(
        municipality_id=by.municipality_id, meeting_id=meeting.id, absent_id=meeting.provider_id, created_at=now
    )
    session.add(made)
    session.flush()
    record(session, by, now, "seek_substitute", "meeting", meeting.id)
    return made, True


def _ask_colleagues(session: Session, now: datetime, municipality_id: str, meeting_ids: Collection[UUID]) -> None:
    """Write once to each colleague who could hold any of the meetings, of all that it could."""
    meetings = session.exec(
        select(Meeting)
        .where(Meeting.municipality_id == municipality_id, col(Meeting.id).in_(meeting_ids))
        .order_by(col(Meeting.during), col(Meeting.id))
    ).all()
    could = _who_could_hold(session, municipality_id, _read_groups(session, municipality_id, meetings))
    colleagues = {one.id: one for who in could.values() for one in who.values()}
    for colleague in colleagues.values():
        mine = [meeting for meeting in meetings if colleague.id in could[meeting.id]]
        tell_substitute_sought(session, now, colleague, mine, mine[0].starts_at - ENDS_BEFORE)


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


@dataclass(frozen=True, slots=True)
class _Group:
    """A meeting with its slot and the members who are expected at it."""

    meeting: Meeting
    slot: SlotFacts
    there: tuple[MemberRow, ...]


def _read_groups(session: Session, municipality_id: str, meetings: Sequence[Meeting]) -> list[_Group]:
    """The groups of the meetings, in their order: each slot is read once."""
    facts, members = read_slots(session, municipality_id, {meeting.slot_id for meeting in meetings})
    return [
        _Group(
            meeting,
            facts[meeting.slot_id],
            tuple(row for row in members[meeting.slot_id] if row.is_expected_on(meeting.held_on)),
        )
        for meeting in meetings
    ]


def _who_could_hold(
    session: Session, municipality_id: str, groups: Sequence[_Group], *, only: UUID | None = None
) -> dict[UUID, dict[UUID, Provider]]:
    """By meeting, the accredited colleagues (or `only` that one) who are free then and suit all who are expected."""
    if not groups:
        return {}
    providers = select(Provider).where(
        Provider.municipality_id == municipality_id, Provider.accreditation == Accreditation.ACCREDITED
    )
    terms = select(Offer).where(
        Offer.municipality_id == municipality_id, col(Offer.service).in_({one.slot.service for one in groups})
    )
    if only is not None:
        providers, terms = providers.where(Provider.id == only), terms.where(Offer.provider_id == only)
    with seeing(session, Scope(municipality_id)):
        candidates = session.exec(providers.order_by(col(Provider.id))).all()
        offers: dict[tuple[UUID, str], list[Offer]] = defaultdict(list)
        for offer in session.exec(terms):
            offers[offer.provider_id, offer.service].append(offer)
        away = _list_away(session, municipality_id, [one.meeting for one in groups])
    return {
        group.meeting.id: {
            one.id: one
            for one in candidates
            if one.id not in away[group.meeting.id] and _fits(one, group, offers[one.id, group.slot.service])
        }
        for group in groups
    }


def _fits(provider: Provider, group: _Group, offers: Sequence[Offer]) -> bool:
    return (
        bool(group.there)
        and provider.is_accredited(group.meeting.held_on)
        and _reaches(provider, group.slot, group.there)
        and all(_suits(provider, row) for row in group.there)
        and any(_covers(offer, group.slot, group.there) for offer in offers)
    )


def _list_away(session: Session, municipality_id: str, meetings: Sequence[Meeting]) -> dict[UUID, set[UUID]]:
    """By meeting, who has said that it cannot hold it, and who has another one then."""
    away = {meeting.id: {meeting.provider_id} for meeting in meetings}
    for meeting_id, absent_id in session.exec(
        select(Substitution.meeting_id, Substitution.absent_id).where(
            Substitution.municipality_id == municipality_id, col(Substitution.meeting_id).in_(away)
        )
    ):
        away[meeting_id].add(absent_id)
    other = aliased(Meeting)
    for meeting_id, busy_id in session.exec(
        select(col(Meeting.id), col(other.provider_id))
        .join(
            other,
            (col(other.municipality_id) == Meeting.municipality_id)
            & col(other.during).op("&&")(Meeting.during)
            & col(other.state).in_((MeetingState.SCHEDULED, MeetingState.HELD)),
        )
        .where(Meeting.municipality_id == municipality_id, col(Meeting.id).in_(away))
    ):
        away[meeting_id].add(busy_id)
    return away


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
