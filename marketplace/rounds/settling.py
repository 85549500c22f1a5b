"""A round is settled when nobody's proposal of it waits any more."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from marketplace.rounds.models import Round, RoundState
from marketplace.slots.settlement import list_pending_slots
from marketplace.slots.settlement import settle as settle_slot


def settle_round(session: Session, now: datetime, municipality_id: str, round_id: UUID) -> bool:
    """Settle all slots of a round that may be; True once none is left. Commits after each group of linked slots."""
    for slot_id in list_pending_slots(session, municipality_id, round_id):
        settle_slot(session, now, municipality_id, slot_id)
        session.commit()
    found = session.get_one(Round, (municipality_id, round_id), with_for_update=True, populate_existing=True)
    if found.state == RoundState.PROPOSED and not list_pending_slots(session, municipality_id, round_id):
        found.state, found.settled_at = RoundState.SETTLED, now
    session.commit()
    return found.state == RoundState.SETTLED
