"""A browser for tests: naming somebody in its cookie is signing in, in two steps unless it is told otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask.sessions import SessionMixin
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import User, Way
from marketplace.accounts.sessions import begin_session
from marketplace.accounts.set_up_codes import make_set_up_code
from marketplace.accounts.signing import SEEN, TOKEN
from marketplace.db import db


class Browser(FlaskClient):
    """`_user_id` set in the cookie gets the row and the token that signing in would have made."""

    is_strong = True

    @contextmanager
    def session_transaction(self, *args: Any, **kwargs: Any) -> Iterator[SessionMixin]:
        with super().session_transaction(*args, **kwargs) as cookie:
            before = cookie.get("_user_id")
            yield cookie
            if cookie.get("_user_id") not in (None, before):
                now = datetime.now(UTC)
                cookie[TOKEN], cookie[SEEN] = self._begin(cookie["_user_id"], now), int(now.timestamp())

    def _begin(self, uniquifier: str, now: datetime) -> str:
        with self.application.app_context():
            user = db.session.exec(select(User).where(User.fs_uniquifier == uniquifier)).one()
            _row, token = begin_session(db.session, now, user, Way.LINK, self.is_strong)
            db.session.commit()
            return token


def give_set_up_code(client: FlaskClient, email: str) -> None:
    """What an administrator hands over to whoever must have two steps, given in this browser."""
    with client.application.app_context():
        user = db.session.exec(select(User).where(User.email == email)).one()
        code = make_set_up_code(db.session, datetime.now(UTC), user.id)
        db.session.commit()
    assert client.post("/accesso/attiva", data={"code": code}).status_code == 303
