"""Whoever watches over the installation is told how it is, above all when it is not well."""

from marketplace import create_app
from marketplace.config import Settings


def test_without_its_database_the_service_says_so(settings: Settings) -> None:
    app = create_app(settings, "postgresql+psycopg://app@127.0.0.1:1/none?connect_timeout=2")
    answer = app.test_client().get("/health")
    assert answer.status_code == 503
    assert answer.get_json() == {"status": "failing", "database": "unreachable", "worker": "unknown"}
