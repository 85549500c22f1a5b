"""Whoever watches over the installation is told how it is, above all when it is not well."""

from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from marketplace import create_app
from marketplace.config import Settings
from marketplace.installation import Installation


def test_without_its_database_the_service_says_so(settings: Settings) -> None:
    app = create_app(settings, "postgresql+psycopg://app@127.0.0.1:1/none?connect_timeout=2")
    answer = app.test_client().get("/health")
    assert answer.status_code == 503
    assert answer.get_json() == {"status": "failing", "database": "unreachable", "worker": "unknown"}


def test_ready_is_who_has_a_database_with_the_schema_of_its_program(
    client: FlaskClient, installation: Installation
) -> None:
    assert client.get("/ready").status_code == 200
    with create_engine(installation.owner_url, poolclass=NullPool).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '0020'"))
    answer = client.get("/ready")
    assert (answer.status_code, answer.get_json()) == (503, {"ready": False, "reason": "schema"})
    with create_engine(installation.owner_url, poolclass=NullPool).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    assert client.get("/ready").status_code == 200


def test_without_its_database_nobody_is_sent_here(settings: Settings) -> None:
    app = create_app(settings, "postgresql+psycopg://app@127.0.0.1:1/none?connect_timeout=2")
    answer = app.test_client().get("/ready")
    assert (answer.status_code, answer.get_json()) == (503, {"ready": False, "reason": "database"})
