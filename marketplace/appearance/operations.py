"""Reading and changing how a municipality looks."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.appearance.colours import CONTRAST_MIN, contrast_with_white
from marketplace.appearance.models import Appearance
from marketplace.errors import Rejected
from marketplace.words import N_


class TooPale(Rejected):
    """White words on this colour cannot be read by all."""

    default = N_("Su questo colore il testo bianco non si legge bene. Scegline uno più scuro.")


def find_appearance(session: Session, municipality_id: str) -> Appearance | None:
    """A municipality's own look; None where it never chose one."""
    return session.exec(select(Appearance).where(Appearance.municipality_id == municipality_id)).one_or_none()


def change_appearance(session: Session, by: Actor, now: datetime, colour: str, texts: Mapping[str, str]) -> Appearance:
    """Keep a colour (#rrggbb) and the words by the names of their columns; TooPale for a colour without contrast."""
    if contrast_with_white(colour) < CONTRAST_MIN:
        raise TooPale
    row = find_appearance(session, by.municipality_id)
    if row is None:
        row = Appearance(municipality_id=by.municipality_id, changed_at=now)
        session.add(row)
    row.sqlmodel_update({**texts, "colour": colour.lower(), "changed_at": now})
    session.flush()
    record(session, by, now, "change_appearance", "appearance", row.id, colour=row.colour)
    return row
