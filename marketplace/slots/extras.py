"""One more session of a standing slot: everybody in it has said yes to it, and pays at most what it costs alone.

The price is the slot's own, frozen, split by the function that bills (`billing.split`); no voucher pays of it. Its
asker and whoever joins may step out free of charge until `join_until`; from then on an absence counts as in
any meeting.
"""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound
from marketplace.places.models import Venue
from marketplace.slots.calendar import instant
from marketplace.slots.extra_models import ExtraSeat, ExtraSession, ExtraState, SeatState
from marketplace.slots.extra_notices import tell_answered, tell_asked, tell_invited, tell_off
from marketplace.slots.extra_prices import (
    HAPPENING,
    NO_ROOM,
    get_place,
    quote_extra,
    refuse_unless_possible,
    shares_of,
)
from marketplace.slots.extra_seats import end_empty
from marketplace.slots.facts import may_act_for
from marketplace.slots.meetings import report_absence
from marketplace.slots.models import Meeting, MeetingState, Membership, ProposalState, Slot
from marketplace.slots.settlement import STANDING, lock_slots
from marketplace.slots.venue_room import has_room
from marketplace.words import N_

CHANGED_PRICE = N_("Il prezzo non è quello che hai visto. Ricarica la pagina e rileggilo.")
TOO_LATE = N_("Il tempo per rispondere è scaduto.")
OVER = N_("Questo incontro in più non è più aperto. Ricarica la pagina e guarda come sta.")
NOT_TOGETHER = N_("Il professionista va di casa in casa: un incontro in più è di una famiglia sola.")
NO_CHEAPER = N_("Con un posto in più qualcuno pagherebbe più del suo tetto: non si può.")


def ask_extra(
    session: Session,
    by: Actor,
    now: datetime,
    membership_id: UUID,
    held_on: date,
    hours: tuple[int, int],
    cap_cents: int,
    instead_of: UUID | None = None,
) -> ExtraSession:
    """Ask the provider for one more session, for at most `cap_cents` (`Quote.alone_cents`, as it was shown).

    The same asked again is given back as it is. Errors as in `quote_extra`; Conflict for another price, or where
    somebody else of the group has asked for that day.
    """
    quote = quote_extra(session, by, now, membership_id, held_on, hours, instead_of)
    member = session.get_one(Membership, (by.municipality_id, membership_id))
    if quote.alone_cents != cap_cents:
        raise Conflict(CHANGED_PRICE)
    known = session.exec(
        select(ExtraSession).where(
            ExtraSession.municipality_id == by.municipality_id,
            ExtraSession.slot_id == member.slot_id,
            ExtraSession.household_id == member.household_id,
            ExtraSession.held_on == held_on,
            ExtraSession.start_minute == hours[0],
            ExtraSession.end_minute == hours[1],
            col(ExtraSession.state).in_((ExtraState.ASKED, ExtraState.ACCEPTED)),
        )
    ).first()
    if known is not None:
        return known
    extra = ExtraSession(
        municipality_id=by.municipality_id,
        slot_id=member.slot_id,
        household_id=member.household_id,
        held_on=held_on,
        start_minute=hours[0],
        end_minute=hours[1],
        answer_by=quote.answer_by,
        join_until=quote.join_until,
        created_at=now,
    )
    session.add(extra)
    session.flush()
    _take_seat(session, now, extra, member, cap_cents).instead_of = instead_of
    session.flush()
    record(session, by, now, "ask_extra", "extra_session", extra.id, cap_cents=cap_cents)
    tell_asked(session, now, extra, session.get_one(Slot, (by.municipality_id, member.slot_id)))
    return extra


def answer_extra(session: Session, by: Actor, now: datetime, extra_id: UUID, accept: bool) -> ExtraSession:
    """The provider's answer (an officer may give it for the provider): yes makes the meeting and invites the others.

    The same answer twice is one. NotFound for another's; Conflict when it is too late, or something else is in the way;
    another meeting of the provider's at that time is refused by the database.
    """
    extra = session.get(ExtraSession, (by.municipality_id, extra_id))
    if extra is None:
        raise NotFound
    (slot,) = lock_slots(session, by.municipality_id, [extra.slot_id])  # before the request, as leaving does
    extra = _lock_extra(session, by, extra_id)
    if by.role != Role.OFFICER and (by.provider_id is None or by.provider_id != slot.provider_id):
        raise NotFound
    answer = ExtraState.ACCEPTED if accept else ExtraState.REFUSED
    if extra.state == answer:
        return extra
    if extra.state != ExtraState.ASKED or slot.state not in STANDING:
        raise Conflict(OVER)
    if now > extra.answer_by:
        raise Conflict(TOO_LATE)
    hours = (extra.start_minute, extra.end_minute)
    if accept:
        if slot.venue_id is not None:  # one comes into a venue at a time
            session.get_one(Venue, (by.municipality_id, slot.venue_id), with_for_update=True)
        seats = [seat.seats for seat, _ in _list_seats(session, extra)]
        refuse_unless_possible(session, slot, extra.held_on, hours, sum(seats))
        session.add(
            Meeting(
                municipality_id=by.municipality_id,
                slot_id=slot.id,
                provider_id=slot.provider_id,
                held_on=extra.held_on,
                during=Range(*(instant(extra.held_on, minute) for minute in hours), bounds="[)"),
                extra_id=extra.id,
            )
        )
        _stay_away(session, extra)
    extra.state = answer
    session.flush()
    record(session, by, now, "answer_extra", "extra_session", extra.id, accept=accept)
    tell_answered(session, now, extra)
    if accept and slot.mode != "round":
        tell_invited(session, now, extra, _list_others(session, extra))
    return extra


def _stay_away(session: Session, extra: ExtraSession) -> None:
    """The asker's absence from the meeting that it gives up for this one counts as of when it asked."""
    family = Actor(extra.municipality_id, Role.FAMILY, household_id=extra.household_id)
    for seat, _ in _list_seats(session, extra):
        meeting = session.get(Meeting, (extra.municipality_id, seat.instead_of)) if seat.instead_of else None
        if meeting is not None and meeting.state == MeetingState.SCHEDULED:
            report_absence(session, family, extra.created_at, meeting.id, seat.membership_id)


def join_extra(
    session: Session, by: Actor, now: datetime, extra_id: UUID, membership_id: UUID, cap_cents: int
) -> ExtraSeat:
    """A member comes too, for at most `cap_cents` (what the session costs it alone, as it was shown). Twice is once.

    NotFound; Conflict after `join_until`, for another price, or where somebody would pay above its cap. A seat too
    many is refused by the database.
    """
    extra = _lock_extra(session, by, extra_id)
    member, slot = get_place(session, by, now, membership_id, extra.held_on)
    if member.slot_id != extra.slot_id:
        raise NotFound
    _refuse_unless_joinable(slot, extra, now)
    hours = (extra.start_minute, extra.end_minute)
    if shares_of(slot, hours, [member.seats]) != [cap_cents]:
        raise Conflict(CHANGED_PRICE)
    there = _list_seats(session, extra)
    for seat, _ in there:
        if seat.membership_id == member.id:
            return seat
    if slot.venue_id is not None:
        session.get_one(Venue, (by.municipality_id, slot.venue_id), with_for_update=True)
    meeting = session.exec(
        select(Meeting).where(Meeting.municipality_id == by.municipality_id, Meeting.extra_id == extra.id)
    ).one()
    if meeting.state != MeetingState.SCHEDULED:
        raise Conflict(OVER)
    all_seats = sum(seat.seats for seat, _ in there) + member.seats
    if not has_room(session, slot, extra.held_on, hours, all_seats, but_for=meeting.id):
        raise Conflict(NO_ROOM)
    group = [*((rank, seat.membership_id, seat.seats, seat.cap_cents) for seat, rank in there)]
    _refuse_above_caps(slot, hours, [*group, (member.rank, member.id, member.seats, cap_cents)])
    seat = _take_seat(session, now, extra, member, cap_cents)
    record(session, by, now, "join_extra", "extra_session", extra.id, cap_cents=cap_cents)
    return seat


def step_out(session: Session, by: Actor, now: datetime, extra_id: UUID, membership_id: UUID) -> ExtraSession:
    """A member gives its seat back, free of charge until `join_until`; without anybody (or the host) it is off.

    The others go on within their caps. Twice is once. NotFound; Conflict when it is too late.
    """
    extra = _lock_extra(session, by, extra_id)
    seat = session.exec(
        select(ExtraSeat)
        .where(
            ExtraSeat.municipality_id == by.municipality_id,
            ExtraSeat.extra_id == extra.id,
            ExtraSeat.membership_id == membership_id,
        )
        .execution_options(populate_existing=True)
    ).first()
    if seat is None or not may_act_for(by, seat.household_id):
        raise NotFound
    if seat.state == SeatState.WITHDRAWN:
        return extra
    if extra.state not in (ExtraState.ASKED, ExtraState.ACCEPTED):
        raise Conflict(OVER)
    if now > extra.join_until:
        raise Conflict(TOO_LATE)
    was_accepted = extra.state == ExtraState.ACCEPTED
    seat.state = SeatState.WITHDRAWN
    session.flush()
    record(session, by, now, "step_out", "extra_session", extra.id)
    if extra.id in end_empty(session, by.municipality_id, [extra.id]):
        tell_off(session, now, extra, [one.household_id for one, _ in _list_seats(session, extra)], was_accepted)
    return extra


def advance_extras(session: Session, now: datetime, municipality_id: str) -> None:
    """What was not answered in time expires; what took place is held, and what was cancelled is off."""
    for extra, meeting in session.exec(
        select(ExtraSession, Meeting)
        .outerjoin(
            Meeting,
            (col(Meeting.municipality_id) == ExtraSession.municipality_id) & (col(Meeting.extra_id) == ExtraSession.id),
        )
        .where(
            ExtraSession.municipality_id == municipality_id,
            col(ExtraSession.state).in_((ExtraState.ASKED, ExtraState.ACCEPTED)),
        )
        .order_by(col(ExtraSession.id))
        .with_for_update(of=ExtraSession)
    ).all():
        before = extra.state
        if before == ExtraState.ASKED and now > extra.answer_by:
            extra.state = ExtraState.EXPIRED
            tell_answered(session, now, extra)
        elif meeting is not None and meeting.state not in HAPPENING:
            extra.state = ExtraState.WITHDRAWN
        elif meeting is not None and meeting.ends_at <= now:
            extra.state = ExtraState.HELD
        if extra.state != before:
            record(session, Actor(municipality_id), now, extra.state.value, "extra_session", extra.id)
    session.flush()


def _refuse_unless_joinable(slot: Slot, extra: ExtraSession, now: datetime) -> None:
    if slot.mode == "round":
        raise Conflict(NOT_TOGETHER)
    if extra.state != ExtraState.ACCEPTED:
        raise Conflict(OVER)
    if now > extra.join_until:
        raise Conflict(TOO_LATE)


def _refuse_above_caps(slot: Slot, hours: tuple[int, int], group: list[tuple[int, UUID, int, int]]) -> None:
    """`group`: rank, membership, seats and cap of each, in the order in which they are billed."""
    ordered = sorted(group)
    shares = shares_of(slot, hours, [seats for _, _, seats, _ in ordered])
    if any(share > cap for share, (_, _, _, cap) in zip(shares, ordered, strict=True)):
        raise Conflict(NO_CHEAPER)


def _take_seat(session: Session, now: datetime, extra: ExtraSession, member: Membership, cap_cents: int) -> ExtraSeat:
    seat = session.exec(
        select(ExtraSeat).where(
            ExtraSeat.municipality_id == extra.municipality_id,
            ExtraSeat.extra_id == extra.id,
            ExtraSeat.membership_id == member.id,
        )
    ).first()
    if seat is None:
        seat = ExtraSeat(
            municipality_id=extra.municipality_id,
            extra_id=extra.id,
            membership_id=member.id,
            household_id=member.household_id,
            seats=member.seats,
            cap_cents=cap_cents,
            created_at=now,
        )
    seat.state, seat.cap_cents, seat.instead_of = SeatState.TAKEN, cap_cents, None
    session.add(seat)
    session.flush()
    return seat


def _lock_extra(session: Session, by: Actor, extra_id: UUID) -> ExtraSession:
    extra = session.get(ExtraSession, (by.municipality_id, extra_id), with_for_update=True, populate_existing=True)
    if extra is None:
        raise NotFound
    return extra


def _list_seats(session: Session, extra: ExtraSession) -> Sequence[tuple[ExtraSeat, int]]:
    """The seats that are taken with their rank in the group, in the order in which they are billed."""
    return [
        (seat, rank)
        for seat, rank in session.exec(
            select(ExtraSeat, Membership.rank)
            .join(
                Membership,
                (col(Membership.municipality_id) == ExtraSeat.municipality_id)
                & (col(Membership.id) == ExtraSeat.membership_id),
            )
            .where(
                ExtraSeat.municipality_id == extra.municipality_id,
                ExtraSeat.extra_id == extra.id,
                ExtraSeat.state == SeatState.TAKEN,
            )
            .order_by(col(Membership.rank), col(Membership.id))
            .execution_options(populate_existing=True)
        )
    ]


def _list_others(session: Session, extra: ExtraSession) -> set[UUID]:
    """The households of the group that did not ask."""
    found = session.exec(
        select(Membership.household_id).where(
            Membership.municipality_id == extra.municipality_id,
            Membership.slot_id == extra.slot_id,
            Membership.state == ProposalState.CONFIRMED,
        )
    )
    return set(found) - {extra.household_id}
