"""How somebody wants e-mail: at once or once a day, with or without what is not needed. The address itself is not kept.

A choice is known by a keyed index of the address; nobody's connection but staff's and jobs' reads it.
"""

import base64
import hmac
from datetime import datetime
from typing import Final

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from marketplace.db import NOBODY, Scope, seeing, set_scope
from marketplace.errors import NotFound
from marketplace.messages.models import MailChoice
from marketplace.sealed import keyring

INDEX_BYTES, SEAL_BYTES = 32, 20
CITY_LETTERS: Final = 6


def find_choice(session: Session, municipality_id: str, email: str) -> MailChoice | None:
    """What was chosen for an address; None: everything, at once."""
    query = select(MailChoice).where(
        MailChoice.municipality_id == municipality_id, col(MailChoice.address_index).in_(indexes_of(email))
    )
    with seeing(session, Scope(municipality_id)):
        newest = query.order_by(col(MailChoice.changed_at).desc())
        return session.exec(newest.execution_options(populate_existing=True)).first()


def choose_mail(
    session: Session,
    municipality_id: str,
    now: datetime,
    email: str,
    *,
    is_daily: bool | None = None,
    no_optional: bool | None = None,
) -> None:
    """From now on e-mail to this address is like this; what is None stays as it was."""
    known = find_choice(session, municipality_id, email)
    if known is not None and known.address_index != _index(email):  # of an older key: what it says stays said
        is_daily = known.is_daily if is_daily is None else is_daily
        no_optional = known.no_optional if no_optional is None else no_optional
    _write(session, municipality_id, now, _index(email), is_daily=is_daily, no_optional=no_optional)


def forget_choice(session: Session, municipality_id: str, email: str) -> None:
    """Nothing of an address is kept."""
    gone = delete(MailChoice).where(
        col(MailChoice.municipality_id) == municipality_id, col(MailChoice.address_index).in_(indexes_of(email))
    )
    with seeing(session, Scope(municipality_id)):
        session.connection().execute(gone)


def stop_secret(municipality_id: str, email: str) -> str:
    """What the link to unsubscribe ends in: it stops the optional messages to one address and does nothing else."""
    index = _index(email)
    sealed = base64.urlsafe_b64encode(index + _seals(municipality_id, index)[0]).decode().rstrip("=")
    return f"{municipality_id}{sealed}"


def check_secret(secret: str) -> tuple[str, bytes]:
    """The municipality and the address's index of a link to unsubscribe. Raises NotFound for one that we never made."""
    municipality_id, rest = secret[:CITY_LETTERS], secret[CITY_LETTERS:]
    try:
        sealed = base64.b64decode(rest.encode() + b"=" * (-len(rest) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise NotFound from None
    index, seal = sealed[:INDEX_BYTES], sealed[INDEX_BYTES:]
    if not sum(hmac.compare_digest(seal, one) for one in _seals(municipality_id, index)):
        raise NotFound
    return municipality_id, index


def stop_optional(session: Session, now: datetime, secret: str) -> None:
    """No more optional messages to the address of this link. Twice is once. Raises NotFound."""
    municipality_id, index = check_secret(secret)
    _write(session, municipality_id, now, index, no_optional=True)
    set_scope(session, Scope(municipality_id, NOBODY, NOBODY))


def _write(session: Session, municipality_id: str, now: datetime, index: bytes, **chosen: bool | None) -> None:
    known = {name: value for name, value in chosen.items() if value is not None}
    row = {"is_daily": False, "no_optional": False, **known, "changed_at": now}
    statement = insert(MailChoice).values(municipality_id=municipality_id, address_index=index, **row)
    statement = statement.on_conflict_do_update(constraint="one_mail_choice", set_={**known, "changed_at": now})
    with seeing(session, Scope(municipality_id)):
        session.connection().execute(statement)


def indexes_of(email: str) -> list[bytes]:
    """Under which an address's choice stands: of every key, newest first; `rotate-keys` moves it to the first."""
    return keyring.indexes(f"mail choice {email}")


def _index(email: str) -> bytes:
    return indexes_of(email)[0]


def _seals(municipality_id: str, index: bytes) -> list[bytes]:
    sealed = keyring.indexes(f"stop optional {municipality_id} {index.hex()}")
    return [one[:SEAL_BYTES] for one in sealed]
