"""What the tests' own database promises."""

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlmodel import Session, select

from marketplace.accounts.models import Municipality
from marketplace.db import db
from marketplace.installation import Installation
from marketplace.jobs import plain
from marketplace.web import Application

AREZZO = {"id": "051002", "name": "Arezzo", "lat": 43.46, "lon": 11.88, "created_at": "2026-09-01T00:00:00+00:00"}


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_session_commits_nothing_that_another_test_could_see(session: Session, time: str) -> None:
    assert session.exec(select(Municipality)).all() == []
    session.add(Municipality.model_validate(AREZZO))
    session.commit()
    assert session.exec(select(Municipality.id)).all() == ["051002"]


@pytest.mark.parametrize("time", ["first", "second"])
def test_an_application_commits_to_a_database_of_its_own(
    app: Application, installation: Installation, time: str
) -> None:
    with app.app_context():
        assert db.session.exec(select(Municipality)).all() == []
        db.session.add(Municipality.model_validate(AREZZO))
        db.session.commit()
    with psycopg.connect(installation.owner_url.replace("+psycopg", "")) as another:
        assert another.execute("select id from municipality").fetchall() == [("051002",)]


def test_tests_obey_row_level_security(session: Session) -> None:
    found = session.connection().execute(
        text("select current_user::text, rolsuper or rolbypassrls from pg_roles where rolname = current_user")
    )
    assert found.one() == ("app", False)


def test_a_database_that_started_again_is_no_fault_of_the_next_request(
    app: Application, client: FlaskClient, installation: Installation
) -> None:
    assert client.get("/").status_code == 200
    with psycopg.connect(plain(installation.owner_url)) as owner:
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert client.get("/").status_code == 200
