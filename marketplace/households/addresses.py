"""Whom to write to: a household's users in their languages, else the address that it gave."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, User
from marketplace.db import Scope, seeing
from marketplace.households.models import Household
from marketplace.messages.operations import Recipient


def addresses_of(
    session: Session, municipality_ids: Collection[str], household_ids: Collection[UUID]
) -> dict[UUID, list[Recipient]]:
    """Whom to write to, by household: its users in their languages, else the address that it gave.

    Whoever leaves or cancels may not see the others' addresses, and yet they are told.
    """
    found: dict[UUID, list[Recipient]] = defaultdict(list)
    for household_id, email, locale in session.exec(
        select(col(Appointment.household_id), col(User.email), col(User.locale))
        .join(User, col(User.id) == Appointment.user_id)
        .where(
            col(Appointment.municipality_id).in_(municipality_ids),
            col(Appointment.household_id).in_(household_ids),
            col(Appointment.ended_at).is_(None),
            col(User.active),
        )
    ):
        if household_id is not None:
            found[household_id].append(Recipient(email, locale))
    without = set(household_ids) - set(found)
    for municipality_id in municipality_ids:
        with seeing(session, Scope(municipality_id)):
            given = session.exec(
                select(col(Household.id), col(Household.email)).where(
                    Household.municipality_id == municipality_id, col(Household.id).in_(without)
                )
            ).all()
        for one, address in given:
            if address:
                found[one].append(Recipient(address))
    return found
