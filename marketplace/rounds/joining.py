"""A need that waits may be proposed at once into a group that stands, if nobody in it would then pay more.

The same rules, prices and caps as in a round: the matcher says where it fits, and its proposal is written as a round's.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

import matching
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.db import Scope, seeing
from marketplace.errors import Conflict
from marketplace.needs.models import Need
from marketplace.needs.operations import get_need, require_open
from marketplace.rounds.city import City, read_city
from marketplace.rounds.draft import draft_slots
from marketplace.rounds.instances import build_instance
from marketplace.rounds.jobs import settle_at
from marketplace.rounds.models import Round
from marketplace.rounds.proposing import write_proposals
from marketplace.rounds.standing import Json
from marketplace.slots.calendar import local_day
from marketplace.slots.facts import Band, read_slots
from marketplace.slots.models import PlaceKind, Proposal, ProposalState
from marketplace.slots.settlement import lock_slots
from marketplace.words import N_
from matching.beside import Joining
from matching.formats import canonical, instance_from_json
from matching.instance import Instance, Window
from matching.plan import Member, Plan, Slot

CHANGED = N_("Questo gruppo intanto è cambiato: guarda quali sono aperti adesso.")
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Opening:
    """A group that a need could join now, as a stranger may see it; cents a session, `net_cents` after its voucher.

    `saving_cents`: by how much at least each of the others would pay less for a session. `others` are seats, by band.
    """

    slot_id: UUID
    provider_name: str
    windows: tuple[Window, ...]
    place: str
    share_cents: int
    net_cents: int
    saving_cents: int
    others: int
    bands: tuple[Band, ...]


def list_openings(session: Session, by: Actor, now: datetime, need_id: UUID) -> list[Opening]:
    """The groups that an open need of the actor's could join now, the cheapest for it first. NotFound; Conflict."""
    need = get_need(session, by, need_id)
    require_open(need)
    with seeing(session, Scope(by.municipality_id)):
        instance, plan = standing_plan(session, by.municipality_id, now, {need.id})
        found = find_joinings(instance, plan, need)[:SHOWN]
        facts, rows = read_slots(session, by.municipality_id, {UUID(one.slot.id) for one in found})
    before = {slot.id: slot for slot in plan.slots}
    openings = []
    for one in found:
        slot_id = UUID(one.slot.id)
        slot, mine = facts[slot_id], one.slot.members[-1]
        bands = {row.band for row in rows[slot_id] if row.band and row.membership.state == ProposalState.CONFIRMED}
        openings.append(
            Opening(
                slot_id=slot_id,
                provider_name=slot.provider_name,
                windows=tuple(Window(each.day, each.members[-1].start, each.members[-1].end) for each in one.week),
                place=f"{slot.spot.name}, {slot.spot.address}" if slot.spot.kind == PlaceKind.VENUE else slot.spot.kind,
                share_cents=mine.share_cents,
                net_cents=mine.share_cents - mine.subsidy_cents,
                saving_cents=_least_saving(before[one.slot.id], one.slot),
                others=sum(instance.needs[member.need].seats for member in one.slot.members[:-1]),
                bands=tuple(sorted(bands, key=lambda band: (band.kind, band.low))),
            )
        )
    return openings


def propose_to_join(session: Session, by: Actor, now: datetime, need_id: UUID, slot_id: UUID) -> Proposal:
    """The proposal of an open need for a group (and, for its other sessions, those with the same provider).

    It is answered as any other. NotFound; Conflict where the need no longer waits or the group is no longer open to it.
    """
    need = get_need(session, by, need_id)
    require_open(need)
    with seeing(session, Scope(by.municipality_id)):
        lock_slots(session, by.municipality_id, {slot_id})
        proposal = propose_place(session, now, by.municipality_id, need, slot_id)
        record(session, by, now, "propose_to_join", "proposal", proposal.id, slot=str(slot_id))
    return proposal


def propose_place(session: Session, now: datetime, municipality_id: str, need: Need, slot_id: UUID) -> Proposal:
    """The proposal of an open need for a group that the caller has locked. Conflict where it is not open to it.

    The session must see the whole municipality.
    """
    instance, plan = standing_plan(session, municipality_id, now, {need.id})
    joined = _joining_of(find_joinings(instance, plan, need), slot_id)
    return _write(session, now, municipality_id, instance, _with(plan, joined), slot_id)


def _write(
    session: Session, now: datetime, municipality_id: str, instance: Instance, plan: Plan, slot_id: UUID
) -> Proposal:
    city = read_city(session, municipality_id, plan)
    draft = draft_slots(session, municipality_id, now, plan, instance, city, ())
    found = _round_of(session, municipality_id, city, slot_id)
    _, proposals = write_proposals(session, now, found, draft, instance, city)
    if not proposals:
        raise Conflict(CHANGED)
    settle_at(session, found, proposals[0].deadline)
    return proposals[0]


def _round_of(session: Session, municipality_id: str, city: City, slot_id: UUID) -> Round:
    """The round that made the group: the newcomer's proposal stands with its others."""
    return session.get_one(Round, (municipality_id, city.slots[str(slot_id)].round_id))


def standing_plan(
    session: Session, municipality_id: str, now: datetime, asking: Collection[UUID]
) -> tuple[Instance, Plan]:
    """Today's instance, with no open need but those of `asking`, and as a plan the groups that stand in it."""
    today: Json = json.loads(canonical(build_instance(session, municipality_id, local_day(now), asking)))
    instance = instance_from_json(today)
    told = {slot["id"]: slot for slot in today["pinned"]}
    slots = tuple(
        Slot(
            one.id,
            one.provider,
            one.service,
            one.place,
            one.day,
            one.start,
            one.end,
            told[one.id]["cost_cents"],
            tuple(_member(member) for member in told[one.id]["members"]),
        )
        for one in instance.pinned
    )
    return instance, Plan("", "FEASIBLE", slots, (), 0, None, None, 0.0, 0)


def _member(told: Mapping[str, object]) -> Member:
    return Member(**told)  # type: ignore[arg-type]


def find_joinings(instance: Instance, plan: Plan, need: Need) -> list[Joining]:
    """Where the need fits and nobody's share of any of its sessions would rise, one for each provider's week."""
    asked = instance.needs.get(need.code)
    if asked is None:
        return []
    before = {slot.id: slot for slot in plan.slots}
    return [
        one
        for one in matching.offers(instance, plan, asked)
        if all(slot.id in before and _least_saving(before[slot.id], slot) >= 0 for slot in one.week)
    ]


def _least_saving(before: Slot, after: Slot) -> int:
    """By how much less each member pays at least before vouchers; negative where somebody would pay more."""
    shares = {member.need: member.share_cents for member in after.members}
    return min(member.share_cents - shares[member.need] for member in before.members)


def _joining_of(found: list[Joining], slot_id: UUID) -> Joining:
    for one in found:
        if one.slot.id == str(slot_id):
            return one
    raise Conflict(CHANGED)


def _with(plan: Plan, joined: Joining) -> Plan:
    """Only the joined slots, with the newcomer in them: nothing else of the plan is to be written."""
    return replace(plan, slots=joined.week)
