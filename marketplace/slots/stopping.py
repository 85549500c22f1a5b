"""Who may not work any more meets nobody from that moment on: families pay nothing for what falls out, and are told."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.slots.calendar import local_day
from marketplace.slots.extra_seats import drop_seats
from marketplace.slots.jobs import settle_soon
from marketplace.slots.leaving import first_week_without
from marketplace.slots.meetings import cancel_meeting
from marketplace.slots.models import Answer, Meeting, MeetingState, Membership, Proposal, ProposalState, Slot, SlotState
from marketplace.slots.notices import tell_stopped
from marketplace.slots.settlement import STANDING, lock_slots
from marketplace.vouchers.operations import release
from marketplace.words import N_


def stop_provider(session: Session, by: Actor, now: datetime, provider_id: UUID) -> int:
    """End all groups of a provider; how many proposals (families' places) that ended. Twice is once.

    Meetings that have not begun do not take place. Places end tomorrow, so that what was today is still recorded and
    charged; their needs are then open again, first in line. What is only proposed is settled as if it had declined.
    """
    held = select(Slot.id).where(
        Slot.municipality_id == by.municipality_id,
        Slot.provider_id == provider_id,
        col(Slot.state).in_((SlotState.PROPOSED, *STANDING)),
    )
    slots = lock_slots(session, by.municipality_id, session.exec(held).all())
    for slot in slots:
        if slot.state == SlotState.PROPOSED:
            slot.provider_answer, slot.provider_answered_at = Answer.DECLINED, now
        settle_soon(session, slot.municipality_id, slot.id)
    standing = [slot for slot in slots if slot.state in STANDING]
    ended = _end_places(session, now, by.municipality_id, standing)
    _drop_meetings(session, now, standing)
    _give_back(session, by, now, provider_id)
    for proposal in ended:
        record(session, by, now, "stop_proposal", "proposal", proposal.id, left_on=str(proposal.left_on))
    tell_stopped(session, now, ended)
    return len(ended)


def _end_places(session: Session, now: datetime, municipality_id: str, slots: list[Slot]) -> list[Proposal]:
    tomorrow = local_day(now) + timedelta(days=1)
    members = session.exec(
        select(Membership)
        .where(
            Membership.municipality_id == municipality_id,
            col(Membership.slot_id).in_([slot.id for slot in slots]),
            Membership.state == ProposalState.CONFIRMED,
        )
        .order_by(col(Membership.id))
    ).all()
    proposals = session.exec(
        select(Proposal)
        .where(
            Proposal.municipality_id == municipality_id,
            col(Proposal.id).in_({member.proposal_id for member in members}),
            col(Proposal.left_on).is_(None) | (col(Proposal.left_on) > tomorrow),
        )
        .order_by(col(Proposal.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for proposal in proposals:
        # Who was leaving by its own wish stays out of the line.
        proposal.left_on, proposal.reopens = tomorrow, proposal.reopens or proposal.left_on is None
    session.flush()
    for slot in slots:
        mine = [member.id for member in members if member.slot_id == slot.id]
        drop_seats(session, slot.municipality_id, mine, tomorrow)
        release(session, slot.municipality_id, mine, from_week=first_week_without(slot, tomorrow))
    return list(proposals)


def _give_back(session: Session, by: Actor, now: datetime, provider_id: UUID) -> None:
    """What the provider was to hold in a colleague's place does not take place."""
    held = session.exec(
        select(Meeting.id)
        .where(
            Meeting.municipality_id == by.municipality_id,
            Meeting.provider_id == provider_id,
            Meeting.state == MeetingState.SCHEDULED,
            func.lower(Meeting.during) > now,
        )
        .order_by(col(Meeting.id))
    ).all()
    as_provider = Actor(by.municipality_id, Role.PROVIDER, by.user_id, provider_id=provider_id)
    for meeting_id in held:
        cancel_meeting(session, as_provider, now, meeting_id, N_("chi doveva tenerlo non può"))


def _drop_meetings(session: Session, now: datetime, slots: list[Slot]) -> None:
    for slot in slots:
        slot.last_date = max(slot.first_date, min(slot.last_date, local_day(now)))
        session.flush()
        session.connection().execute(
            update(Meeting)
            .where(
                col(Meeting.municipality_id) == slot.municipality_id,
                col(Meeting.slot_id) == slot.id,
                col(Meeting.state) == MeetingState.SCHEDULED,
                func.lower(Meeting.during) > now,
            )
            .values(state=MeetingState.DISSOLVED)
        )
