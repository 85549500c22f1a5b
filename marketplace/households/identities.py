"""A family is its applicant's tax code: whoever proved that one, by SPID or CIE, may act for it."""

from uuid import UUID

from sqlmodel import Session, select

from marketplace.households.models import Household


def find_by_tax_code(session: Session, municipality_id: str, index: bytes) -> UUID | None:
    """The family of a municipality that is registered under a tax code, by its index."""
    return session.exec(
        select(Household.id).where(Household.municipality_id == municipality_id, Household.tax_code_index == index)
    ).first()
