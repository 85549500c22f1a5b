"""Jobs of the slots: settling once everybody has answered, and moving on with the days."""

from datetime import datetime
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlmodel import Session

from marketplace.jobs import defer, every, job
from marketplace.slots.advancing import advance
from marketplace.slots.settlement import settle

AGAIN = RetryStrategy(max_attempts=5, exponential_wait=3)


@job("slots.settle", retry=AGAIN)
def settle_slot(session: Session, municipality_id: str, now: datetime, slot_id: str = "", **_: Any) -> None:
    """Settle a slot and what hangs together with it, if everybody has answered or the deadline has passed."""
    settle(session, now, municipality_id, UUID(slot_id))


@job("slots.advance", retry=AGAIN)
def advance_slots(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Begin, end and settle what the day asks for."""
    advance(session, now, municipality_id)


every("7 * * * *", advance_slots)


def settle_soon(session: Session, municipality_id: str, slot_id: UUID) -> None:
    """After an answer: have the slot looked at as soon as this transaction is through."""
    defer(session, settle_slot, municipality_id, slot_id=str(slot_id))
