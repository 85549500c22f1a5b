"""Whom SPID or CIE proved is the account of that tax code; an e-mail address alone never joins two people."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Appointment, Identity, IdentityRequest, Role, User, Way
from marketplace.accounts.openid import NotProved, Person, Question
from marketplace.accounts.operations import record
from marketplace.accounts.sign_in import add_user, appoint, find_user
from marketplace.db import Scope, seeing
from marketplace.errors import Conflict, Rejected
from marketplace.sealed import keyring
from marketplace.words import N_

LASTS: Final = timedelta(minutes=15)
FindHousehold = Callable[[Session, str, str], UUID | None]


class KnownEmail(Conflict):
    """An account has this e-mail, and nothing but the e-mail says that it is the same person's."""

    default = N_(
        "Con la tua e-mail c'è già un account. Entra con un link o con la password, poi collega SPID o CIE"
        " nella pagina «Il tuo accesso»."
    )


class NoEmail(Rejected):
    """The provider named no verified e-mail, and an account needs one."""

    default = N_(
        "Il gestore non ci ha dato la tua e-mail. Registrati con la tua e-mail, poi collega SPID o CIE"
        " nella pagina «Il tuo accesso»."
    )


class AnotherPerson(Conflict):
    """The account is tied to one tax code, and the provider proved another."""

    default = N_("Questa identità è di un'altra persona, o è già di un altro account: non abbiamo collegato niente.")


_households: list[FindHousehold] = []


def find_households_by(find: FindHousehold | None) -> None:
    """From now on families are found by a tax code through `find`: the room of families is above this."""
    _households[:] = [find] if find else []


def keep_question(
    session: Session, now: datetime, browser: str, question: Question, way: str, issuer: str, wanted: str, by: Actor
) -> None:
    """Remember what was asked, for this browser alone; of whoever is signed in the answer becomes the identity."""
    session.add(
        IdentityRequest(
            state_hash=_hash(question.state),
            browser_hash=_hash(browser),
            user_id=by.user_id,
            way=way,
            issuer=issuer,
            nonce=question.nonce,
            verifier=question.verifier,
            wanted=wanted[:500],
            expires_at=now + LASTS,
        )
    )
    session.flush()


def take_question(session: Session, now: datetime, browser: str, state: str) -> IdentityRequest:
    """What was asked from this browser, spent now: it is answered once. Raises NotProved."""
    found = session.exec(
        select(IdentityRequest)
        .where(
            IdentityRequest.state_hash == _hash(state),
            IdentityRequest.browser_hash == _hash(browser),
            IdentityRequest.expires_at > now,
        )
        .with_for_update()
    ).first()
    if found is None:
        raise NotProved
    taken = IdentityRequest(**found.model_dump())
    session.delete(found)
    session.flush()
    return taken


def forget_old_questions(session: Session, now: datetime) -> None:
    """Delete those that were never answered."""
    session.connection().execute(delete(IdentityRequest).where(col(IdentityRequest.expires_at) <= now))


def find_identity(session: Session, user_id: UUID) -> Identity | None:
    """What SPID or CIE proved of an account."""
    return session.get(Identity, user_id)


def remove_identity(session: Session, user_id: UUID) -> None:
    """The account is nobody's proved one any more; its open questions go too."""
    session.connection().execute(delete(IdentityRequest).where(col(IdentityRequest.user_id) == user_id))
    session.connection().execute(delete(Identity).where(col(Identity.user_id) == user_id))
    session.expire_all()


def is_proved(session: Session, user_id: UUID, tax_code: str) -> bool:
    """Whether this account is, by SPID or CIE, the person of that tax code."""
    found = find_identity(session, user_id)
    return found is not None and keyring.is_index(found.tax_code_index, tax_code)


def tie(session: Session, by: Actor, now: datetime, user: User, person: Person) -> User:
    """Tie what was proved to the account of whoever was signed in and stays so. Raises AnotherPerson."""
    known = _find_owner(session, person.tax_code)
    mine = find_identity(session, user.id)
    if (known is not None and known != user.id) or (
        mine is not None and not keyring.is_index(mine.tax_code_index, person.tax_code)
    ):
        raise AnotherPerson
    if mine is None:
        _keep(session, by, now, user, person)
    return user


def recognise(session: Session, by: Actor, now: datetime, person: Person, locale: str = "it") -> tuple[User, bool]:
    """The account of a proved tax code (tied before, of its family, or new), and whether it is new.

    A family that a desk or a file had registered under this tax code is taken up. An account with the same e-mail is
    the same person's only if it acts for the family of this tax code. Raises NotProved, KnownEmail, NoEmail.
    """
    known = _find_owner(session, person.tax_code)
    if known is not None:
        user = session.get_one(User, known)
        if not user.active:
            raise NotProved
        return user, False
    if not person.email:
        raise NoEmail
    household_id = None
    for find in _households:
        with seeing(session, Scope(by.municipality_id)):
            household_id = find(session, by.municipality_id, person.tax_code)
    found = find_user(session, person.email)
    if found is not None and not (found.active and household_id in _families_of(session, by, found)):
        raise KnownEmail
    name = f"{person.given_name} {person.family_name}".strip()
    user = found or add_user(session, now, person.email, name, locale)
    user.confirmed_at = user.confirmed_at or now
    _keep(session, by, now, user, person)
    if household_id is not None and found is None:
        appoint(session, now, user.id, by.municipality_id, Role.FAMILY, household_id=household_id)
        record(session, by, now, "take_up_household", "household", household_id)
    session.flush()
    return user, found is None


def list_others(session: Session, user_id: UUID) -> list[User]:
    """Who else acts for the families of an account: they are told when somebody new does."""
    mine = select(Appointment.household_id).where(
        Appointment.user_id == user_id, col(Appointment.household_id).is_not(None), col(Appointment.ended_at).is_(None)
    )
    theirs = select(Appointment.user_id).where(
        col(Appointment.household_id).in_(mine), col(Appointment.ended_at).is_(None), Appointment.user_id != user_id
    )
    return list(session.exec(select(User).where(col(User.id).in_(theirs), col(User.active)).order_by(User.email)))


def way_of(request: IdentityRequest) -> Way:
    """By which of the two somebody came in."""
    return Way(request.way)


def _families_of(session: Session, by: Actor, user: User) -> set[UUID | None]:
    found = session.exec(
        select(Appointment.household_id).where(
            Appointment.user_id == user.id,
            Appointment.municipality_id == by.municipality_id,
            Appointment.role == Role.FAMILY,
            col(Appointment.ended_at).is_(None),
        )
    )
    return {one for one in found if one is not None}


def _find_owner(session: Session, tax_code: str) -> UUID | None:
    indexes = keyring.indexes(tax_code)
    return session.exec(select(Identity.user_id).where(col(Identity.tax_code_index).in_(indexes))).first()


def _keep(session: Session, by: Actor, now: datetime, user: User, person: Person) -> None:
    index = keyring.index(person.tax_code)
    session.add(Identity(user_id=user.id, tax_code=person.tax_code, tax_code_index=index, proved_at=now))
    record(session, by, now, "tie_identity", "user_account", user.id)
    session.flush()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
