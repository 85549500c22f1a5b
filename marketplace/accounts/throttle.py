"""Whoever tries too often must wait: counted in the database, so that all web processes count together."""

import math
from datetime import datetime, timedelta

from sqlalchemy import case, delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from marketplace.accounts.models import Attempts
from marketplace.errors import MarketplaceError
from marketplace.sealed import keyring
from marketplace.words import N_

KEPT = timedelta(days=1)


class TooMany(MarketplaceError):
    """Too many tries within the time; `minutes` says when the next one counts."""

    status = 429
    default = N_("Troppi tentativi in poco tempo: riprova tra %(minutes)s minuti.")


def count_attempt(
    session: Session, now: datetime, what: str, whose: str, limit: int, within: timedelta, message: str | None = None
) -> None:
    """Count one more try of `what` by `whose` (only a keyed hash of it is kept; '' is nobody); TooMany above `limit`.

    A refused try is rolled back with its request, so that the time to wait does not grow by knocking.
    """
    if not whose:
        return
    is_over = col(Attempts.since) <= now - within
    counted = (
        insert(Attempts)
        .values(key_hash=_key(what, whose), since=now, count=1)
        .on_conflict_do_update(
            index_elements=[col(Attempts.key_hash)],
            set_={
                "count": case((is_over, 1), else_=col(Attempts.count) + 1),
                "since": case((is_over, now), else_=col(Attempts.since)),
            },
        )
        .returning(col(Attempts.count), col(Attempts.since))
    )
    count, since = session.connection().execute(counted).one()
    if count > limit:
        left = since + within - now
        seconds, minutes = (max(1, math.ceil(left / timedelta(**{unit: 1}))) for unit in ("seconds", "minutes"))
        raise TooMany(message, wait_seconds=seconds, minutes=minutes)


def forget_attempts(session: Session, what: str, whose: str) -> None:
    """Start counting anew: it was the right person."""
    session.connection().execute(delete(Attempts).where(col(Attempts.key_hash) == _key(what, whose)))


def forget_old_attempts(session: Session, now: datetime) -> None:
    """Delete what no limit looks back to."""
    session.connection().execute(delete(Attempts).where(col(Attempts.since) < now - KEPT))


def _key(what: str, whose: str) -> bytes:
    return keyring.index(f"{what}:{whose}")
