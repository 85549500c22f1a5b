"""Whom to write to: a household's verified mobile number, its users in their languages, else the address it gave.

On paper to who wants it so, and to who can be reached in no other way.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, Municipality, User
from marketplace.accounts.policy import get_policy
from marketplace.db import Scope, seeing
from marketplace.households.models import ROME, Household, MobileNumber
from marketplace.messages.operations import Recipient


def addresses_of(
    session: Session, municipality_ids: Collection[str], household_ids: Collection[UUID]
) -> dict[UUID, list[Recipient]]:
    """Whom to write to, by household: on paper if it wants letters, its mobile if it chose SMS, else its users.

    Without any of these the e-mail address that it gave, else its home. Whoever leaves or cancels may not see the
    others' addresses, and yet they are told.
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
        found[household_id] = [Recipient("", _language(found[household_id]), number)]
    without = set(household_ids) - {one for one, known in found.items() if known}
    for municipality_id in municipality_ids:
        with seeing(session, Scope(municipality_id)):
            _add_homes(session, municipality_id, household_ids, without, found)
    return found


def _add_homes(
    session: Session,
    municipality_id: str,
    household_ids: Collection[UUID],
    without: Collection[UUID],
    found: dict[UUID, list[Recipient]],
) -> None:
    """Letters for those that want them; for those that nobody reaches otherwise, the e-mail they gave or their home."""
    households = session.exec(
        select(Household).where(
            Household.municipality_id == municipality_id,
            col(Household.id).in_(household_ids),
            or_(col(Household.by_letter), col(Household.id).in_(without)),
        )
    ).all()
    on_paper = {one.id for one in households if one.address and (one.by_letter or not one.email)}
    town = _town(session, municipality_id) if on_paper else ""
    for one in households:
        if one.id in on_paper:
            postal = f"{one.given_name} {one.family_name}\n{one.address}\n{town}"
            found[one.id] = [Recipient("", _language(found[one.id]), postal=postal)]
        elif one.email and one.id in without:
            found[one.id].append(Recipient(one.email))


def _language(known: list[Recipient]) -> str:
    return known[0].locale if known else "it"


def _town(session: Session, municipality_id: str) -> str:
    """The last line of an address: `42121 Reggio Emilia`."""
    today = datetime.now(UTC).astimezone(ROME).date()
    name = session.exec(select(Municipality.name).where(Municipality.id == municipality_id)).one()
    return f"{get_policy(session, municipality_id, today).postal_code} {name}".strip()


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
