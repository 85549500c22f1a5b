"""A place that somebody left is offered to those who wait, one after the other, each with a deadline to answer.

First come those who lost a place, then those who have waited longest. A group waits for one answer at a time, asks no
need twice, and nobody in it would pay more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict
from marketplace.jobs import every, job
from marketplace.needs.models import Need, NeedState
from marketplace.rounds.joining import find_joinings, propose_place, standing_plan
from marketplace.slots.calendar import local_day
from marketplace.slots.models import Membership, Proposal, ProposalState, Slot
from marketplace.slots.notices import tell_proposals
from marketplace.slots.settlement import ASKED_OR_ACCEPTED, STANDING, list_left, lock_slots


@dataclass(frozen=True, slots=True)
class Waiting:
    """A need in line: what it asks for, and on which days (0 is Monday) it could come."""

    need_id: UUID
    service: str
    topic: str | None
    days: frozenset[int]


def offer_free_places(session: Session, now: datetime, municipality_id: str) -> int:
    """Offer each free place to the first in line whom it fits; how many were offered. Commits after each.

    The session must see the whole municipality. Done again before anybody has answered, it offers nothing more.
    """
    free = _list_free(session, municipality_id, now)
    line = list_line(session, municipality_id) if free else []
    if not line:
        return 0
    instance, plan = standing_plan(session, municipality_id, now, {one.need_id for one in line})

    @cache
    def fitting(need_id: UUID) -> frozenset[str]:
        need = session.get_one(Need, (municipality_id, need_id))
        return frozenset(one.slot.id for one in find_joinings(instance, plan, need))

    offered: set[UUID] = set()
    for slot in free:
        asked = _list_asked(session, slot)
        for need_id in _who_could_come(slot, line):
            if need_id in asked | offered or str(slot.id) not in fitting(need_id):
                continue
            if offer_place(session, now, municipality_id, slot.id, need_id) is not None:
                offered.add(need_id)
                break
    return len(offered)


def offer_place(session: Session, now: datetime, municipality_id: str, slot_id: UUID, need_id: UUID) -> Proposal | None:
    """Offer a place in a group to a need and tell its family, and commit; None where either has changed meanwhile."""
    by = Actor(municipality_id)
    lock_slots(session, municipality_id, {slot_id})
    need = session.get_one(Need, (municipality_id, need_id), with_for_update=True, populate_existing=True)
    proposal = None
    if need.state == NeedState.OPEN and not _waits_for_an_answer(session, municipality_id, slot_id):
        try:
            proposal = propose_place(session, now, municipality_id, need, slot_id)
        except Conflict:
            proposal = None
        else:
            record(session, by, now, "offer_place", "proposal", proposal.id, slot=str(slot_id))
            tell_proposals(session, now, [proposal])
    session.commit()
    return proposal


def list_line(session: Session, municipality_id: str) -> list[Waiting]:
    """The needs that wait, in the order in which a free place is offered to them."""
    needs = session.exec(
        select(Need)
        .where(Need.municipality_id == municipality_id, Need.state == NeedState.OPEN)
        .order_by(col(Need.first_in_line).desc(), col(Need.created_at), col(Need.id))
    )
    return [
        Waiting(need.id, need.service.value, need.topic, frozenset(window["day"] for window in need.windows))
        for need in needs
    ]


def _list_free(session: Session, municipality_id: str, now: datetime) -> list[Slot]:
    """Groups that stand, that somebody has left, that nobody is about to leave, and where nobody is asked."""
    of_slot = (col(Membership.municipality_id) == municipality_id) & (col(Membership.slot_id) == Slot.id)
    left = select(Membership.id).where(of_slot, Membership.state == ProposalState.LEFT).exists()
    asked = select(Membership.id).where(of_slot, col(Membership.state).in_(ASKED_OR_ACCEPTED)).exists()
    leaving = list_left(session, municipality_id)
    found = session.exec(
        select(Slot)
        .where(Slot.municipality_id == municipality_id, col(Slot.state).in_(STANDING), left, ~asked)
        .where(Slot.last_date > local_day(now))
        .order_by(col(Slot.id))
    )
    return [slot for slot in found if slot.id not in leaving]


def _list_asked(session: Session, slot: Slot) -> set[UUID]:
    """The needs that have, had, or did not want a place in a group."""
    return set(
        session.exec(
            select(Membership.need_id).where(
                Membership.municipality_id == slot.municipality_id, Membership.slot_id == slot.id
            )
        )
    )


def _who_could_come(slot: Slot, line: Iterable[Waiting]) -> list[UUID]:
    """Those of the line who ask for that service and topic, on that day (a first sieve: the matcher knows the rest)."""
    wanted = (slot.service, slot.topic)
    return [one.need_id for one in line if (one.service, one.topic) == wanted and slot.day in one.days]


def _waits_for_an_answer(session: Session, municipality_id: str, slot_id: UUID) -> bool:
    query = select(Membership.id).where(
        Membership.municipality_id == municipality_id,
        Membership.slot_id == slot_id,
        col(Membership.state).in_(ASKED_OR_ACCEPTED),
    )
    return session.exec(query.limit(1)).first() is not None


@job("rounds.offer_places", retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def offer_places(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Offer the places that somebody has left to those who wait."""
    offer_free_places(session, now, municipality_id)


every("17 * * * *", offer_places)
