"""A job that failed for good is seen with its place, by whom it concerns, and done again once."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.errors import Conflict, Rejected
from marketplace.jobs import defer, job
from marketplace.operating.commands import list_or_retry
from marketplace.operating.dead_letters import list_dead_letters, retry_dead_letter
from marketplace.web import Application
from tests.city import CITY, NOW, found_city

SECRET = "RSSMRA85T10A562S"
runs: list[str] = []
is_broken = True


@job("tests.breaks")
def breaks(session, municipality_id, now, **arguments) -> None:
    runs.append(municipality_id)
    if is_broken:
        raise ValueError(SECRET)


@pytest.fixture
def dead(app: Application, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of a job that failed for good."""
    runs.clear()
    with app.app_context():
        found_city(db.session)
        for role, name in ((Role.ADMINISTRATOR, "admin"), (Role.OFFICER, "officer")):
            appoint(db.session, NOW, add_user(db.session, NOW, f"{name}@example.org", name).id, CITY, role)
        defer(db.session, breaks, CITY, person=SECRET)
        db.session.commit()
    work()
    with app.app_context():
        [found] = list_dead_letters(db.session, CITY)
    assert found.task == "tests.breaks"
    assert found.error.startswith("ValueError < tests/operating/test_dead_letters.py:")
    monkeypatch.setattr(f"{__name__}.is_broken", False)
    return found.id


def test_it_is_done_again_and_the_administrator_is_on_record(
    app: Application, work: Callable[[], None], dead: int
) -> None:
    by = Actor(CITY, Role.ADMINISTRATOR)
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        retry_dead_letter(db.session, by, NOW, dead)
        db.session.commit()
        with pytest.raises(Conflict):
            retry_dead_letter(db.session, by, NOW, dead)
        db.session.rollback()
        [line] = db.session.exec(select(AuditEntry).where(AuditEntry.action == "retry_job")).all()
        assert line.detail == {"job": dead, "task": "tests.breaks"}
    work()
    work()
    assert runs == [CITY, CITY]
    with app.app_context():
        assert list_dead_letters(db.session, CITY) == []


def test_another_municipality_neither_sees_nor_retries_it(app: Application, dead: int) -> None:
    with app.app_context():
        assert list_dead_letters(db.session, "051002") == []
        with pytest.raises(Conflict):
            retry_dead_letter(db.session, Actor("051002", Role.ADMINISTRATOR), NOW, dead)


def test_the_page_shows_the_place_and_no_argument(app: Application, client: FlaskClient, dead: int) -> None:
    with app.app_context():
        from marketplace.accounts.models import User

        uniquifier = db.session.exec(select(User.fs_uniquifier).where(User.email == "admin@example.org")).one()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = uniquifier
        cookie["_fresh"] = True
    page = client.get("/gestione/lavori")
    assert "tests.breaks" in page.text
    assert "ValueError" in page.text
    assert SECRET not in page.text
    assert client.post(f"/gestione/lavori/{dead}/riprova").status_code == 303
    assert "Niente da riprovare" in client.get("/gestione/lavori").text
    assert client.post(f"/gestione/lavori/{dead}/riprova").status_code == 409


def test_the_command_lists_and_retries(app: Application, work: Callable[[], None], dead: int) -> None:
    said: list[str] = []
    now = datetime.now(UTC)
    with app.app_context():
        assert list_or_retry(db.session, now, None, said.append) == 1
        assert said[0].startswith(f"{dead}\t")
        assert SECRET not in said[0]
        with pytest.raises(Rejected):
            list_or_retry(db.session, now, "7; drop", said.append)
        assert list_or_retry(db.session, now, "all", said.append) == 0
        assert list_or_retry(db.session, now, None, said.append) == 0
    work()
    assert runs == [CITY, CITY]
