"""Whoever reads the mailbox, or knows the password, gets in; whoever guesses must wait, and learns nothing."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask_security.utils import hash_password
from sqlmodel import Session, col, select

from marketplace import create_app
from marketplace.accounts.jobs import forget
from marketplace.accounts.models import Attempts, SignInLink
from marketplace.accounts.sign_in import add_user, make_link
from marketplace.accounts.throttle import TooMany, count_attempt, forget_attempts
from marketplace.config import settings_from
from marketplace.db import Scope, db, set_scope
from marketplace.errors import CannotRun
from marketplace.installation import Installation
from marketplace.jobs import defer, run_waiting
from marketplace.messages.models import Message
from marketplace.web import Application
from tests.city import CITY, NOW, found_city
from tests.database import KEYS

HOUR = timedelta(hours=1)


@pytest.fixture
def known(app: Application) -> Application:
    """A municipality, and somebody with a password."""
    with app.app_context():
        found_city(db.session)
        user = add_user(db.session, datetime.now(UTC), "anna@example.org", "Anna", "it")
        user.password = hash_password("una frase lunga")
        db.session.commit()
    return app


def enter(client: FlaskClient, password: str, email: str = "anna@example.org") -> int:
    answer = client.post("/entra/password", data={"email": email, "password": password})
    return answer.status_code


def test_the_right_password_gets_in_whatever_the_case_of_the_address(known: Application) -> None:
    client = known.test_client()
    assert client.get("/inizio").location.startswith("/entra")
    assert enter(client, "una frase lunga", " Anna@Example.ORG ") == 303
    assert client.get("/inizio").location == "/benvenuto"


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(known: Application) -> None:
    answers = [
        known.test_client().post("/entra/password", data={"email": email, "password": "sbagliata!"})
        for email in ("anna@example.org", "nessuna@example.org")
    ]
    assert {answer.status_code for answer in answers} == {422}
    first, second = (re.sub(r'anna@|nessuna@|value="[^"]{60,}"', "", answer.text) for answer in answers)
    assert first == second


def test_ten_wrong_passwords_close_the_account_to_guesses_but_not_to_its_owner_s_link(known: Application) -> None:
    tries = [enter(known.test_client(), f"tentativo {number}") for number in range(12)]
    assert tries == [422] * 10 + [429] * 2
    refused = known.test_client().post(
        "/entra/password", data={"email": "anna@example.org", "password": "una frase lunga"}
    )
    assert refused.status_code == 429
    assert "entra con un link" in refused.text
    assert known.test_client().post("/entra", data={"email": "anna@example.org"}).status_code == 303


def test_the_right_password_starts_the_count_anew(known: Application) -> None:
    for _ in range(3):
        assert [enter(known.test_client(), f"tentativo {number}") for number in range(9)] == [422] * 9
        assert enter(known.test_client(), "una frase lunga") == 303


def test_a_link_is_shown_by_a_get_and_spent_by_one_post(known: Application, installation: Installation) -> None:
    client = known.test_client()
    assert client.post("/entra", data={"email": "nuova@example.org", "wanted": "//evil.example"}).status_code == 303
    with known.app_context():
        set_scope(db.session, Scope(CITY))
        body = db.session.exec(select(Message).order_by(col(Message.created_at).desc())).first().body  # type: ignore[union-attr]
    link = re.search(r"/entra/link/\S+", body).group()  # type: ignore[union-attr]
    for _ in range(2):
        assert client.get(link).status_code == 200
    assert client.get("/inizio").location.startswith("/entra")
    assert client.post(link).location == "/"  # and never to another site
    assert client.get("/inizio").location == "/benvenuto"
    again = known.test_client().post(link)
    assert again.status_code == 409
    assert known.test_client().get("/inizio").location.startswith("/entra")


def test_only_so_many_links_start_from_one_address(installation: Installation, tmp_path: Path) -> None:
    environment = {"VAR": str(tmp_path), "SECRET_KEYS": ",".join(KEYS), "PROXIES": "1"}
    app = create_app(settings_from(environment), installation.app_url)
    app.config.update(WTF_CSRF_ENABLED=False)
    with app.app_context():
        found_city(db.session)
        db.session.commit()

    def ask(number: int, address: str) -> int:
        answer = app.test_client().post(
            "/entra", data={"email": f"n{number}@example.org"}, headers={"X-Forwarded-For": address}
        )
        return answer.status_code

    assert [ask(number, "203.0.113.9") for number in range(62)] == [303] * 60 + [429] * 2
    assert ask(63, "203.0.113.10") == 303
    with app.app_context():
        for one in db.engines.values():
            one.dispose()


def test_proxies_are_counted_by_a_small_number(tmp_path: Path) -> None:
    for wrong in ("-1", "due", "10"):
        with pytest.raises(CannotRun, match="PROXIES"):
            settings_from({"VAR": str(tmp_path), "PROXIES": wrong})


def test_tries_are_counted_within_their_time_each_for_its_owner(session: Session) -> None:
    for minute in range(3):
        count_attempt(session, NOW + timedelta(minutes=minute), "this", "a", 3, HOUR)
    count_attempt(session, NOW, "this", "b", 3, HOUR)
    count_attempt(session, NOW, "that", "a", 3, HOUR)
    with pytest.raises(TooMany) as refusal:
        count_attempt(session, NOW + timedelta(minutes=10), "this", "a", 3, HOUR)
    assert refusal.value.values["minutes"] == 50
    count_attempt(session, NOW + HOUR, "this", "a", 1, HOUR)
    forget_attempts(session, "this", "a")
    count_attempt(session, NOW + HOUR, "this", "a", 1, HOUR)
    for _ in range(5):
        count_attempt(session, NOW, "this", "", 1, HOUR)


def test_what_signing_in_leaves_behind_is_forgotten(known: Application, installation: Installation) -> None:
    with known.app_context():
        long_ago = datetime.now(UTC) - timedelta(days=40)
        for when in (long_ago, datetime.now(UTC)):
            make_link(db.session, when, "anna@example.org")
            count_attempt(db.session, when, "this", str(when), 1, HOUR)
        set_scope(db.session, Scope(CITY))
        defer(db.session, forget, CITY)
        db.session.commit()
    run_waiting(known, installation.app_url)
    with known.app_context():
        assert len(db.session.exec(select(SignInLink)).all()) == 1
        assert len(db.session.exec(select(Attempts)).all()) == 1
