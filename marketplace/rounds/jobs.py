"""The work of a round in short transactions: killed between any two, it goes on from the state that it finds."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlmodel import Session

from marketplace.jobs import defer, every, job
from marketplace.rounds.models import Round
from marketplace.rounds.settling import settle_round
from marketplace.rounds.solving import abandon, run, the_solver

AGAIN = RetryStrategy(max_attempts=5, exponential_wait=3)


@job("rounds.solve", retry=AGAIN)
def solve(session: Session, municipality_id: str, now: datetime, round_id: str = "", **_: Any) -> None:
    """Bring a round from `preparing` over `solving` to `solved`, or to `failed`."""
    run(session, municipality_id, now, UUID(round_id), the_solver())


@job("rounds.settle", retry=AGAIN)
def settle(session: Session, municipality_id: str, now: datetime, round_id: str = "", **_: Any) -> None:
    """Settle what of a round is still to be settled and may be."""
    settle_round(session, now, municipality_id, UUID(round_id))


@job("rounds.abandon", retry=AGAIN)
def abandon_lost(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Give up a round that nobody works at any more, so that another can be started."""
    abandon(session, municipality_id)


every("*/5 * * * *", abandon_lost)


def solve_soon(session: Session, found: Round) -> None:
    """Have the round solved as soon as this transaction is through; one round of a municipality at a time."""
    defer(session, solve, found.municipality_id, lock=f"round:{found.municipality_id}", round_id=str(found.id))


def settle_at(session: Session, found: Round, deadline: datetime) -> None:
    """Have the round settled when a deadline has passed."""
    defer(session, settle, found.municipality_id, at=deadline + timedelta(seconds=1), round_id=str(found.id))
