"""What whoever runs the machine does for people who cannot get in: the first officer, and a lost second step."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from marketplace.accounts.models import Actor, Municipality, Role, User
from marketplace.accounts.operations import record
from marketplace.accounts.passkeys import has_passkey, remove_passkeys
from marketplace.accounts.second_step import find_authenticator, is_compulsory, take_away
from marketplace.accounts.sessions import end_sessions
from marketplace.accounts.set_up_codes import make_set_up_code
from marketplace.accounts.sign_in import add_user, appoint, find_user
from marketplace.db import Scope, set_scope
from marketplace.errors import NotFound
from marketplace.words import N_

BY_COMMAND = "command line"


def appoint_staff(
    session: Session, now: datetime, municipality_id: str, email: str, name: str, role: Role, say: Callable[[str], None]
) -> None:
    """Make somebody officer, operator or administrator; where two steps are due and none there, say the first code."""
    if session.get(Municipality, municipality_id) is None:
        raise NotFound(N_("Il comune %(id)s non c'è: importalo con `marketplace import`."), id=municipality_id)
    set_scope(session, Scope(municipality_id))
    user = find_user(session, email) or add_user(session, now, email, name)
    appointment = appoint(session, now, user.id, municipality_id, role)
    end_sessions(session, now, user.id)
    by = Actor(municipality_id, reason=BY_COMMAND)
    record(session, by, now, "appoint", "appointment", appointment.id, role=role.value)
    code = _code_of(session, now, user)
    session.commit()
    say(f"{role.value}: {user.email}")
    _say_code(code, say)


def reset_second_step(
    session: Session, now: datetime, municipality_id: str, email: str, reason: str, say: Callable[[str], None]
) -> None:
    """Take away a lost second step and all passkeys once the owner was recognised (`reason`); signs out everywhere."""
    user = find_user(session, email)
    if user is None:
        raise NotFound(N_("Nessuno entra con questa e-mail."))
    set_scope(session, Scope(municipality_id))
    take_away(session, user.id)
    remove_passkeys(session, user.id)
    end_sessions(session, now, user.id)
    record(session, Actor(municipality_id, reason=reason), now, "reset_second_step", "user_account", user.id)
    code = _code_of(session, now, user)
    session.commit()
    say(user.email)
    _say_code(code, say)


def _code_of(session: Session, now: datetime, user: User) -> str:
    """A code for whoever must set up a second step and has none; '' for others."""
    has_step = find_authenticator(session, user.id) is not None or has_passkey(session, user.id)
    return "" if has_step or not is_compulsory(session, user.id) else make_set_up_code(session, now, user.id)


def _say_code(code: str, say: Callable[[str], None]) -> None:
    if code:
        say(
            N_("Codice per attivare i due passaggi: %(code)s. Dallo a voce o su carta, non per e-mail.")
            % {"code": code}
        )
