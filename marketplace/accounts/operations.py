"""Who may act for whom, and the record of what was done."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Appointment, AuditEntry, Role, User
from marketplace.db import set_author


def sign_as(session: Session, by: Actor) -> None:
    """From now on every change of state in the session is on record as this actor's."""
    set_author(session, by.reason, user_id=by.user_id, role=by.role, on_behalf_of=by.on_behalf_of)


def record(
    session: Session, by: Actor, now: datetime, action: str, subject: str, subject_id: UUID | None = None, **detail: Any
) -> None:
    """Write one line of the audit log in the session's transaction; `detail` must hold no personal data."""
    session.add(
        AuditEntry(
            municipality_id=by.municipality_id,
            at=now,
            user_id=by.user_id,
            role=by.role,
            on_behalf_of=by.on_behalf_of,
            action=action,
            subject=subject,
            subject_id=subject_id,
            reason=by.reason,
            detail=detail,
        )
    )


def list_staff(session: Session, municipality_id: str, roles: Collection[Role]) -> list[User]:
    """Who serves the municipality today in one of the roles, each person once."""
    appointed = select(Appointment.user_id).where(
        Appointment.municipality_id == municipality_id,
        col(Appointment.role).in_(roles),
        col(Appointment.ended_at).is_(None),
    )
    return list(session.exec(select(User).where(col(User.id).in_(appointed), col(User.active)).order_by(col(User.id))))
