"""Signing in by a link: whoever reads the mailbox is its owner; a link is used once, within its time, by a POST."""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, Municipality, Role, SignInLink, User
from marketplace.errors import Conflict, Rejected
from marketplace.words import N_

LINK_MINUTES = 30
LINKS_PER_HOUR = 5
LINKS_KEPT = timedelta(days=30)


class LinkExpired(Conflict):
    """The link was used, or its time is over, or it never was one: all told alike."""

    default = N_("Questo link non vale più: è già stato usato o è scaduto. Chiedine un altro, arriva subito.")


class TooManyLinks(Rejected):
    """One mailbox asks for links faster than anybody reads them."""

    default = N_(
        "Ti abbiamo già mandato più link: guarda la posta, anche tra quella indesiderata, o riprova tra un'ora."
    )


def make_link(
    session: Session, now: datetime, email: str, name: str = "", password_hash: str | None = None, wanted: str = ""
) -> str:
    """Keep a new link for `email` and return its token, which goes to that mailbox and nowhere else.

    `password_hash` becomes the account's when the link is used: only then the mailbox is known to be theirs.
    """
    email = folded(email)
    recent = session.exec(
        select(func.count())
        .select_from(SignInLink)
        .where(SignInLink.email == email, SignInLink.created_at > now - timedelta(hours=1))
    ).one()
    if recent >= LINKS_PER_HOUR:
        raise TooManyLinks
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            token_hash=_hash(token),
            email=email,
            name=name.strip(),
            password_hash=password_hash,
            wanted=wanted[:500],
            created_at=now,
            expires_at=now + timedelta(minutes=LINK_MINUTES),
        )
    )
    session.flush()
    return token


def get_link(session: Session, now: datetime, token: str) -> SignInLink:
    """A link that can still be used; raises LinkExpired."""
    link = session.get(SignInLink, _hash(token))
    if link is None or link.used_at is not None or link.expires_at <= now:
        raise LinkExpired
    return link


def forget_old_links(session: Session, now: datetime) -> None:
    """Delete links that nobody can use any more, and the addresses in them."""
    session.connection().execute(delete(SignInLink).where(col(SignInLink.created_at) < now - LINKS_KEPT))


def use_link(session: Session, now: datetime, token: str, locale: str = "it") -> User:
    """The link's owner, with an account from now on; the link is spent. Raises LinkExpired."""
    link = session.get(SignInLink, _hash(token), with_for_update=True)
    if link is None or link.used_at is not None or link.expires_at <= now:
        raise LinkExpired
    link.used_at = now
    user = find_user(session, link.email) or add_user(session, now, link.email, link.name, locale)
    if link.password_hash:
        user.password = link.password_hash
    user.confirmed_at = user.confirmed_at or now
    session.flush()
    return user


def find_user(session: Session, email: str) -> User | None:
    """The account of an e-mail address."""
    return session.exec(select(User).where(User.email == folded(email))).first()


def add_user(session: Session, now: datetime, email: str, name: str, locale: str = "it") -> User:
    """A new account without a password."""
    user = User(
        email=folded(email),
        name=name,
        fs_uniquifier=secrets.token_hex(16),
        locale=locale,
        create_datetime=now,
        active=True,
    )
    session.add(user)
    session.flush()
    return user


def appoint(
    session: Session,
    now: datetime,
    user_id: UUID,
    municipality_id: str,
    role: Role,
    household_id: UUID | None = None,
    provider_id: UUID | None = None,
) -> Appointment:
    """Give a user a role in a municipality; the same one twice is one."""
    known = session.exec(
        select(Appointment).where(
            Appointment.user_id == user_id,
            Appointment.municipality_id == municipality_id,
            Appointment.role == role,
            col(Appointment.household_id).is_not_distinct_from(household_id),
            col(Appointment.provider_id).is_not_distinct_from(provider_id),
            col(Appointment.ended_at).is_(None),
        )
    ).first()
    if known is not None:
        return known
    appointment = Appointment(
        user_id=user_id,
        municipality_id=municipality_id,
        role=role,
        household_id=household_id,
        provider_id=provider_id,
        created_at=now,
    )
    session.add(appointment)
    session.flush()
    return appointment


def list_municipalities(session: Session) -> list[Municipality]:
    """All municipalities, by name."""
    return list(session.exec(select(Municipality).order_by(Municipality.name)))


def folded(email: str) -> str:
    """Addresses are compared without case and outer spaces."""
    return email.strip().lower()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
