"""Who must have two steps sets the second up with a code that came by another way than the mailbox: once, in time."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlmodel import Session

from marketplace.accounts.models import SetUpCode, SignedIn
from marketplace.accounts.pepper import peppered
from marketplace.accounts.second_step import ALPHABET, LENGTH, is_compulsory
from marketplace.accounts.throttle import count_attempt, forget_attempts
from marketplace.errors import Rejected
from marketplace.words import N_

LASTS: Final = timedelta(days=7)
TRIES: Final = 10
TRIES_WITHIN: Final = timedelta(hours=1)


class WrongSetUpCode(Rejected):
    """Not the code, or too late, or used elsewhere: all told alike."""

    default = N_("Il codice non è giusto, o non vale più: chiedine un altro a chi amministra il servizio.")


def make_set_up_code(session: Session, now: datetime, user_id: UUID) -> str:
    """A new code for somebody, shown now and never again; the one before counts no more."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    kept = session.get(SetUpCode, user_id) or SetUpCode(user_id=user_id, code_hash=b"", ends_at=now)
    kept.code_hash, kept.ends_at, kept.given_in = _hash(session, user_id, code), now + LASTS, None
    session.add(kept)
    session.flush()
    return "-".join(code[start : start + 4] for start in range(0, LENGTH, 4))


def give_set_up_code(session: Session, now: datetime, here: SignedIn, code: str) -> bool:
    """Whether `code` is right; then a second step may be set up where it was given, nowhere else. Raises TooMany."""
    count_attempt(session, now, "set up code", str(here.user_id), TRIES, TRIES_WITHIN)
    kept = session.get(SetUpCode, here.user_id, with_for_update=True)
    plain = "".join(code.lower().replace("-", "").split())
    if kept is None or kept.given_in is not None or kept.ends_at <= now:
        return False
    if not secrets.compare_digest(kept.code_hash, _hash(session, here.user_id, plain)):
        return False
    kept.given_in = here.id
    session.flush()
    forget_attempts(session, "set up code", str(here.user_id))
    return True


def may_set_up(session: Session, here: SignedIn) -> bool:
    """Whether a second step may be set up here: freely where none is due, else in two steps or after the code."""
    if here.is_strong or not is_compulsory(session, here.user_id):
        return True
    kept = session.get(SetUpCode, here.user_id)
    return kept is not None and kept.given_in == here.id


def forget_set_up_code(session: Session, user_id: UUID) -> None:
    """It has done its work."""
    kept = session.get(SetUpCode, user_id)
    if kept is not None:
        session.delete(kept)
        session.flush()


def _hash(session: Session, user_id: UUID, code: str) -> bytes:
    return peppered(session, f"set up:{user_id}:{code}")
