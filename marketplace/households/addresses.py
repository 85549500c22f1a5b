"""Whom to write to: a household's verified mobile number, its users in their languages, else the address it gave."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, User
from marketplace.db import Scope, seeing
from marketplace.households.models import Household, MobileNumber
from marketplace.messages.operations import Recipient


def addresses_of(
    session: Session, municipality_ids: Collection[str], household_ids: Collection[UUID]
) -> dict[UUID, list[Recipient]]:
    """Whom to write to, by household: its mobile if it chose SMS, else its users, else the address that it gave.

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
    for household_id, number in _mobiles(session, municipality_ids, household_ids):
        locale = found[household_id][0].locale if found[household_id] else "it"
        found[household_id] = [Recipient("", locale, number)]
    without = set(household_ids) - {one for one, known in found.items() if known}
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


def _mobiles(
    session: Session, municipality_ids: Collection[str], household_ids: Collection[UUID]
) -> list[tuple[UUID, str]]:
    """The verified numbers of these households."""
    numbers: list[tuple[UUID, str]] = []
    for municipality_id in municipality_ids:
        with seeing(session, Scope(municipality_id)):
            numbers += session.exec(
                select(MobileNumber.household_id, MobileNumber.number).where(
                    MobileNumber.municipality_id == municipality_id,
                    col(MobileNumber.household_id).in_(household_ids),
                    col(MobileNumber.verified_at).is_not(None),
                )
            ).all()
    return numbers
