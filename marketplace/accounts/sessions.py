"""Where somebody is signed in is a row: it can be seen, ended alone or with all others, and ends by itself."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, Role, SignedIn, User, Way
from marketplace.errors import NotFound

STAFF: Final = (Role.OFFICER, Role.OPERATOR, Role.ADMINISTRATOR)
LASTS: Final = timedelta(days=30)
LASTS_FOR_STAFF: Final = timedelta(hours=12)
KEPT: Final = timedelta(days=30)
BROWSERS: Final = ("Edg", "OPR", "SamsungBrowser", "Firefox", "Chrome", "Safari")  # each names those after it too
NAMES: Final = {"Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet"}
SYSTEMS: Final = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")


def begin_session(
    session: Session, now: datetime, user: User, way: Way, is_strong: bool = False, agent: str = ""
) -> tuple[SignedIn, str]:
    """A new row for `user`, and the token that its browser keeps. Staff sign in again after half a day."""
    token = secrets.token_urlsafe(32)
    row = SignedIn(
        token_hash=_hash(token),
        user_id=user.id,
        way=way,
        is_strong=is_strong,
        device=device_of(agent),
        started_at=now,
        ends_at=now + (LASTS_FOR_STAFF if _is_staff(session, user.id) else LASTS),
    )
    session.add(row)
    session.flush()
    return row, token


def find_session(session: Session, now: datetime, token: str) -> SignedIn | None:
    """The row of a browser's token, as long as it lasts."""
    row = session.exec(select(SignedIn).where(SignedIn.token_hash == _hash(token))).first()
    return row if row is not None and row.ended_at is None and now < row.ends_at else None


def list_sessions(session: Session, now: datetime, user_id: UUID) -> list[SignedIn]:
    """Where somebody is signed in, newest first."""
    return list(
        session.exec(
            select(SignedIn)
            .where(SignedIn.user_id == user_id, col(SignedIn.ended_at).is_(None), SignedIn.ends_at > now)
            .order_by(col(SignedIn.started_at).desc(), col(SignedIn.id).desc())
        )
    )


def end_session(session: Session, now: datetime, user_id: UUID, session_id: UUID) -> None:
    """End one of one's own; ended twice is ended once. Raises NotFound."""
    row = session.get(SignedIn, session_id)
    if row is None or row.user_id != user_id:
        raise NotFound
    row.ended_at = row.ended_at or now
    session.flush()


def end_sessions(session: Session, now: datetime, user_id: UUID, but: UUID | None = None) -> None:
    """End all of somebody's, `but` one if given."""
    session.connection().execute(
        update(SignedIn)
        .where(
            col(SignedIn.user_id) == user_id,
            col(SignedIn.ended_at).is_(None),
            col(SignedIn.id).is_distinct_from(but),
        )
        .values(ended_at=now)
    )
    session.expire_all()


def forget_old_sessions(session: Session, now: datetime) -> None:
    """Delete those that ended long ago."""
    session.connection().execute(delete(SignedIn).where(col(SignedIn.ends_at) < now - KEPT))


def device_of(agent: str) -> str:
    """The browser and system of a User-Agent header, as its owner knows them; no more of it is kept."""
    browser = next((name for name in BROWSERS if re.search(rf"{name}\w*/", agent)), "")
    system = next((name for name in SYSTEMS if name in agent), "").replace("Macintosh", "Mac")
    return ", ".join(part for part in (NAMES.get(browser, browser), system) if part)


def _is_staff(session: Session, user_id: UUID) -> bool:
    found = select(Appointment.id).where(
        Appointment.user_id == user_id, col(Appointment.role).in_(STAFF), col(Appointment.ended_at).is_(None)
    )
    return session.exec(found).first() is not None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
