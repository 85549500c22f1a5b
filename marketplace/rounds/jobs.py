"""The work of a round in short transactions: killed between any two, it goes on from the state that it finds."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session

from marketplace.jobs import defer, job
from marketplace.rounds.models import Round


@job("rounds.solve", retry=True)
def solve(session: Session, municipality_id: str, now: datetime, round_id: str = "", **_: Any) -> None:
    """Bring a round from `preparing` over `solving` to `solved`, or to `failed`."""
    from marketplace.rounds.solving import prepare

    prepare(session, municipality_id, now, UUID(round_id))


def solve_soon(session: Session, found: Round) -> None:
    """Have the round solved as soon as this transaction is through; one round of a municipality at a time."""
    defer(session, solve, found.municipality_id, lock=f"round:{found.municipality_id}", round_id=str(found.id))
