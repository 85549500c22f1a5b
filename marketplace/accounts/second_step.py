"""The second step of signing in: six digits from a phone, each counting once, or a recovery code from paper."""

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from passlib.exc import TokenError
from passlib.totp import TOTP
from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, Authenticator, RecoveryCode, Role
from marketplace.accounts.pepper import peppered
from marketplace.accounts.throttle import count_attempt, forget_attempts
from marketplace.errors import Rejected
from marketplace.words import N_

COMPULSORY: Final = frozenset({Role.OFFICER, Role.ADMINISTRATOR})
ISSUER: Final = "Condiviso"
CODES: Final = 10
ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that looks like something else
LENGTH: Final = 12
TRIES: Final = 10
TRIES_WITHIN: Final = timedelta(minutes=15)
CLOCK_SECONDS: Final = 30  # how wrong a phone's clock may be
SECRET_LENGTH: Final = 32


class WrongCode(Rejected):
    """Neither a code of this half minute nor an unused recovery code."""

    default = N_("Il codice non è giusto, o è già stato usato. Aspetta quello nuovo e scrivilo subito.")


class Compulsory(Rejected):
    """Officers and administrators do not go without."""

    default = N_("Per gli uffici e l'amministrazione i due passaggi sono obbligatori: non si possono togliere.")


def new_secret() -> str:
    """A secret for a phone, 160 bits in base32; nothing is kept until a code made from it is given."""
    return str(TOTP.new().base32_key)


def address_of(secret: str, email: str) -> str:
    """What the QR code says to the phone's application."""
    return str(TOTP(key=secret).to_uri(label=email, issuer=ISSUER))


def find_authenticator(session: Session, user_id: UUID) -> Authenticator | None:
    """Somebody's second step, if it is set up."""
    return session.get(Authenticator, user_id)


def is_compulsory(session: Session, user_id: UUID) -> bool:
    """Whether any of somebody's roles asks for two steps."""
    held = select(Appointment.id).where(
        Appointment.user_id == user_id, col(Appointment.role).in_(COMPULSORY), col(Appointment.ended_at).is_(None)
    )
    return session.exec(held.limit(1)).first() is not None


def set_up(session: Session, now: datetime, user_id: UUID, secret: str, code: str) -> list[str]:
    """Keep `secret` once a code from it shows that the phone has it; the recovery codes. Raises WrongCode.

    A second step that stands is never replaced this way: it is taken away first, with a code of its own.
    """
    count_attempt(session, now, "second step", str(user_id), TRIES, TRIES_WITHIN)
    counter = _counter(secret, code, now, None) if len(secret) == SECRET_LENGTH else None
    if counter is None or find_authenticator(session, user_id) is not None:
        raise WrongCode(field="code")
    session.add(Authenticator(user_id=user_id, secret=secret, last_counter=counter, created_at=now))
    session.flush()
    forget_attempts(session, "second step", str(user_id))
    return make_recovery_codes(session, user_id)


def check_code(session: Session, now: datetime, user_id: UUID, code: str) -> bool:
    """Whether `code` is right, from the phone or from paper, and used now; tries are counted. Raises TooMany."""
    count_attempt(session, now, "second step", str(user_id), TRIES, TRIES_WITHIN)
    found = session.get(Authenticator, user_id, with_for_update=True)
    if found is None:
        return False
    counter = _counter(found.secret, code, now, found.last_counter)
    if counter is not None:
        found.last_counter = counter
    elif not _spend(session, now, user_id, code):
        return False
    session.flush()
    forget_attempts(session, "second step", str(user_id))
    return True


def make_recovery_codes(session: Session, user_id: UUID) -> list[str]:
    """Ten new codes, shown now and never again; those before count no more."""
    session.connection().execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=_hash(session, user_id, code)) for code in codes)
    session.flush()
    return ["-".join(code[start : start + 4] for start in range(0, LENGTH, 4)) for code in codes]


def count_recovery_codes(session: Session, user_id: UUID) -> int:
    """How many are left."""
    unused = select(func.count()).select_from(RecoveryCode)
    return session.exec(unused.where(RecoveryCode.user_id == user_id, col(RecoveryCode.used_at).is_(None))).one()


def take_away(session: Session, user_id: UUID) -> None:
    """No second step any more."""
    session.connection().execute(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    session.connection().execute(delete(Authenticator).where(col(Authenticator.user_id) == user_id))
    session.expire_all()


def _counter(secret: str, code: str, now: datetime, last: int | None) -> int | None:
    """The time step of a right code that is newer than `last`."""
    digits = code.replace(" ", "")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    try:
        match = TOTP(key=secret).match(digits, time=now, window=CLOCK_SECONDS, last_counter=last)
    except (TokenError, ValueError):
        return None
    return int(match.counter)


def _spend(session: Session, now: datetime, user_id: UUID, code: str) -> bool:
    plain = "".join(code.lower().replace("-", "").split())
    found = session.get(RecoveryCode, (user_id, _hash(session, user_id, plain)), with_for_update=True)
    if found is None or found.used_at is not None:
        return False
    found.used_at = now
    return True


def _hash(session: Session, user_id: UUID, code: str) -> bytes:
    return peppered(session, f"recovery:{user_id}:{code}")
