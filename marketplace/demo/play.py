"""Plays the people of a city by a seed, through the operations of the site: all accept, and some are absent."""

import random
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, set_scope
from marketplace.needs.models import Need
from marketplace.providers.models import Provider
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.settling import settle_round
from marketplace.slots.advancing import advance
from marketplace.slots.calendar import instant
from marketplace.slots.meetings import cancel_meeting, expected_members, record_attendance, report_absence
from marketplace.slots.models import (
    Answer,
    Meeting,
    MeetingState,
    Membership,
    Presence,
    Proposal,
    ProposalState,
    Slot,
    SlotState,
)
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.statements.months import next_month
from marketplace.statements.operations import close_month
from marketplace.words import N_

ABSENT_TOLD, ABSENT_UNTOLD, ILL = 0.05, 0.02, 0.01
CANCELLED_BY_PROVIDER, CANCELLED_BY_CITY = 0.02, 0.01


def accept_all(session: Session, now: datetime, municipality_id: str) -> int:
    """Every family and every provider that is asked says yes; what of it is confirmed is settled. How many said yes.

    The families' yes is an operator's on their behalf, and on record as such.
    """
    set_scope(session, Scope(municipality_id))
    asked = session.exec(
        select(Slot)
        .where(
            Slot.municipality_id == municipality_id,
            Slot.state == SlotState.PROPOSED,
            Slot.provider_answer == Answer.ASKED,
            Slot.deadline >= now,
        )
        .order_by(col(Slot.id))
    ).all()
    for slot in asked:
        by = Actor(municipality_id, Role.PROVIDER, provider_id=slot.provider_id, reason="marketplace play")
        answer_slot(session, by, now, slot.id, True)
    proposals = session.exec(
        select(Proposal)
        .where(
            Proposal.municipality_id == municipality_id,
            Proposal.state == ProposalState.PROPOSED,
            Proposal.deadline >= now,
        )
        .order_by(col(Proposal.id))
    ).all()
    for proposal in proposals:
        by = _for_family(municipality_id, proposal.household_id)
        accept_proposal(session, by, now, proposal.id, proposal.cap_cents)
    session.commit()
    rounds = select(Round.id).where(Round.municipality_id == municipality_id, Round.state == RoundState.PROPOSED)
    for round_id in session.exec(rounds.order_by(col(Round.id))).all():
        settle_round(session, now, municipality_id, round_id)
    return len(proposals)


def play_month(
    session: Session, municipality_id: str, month: date, seed: int, until: date = date.max
) -> dict[str, int]:
    """All meetings to the end of a month (its first day), or before `until`: who came, who told, what was cancelled.

    How often each happened, by the words of the states. Chance is told by the seed, the hour and the codes of provider
    and need, never by ids: the same city plays the same. Each is recorded at its own hour; what is recorded already
    stays as it is. Commits after each day.
    """
    set_scope(session, Scope(municipality_id))
    happened: dict[str, int] = {}
    planned = session.exec(
        select(col(Meeting.held_on), col(Meeting.id))
        .where(
            Meeting.municipality_id == municipality_id,
            Meeting.state == MeetingState.SCHEDULED,
            col(Meeting.held_on) < min(until, next_month(month)),
        )
        .order_by(col(Meeting.held_on), col(Meeting.id))
    ).all()
    for day, meetings in groupby(planned, key=itemgetter(0)):
        for _, meeting_id in meetings:
            _play(session, municipality_id, meeting_id, seed, happened)
        advance(session, instant(day + timedelta(days=1), 0), municipality_id)
    return happened


def close_played(session: Session, municipality_id: str, month: date) -> dict[str, int]:
    """Close a month on the fourth day of the next, when nobody may record any more; the closing's totals."""
    set_scope(session, Scope(municipality_id))
    by = Actor(municipality_id, Role.OFFICER, reason="marketplace play")
    fourth = instant(next_month(month) + timedelta(days=3), 9 * 60)
    totals: dict[str, int] = close_month(session, by, fourth, municipality_id, month).totals
    session.commit()
    return totals


def _play(session: Session, municipality_id: str, meeting_id: UUID, seed: int, happened: dict[str, int]) -> None:
    meeting = session.get_one(Meeting, (municipality_id, meeting_id))
    luck = _luck(seed, meeting, session.get_one(Provider, (municipality_id, meeting.provider_id)).code)
    for limit, role in ((CANCELLED_BY_CITY, Role.OFFICER), (CANCELLED_BY_PROVIDER, Role.PROVIDER)):
        if luck < limit:
            by = Actor(municipality_id, role, provider_id=meeting.provider_id if role == Role.PROVIDER else None)
            reason = N_("sede chiusa") if role == Role.OFFICER else N_("malattia")
            cancel_meeting(session, by, meeting.starts_at - timedelta(hours=3), meeting_id, reason)
            _count(happened, meeting.state.value)
            return
        luck -= limit
    presence = {}
    for membership_id in sorted(expected_members(session, meeting)):
        presence[membership_id] = _presence(session, municipality_id, meeting, membership_id, seed)
        _count(happened, presence[membership_id].value)
    by = Actor(municipality_id, Role.PROVIDER, provider_id=meeting.provider_id)
    record_attendance(session, by, meeting.ends_at, meeting_id, presence)
    _count(happened, MeetingState.HELD.value)


def _presence(session: Session, municipality_id: str, meeting: Meeting, membership_id: UUID, seed: int) -> Presence:
    """What becomes of one member; whoever tells beforehand does so through the family's own operation."""
    membership = session.get_one(Membership, (municipality_id, membership_id))
    luck = _luck(seed, meeting, session.get_one(Need, (municipality_id, membership.need_id)).code)
    if luck < ABSENT_TOLD + ILL:
        ill = luck < ILL
        early = min(instant(meeting.held_on, 7 * 60), meeting.starts_at - timedelta(minutes=30))
        told_at = early if ill else meeting.starts_at - timedelta(hours=30)
        by = _for_family(municipality_id, membership.household_id)
        return report_absence(session, by, told_at, meeting.id, membership_id, illness=ill)
    return Presence.ABSENT if luck < ABSENT_TOLD + ILL + ABSENT_UNTOLD else Presence.PRESENT


def _luck(seed: int, meeting: Meeting, code: str) -> float:
    """From 0 to 1, the same for a seed, an hour and a code."""
    return random.Random(f"{seed} {meeting.starts_at:%Y-%m-%dT%H:%M} {code}").random()  # noqa: S311 - no secret


def _for_family(municipality_id: str, household_id: UUID) -> Actor:
    return Actor(municipality_id, Role.OPERATOR, on_behalf_of=household_id, reason="marketplace play")


def _count(happened: dict[str, int], what: str) -> None:
    happened[what] = happened.get(what, 0) + 1
