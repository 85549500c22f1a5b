"""A family is its applicant's tax code: whoever proved that one, by SPID or CIE, may act for it."""

from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.households.models import Household
from marketplace.sealed import keyring


def find_by_tax_code(session: Session, municipality_id: str, tax_code: str) -> UUID | None:
    """The family of a municipality that is registered under a tax code."""
    return session.exec(
        select(Household.id).where(
            Household.municipality_id == municipality_id,
            col(Household.tax_code_index).in_(keyring.indexes(tax_code)),
        )
    ).first()
