"""Answers to a proposed slot: each binds whoever gives it, up to the cap that it saw, and none comes too late."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound
from marketplace.needs.models import Need, NeedState
from marketplace.slots.facts import may_act_for
from marketplace.slots.jobs import settle_soon
from marketplace.slots.models import Answer, Membership, Proposal, ProposalState, Slot, SlotState
from marketplace.slots.settlement import lock_slots
from marketplace.vouchers.operations import release
from marketplace.words import N_

TOO_LATE = N_("Il tempo per rispondere è scaduto.")
CHANGED_CAP = N_("Il tetto di questa proposta non è quello che hai visto. Ricarica la pagina e rileggi il prezzo.")
ANSWERED_OTHERWISE = N_("A questa proposta hai già risposto, o non è più aperta.")


def accept_proposal(session: Session, by: Actor, now: datetime, proposal_id: UUID, cap_cents: int) -> Proposal:
    """Accept all of a proposal's sessions, for at most `cap_cents` a week (`Proposal.cap_cents`, as it was shown).

    For the family itself, or an officer or operator `on_behalf_of` its household. Accepting again changes nothing.
    NotFound; Conflict after the deadline, with another cap, or when it is no longer to be answered.
    """
    proposal = _lock_proposal(session, by, proposal_id)
    if proposal.cap_cents != cap_cents:
        raise Conflict(CHANGED_CAP)
    if proposal.state in (ProposalState.ACCEPTED, ProposalState.CONFIRMED):
        return proposal
    _refuse_unless_open(proposal, now)
    _answer(session, by, now, proposal, ProposalState.ACCEPTED, "")
    record(session, by, now, "accept_proposal", "proposal", proposal.id, cap_cents=cap_cents)
    return proposal


def decline_proposal(session: Session, by: Actor, now: datetime, proposal_id: UUID, reason: str = "") -> Proposal:
    """Decline a proposal (also one already accepted, until its slots are settled): its need is open again at once.

    Who and what is refused: as in `accept_proposal`. Declining again changes nothing.
    """
    proposal = _lock_proposal(session, by, proposal_id)
    if proposal.state == ProposalState.DECLINED:
        return proposal
    _refuse_unless_open(proposal, now, ProposalState.PROPOSED, ProposalState.ACCEPTED)
    members = _answer(session, by, now, proposal, ProposalState.DECLINED, reason)
    release(session, by.municipality_id, [member.id for member in members])
    need = session.get_one(Need, (by.municipality_id, proposal.need_id), with_for_update=True)
    if need.state == NeedState.PROPOSED:
        need.state = NeedState.OPEN
    record(session, by, now, "decline_proposal", "proposal", proposal.id)
    return proposal


def answer_slot(session: Session, by: Actor, now: datetime, slot_id: UUID, accept: bool) -> Slot:
    """The provider's answer to a proposed slot (an officer may give it for the provider). The same answer twice is one.

    NotFound for another's slot; Conflict after the deadline, or once the slot is settled.
    """
    slot = get_slot_to_change(session, by, slot_id)
    answer = Answer.ACCEPTED if accept else Answer.DECLINED
    if slot.provider_answer == answer:
        return slot
    if slot.state != SlotState.PROPOSED:
        raise Conflict(ANSWERED_OTHERWISE)
    if now > slot.deadline:
        raise Conflict(TOO_LATE)
    slot.provider_answer, slot.provider_answered_at = answer, now
    session.flush()
    record(session, by, now, "answer_slot", "slot", slot.id, accept=accept)
    settle_soon(session, slot.municipality_id, slot.id)
    return slot


def get_slot_to_change(session: Session, by: Actor, slot_id: UUID) -> Slot:
    """A slot of the provider's (an officer's: any), locked; NotFound for everybody else."""
    slot = session.get(Slot, (by.municipality_id, slot_id), with_for_update=True, populate_existing=True)
    if slot is None or not (by.role == Role.OFFICER or (by.provider_id and by.provider_id == slot.provider_id)):
        raise NotFound
    return slot


def memberships_of(session: Session, proposal: Proposal) -> Sequence[Membership]:
    """A proposal's memberships, in the order of their slots."""
    return session.exec(
        select(Membership)
        .where(
            Membership.municipality_id == proposal.municipality_id,
            Membership.proposal_id == proposal.id,
        )
        .order_by(col(Membership.slot_id))
        .execution_options(populate_existing=True)
    ).all()


def _lock_proposal(session: Session, by: Actor, proposal_id: UUID) -> Proposal:
    """The proposal as it is now; its slots are locked first, as the settling of them does."""
    proposal = session.get(Proposal, (by.municipality_id, proposal_id))
    if proposal is None or not may_act_for(by, proposal.household_id):
        raise NotFound
    lock_slots(session, by.municipality_id, {member.slot_id for member in memberships_of(session, proposal)})
    session.refresh(proposal, with_for_update=True)
    return proposal


def _refuse_unless_open(proposal: Proposal, now: datetime, *states: ProposalState) -> None:
    if proposal.state not in (states or (ProposalState.PROPOSED,)):
        raise Conflict(TOO_LATE if proposal.state == ProposalState.LAPSED else ANSWERED_OTHERWISE)
    if now > proposal.deadline:
        raise Conflict(TOO_LATE)


def _answer(
    session: Session, by: Actor, now: datetime, proposal: Proposal, state: ProposalState, reason: str
) -> Sequence[Membership]:
    members = memberships_of(session, proposal)
    for member in members:
        member.state = state
    proposal.state, proposal.reason = state, reason[:500]
    proposal.decided_at, proposal.decided_by = now, by.user_id
    session.flush()
    linked = members[:1] if state == ProposalState.ACCEPTED else members
    for member in linked:
        settle_soon(session, proposal.municipality_id, member.slot_id)
    return members
