"""Whoever leaves says so in time; the others keep their slot as long as it costs none of them more than its cap.

A proposal is left whole, with all its sessions. Where the rest cannot stay, their proposals end on the same day and
their needs are open again, first in line: those may tear down further slots, of the same provider, in the same way.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.errors import Conflict, NotFound
from marketplace.slots.calendar import local_day, monday_of
from marketplace.slots.extra_seats import drop_seats
from marketplace.slots.facts import may_act_for
from marketplace.slots.group import stands
from marketplace.slots.models import Meeting, MeetingState, Membership, Proposal, ProposalState, Slot
from marketplace.slots.notices import tell_slot_ends
from marketplace.slots.settlement import circle_of, lock_slots
from marketplace.vouchers.operations import release
from marketplace.words import N_

FREE_AFTER_FIRST = timedelta(hours=48)
NOT_YOURS_TO_LEAVE = N_("Questo gruppo non è confermato, o lo hai già lasciato.")


def last_day_for(session: Session, now: datetime, proposal: Proposal) -> date:
    """From which day a family that leaves now is out: at once where that is free, else after the notice (policy).

    Free for `withdrawal_days` after its acceptance, and 48 hours after its first session.
    """
    today = local_day(now)
    policy = get_policy(session, proposal.municipality_id, today)
    accepted = proposal.decided_at or proposal.created_at
    first = _first_meeting(session, proposal)
    if now <= accepted + timedelta(days=policy.withdrawal_days) or first is None:
        return today + timedelta(days=1)
    if now <= first.ends_at + FREE_AFTER_FIRST:
        return today + timedelta(days=1)
    return today + timedelta(days=policy.notice_days)


def leave_slot(session: Session, by: Actor, now: datetime, proposal_id: UUID) -> Proposal:
    """The family leaves all sessions of a confirmed proposal, from `Proposal.left_on` on. Twice is once.

    Its need is withdrawn that day. NotFound for another's proposal; Conflict for one that is not confirmed.
    """
    proposal = session.get(Proposal, (by.municipality_id, proposal_id))
    if proposal is None or not may_act_for(by, proposal.household_id):
        raise NotFound
    members = _lock_standing(session, proposal)
    session.refresh(proposal, with_for_update=True)
    if proposal.state == ProposalState.CONFIRMED and proposal.left_on is not None:
        return proposal
    if proposal.state != ProposalState.CONFIRMED:
        raise Conflict(NOT_YOURS_TO_LEAVE)
    on = last_day_for(session, now, proposal)
    others = _end(session, proposal, members, on)
    record(session, by, now, "leave_slot", "proposal", proposal.id, left_on=on.isoformat())
    for other in others:
        record(session, Actor(by.municipality_id), now, "end_proposal", "proposal", other.id, left_on=on.isoformat())
    tell_slot_ends(session, now, others, on)
    return proposal


def _end(
    session: Session, leaver: Proposal, members: dict[UUID, list[tuple[Membership, Proposal]]], on: date
) -> list[Proposal]:
    """Let a proposal end on a day, and those that cannot stay without it; these are returned."""
    slots = {slot.id: slot for slot in lock_slots(session, leaver.municipality_id, members)}
    leaver.left_on, waiting, dragged = on, [leaver], []
    while waiting:
        leaving = waiting.pop()
        for slot_id, group in members.items():
            if all(proposal.id != leaving.id for _, proposal in group):
                continue
            rest = [pair for pair in group if pair[1].left_on is None or pair[1].left_on > on]
            if rest and _still_stands(slots[slot_id], [member for member, _ in rest]):
                continue
            _cut(session, slots[slot_id], on)
            for _, proposal in rest:
                proposal.left_on, proposal.reopens = on, proposal.left_on is None
                waiting.append(proposal)
                dragged.append(proposal)
    session.flush()
    ended = {leaver.id, *(proposal.id for proposal in dragged)}
    for slot_id, group in members.items():
        gone = [member.id for member, proposal in group if proposal.id in ended]
        if gone:
            drop_seats(session, leaver.municipality_id, gone, on)
            release(session, leaver.municipality_id, gone, from_week=first_week_without(slots[slot_id], on))
    return dragged


def _still_stands(slot: Slot, rest: Iterable[Membership]) -> bool:
    listed = list(rest)
    circle = circle_of(slot, listed)
    return stands(circle.terms, circle.members, {member.need_id: member.cap_cents for member in listed})


def _cut(session: Session, slot: Slot, on: date) -> None:
    """No meeting of the slot from a day on."""
    slot.last_date = max(slot.first_date, min(slot.last_date, on - timedelta(days=1)))
    session.flush()
    session.connection().execute(
        update(Meeting)
        .where(
            col(Meeting.municipality_id) == slot.municipality_id,
            col(Meeting.slot_id) == slot.id,
            col(Meeting.state) == MeetingState.SCHEDULED,
            col(Meeting.held_on) >= on,
        )
        .values(state=MeetingState.DISSOLVED)
    )


def first_week_without(slot: Slot, on: date) -> date:
    """The Monday of the first week whose meeting falls on the day or later."""
    monday = monday_of(on)
    return monday if monday + timedelta(days=slot.day) >= on else monday + timedelta(days=7)


def _lock_standing(session: Session, proposal: Proposal) -> dict[UUID, list[tuple[Membership, Proposal]]]:
    """The proposal's slots and all that confirmed members link to them, locked, with who is in each, in order."""
    found: set[UUID] = set()
    mine = [Membership.municipality_id == proposal.municipality_id, Membership.state == ProposalState.CONFIRMED]
    newest = set(session.exec(select(Membership.slot_id).where(*mine, Membership.proposal_id == proposal.id)))
    while newest:
        found |= newest
        proposals = select(Membership.proposal_id).where(*mine, col(Membership.slot_id).in_(newest))
        reached = session.exec(select(Membership.slot_id).where(*mine, col(Membership.proposal_id).in_(proposals)))
        newest = set(reached) - found
    lock_slots(session, proposal.municipality_id, found)
    members: dict[UUID, list[tuple[Membership, Proposal]]] = defaultdict(list)
    for pair in session.exec(
        select(Membership, Proposal)
        .join(
            Proposal,
            (col(Proposal.municipality_id) == Membership.municipality_id)
            & (col(Proposal.id) == Membership.proposal_id),
        )
        .where(*mine, col(Membership.slot_id).in_(found))
        .order_by(col(Membership.rank), col(Membership.id))
        .execution_options(populate_existing=True)
    ):
        members[pair[0].slot_id].append((pair[0], pair[1]))
    return members


def _first_meeting(session: Session, proposal: Proposal) -> Meeting | None:
    slots = select(Membership.slot_id).where(
        Membership.municipality_id == proposal.municipality_id, Membership.proposal_id == proposal.id
    )
    return session.exec(
        select(Meeting)
        .where(Meeting.municipality_id == proposal.municipality_id, col(Meeting.slot_id).in_(slots))
        .where(col(Meeting.state).in_((MeetingState.SCHEDULED, MeetingState.HELD)))
        .order_by(col(Meeting.during))
        .limit(1)
    ).first()
