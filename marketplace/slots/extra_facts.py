"""What members and the provider see of extra sessions: seats and prices, and of the others nothing more."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.errors import NotFound
from marketplace.slots.calendar import local_day
from marketplace.slots.extra_models import ExtraSeat, ExtraSession, ExtraState, SeatState
from marketplace.slots.extra_prices import shares_of
from marketplace.slots.facts import SlotFacts, may_act_for, read_slots
from marketplace.slots.models import Membership, ProposalState, Slot, SlotState
from marketplace.slots.queries import ProposalFacts, ProposedSession

OPEN = (ExtraState.ASKED, ExtraState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Part:
    """A place of the family in the group: what it pays of the extra session as things stand, and at most."""

    membership_id: UUID
    first_name: str
    is_in: bool
    share_cents: int
    cap_cents: int


@dataclass(frozen=True, slots=True)
class ExtraFacts:
    """An extra session as a member reads it; `seats` are taken, `seats_left` free."""

    extra_id: UUID
    slot: SlotFacts
    state: ExtraState
    held_on: date
    start_minute: int
    end_minute: int
    answer_by: datetime
    join_until: datetime
    seats: int
    seats_left: int
    is_shared: bool
    parts: tuple[Part, ...]
    now: datetime

    @property
    def is_changeable(self) -> bool:
        """Whether one may still step out free of charge."""
        return self.state in OPEN and self.now <= self.join_until

    @property
    def can_join(self) -> bool:
        """Whether a place of the family may still come in."""
        is_open = self.state == ExtraState.ACCEPTED and self.now <= self.join_until and self.is_shared
        return is_open and self.seats_left > 0 and any(not one.is_in for one in self.parts)


@dataclass(frozen=True, slots=True)
class Asked:
    """An extra session that waits for its provider; what it brings when nobody joins."""

    extra_id: UUID
    slot: SlotFacts
    held_on: date
    start_minute: int
    end_minute: int
    answer_by: datetime
    seats: int
    provider_cents: int


def can_ask(proposal: ProposalFacts, mine: ProposedSession) -> bool:
    """Whether this place in a group may ask for an extra session."""
    stands = mine.slot.state in (SlotState.CONFIRMED, SlotState.RUNNING)
    return stands and proposal.state == ProposalState.CONFIRMED and proposal.left_on is None


def list_extras(session: Session, by: Actor, now: datetime, slot_id: UUID) -> list[ExtraFacts]:
    """The extra sessions to come of a group, open ones, for a family that is in it."""
    found = session.exec(
        select(ExtraSession.id)
        .where(
            ExtraSession.municipality_id == by.municipality_id,
            ExtraSession.slot_id == slot_id,
            col(ExtraSession.state).in_(OPEN),
            col(ExtraSession.held_on) >= local_day(now),
        )
        .order_by(col(ExtraSession.held_on))
    ).all()
    return [get_extra(session, by, now, extra_id) for extra_id in found]


def get_extra(session: Session, by: Actor, now: datetime, extra_id: UUID) -> ExtraFacts:
    """One extra session, for a family that is in its group. Raises NotFound."""
    extra = session.get(ExtraSession, (by.municipality_id, extra_id))
    if extra is None:
        raise NotFound
    facts, members = read_slots(session, by.municipality_id, [extra.slot_id])
    rows = members[extra.slot_id]
    mine = [row for row in rows if may_act_for(by, row.membership.household_id) and row.is_expected_on(extra.held_on)]
    if not mine:
        raise NotFound
    taken = _taken(session, by.municipality_id, [extra.id])
    slot = session.get_one(Slot, (by.municipality_id, extra.slot_id))
    there = [row.membership for row in rows if row.membership.id in taken]
    hours = (extra.start_minute, extra.end_minute)
    parts = []
    for row in mine:
        member = row.membership
        group = [one for one in (found.membership for found in rows) if one in there or one is member]
        shares = dict(zip([one.id for one in group], shares_of(slot, hours, [one.seats for one in group]), strict=True))
        alone = shares_of(slot, hours, [member.seats])[0]
        parts.append(Part(member.id, row.first_name, member.id in taken, shares[member.id], alone))
    seats = sum(one.seats for one in there)
    return ExtraFacts(
        extra.id,
        facts[extra.slot_id],
        extra.state,
        extra.held_on,
        *hours,
        extra.answer_by,
        extra.join_until,
        seats,
        slot.seats_limit - seats,
        slot.mode != "round",
        tuple(parts),
        now,
    )


def list_asked(session: Session, by: Actor, now: datetime) -> list[Asked]:
    """The extra sessions that wait for the actor, a provider, the most urgent first."""
    rows = session.exec(
        select(ExtraSession, Slot)
        .join(
            Slot,
            (col(Slot.municipality_id) == ExtraSession.municipality_id) & (col(Slot.id) == ExtraSession.slot_id),
        )
        .where(
            ExtraSession.municipality_id == by.municipality_id,
            ExtraSession.state == ExtraState.ASKED,
            col(ExtraSession.answer_by) >= now,
            Slot.provider_id == by.provider_id,
        )
        .order_by(col(ExtraSession.answer_by))
    ).all()
    facts, _ = read_slots(session, by.municipality_id, {slot.id for _, slot in rows})
    found = []
    for extra, slot in rows:
        taken = _taken(session, by.municipality_id, [extra.id])
        seats = session.exec(select(Membership.seats).where(col(Membership.id).in_(taken))).all()
        hours = (extra.start_minute, extra.end_minute)
        venue_cents = slot.venue_cents_per_hour * (hours[1] - hours[0]) // 60
        brings = sum(shares_of(slot, hours, seats)) - venue_cents
        found.append(Asked(extra.id, facts[slot.id], extra.held_on, *hours, extra.answer_by, sum(seats), brings))
    return found


def _taken(session: Session, municipality_id: str, extra_ids: Collection[UUID]) -> set[UUID]:
    return set(
        session.exec(
            select(ExtraSeat.membership_id).where(
                ExtraSeat.municipality_id == municipality_id,
                col(ExtraSeat.extra_id).in_(extra_ids),
                ExtraSeat.state == SeatState.TAKEN,
            )
        )
    )
