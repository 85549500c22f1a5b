"""An operator finds a family and acts for it, on record as such from the first page to the last."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Forbidden, NotFound, Rejected
from marketplace.households.models import Household
from marketplace.sealed import keyring
from marketplace.words import N_

WORDS_MIN = 3
FOUND_MAX = 20


def find_families(session: Session, by: Actor, words: str) -> list[Household]:
    """An operator finds families by the start of a name, by telephone or by tax code. Forbidden to others; Rejected."""
    if by.role != Role.OPERATOR:
        raise Forbidden
    shown = " ".join(words.split())
    if len(shown) < WORDS_MIN:
        raise Rejected(N_("Scrivi almeno tre lettere del cognome, o il codice fiscale."))
    begins = shown.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    names = (
        func.concat(Household.family_name, " ", Household.given_name),
        func.concat(Household.given_name, " ", Household.family_name),
    )
    digits = "".join(filter(str.isdigit, shown))
    return list(
        session.exec(
            select(Household)
            .where(
                Household.municipality_id == by.municipality_id,
                or_(
                    *(name.ilike(begins) for name in names),
                    col(Household.tax_code_index).in_(keyring.indexes(shown.replace(" ", ""))),
                    *([func.regexp_replace(col(Household.phone), "[^0-9]", "", "g") == digits] if digits else []),
                ),
            )
            .order_by(Household.family_name, Household.given_name, col(Household.id))
            .limit(FOUND_MAX)
        )
    )


def begin_to_assist(session: Session, by: Actor, now: datetime, household_id: UUID, reason: str) -> Household:
    """From now on the operator acts for this family, for this `reason`; the record says since when.

    Raises Forbidden, NotFound, Rejected without a reason.
    """
    if by.role != Role.OPERATOR:
        raise Forbidden
    if not reason:
        raise Rejected(N_("Di' se la famiglia è allo sportello o al telefono."))
    household = session.get(Household, (by.municipality_id, household_id))
    if household is None:
        raise NotFound
    acting = Actor(by.municipality_id, by.role, by.user_id, on_behalf_of=household.id, reason=reason)
    record(session, acting, now, "begin_to_assist", "household", household.id)
    return household
