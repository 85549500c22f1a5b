"""A proposed slot is confirmed, or dissolves at no charge: nobody is in a group at a price that it did not agree to.

Slots that are linked through a need are settled together: when all who were asked have answered, or at the deadline.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.needs.models import Need, NeedState
from marketplace.slots.calendar import Calendar, get_calendar, instant, local_day, mondays_of, overlap
from marketplace.slots.group import Circle, Member, Terms, price_group, stands, survivors
from marketplace.slots.models import (
    Answer,
    Meeting,
    MeetingState,
    Membership,
    Proposal,
    ProposalState,
    Slot,
    SlotState,
)
from marketplace.slots.notices import tell_proposals
from marketplace.vouchers.operations import release

ASKED_OR_ACCEPTED = (ProposalState.PROPOSED, ProposalState.ACCEPTED)
IN_THE_GROUP = (*ASKED_OR_ACCEPTED, ProposalState.CONFIRMED)
STANDING = (SlotState.CONFIRMED, SlotState.RUNNING)


@dataclass
class Linked:
    """Slots that are settled together, with their members (in order) and the proposals still to be settled."""

    slots: list[Slot]
    members: dict[UUID, list[Membership]]
    proposals: dict[UUID, Proposal]
    needs: dict[UUID, Need]

    def caps(self, slot_id: UUID) -> dict[UUID, int]:
        """What each need in the slot has agreed to, or would by accepting."""
        return {member.need_id: member.cap_cents for member in self.members[slot_id]}

    def is_due(self, now: datetime) -> bool:
        """Everybody has answered, or the time to do so is over."""
        if all(proposal.deadline < now for proposal in self.proposals.values()):
            return True
        return all(proposal.state == ProposalState.ACCEPTED for proposal in self.proposals.values()) and not any(
            slot.state == SlotState.PROPOSED and slot.provider_answer == Answer.ASKED for slot in self.slots
        )

    def list_unwilling(self, due: bool) -> set[UUID]:
        """Needs that do not want their place (any more), or when it is due have not said so."""
        return {
            proposal.need_id
            for proposal in self.proposals.values()
            if self.needs[proposal.need_id].state != NeedState.PROPOSED
            or (due and proposal.state == ProposalState.PROPOSED)
        }

    def list_too_late(self, left: Collection[UUID]) -> set[UUID]:
        """Needs that were to join a slot that ends, or that somebody is about to leave (`left`)."""
        return {
            member.need_id
            for slot in self.slots
            if slot.state != SlotState.PROPOSED and (slot.state not in STANDING or slot.id in left)
            for member in self.members[slot.id]
            if member.state in ASKED_OR_ACCEPTED
        }


def settle(session: Session, now: datetime, municipality_id: str, slot_id: UUID) -> bool:
    """Settle a slot and all that is linked to it; False where it is not yet time. Done twice it does nothing more.

    A slot whose provider has declined is dissolved at once, and with it what cannot be without it.
    """
    linked = _lock_linked(session, municipality_id, slot_id)
    if not linked.proposals:
        _dissolve_empty(session, now, linked)
        return True
    due = linked.is_due(now)
    calendar = get_calendar(session, municipality_id)
    gone_slots = {
        slot.id
        for slot in linked.slots
        if slot.state == SlotState.PROPOSED
        and (slot.provider_answer == Answer.DECLINED or (due and not _can_meet(session, now, calendar, slot)))
    }
    if not due and not gone_slots:
        return False
    gone_needs = linked.list_unwilling(due) | linked.list_too_late(list_left(session, municipality_id))
    left, gone = survivors(
        [circle_of(slot, linked.members[slot.id]) for slot in linked.slots],
        gone_needs,
        gone_slots,
        lambda circle, group: not due or stands(circle.terms, group, linked.caps(circle.id)),
    )
    _drop(session, now, linked, gone, due=due)
    for slot in linked.slots:
        if slot.id not in left:
            _dissolve(session, now, slot)
        elif due:
            _confirm(session, now, calendar, slot, linked, left[slot.id])
    if due:
        _serve(linked, gone)
    session.flush()
    tell_proposals(session, now, [one for one in linked.proposals.values() if one.state not in ASKED_OR_ACCEPTED])
    return due


def list_pending_slots(session: Session, municipality_id: str, round_id: UUID) -> list[UUID]:
    """The slots in which somebody's proposal of this round is not settled yet."""
    return list(
        session.exec(
            select(Membership.slot_id)
            .join(
                Proposal,
                (col(Proposal.municipality_id) == Membership.municipality_id)
                & (col(Proposal.id) == Membership.proposal_id),
            )
            .where(
                Membership.municipality_id == municipality_id,
                Proposal.round_id == round_id,
                col(Proposal.state).in_(ASKED_OR_ACCEPTED),
            )
            .distinct()
            .order_by(col(Membership.slot_id))
        )
    )


def list_left(session: Session, municipality_id: str) -> frozenset[UUID]:
    """Slots that somebody is about to leave: whether they go on as they are is not known yet."""
    return frozenset(
        session.exec(
            select(Membership.slot_id)
            .join(
                Proposal,
                (col(Proposal.municipality_id) == Membership.municipality_id)
                & (col(Proposal.id) == Membership.proposal_id),
            )
            .where(
                Membership.municipality_id == municipality_id,
                Membership.state == ProposalState.CONFIRMED,
                col(Proposal.left_on).is_not(None),
            )
        )
    )


def lock_slots(session: Session, municipality_id: str, slot_ids: Collection[UUID]) -> list[Slot]:
    """The slots as they are now, changed by nobody else until the transaction ends; always locked in one order."""
    return list(
        session.exec(
            select(Slot)
            .where(Slot.municipality_id == municipality_id, col(Slot.id).in_(slot_ids))
            .order_by(col(Slot.id))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def circle_of(slot: Slot, members: Iterable[Membership]) -> Circle:
    """A slot and its members as the arithmetic of groups sees them."""
    listed = list(members)
    return Circle(
        slot.id,
        terms_of(slot),
        tuple(member_of(member) for member in listed),
        fixed_in(listed),
    )


def fixed_in(members: Iterable[Membership]) -> frozenset[UUID]:
    """The needs that have their place for good."""
    return frozenset(member.need_id for member in members if member.state == ProposalState.CONFIRMED)


def terms_of(slot: Slot) -> Terms:
    """The prices and the shape that are frozen on a slot."""
    return Terms(
        slot.rate_cents_per_hour,
        slot.extra_seat_cents_per_hour,
        slot.venue_cents_per_hour,
        slot.minutes_min,
        slot.mode,
        slot.seats_min,
        slot.walk_minutes,
        slot.host_need_id,
    )


def member_of(membership: Membership) -> Member:
    """A membership with its voucher."""
    return Member(
        membership.need_id,
        membership.start_minute,
        membership.end_minute,
        membership.seats,
        None if membership.subsidy_percent is None else Fraction(membership.subsidy_percent),
        membership.subsidy_cap_cents_per_hour,
        membership.held_cents,
    )


def _lock_linked(session: Session, municipality_id: str, slot_id: UUID) -> Linked:
    slots = lock_slots(session, municipality_id, _linked_slots(session, municipality_id, slot_id))
    members: dict[UUID, list[Membership]] = defaultdict(list)
    for member in session.exec(
        select(Membership)
        .where(
            Membership.municipality_id == municipality_id,
            col(Membership.slot_id).in_([slot.id for slot in slots]),
            col(Membership.state).in_(IN_THE_GROUP),
        )
        .order_by(col(Membership.rank), col(Membership.id))
        .execution_options(populate_existing=True)
    ):
        members[member.slot_id].append(member)
    joining = {one.proposal_id for of in members.values() for one in of if one.state in ASKED_OR_ACCEPTED}
    proposals = session.exec(
        select(Proposal)
        .where(Proposal.municipality_id == municipality_id, col(Proposal.id).in_(joining))
        .order_by(col(Proposal.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    needs = session.exec(
        select(Need)
        .where(Need.municipality_id == municipality_id, col(Need.id).in_([one.need_id for one in proposals]))
        .order_by(col(Need.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    return Linked(slots, members, {one.id: one for one in proposals}, {need.id: need for need in needs})


def _linked_slots(session: Session, municipality_id: str, slot_id: UUID) -> set[UUID]:
    """The slot, those of its members still to be settled, those of their fellows, and so on."""
    found: set[UUID] = set()
    newest = {slot_id}
    while newest:
        found |= newest
        proposals = select(Membership.proposal_id).where(
            Membership.municipality_id == municipality_id,
            col(Membership.slot_id).in_(newest),
            col(Membership.state).in_(ASKED_OR_ACCEPTED),
        )
        reached = session.exec(
            select(Membership.slot_id).where(
                Membership.municipality_id == municipality_id, col(Membership.proposal_id).in_(proposals)
            )
        )
        newest = set(reached) - found
    return found


def _can_meet(session: Session, now: datetime, calendar: Calendar, slot: Slot) -> bool:
    """The provider has accepted, a date is left, and no other meeting of the provider's is in the way."""
    if slot.provider_answer != Answer.ACCEPTED:
        return False
    ranges = [_during(slot, day) for day in _dates(session, now, calendar, slot)]
    if not ranges:
        return False
    clash = session.exec(
        select(Meeting.id)
        .where(
            Meeting.municipality_id == slot.municipality_id,
            Meeting.provider_id == slot.provider_id,
            col(Meeting.state).in_((MeetingState.SCHEDULED, MeetingState.HELD)),
            or_(*(col(Meeting.during).op("&&")(during) for during in ranges)),
        )
        .limit(1)
    ).first()
    return clash is None


def _dates(session: Session, now: datetime, calendar: Calendar, slot: Slot) -> list[date]:
    """The days on which the group would meet: not where its provider has promised another group an extra session."""
    first = max(slot.first_date, local_day(now) + timedelta(days=1))
    days = calendar.meeting_dates(slot.day, slot.service, first, slot.last_date)
    promised = session.exec(
        select(Meeting).where(
            Meeting.municipality_id == slot.municipality_id,
            Meeting.provider_id == slot.provider_id,
            Meeting.state == MeetingState.SCHEDULED,
            col(Meeting.extra_id).is_not(None),
        )
    ).all()
    return [day for day in days if not any(overlap(_during(slot, day), other.during) for other in promised)]


def _during(slot: Slot, day: date) -> Range[datetime]:
    return Range(instant(day, slot.start_minute), instant(day, slot.end_minute), bounds="[)")


def _drop(session: Session, now: datetime, linked: Linked, gone: Collection[UUID], *, due: bool) -> None:
    """The proposals of needs that are not served: lapsed or dissolved, at no charge, their vouchers given back."""
    dropped = [proposal for proposal in linked.proposals.values() if proposal.need_id in gone]
    for proposal in dropped:
        unanswered = due and proposal.state == ProposalState.PROPOSED
        proposal.state = ProposalState.LAPSED if unanswered else ProposalState.DISSOLVED
        need = linked.needs[proposal.need_id]
        if need.state == NeedState.PROPOSED:
            need.state = NeedState.OPEN
            need.first_in_line = need.first_in_line or not unanswered
        record(session, Actor(proposal.municipality_id), now, proposal.state.value, "proposal", proposal.id)
    states = {proposal.id: proposal.state for proposal in dropped}
    members = [one for of in linked.members.values() for one in of if one.proposal_id in states]
    for member in members:
        member.state = states[member.proposal_id]
    if members:
        release(session, members[0].municipality_id, [member.id for member in members])


def _dissolve(session: Session, now: datetime, slot: Slot) -> None:
    if slot.state == SlotState.PROPOSED:
        slot.state = SlotState.DISSOLVED
        record(session, Actor(slot.municipality_id), now, "dissolve_slot", "slot", slot.id)


def _dissolve_empty(session: Session, now: datetime, linked: Linked) -> None:
    """A proposed slot that all have declined has nothing more to wait for."""
    for slot in linked.slots:
        if not linked.members.get(slot.id):
            _dissolve(session, now, slot)


def _confirm(
    session: Session, now: datetime, calendar: Calendar, slot: Slot, linked: Linked, group: Sequence[Member]
) -> None:
    """Make a slot's group final: its price for those who are in it, and its meetings if it has none yet."""
    price = price_group(terms_of(slot), group)
    members = {member.need_id: member for member in linked.members[slot.id]}
    joining = [members[one.need] for one in group if one.need not in fixed_in(members.values())]
    for one in group:
        member = members[one.need]
        member.share_cents, member.subsidy_cents = price.shares[one.need], price.vouchers[one.need]
        member.state = ProposalState.CONFIRMED
    slot.cost_cents = price.cost_cents
    slot.start_minute, slot.end_minute = min(one.start for one in group), max(one.end for one in group)
    if slot.state == SlotState.PROPOSED:
        dates = _dates(session, now, calendar, slot)
        slot.state, slot.first_date, slot.last_date = SlotState.CONFIRMED, dates[0], dates[-1]
        session.add_all(
            Meeting(
                municipality_id=slot.municipality_id,
                slot_id=slot.id,
                provider_id=slot.provider_id,
                held_on=day,
                during=_during(slot, day),
            )
            for day in dates
        )
        session.flush()
        release(session, slot.municipality_id, [members[one.need].id for one in group], but_for=mondays_of(dates))
    else:
        _welcome(session, now, slot, joining)
    record(session, Actor(slot.municipality_id), now, "confirm_slot", "slot", slot.id, members=len(group))


def _welcome(session: Session, now: datetime, slot: Slot, joining: Sequence[Membership]) -> None:
    """Those who join a slot that stands count from tomorrow at the earliest; its meetings last as long as they need."""
    tomorrow = local_day(now) + timedelta(days=1)
    for member in joining:
        member.first_date = max(member.first_date or tomorrow, tomorrow)
    first = min((member.first_date or tomorrow for member in joining), default=date.max)
    for meeting in session.exec(
        select(Meeting).where(
            Meeting.municipality_id == slot.municipality_id,
            Meeting.slot_id == slot.id,
            Meeting.state == MeetingState.SCHEDULED,
            col(Meeting.extra_id).is_(None),
            col(Meeting.held_on) >= first,
        )
    ):
        meeting.during = _during(slot, meeting.held_on)


def _serve(linked: Linked, gone: Collection[UUID]) -> None:
    for proposal in linked.proposals.values():
        if proposal.need_id not in gone:
            proposal.state = ProposalState.CONFIRMED
            need = linked.needs[proposal.need_id]
            need.state, need.first_in_line = NeedState.SERVED, False
