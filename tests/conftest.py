"""Fixtures of all tests. `session` rolls back; `installation`, `app`, `client`, `work` have a database of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine, create_engine
from sqlmodel import Session

from marketplace import create_app
from marketplace.config import Settings, settings_from
from marketplace.db import db
from marketplace.installation import Installation
from marketplace.jobs import run_waiting
from marketplace.messages.operations import quiet_by
from marketplace.postgres import Server
from marketplace.sealed import keyring
from marketplace.web import Application
from tests import database
from tests.database import KEYS
from tests.signing import Browser

hypothesis_settings.register_profile("condiviso", deadline=None)  # how long a machine takes is no property of the code
hypothesis_settings.load_profile("condiviso")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The embedded PostgreSQL of the tests."""
    with database.running_server() as running:
        yield running


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """The name of the migrated, empty database that the others are copies of."""
    return database.migrated_template(server)


@pytest.fixture(scope="session")
def engine(server: Server, template: str) -> Iterator[Engine]:
    """An engine, as the role `app`, on this worker's database, in which nothing is ever committed."""
    keyring.unlock(list(KEYS))
    with database.copied(server, template) as mine:
        found = create_engine(mine.app_url)
        yield found
        found.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session as the role `app`, under row-level security: `set_scope` it; its commits are undone at the end."""
    with engine.connect() as connection, connection.begin() as transaction:
        with Session(connection, join_transaction_mode="create_savepoint") as opened:
            yield opened
        transaction.rollback()


@pytest.fixture
def installation(server: Server, template: str) -> Iterator[Installation]:
    """The addresses of a new, migrated, empty database of this test's own."""
    with database.copied(server, template) as mine:
        yield mine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that no environment variable of the machine changes."""
    return settings_from({"VAR": str(tmp_path / "var"), "SECRET_KEYS": ",".join(KEYS)})


@pytest.fixture
def app(installation: Installation, settings: Settings) -> Iterator[Application]:
    """The application on this test's own database, without tokens in forms."""
    made = create_app(settings, installation.app_url)
    made.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    made.test_client_class = Browser
    quiet_by(lambda *_: None)  # whatever the hour at which the tests run
    yield made
    with made.app_context():
        for one in db.engines.values():
            one.dispose()


@pytest.fixture
def client(app: Application) -> FlaskClient:
    """A browser without a screen."""
    return app.test_client()


@pytest.fixture
def work(app: Application, installation: Installation) -> Callable[[], None]:
    """Call it to run all jobs that are due."""
    return lambda: run_waiting(app, installation.app_url)
