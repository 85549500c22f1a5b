"""A member invites neighbours into its group: whoever has the code sees what a stranger may, until it is revoked."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.db import Scope, seeing
from marketplace.errors import NotFound
from marketplace.slots.facts import Band, SlotFacts, read_slots
from marketplace.slots.group import Member, peak_seats, price_group
from marketplace.slots.models import Invitation, Membership, PlaceKind, ProposalState, Slot
from marketplace.slots.settlement import STANDING, member_of, terms_of

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another on a poster
LENGTH = 10


@dataclass(frozen=True, slots=True)
class Invited:
    """A group as a neighbour sees it: `place` is a venue in words, or a PlaceKind; cents of a full meeting.

    `share_cents`: one seat's, with the neighbour in it (None: the group is full);
    `saving_cents`: by how much at least each of the others would then pay less for a meeting.
    """

    slot: SlotFacts
    place: str
    seats: int
    bands: tuple[Band, ...]
    share_cents: int | None
    saving_cents: int


def invite(session: Session, by: Actor, now: datetime, slot_id: UUID) -> Invitation:
    """The actor's invitation into a group in which it has its place, made if there is none. NotFound."""
    known = find_invitation(session, by, slot_id)
    if known is not None:
        return known
    if by.household_id is None or not _has_a_place(session, by, slot_id):
        raise NotFound
    made = Invitation(
        municipality_id=by.municipality_id,
        household_id=by.household_id,
        slot_id=slot_id,
        code="".join(secrets.choice(LETTERS) for _ in range(LENGTH)),
        created_at=now,
    )
    session.add(made)
    session.flush()
    record(session, by, now, "invite", "invitation", made.id, slot=str(slot_id))
    return made


def find_invitation(session: Session, by: Actor, slot_id: UUID) -> Invitation | None:
    """The actor's invitation into a group, if one is open."""
    return session.exec(
        select(Invitation).where(
            Invitation.municipality_id == by.municipality_id,
            Invitation.household_id == by.household_id,
            Invitation.slot_id == slot_id,
            col(Invitation.revoked_at).is_(None),
        )
    ).first()


def revoke_invitation(session: Session, by: Actor, now: datetime, slot_id: UUID) -> None:
    """From now on the code shows nothing. Twice is once."""
    known = find_invitation(session, by, slot_id)
    if known is not None:
        known.revoked_at = now
        session.flush()
        record(session, by, now, "revoke_invitation", "invitation", known.id)


def read_invitation(session: Session, municipality_id: str, code: str) -> Invited:
    """What a code shows. NotFound for one that is unknown or revoked, or whose group is over."""
    with seeing(session, Scope(municipality_id)):
        slot = session.exec(
            select(Slot)
            .join(
                Invitation,
                (col(Invitation.municipality_id) == Slot.municipality_id) & (col(Invitation.slot_id) == Slot.id),
            )
            .where(
                Invitation.municipality_id == municipality_id,
                Invitation.code == code.lower(),
                col(Invitation.revoked_at).is_(None),
                col(Slot.state).in_(STANDING),
            )
        ).first()
        if slot is None:
            raise NotFound
        facts, rows = read_slots(session, municipality_id, {slot.id})
        there = [row for row in rows[slot.id] if row.membership.state == ProposalState.CONFIRMED]
        return _invited(slot, facts[slot.id], [row.membership for row in there], {row.band for row in there})


def _invited(slot: Slot, facts: SlotFacts, there: list[Membership], bands: set[Band | None]) -> Invited:
    terms, group = terms_of(slot), [member_of(one) for one in there]
    neighbour = Member(uuid4(), slot.start_minute, slot.end_minute, 1)
    is_full = peak_seats([*group, neighbour]) > slot.seats_limit
    before, after = price_group(terms, group), price_group(terms, [*group, neighbour])
    savings = [before.shares[one.need] - after.shares[one.need] for one in group]
    return Invited(
        slot=facts,
        place=f"{facts.spot.name}, {facts.spot.address}" if facts.spot.kind == PlaceKind.VENUE else facts.spot.kind,
        seats=sum(one.seats for one in group),
        bands=tuple(sorted((band for band in bands if band), key=lambda band: (band.kind, band.low))),
        share_cents=None if is_full else after.shares[neighbour.need],
        saving_cents=min(savings, default=0),
    )


def _has_a_place(session: Session, by: Actor, slot_id: UUID) -> bool:
    of_slot = (col(Slot.municipality_id) == Membership.municipality_id) & (col(Slot.id) == Membership.slot_id)
    return (
        session.exec(
            select(Membership.id)
            .join(Slot, of_slot)
            .where(
                Membership.municipality_id == by.municipality_id,
                Membership.household_id == by.household_id,
                Membership.slot_id == slot_id,
                Membership.state == ProposalState.CONFIRMED,
                col(Slot.state).in_(STANDING),
            )
        ).first()
        is not None
    )
