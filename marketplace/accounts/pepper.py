"""What passwords and recovery codes are hashed with cannot be made anew from them: so it outlives every rotation."""

import hashlib
import secrets

from sqlalchemy import text
from sqlmodel import Session

from marketplace.accounts.models import LastingSecret
from marketplace.db import db, insert_once
from marketplace.sealed import keyed, keyring

NAME = "pepper"
HASHED_BEFORE = (
    "select exists (select 1 from recovery_code) or exists (select 1 from user_account where password is not null)"
)


def pepper(session: Session) -> str:
    """The installation's pepper, made when first it is needed; two at once agree on it.

    Where something was hashed before there was one, it is the oldest of SECRET_KEYS, which served as such.
    """
    found = session.get(LastingSecret, NAME)
    if found is None:
        is_old = session.connection().execute(text(HASHED_BEFORE)).scalar_one()
        secret = keyring.oldest if is_old else secrets.token_urlsafe(32)
        insert_once(session, LastingSecret, {"name": NAME, "secret": secret})
        found = session.get_one(LastingSecret, NAME)
    return found.secret


def peppered(session: Session, plain: str) -> bytes:
    """A keyed hash of a folded text, the same under every key of SECRET_KEYS."""
    return keyed(hashlib.sha256(f"index:{pepper(session)}".encode()).digest(), plain)


class PasswordPepper(str):
    """Flask-Security's salt, which it reads each time that it hashes: the pepper of the database at hand."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The pepper's bytes."""
        return pepper(db.session).encode(encoding, errors)
