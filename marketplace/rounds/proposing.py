"""A solved plan becomes proposals, once: slots, memberships, held vouchers and needs change in one transaction."""

import json
from collections import defaultdict
from datetime import datetime
from uuid import UUID

from sqlmodel import Session
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict
from marketplace.needs.models import NeedState
from marketplace.rounds.city import City, read_city
from marketplace.rounds.draft import Draft, DraftSlot, draft_slots, list_changed
from marketplace.rounds.instances import build_instance
from marketplace.rounds.jobs import settle_at
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.operations import get_round, require_officer
from marketplace.rounds.solving import unpacked
from marketplace.slots.calendar import local_day, monday_of
from marketplace.slots.group import Member, alone_cents
from marketplace.slots.models import Answer, Membership, PlaceKind, Proposal, Slot
from marketplace.slots.notices import tell_proposals, tell_providers_asked
from marketplace.vouchers.operations import Hold, hold
from marketplace.words import N_
from matching.formats import canonical, instance_from_json, plan_from_json
from matching.instance import Instance, PlaceAtHost, PlaceAtVenue

NOT_SOLVED = N_("Questo abbinamento non ha un piano da proporre: guarda come è finito, o avviane un altro.")
RULES_CHANGED = N_("Le regole del Comune sono cambiate dopo il calcolo: scarta questo abbinamento e ricalcola.")


def propose(session: Session, by: Actor, now: datetime, round_id: UUID) -> Round:
    """Send the plan of a solved round to families and providers, as far as it still holds; doing it twice is once.

    What changed since the round was prepared is left out, and `Round.summary["proposed"]` says so: `slots`,
    `proposals`, and `dropped`, the needs' codes. Forbidden but for officers; NotFound; Conflict in another state.
    """
    require_officer(by)
    found = get_round(session, by.municipality_id, round_id, lock=True)
    if found.state in (RoundState.PROPOSED, RoundState.SETTLED):
        return found
    if found.state != RoundState.SOLVED or found.instance_gz is None or found.plan_gz is None:
        raise Conflict(NOT_SOLVED)
    then, plan = unpacked(found.instance_gz), plan_from_json(unpacked(found.plan_gz))
    instance = instance_from_json(then)
    city = read_city(session, by.municipality_id, plan)
    today = json.loads(canonical(build_instance(session, by.municipality_id, local_day(now))))
    if then["services"] != today["services"]:
        raise Conflict(RULES_CHANGED)
    draft = draft_slots(session, by.municipality_id, now, plan, instance, city, list_changed(then, today))
    slots, proposals = write_proposals(session, now, found, draft, instance, city)
    codes = {need.id: code for code, need in city.needs.items()}
    found.state, found.proposed_at = RoundState.PROPOSED, now
    found.summary = {
        **found.summary,
        "proposed": {
            "slots": len(draft.asked),
            "proposals": len(proposals),
            "dropped": sorted(codes[need] for need in draft.gone if need in codes),
        },
    }
    session.flush()
    record(session, by, now, "propose_round", "round", found.id, proposals=len(proposals), dropped=len(draft.gone))
    for deadline in {one.deadline for one in proposals} or {now}:
        settle_at(session, found, deadline)
    tell_proposals(session, now, proposals)
    tell_providers_asked(session, now, slots)
    return found


def write_proposals(
    session: Session, now: datetime, found: Round, draft: Draft, instance: Instance, city: City
) -> tuple[list[Slot], list[Proposal]]:
    """The new slots and all proposals, with their memberships and holds; their needs are proposed."""
    needs = {need.id: need for need in city.needs.values()}
    codes = {need.id: code for code, need in city.needs.items()}
    sessions: dict[UUID, list[tuple[DraftSlot, Member]]] = defaultdict(list)
    for one in draft.asked:
        for member in one.newcomers:
            sessions[member.need].append((one, member))
    proposals = {need: _proposal(now, found, needs[need].household_id, mine) for need, mine in sessions.items()}
    slots = [_slot(now, found, one, instance, city) for one in draft.asked if one.row is None]
    session.add_all([*slots, *proposals.values()])
    session.flush()
    holds = []
    for one in draft.asked:
        first_rank = city.next_rank(one.circle.id)
        for rank, member in enumerate(one.newcomers, first_rank):
            membership = _membership(now, found, one, rank, member, proposals[member.need])
            session.add(membership)
            subsidy = instance.needs[codes[member.need]].subsidy
            if member.percent is not None and subsidy is not None:
                programme = city.programmes[subsidy.programme]
                membership.programme_id, membership.subsidy_percent = programme.id, programme.percent
                holds += [
                    Hold(programme.id, member.need, membership.id, monday_of(day), membership.held_cents)
                    for day in one.dates
                ]
    session.flush()
    hold(session, now, found.municipality_id, holds)
    for need in proposals:
        needs[need].state = NeedState.PROPOSED
    return slots, list(proposals.values())


def _slot(now: datetime, found: Round, one: DraftSlot, instance: Instance, city: City) -> Slot:
    terms, plan = one.circle.terms, one.plan
    topics = [need.topic for member in plan.members if (need := instance.needs[member.need]).topic]
    assert one.deadline is not None
    return Slot(
        municipality_id=found.municipality_id,
        id=one.circle.id,
        round_id=found.id,
        plan_slot=plan.id,
        provider_id=city.providers[plan.provider].id,
        service=plan.service,
        mode=terms.mode,
        place=_place(plan.place),
        venue_id=city.venues[plan.place.venue].id if isinstance(plan.place, PlaceAtVenue) else None,
        host_need_id=terms.host,
        day=plan.day,
        start_minute=min(member.start for member in one.group),
        end_minute=max(member.end for member in one.group),
        cost_cents=one.price.cost_cents,
        rate_cents_per_hour=terms.rate_cents_per_hour,
        extra_seat_cents_per_hour=terms.extra_seat_cents_per_hour,
        minutes_min=terms.minutes_min,
        venue_cents_per_hour=terms.venue_cents_per_hour,
        walk_minutes=terms.walk_minutes,
        seats_limit=one.seats_limit,
        seats_min=terms.seats_min,
        topic=topics[0] if topics else None,
        first_date=one.dates[0],
        last_date=one.dates[-1],
        provider_answer=Answer.ASKED,
        deadline=one.deadline,
        created_at=now,
    )


def _place(place: object) -> PlaceKind:
    if isinstance(place, PlaceAtVenue):
        return PlaceKind.VENUE
    return PlaceKind.HOST if isinstance(place, PlaceAtHost) else PlaceKind.HOMES


def _proposal(now: datetime, found: Round, household_id: UUID, sessions: list[tuple[DraftSlot, Member]]) -> Proposal:
    """A need's proposal: its money is its sessions' together, of a week and of the whole term."""
    need = sessions[0][1].need
    caps = [one.caps[need].cents for one, _ in sessions]
    prices = [one.price for one, _ in sessions]
    deadline = sessions[0][0].deadline
    assert deadline is not None
    return Proposal(
        municipality_id=found.municipality_id,
        id=uuid7(),
        need_id=need,
        household_id=household_id,
        round_id=found.id,
        alone_cents=sum(alone_cents(one.circle.terms, member) for one, member in sessions),
        share_cents=sum(price.shares[need] for price in prices),
        subsidy_cents=sum(price.vouchers[need] for price in prices),
        cap_cents=sum(caps),
        meetings_count=sum(len(one.dates) for one, _ in sessions),
        term_max_cents=sum(cap * len(one.dates) for cap, (one, _) in zip(caps, sessions, strict=True)),
        deadline=deadline,
        created_at=now,
    )


def _membership(
    now: datetime, found: Round, one: DraftSlot, rank: int, member: Member, proposal: Proposal
) -> Membership:
    cap = one.caps[member.need]
    price = one.price
    return Membership(
        municipality_id=found.municipality_id,
        id=uuid7(),
        slot_id=one.circle.id,
        proposal_id=proposal.id,
        need_id=member.need,
        household_id=proposal.household_id,
        rank=rank,
        seats=member.seats,
        start_minute=member.start,
        end_minute=member.end,
        share_cents=price.shares[member.need],
        subsidy_cents=price.vouchers[member.need],
        held_cents=member.held_cents or 0,
        subsidy_cap_cents_per_hour=member.cap_cents_per_hour,
        alone_cents=alone_cents(one.circle.terms, member),
        cap_cents=cap.cents,
        cap_seats=cap.seats,
        first_date=None if one.row is None else one.dates[0],
        created_at=now,
    )
