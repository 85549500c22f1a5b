"""With the days slots begin, run and end, and who has left is out: each step once, whenever it is looked for."""

from datetime import datetime

from sqlmodel import Session, col, func, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.needs.models import Need, NeedState
from marketplace.slots.calendar import local_day
from marketplace.slots.extras import advance_extras
from marketplace.slots.group import price_group
from marketplace.slots.models import Meeting, MeetingState, Membership, Proposal, ProposalState, Slot, SlotState
from marketplace.slots.reminders import remind
from marketplace.slots.settlement import STANDING, circle_of, lock_slots, settle
from marketplace.slots.substitutes import end_searches


def advance(session: Session, now: datetime, municipality_id: str) -> None:
    """Bring the municipality's slots, proposals and needs to where the day wants them. Commits after each part."""
    for slot_id in session.exec(
        select(Slot.id).where(
            Slot.municipality_id == municipality_id, Slot.state == SlotState.PROPOSED, Slot.deadline < now
        )
    ).all():
        settle(session, now, municipality_id, slot_id)
        session.commit()
    _part(session, now, municipality_id)
    session.commit()
    remind(session, now, municipality_id)
    session.commit()
    end_searches(session, now, municipality_id)
    session.commit()
    advance_extras(session, now, municipality_id)
    session.commit()
    _begin_and_end(session, now, municipality_id)
    session.commit()


def _part(session: Session, now: datetime, municipality_id: str) -> None:
    """Whose day has come is out; the others pay from now on what the smaller group costs, within their caps."""
    leaving = session.exec(
        select(Proposal)
        .where(
            Proposal.municipality_id == municipality_id,
            Proposal.state == ProposalState.CONFIRMED,
            col(Proposal.left_on) <= local_day(now),
        )
        .order_by(col(Proposal.id))
        .with_for_update()
    ).all()
    members = session.exec(
        select(Membership).where(
            Membership.municipality_id == municipality_id,
            col(Membership.proposal_id).in_([one.id for one in leaving]),
            Membership.state == ProposalState.CONFIRMED,
        )
    ).all()
    slots = lock_slots(session, municipality_id, {member.slot_id for member in members})
    for member in members:
        member.state = ProposalState.LEFT
    for proposal in leaving:
        proposal.state = ProposalState.LEFT
        need = session.get_one(Need, (municipality_id, proposal.need_id), with_for_update=True)
        if need.state == NeedState.SERVED:
            need.state = NeedState.OPEN if proposal.reopens else NeedState.WITHDRAWN
            need.first_in_line = proposal.reopens
        record(session, Actor(municipality_id), now, "left", "proposal", proposal.id, reopens=proposal.reopens)
    session.flush()
    for slot in slots:
        _price_again(session, slot)


def _price_again(session: Session, slot: Slot) -> None:
    rest = session.exec(
        select(Membership)
        .where(
            Membership.municipality_id == slot.municipality_id,
            Membership.slot_id == slot.id,
            Membership.state == ProposalState.CONFIRMED,
        )
        .order_by(col(Membership.rank), col(Membership.id))
    ).all()
    if rest:
        circle = circle_of(slot, rest)
        price = price_group(circle.terms, circle.members)
        slot.cost_cents = price.cost_cents
        for member in rest:
            member.share_cents, member.subsidy_cents = price.shares[member.need_id], price.vouchers[member.need_id]


def _begin_and_end(session: Session, now: datetime, municipality_id: str) -> None:
    begun = (
        select(Meeting.slot_id)
        .where(Meeting.municipality_id == municipality_id, func.lower(Meeting.during) <= now)
        .where(col(Meeting.state).in_((MeetingState.SCHEDULED, MeetingState.HELD)))
    )
    for slot in session.exec(
        select(Slot)
        .where(Slot.municipality_id == municipality_id, col(Slot.state).in_(STANDING))
        .where((col(Slot.last_date) < local_day(now)) | col(Slot.id).in_(begun))
        .order_by(col(Slot.id))
        .with_for_update()
    ):
        state = SlotState.ENDED if slot.last_date < local_day(now) else SlotState.RUNNING
        if slot.state != state:
            slot.state = state
            record(session, Actor(municipality_id), now, state.value, "slot", slot.id)
