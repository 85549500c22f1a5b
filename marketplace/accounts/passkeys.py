"""Passkeys: a device signs a challenge, once, within its time, for this address alone, after it knew its owner."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final, cast
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from sqlalchemy import delete, func
from sqlmodel import Session, col, select
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from marketplace.accounts.models import Challenge, Municipality, Passkey, User
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.words import N_

NAME: Final = "Condiviso"
LASTS: Final = timedelta(minutes=10)
PASSKEYS_MAX: Final = 10
LOCAL: Final = "localhost"
LAST: Final = N_(
    "È la tua unica passkey, e per il tuo ruolo i due passaggi sono obbligatori: prima aggiungine un'altra."
)
SENT_MAX: Final = 20_000  # characters of an answer; a real one has one or two thousand


class NotThisPasskey(Rejected):
    """Unknown, of somebody else, not signed for this, or a copy: all told alike."""

    default = N_("Questa passkey qui non vale. Entra con un link via e-mail, poi aggiungila di nuovo dal tuo accesso.")


class TooLate(Rejected):
    """The challenge was used already, or its time is over, or it was another browser's."""

    default = N_("È passato troppo tempo, o la richiesta era già stata usata: prova di nuovo con la passkey.")


class NotAdded(Rejected):
    """What came back from the device is no new passkey."""

    default = N_("La passkey non è stata aggiunta: il dispositivo non ti ha riconosciuto. Prova di nuovo.")


@dataclass(frozen=True)
class Site:
    """For whom passkeys are made: `id` is a domain, and `origins` the addresses of pages that may use them."""

    id: str
    origins: tuple[str, ...]

    def serves(self, host: str) -> bool:
        """Whether pages at `host` (with its port) may use passkeys."""
        return any(urlsplit(origin).netloc == host for origin in self.origins)


def site_of(session: Session, base_url: str) -> Site | None:
    """The site at the configured public address, with the municipalities' own hosts under its domain.

    A loopback address has no domain: there it is `localhost`. None for another bare number, where browsers refuse.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if _is_number(host):
        if not ip_address(host).is_loopback:
            return None
        host = LOCAL
    port = f":{parts.port}" if parts.port else ""
    own = session.exec(select(Municipality.host).where(col(Municipality.host).endswith(f".{host}", autoescape=True)))
    return Site(host, tuple(f"{parts.scheme}://{one}{port}" for one in (host, *sorted(filter(None, own)))))


def ask_for_new(session: Session, now: datetime, site: Site, browser: str, user: User) -> str:
    """What a device needs to make a passkey for `user`, as JSON. Raises Conflict with too many."""
    mine = list_passkeys(session, user.id)
    if len(mine) >= PASSKEYS_MAX:
        raise Conflict(N_("Hai già %(num)s passkey: togline una che non usi più."), num=PASSKEYS_MAX)
    options = webauthn.generate_registration_options(
        rp_id=site.id,
        rp_name=NAME,
        user_id=user.id.bytes,
        user_name=user.email,
        user_display_name=user.name or user.email,
        challenge=_new_challenge(session, now, browser, user.id),
        timeout=_milliseconds(LASTS),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in mine],
    )
    return webauthn.options_to_json(options)


def ask(session: Session, now: datetime, site: Site, browser: str) -> str:
    """What a device needs to sign somebody in, as JSON; it is the same for everybody, and names nobody."""
    options = webauthn.generate_authentication_options(
        rp_id=site.id,
        challenge=_new_challenge(session, now, browser, None),
        timeout=_milliseconds(LASTS),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def add_passkey(
    session: Session, now: datetime, site: Site, browser: str, user: User, name: str, sent: str
) -> Passkey | Rejected:
    """Keep what the device made, or why not: a refusal is returned, so that the spent challenge stays spent."""
    answer = _read(sent)
    challenge = _spend(session, now, browser, user.id, answer)
    if challenge is None:
        return TooLate()
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=list(site.origins),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        return NotAdded()
    known = session.exec(select(Passkey.id).where(Passkey.credential_id == made.credential_id)).first()
    if known is not None or len(list_passkeys(session, user.id)) >= PASSKEYS_MAX:
        return NotAdded()
    passkey = Passkey(
        user_id=user.id,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name,
        created_at=now,
    )
    session.add(passkey)
    session.flush()
    return passkey


def recognise(session: Session, now: datetime, site: Site, browser: str, sent: str) -> User | Rejected:
    """Whose passkey has signed, or why nobody's; returned, so that the spent challenge stays spent."""
    answer = _read(sent)
    challenge = _spend(session, now, browser, None, answer)
    if challenge is None:
        return TooLate()
    try:
        credential_id = base64url_to_bytes(str(answer.get("rawId", "")))
        handle = base64url_to_bytes(str(answer["response"].get("userHandle") or ""))
    except ValueError:
        return NotThisPasskey()
    passkey = session.exec(select(Passkey).where(Passkey.credential_id == credential_id).with_for_update()).first()
    if passkey is None or passkey.user_id.bytes != handle:
        return NotThisPasskey()
    try:
        signed = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=list(site.origins),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        return NotThisPasskey()
    user = session.get(User, passkey.user_id)
    if user is None or not user.active:
        return NotThisPasskey()
    passkey.sign_count, passkey.used_at = signed.new_sign_count, now
    session.flush()
    return user


def list_passkeys(session: Session, user_id: UUID) -> list[Passkey]:
    """Somebody's, oldest first."""
    return list(
        session.exec(
            select(Passkey).where(Passkey.user_id == user_id).order_by(col(Passkey.created_at), col(Passkey.id))
        )
    )


def has_passkey(session: Session, user_id: UUID) -> bool:
    """Whether somebody has any."""
    return session.exec(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)).one() > 0


def get_passkey(session: Session, user_id: UUID, passkey_id: UUID) -> Passkey:
    """One of one's own; raises NotFound."""
    passkey = session.get(Passkey, passkey_id)
    if passkey is None or passkey.user_id != user_id:
        raise NotFound
    return passkey


def remove_passkey(session: Session, passkey: Passkey) -> None:
    """It opens nothing any more."""
    session.delete(passkey)
    session.flush()


def remove_passkeys(session: Session, user_id: UUID) -> None:
    """None of them opens anything any more."""
    session.connection().execute(delete(Challenge).where(col(Challenge.user_id) == user_id))
    session.connection().execute(delete(Passkey).where(col(Passkey.user_id) == user_id))
    session.expire_all()


def forget_old_challenges(session: Session, now: datetime) -> None:
    """Delete those that nobody signed in time."""
    session.connection().execute(delete(Challenge).where(col(Challenge.expires_at) <= now))


def _new_challenge(session: Session, now: datetime, browser: str, user_id: UUID | None) -> bytes:
    challenge = secrets.token_bytes(32)
    session.add(
        Challenge(
            challenge_hash=_hash(challenge),
            browser_hash=_hash(browser.encode()),
            user_id=user_id,
            expires_at=now + LASTS,
        )
    )
    session.flush()
    return challenge


def _spend(session: Session, now: datetime, browser: str, user_id: UUID | None, answer: dict[str, Any]) -> bytes | None:
    """The challenge that was signed, used up now; None unless it was asked for here, for this, and in time."""
    try:
        said = json.loads(base64url_to_bytes(str(answer["response"].get("clientDataJSON", ""))))
        challenge = base64url_to_bytes(str(said["challenge"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    spent = (
        delete(Challenge)
        .where(
            col(Challenge.challenge_hash) == _hash(challenge),
            col(Challenge.browser_hash) == _hash(browser.encode()),
            col(Challenge.user_id).is_not_distinct_from(user_id),
            col(Challenge.expires_at) > now,
        )
        .returning(col(Challenge.challenge_hash))
    )
    return challenge if session.connection().execute(spent).first() is not None else None


def _read(sent: str) -> dict[str, Any]:
    """What the page's script sent, as far as it is an object with a response; else nothing that could be signed."""
    try:
        answer = json.loads(sent) if len(sent) <= SENT_MAX else None
    except (ValueError, RecursionError):
        answer = None
    is_answer = isinstance(answer, dict) and isinstance(answer.get("response"), dict)
    return cast(dict[str, Any], answer) if is_answer else {"response": {}}


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _milliseconds(time: timedelta) -> int:
    return int(time / timedelta(milliseconds=1))


def _hash(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
