"""Slots that stand, as an instance states them: their groups, their prices and their vouchers are frozen."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.needs.models import Need
from marketplace.places.models import Venue
from marketplace.providers.models import Provider
from marketplace.slots.models import Membership, ProposalState, Slot, SlotState
from marketplace.vouchers.models import Programme

Json = dict[str, Any]
Standing = tuple[Slot, list[Membership]]


def list_standing(session: Session, municipality_id: str, providers: set[UUID], on: date) -> list[Standing]:
    """The slots of `providers` that stand on the day `on`, each with its active members in order."""
    slots = session.exec(
        select(Slot)
        .where(
            Slot.municipality_id == municipality_id,
            col(Slot.state).in_((SlotState.PROPOSED, SlotState.CONFIRMED, SlotState.RUNNING)),
            Slot.last_date >= on,
            col(Slot.provider_id).in_(providers),
        )
        .order_by(Slot.plan_slot, col(Slot.id))
    ).all()
    members: dict[UUID, list[Membership]] = defaultdict(list)
    for membership in session.exec(
        select(Membership)
        .where(
            Membership.municipality_id == municipality_id,
            col(Membership.slot_id).in_([slot.id for slot in slots]),
            col(Membership.state).in_((ProposalState.PROPOSED, ProposalState.ACCEPTED, ProposalState.CONFIRMED)),
        )
        .order_by(col(Membership.rank), col(Membership.id))
    ):
        members[membership.slot_id].append(membership)
    return [(slot, members[slot.id]) for slot in slots if members[slot.id]]


def frozen_subsidies(session: Session, standing: list[Standing]) -> dict[UUID, Json]:
    """What was granted when a slot was proposed holds until it ends, whatever became of the means test since."""
    members = [member for _, of in standing for member in of]
    granted = {member.programme_id for member in members if member.programme_id}
    codes = dict(session.exec(select(Programme.id, Programme.code).where(col(Programme.id).in_(granted))).all())
    return {
        member.need_id: {
            "subsidy": None
            if member.programme_id is None or member.subsidy_percent is None
            else {
                "programme": codes[member.programme_id],
                "percent": number(member.subsidy_percent),
                "cap_cents_per_hour": member.subsidy_cap_cents_per_hour,
            }
        }
        for member in members
    }


def has_same_terms(slot: Slot, offer: Json) -> bool:
    return (slot.service, slot.rate_cents_per_hour, slot.extra_seat_cents_per_hour, slot.minutes_min) == (
        offer["service"],
        offer["rate_cents_per_hour"],
        offer["extra_seat_cents_per_hour"],
        offer["minutes_min"],
    )


def frozen_offer(slot: Slot) -> Json:
    """The terms of a standing slot whose provider has changed its offers since: prices stand until the slot ends."""
    return {
        "service": slot.service,
        "topics": [slot.topic] if slot.topic else [],
        "level_min": 1,
        "level_max": 13,
        "age_min": 0,
        "age_max": 110,
        "seats_max": slot.seats_limit,
        "seats_min": slot.seats_min,
        "rate_cents_per_hour": slot.rate_cents_per_hour,
        "extra_seat_cents_per_hour": slot.extra_seat_cents_per_hour,
        "minutes_min": slot.minutes_min,
    }


def pinned_json(
    providers: Iterable[Provider], needs: Iterable[Need], venues: Iterable[Venue], standing: list[Standing]
) -> list[Json]:
    provider_codes = {provider.id: provider.code for provider in providers}
    need_codes = {need.id: need.code for need in needs}
    venue_codes = {venue.id: venue.code for venue in venues}
    return [
        {
            "id": str(slot.id),
            "provider": provider_codes[slot.provider_id],
            "service": slot.service,
            "place": _place(slot, venue_codes, need_codes),
            "day": slot.day,
            "start": slot.start_minute,
            "end": slot.end_minute,
            "cost_cents": slot.cost_cents,
            "members": [
                {
                    "need": need_codes[member.need_id],
                    "start": member.start_minute,
                    "end": member.end_minute,
                    "share_cents": member.share_cents,
                    "subsidy_cents": member.subsidy_cents,
                }
                for member in members
            ],
        }
        for slot, members in standing
    ]


def _place(slot: Slot, venues: Mapping[UUID, str], needs: Mapping[UUID, str]) -> Json:
    if slot.venue_id is not None:
        return {"venue": venues[slot.venue_id]}
    if slot.host_need_id is not None:
        return {"host": needs[slot.host_need_id]}
    return {"homes": True}


def number(text: str) -> int | float:
    """A decimal text as the JSON number that prints the same: "2" is 2, "1.5" is 1.5."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)
