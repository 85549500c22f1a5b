"""A program's key does no more than its owner may at that moment, in one role, and only what its scopes name."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, ApiToken, Appointment, Role, User
from marketplace.accounts.operations import record
from marketplace.accounts.throttle import count_attempt
from marketplace.errors import Conflict, Forbidden, NotFound, Rejected
from marketplace.words import N_

PREFIX: Final = "condiviso_"  # so that scanners of published code find a key that was left there
TOKENS_MAX: Final = 20
DAYS: Final = (30, 90, 365)
REQUESTS_MAX: Final = 300  # of one key
UNKNOWN_MAX: Final = 60  # without a key that holds, from one address
MINUTE: Final = timedelta(minutes=1)
TOO_FAST: Final = N_("Troppe richieste: aspetta quanto dice «Retry-After» e riprova.")
ROLE_SCOPES: Final[Mapping[Role, Mapping[str, str]]] = {
    Role.FAMILY: {
        "household:read": N_("Leggere i dati della famiglia, gli incontri, i conti e i documenti"),
        "needs:read": N_("Leggere le esigenze"),
        "needs:write": N_("Pubblicare e ritirare le esigenze"),
        "proposals:read": N_("Leggere le proposte, con i loro prezzi"),
        "proposals:answer": N_("Accettare le proposte, che impegna a pagare, e rifiutarle"),
        "statements:contest": N_("Contestare le righe dei conti"),
        "absences:write": N_("Segnalare le assenze"),
    },
    Role.PROVIDER: {
        "work:read": N_("Leggere incontri, compensi, offerte e documenti"),
        "work:answer": N_("Accettare e rifiutare i gruppi"),
        "attendance:write": N_("Segnare le presenze e annullare incontri"),
        "offers:write": N_("Cambiare offerte e orari"),
    },
    Role.OFFICER: {
        "providers:read": N_("Leggere i professionisti e le loro domande"),
        "providers:decide": N_("Decidere gli accreditamenti"),
        "rounds:read": N_("Leggere gli abbinamenti e i loro risultati"),
        "rounds:write": N_("Avviare gli abbinamenti e inviare le proposte"),
        "means:read": N_("Leggere gli ISEE da verificare"),
        "means:decide": N_("Verificare gli ISEE"),
        "programmes:read": N_("Leggere i programmi, i budget e le regole"),
        "months:read": N_("Leggere i mesi e i rendiconti"),
        "months:close": N_("Chiudere i mesi"),
        "imports:write": N_("Caricare i file della città"),
        "dangers:read": N_("Leggere le segnalazioni di pericolo"),
        "dangers:answer": N_("Rispondere alle segnalazioni di pericolo e sospendere"),
        "webhooks:write": N_("Registrare gli indirizzi da avvisare e ripetere gli avvisi"),
    },
}
SCOPES: Final[Mapping[str, str]] = {name: words for each in ROLE_SCOPES.values() for name, words in each.items()}


def scopes_of(role: Role | None) -> Mapping[str, str]:
    """What a key of that role may be made for: scope -> words."""
    return ROLE_SCOPES.get(role, {}) if role else {}


def make_token(
    session: Session, by: Actor, now: datetime, name: str, scopes: Sequence[str], days: int
) -> tuple[ApiToken, str]:
    """A new key for a program of `by`'s own, and its text, which nobody can see again.

    Raises Forbidden for whoever acts for somebody else, Rejected for unknown scopes or days, Conflict for too many.
    """
    if by.on_behalf_of is not None:
        raise Forbidden
    if not scopes or not set(scopes) <= set(SCOPES) or days not in DAYS:
        raise Rejected
    appointment = _appointment_of(session, by)
    if len(list_tokens(session, by, now)) >= TOKENS_MAX:
        raise Conflict(N_("Hai già %(num)s chiavi: chiudine una che non usi più."), num=TOKENS_MAX)
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        token_hash=_hash(text),
        appointment_id=appointment.id,
        name=name,
        scopes=sorted(set(scopes)),
        created_at=now,
        ends_at=now + timedelta(days=days),
    )
    session.add(token)
    record(session, by, now, "make_token", "api_token", token.id, scopes=token.scopes)
    session.flush()
    return token, text


def find_owner(session: Session, now: datetime, text: str) -> tuple[ApiToken, Appointment, User] | None:
    """Whose key this is, if the key, the appointment and the account still hold."""
    return session.exec(
        select(ApiToken, Appointment, User)
        .join(Appointment, col(Appointment.id) == ApiToken.appointment_id)
        .join(User, col(User.id) == Appointment.user_id)
        .where(
            ApiToken.token_hash == _hash(text),
            col(ApiToken.ended_at).is_(None),
            ApiToken.ends_at > now,
            col(Appointment.ended_at).is_(None),
            col(User.active),
        )
    ).first()


def count_request(session: Session, now: datetime, token: ApiToken | None, address: str) -> None:
    """Count one more request, by its key or else by the network address that it came from. Raises TooMany."""
    if token is not None:
        count_attempt(session, now, "api", token.id.hex, REQUESTS_MAX, MINUTE, TOO_FAST)
    else:
        count_attempt(session, now, "api without key", address, UNKNOWN_MAX, MINUTE, TOO_FAST)


def list_tokens(session: Session, by: Actor, now: datetime) -> list[ApiToken]:
    """The keys of somebody's role that still hold, newest first."""
    return list(
        session.exec(
            select(ApiToken)
            .join(Appointment, col(Appointment.id) == ApiToken.appointment_id)
            .where(*_is_of(by), col(ApiToken.ended_at).is_(None), ApiToken.ends_at > now)
            .order_by(col(ApiToken.created_at).desc(), col(ApiToken.id).desc())
        )
    )


def end_token(session: Session, by: Actor, now: datetime, token_id: UUID) -> None:
    """From now on the key opens nothing; ended twice is ended once. Raises NotFound for another's."""
    token = session.exec(
        select(ApiToken)
        .join(Appointment, col(Appointment.id) == ApiToken.appointment_id)
        .where(*_is_of(by), ApiToken.id == token_id)
    ).first()
    if token is None:
        raise NotFound
    if token.ended_at is None:
        token.ended_at = now
        record(session, by, now, "end_token", "api_token", token.id)
    session.flush()


def _appointment_of(session: Session, by: Actor) -> Appointment:
    """The appointment by which `by` acts, locked, so that the keys are counted one after the other."""
    found = session.exec(
        select(Appointment).where(*_is_of(by), col(Appointment.ended_at).is_(None)).with_for_update()
    ).first()
    if found is None:
        raise Forbidden
    return found


def _is_of(by: Actor) -> tuple[ColumnElement[bool], ...]:
    """The appointments of `by`'s person in its role, for its household or provider."""
    return (
        col(Appointment.user_id) == by.user_id,
        col(Appointment.municipality_id) == by.municipality_id,
        col(Appointment.role) == by.role,
        col(Appointment.household_id).is_not_distinct_from(by.household_id),
        col(Appointment.provider_id).is_not_distinct_from(by.provider_id),
    )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
