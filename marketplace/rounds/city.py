"""The rows that a plan speaks of, by the codes that it uses; needs locked, so that nobody changes them meanwhile."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.households.models import Household
from marketplace.needs.models import Need
from marketplace.places.models import Venue
from marketplace.providers.models import Provider
from marketplace.rounds.instances import list_programmes
from marketplace.slots.calendar import Calendar, get_calendar
from marketplace.slots.models import Membership, Slot
from marketplace.slots.settlement import IN_THE_GROUP, list_left
from marketplace.vouchers.models import Programme
from matching.plan import Plan


@dataclass(frozen=True)
class City:
    """A municipality's needs and their households, providers, venues, programmes; the plan's slots that are there."""

    needs: dict[str, Need]
    households: dict[UUID, Household]
    providers: dict[str, Provider]
    venues: dict[str, Venue]
    programmes: dict[str, Programme]
    slots: dict[str, Slot]
    leaving: frozenset[UUID]
    members: dict[UUID, list[Membership]]
    calendar: Calendar

    def next_rank(self, slot_id: UUID) -> int:
        """The place in a slot's order behind those who are in it."""
        return max((member.rank for member in self.members.get(slot_id, ())), default=-1) + 1

    def is_reached_by_letter(self, need_id: UUID) -> bool:
        """Whether the family wants letters, or has neither e-mail nor telephone."""
        household = self.households[need_id]
        return household.by_letter or not (household.email or household.phone)


def read_city(session: Session, municipality_id: str, plan: Plan) -> City:
    """What `plan` speaks of; whatever has been deleted since is missing."""
    codes = {member.need for slot in plan.slots for member in slot.members}
    needs = session.exec(
        select(Need)
        .where(Need.municipality_id == municipality_id, col(Need.code).in_(codes))
        .order_by(col(Need.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    households = session.exec(
        select(Household).where(
            Household.municipality_id == municipality_id, col(Household.id).in_({need.household_id for need in needs})
        )
    )
    home_of = {household.id: household for household in households}
    slots = _standing_slots(session, municipality_id, {slot.id for slot in plan.slots})
    return City(
        needs={need.code: need for need in needs},
        households={need.id: home_of[need.household_id] for need in needs},
        providers={
            one.code: one for one in session.exec(select(Provider).where(Provider.municipality_id == municipality_id))
        },
        venues={one.code: one for one in session.exec(select(Venue).where(Venue.municipality_id == municipality_id))},
        programmes={one.code: one for one in list_programmes(session, municipality_id)},
        slots=slots,
        leaving=list_left(session, municipality_id),
        members=_members(session, municipality_id, [slot.id for slot in slots.values()]),
        calendar=get_calendar(session, municipality_id),
    )


def _standing_slots(session: Session, municipality_id: str, ids: Collection[str]) -> dict[str, Slot]:
    found = session.exec(
        select(Slot)
        .where(Slot.municipality_id == municipality_id)
        .where(col(Slot.id).in_([UUID(one) for one in ids if _is_uuid(one)]))
        .order_by(col(Slot.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {str(slot.id): slot for slot in found}


def _members(session: Session, municipality_id: str, slot_ids: Collection[UUID]) -> dict[UUID, list[Membership]]:
    found: dict[UUID, list[Membership]] = defaultdict(list)
    for member in session.exec(
        select(Membership)
        .where(
            Membership.municipality_id == municipality_id,
            col(Membership.slot_id).in_(slot_ids),
            col(Membership.state).in_(IN_THE_GROUP),
        )
        .order_by(col(Membership.rank), col(Membership.id))
    ):
        found[member.slot_id].append(member)
    return found


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
