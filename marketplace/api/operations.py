"""A write is repeated by its Idempotency-Key: the same request has the same answer for a day, and is done once."""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, text
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.api.models import ApiRequest
from marketplace.errors import Conflict, Rejected
from marketplace.words import N_

KEPT: Final = timedelta(hours=24)
KEY_MAX: Final = 255
BAD_KEY: Final = N_("«Idempotency-Key» ha da 1 a 255 caratteri ASCII, senza spazi.")
OTHER_REQUEST: Final = N_("Con questa «Idempotency-Key» hai già chiesto altro: usane una nuova.")
IN_FLIGHT: Final = N_("La stessa richiesta è già in corso: aspetta la sua risposta, poi riprova.")


def find_answer(
    session: Session, by: Actor, now: datetime, token_id: UUID, key: str, fingerprint: bytes
) -> ApiRequest | None:
    """What the same request was answered within a day; else the key is this transaction's alone until it ends.

    Raises Rejected for a key that is none or that was used for another request, Conflict while the same one is at work.
    """
    if not (key.isascii() and key.isprintable() and " " not in key and 0 < len(key) <= KEY_MAX):
        raise Rejected(BAD_KEY, field="Idempotency-Key")
    number = int.from_bytes(hashlib.sha256(f"{token_id}:{key}".encode()).digest()[:8], signed=True)
    is_mine = session.connection().execute(text("select pg_try_advisory_xact_lock(:number)"), {"number": number})
    if not is_mine.scalar_one():
        raise Conflict(IN_FLIGHT, wait_seconds=1)
    known = session.exec(
        select(ApiRequest).where(
            ApiRequest.municipality_id == by.municipality_id, ApiRequest.token_id == token_id, ApiRequest.key == key
        )
    ).first()
    if known is not None and known.at <= now - KEPT:
        session.delete(known)
        session.flush()
        return None
    if known is not None and known.fingerprint != fingerprint:
        raise Rejected(OTHER_REQUEST, field="Idempotency-Key")
    return known


def forget_requests(session: Session, municipality_id: str, now: datetime) -> None:
    """Delete the answers that are no longer given again."""
    session.connection().execute(
        delete(ApiRequest).where(col(ApiRequest.municipality_id) == municipality_id, col(ApiRequest.at) <= now - KEPT)
    )
