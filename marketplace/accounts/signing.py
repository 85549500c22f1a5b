"""The browser's side of signing in: its cookie holds a token, the row behind it says who that is and since when."""

from datetime import UTC, datetime
from typing import Final, cast

from flask import Flask, Response, g, request, session
from flask_security.utils import login_user, logout_user

from marketplace.accounts.models import Role, SignedIn, User, Way
from marketplace.accounts.passkeys import has_passkey
from marketplace.accounts.second_step import COMPULSORY, find_authenticator, is_compulsory
from marketplace.accounts.sessions import LASTS_FOR_STAFF, begin_session, end_session, find_session
from marketplace.db import db

TOKEN: Final = "token"  # noqa: S105 - its name in the cookie
SEEN: Final = "seen"
IDLE_SECONDS: Final = 3600
SEEN_SECONDS: Final = 300  # how old the cookie's note of the last request may grow
GIVE, SET_UP = "give", "set up"


def sign_in_as(user: User, way: Way, is_strong: bool = False) -> None:
    """From now on this browser is `user`'s; nothing of who used it before stays."""
    leave()
    now = datetime.now(UTC)
    row, token = begin_session(db.session, now, user, way, is_strong, request.user_agent.string)
    login_user(user)
    session[TOKEN], session[SEEN] = token, int(now.timestamp())
    g.signed_in = row


def leave() -> None:
    """Nobody is signed in here any more."""
    row = signed_in_here()
    if row is not None:
        end_session(db.session, datetime.now(UTC), row.user_id, row.id)
    logout_user()
    session.clear()
    g.pop("signed_in", None)


def signed_in_here() -> SignedIn | None:
    """The row behind this browser's cookie, if it still counts."""
    if "signed_in" not in g:
        g.signed_in = _find()
    return cast(SignedIn | None, g.signed_in)


def _find() -> SignedIn | None:
    now, token = datetime.now(UTC), session.get(TOKEN)
    row = find_session(db.session, now, str(token)) if token else None
    if row is None:
        return None
    idle = now.timestamp() - int(session.get(SEEN, 0))
    return None if is_for_staff(row) and idle > IDLE_SECONDS else row


def is_for_staff(row: SignedIn) -> bool:
    """Whether it ends after half a day, and after an hour without a request."""
    return row.ends_at - row.started_at <= LASTS_FOR_STAFF


def missing_step(role: Role | None) -> str | None:
    """What is missing before this browser may act in `role`: GIVE the code, SET_UP a second step, or nothing.

    For whom two steps are compulsory, in whichever role, a passkey is one: no other is set up without it.
    """
    row = signed_in_here()
    if row is None or row.is_strong:
        return None
    if find_authenticator(db.session, row.user_id) is not None:
        return GIVE
    if has_passkey(db.session, row.user_id) and is_compulsory(db.session, row.user_id):
        return GIVE
    return SET_UP if role in COMPULSORY else None


def init_signing(app: Flask) -> None:
    """Flask-Login finds the user by the row; a used session of staff stays awake."""
    app.login_manager.user_loader(_load_user)  # type: ignore[attr-defined]

    @app.after_request
    def note_use(answer: Response) -> Response:
        now, row = int(datetime.now(UTC).timestamp()), g.get("signed_in")
        if row is not None and TOKEN in session and now - int(session.get(SEEN, 0)) > SEEN_SECONDS:
            session[SEEN] = now
        return answer


def _load_user(uniquifier: str) -> User | None:
    row = signed_in_here()
    user = db.session.get(User, row.user_id) if row is not None else None
    return user if user is not None and user.active and user.fs_uniquifier == uniquifier else None
