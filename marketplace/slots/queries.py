"""What families, providers and officers see of slots: small values, read under the rules of `facts`."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Actor, Role
from marketplace.errors import NotFound
from marketplace.slots.calendar import Calendar, get_calendar
from marketplace.slots.facts import MemberRow, SlotFacts, distance_between, may_act_for, read_slots
from marketplace.slots.models import (
    Membership,
    Proposal,
    ProposalState,
    Slot,
)
from matching.instance import Window

TO_ANSWER = (ProposalState.PROPOSED, ProposalState.ACCEPTED)
MINE = (ProposalState.ACCEPTED, ProposalState.CONFIRMED, ProposalState.LEFT, ProposalState.DISSOLVED)


@dataclass(frozen=True, slots=True)
class ProposedSession:
    """One weekly session of a proposal. Money in cents for one meeting; minutes are the member's own.

    `alone_cents`: without a group or voucher; `net_cents` = share - voucher; the cap is reached with `cap_seats` left.
    """

    membership_id: UUID
    slot: SlotFacts
    seats: int
    start_minute: int
    end_minute: int
    distance_km: float | None
    dates: tuple[date, ...]
    alone_cents: int | None
    share_cents: int
    subsidy_cents: int
    net_cents: int
    cap_cents: int
    cap_seats: int

    @property
    def fellows(self) -> int:
        """How many others are in the group."""
        return len(self.slot.members) - 1


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """A proposal as the family reads it: cents a week, and the most that a month and the whole term can cost."""

    proposal_id: UUID
    need_id: UUID
    household_id: UUID
    state: ProposalState
    deadline: datetime
    decided_at: datetime | None
    left_on: date | None
    alone_cents: int | None
    share_cents: int
    subsidy_cents: int
    net_cents: int
    cap_cents: int
    month_max_cents: int
    term_max_cents: int
    meetings_count: int
    first_date: date
    last_date: date
    sessions: tuple[ProposedSession, ...]

    @property
    def windows(self) -> tuple[Window, ...]:
        """The member's own hours of each week."""
        return tuple(Window(one.slot.day, one.start_minute, one.end_minute) for one in self.sessions)


def get_proposal(session: Session, by: Actor, proposal_id: UUID) -> ProposalFacts:
    """One proposal, for its family (or staff on its behalf). Raises NotFound."""
    proposal = session.get(Proposal, (by.municipality_id, proposal_id))
    if proposal is None or not may_act_for(by, proposal.household_id):
        raise NotFound
    return proposal_facts_of(session, by.municipality_id, [proposal])[0]


def list_proposals(
    session: Session, municipality_id: str, household_id: UUID, *, states: Collection[ProposalState] = TO_ANSWER
) -> list[ProposalFacts]:
    """A household's proposals in these states (by default those still to be settled), the most urgent first."""
    proposals = session.exec(
        select(Proposal)
        .where(
            Proposal.municipality_id == municipality_id,
            Proposal.household_id == household_id,
            col(Proposal.state).in_(states),
        )
        .order_by(col(Proposal.deadline), col(Proposal.id))
    ).all()
    return proposal_facts_of(session, municipality_id, proposals)


def own_proposals(by: Actor) -> SelectOfScalar[Proposal]:
    """All that the actor's household was ever proposed."""
    return select(Proposal).where(
        Proposal.municipality_id == by.municipality_id, Proposal.household_id == by.household_id
    )


def get_own_session(session: Session, by: Actor, slot_id: UUID) -> tuple[ProposalFacts, ProposedSession]:
    """The part of a slot that the actor's household has, or had. Raises NotFound."""
    if by.household_id is not None:
        for proposal in list_proposals(session, by.municipality_id, by.household_id, states=MINE):
            for one in proposal.sessions:
                if one.slot.slot_id == slot_id:
                    return proposal, one
    raise NotFound


def find_proposal_of_need(session: Session, municipality_id: str, need_id: UUID) -> ProposalFacts | None:
    """The newest proposal that a need has had, whatever became of it."""
    proposal = session.exec(
        select(Proposal)
        .where(Proposal.municipality_id == municipality_id, Proposal.need_id == need_id)
        .order_by(col(Proposal.created_at).desc(), col(Proposal.id).desc())
        .limit(1)
    ).first()
    return None if proposal is None else proposal_facts_of(session, municipality_id, [proposal])[0]


def get_slot_facts(session: Session, by: Actor, slot_id: UUID) -> SlotFacts:
    """A slot, for its provider, its members and officers. Raises NotFound."""
    facts, members = read_slots(session, by.municipality_id, [slot_id])
    slot = facts.get(slot_id)
    if slot is None or not (
        by.role == Role.OFFICER
        or (by.provider_id is not None and by.provider_id == slot.provider_id)
        or any(may_act_for(by, row.membership.household_id) for row in members[slot_id])
    ):
        raise NotFound
    return slot


def list_slots_of_round(session: Session, municipality_id: str, round_id: UUID) -> list[SlotFacts]:
    """What a round has proposed, for officers, by day and hour."""
    found = session.exec(
        select(Slot.id)
        .where(Slot.municipality_id == municipality_id, Slot.round_id == round_id)
        .order_by(col(Slot.day), col(Slot.start_minute), col(Slot.id))
    ).all()
    facts, _ = read_slots(session, municipality_id, found)
    return [facts[slot_id] for slot_id in found]


def proposal_facts_of(session: Session, municipality_id: str, proposals: Sequence[Proposal]) -> list[ProposalFacts]:
    """The given proposals as their family reads them, in the same order."""
    memberships = session.exec(
        select(Membership.slot_id)
        .where(
            Membership.municipality_id == municipality_id,
            col(Membership.proposal_id).in_([proposal.id for proposal in proposals]),
        )
        .distinct()
    ).all()
    slots, members = read_slots(session, municipality_id, memberships)
    calendar = get_calendar(session, municipality_id)
    mine: dict[UUID, list[ProposedSession]] = {proposal.id: [] for proposal in proposals}
    for slot_id, rows in members.items():
        for row in rows:
            if row.membership.proposal_id in mine:
                mine[row.membership.proposal_id].append(_proposed_session(slots[slot_id], row, calendar))
    return [
        _facts_of(proposal, sorted(mine[proposal.id], key=lambda one: (one.slot.day, one.start_minute)))
        for proposal in proposals
    ]


def _proposed_session(slot: SlotFacts, row: MemberRow, calendar: Calendar) -> ProposedSession:
    member = row.membership
    return ProposedSession(
        membership_id=member.id,
        slot=slot,
        seats=member.seats,
        start_minute=member.start_minute,
        end_minute=member.end_minute,
        distance_km=distance_between(slot.spot, row.home),
        dates=tuple(calendar.meeting_dates(slot.day, slot.service, slot.first_date, slot.last_date)),
        alone_cents=member.alone_cents,
        share_cents=member.share_cents,
        subsidy_cents=member.subsidy_cents,
        net_cents=member.share_cents - member.subsidy_cents,
        cap_cents=member.cap_cents,
        cap_seats=member.cap_seats,
    )


def _facts_of(proposal: Proposal, sessions: Sequence[ProposedSession]) -> ProposalFacts:
    return ProposalFacts(
        proposal_id=proposal.id,
        need_id=proposal.need_id,
        household_id=proposal.household_id,
        state=proposal.state,
        deadline=proposal.deadline,
        decided_at=proposal.decided_at,
        left_on=proposal.left_on,
        alone_cents=proposal.alone_cents,
        share_cents=proposal.share_cents,
        subsidy_cents=proposal.subsidy_cents,
        net_cents=proposal.share_cents - proposal.subsidy_cents,
        cap_cents=proposal.cap_cents,
        month_max_cents=_month_max(sessions),
        term_max_cents=proposal.term_max_cents,
        meetings_count=proposal.meetings_count,
        first_date=min(one.slot.first_date for one in sessions),
        last_date=max(one.slot.last_date for one in sessions),
        sessions=tuple(sessions),
    )


def _month_max(sessions: Iterable[ProposedSession]) -> int:
    """The most that any one calendar month can cost."""
    months: Counter[tuple[int, int]] = Counter()
    for one in sessions:
        for day in one.dates:
            months[day.year, day.month] += one.cap_cents
    return max(months.values(), default=0)
