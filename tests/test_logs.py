"""The log says what happened and where; never who somebody is, what anybody wrote, or a secret address."""

import json
import logging
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from procrastinate.jobs import Job

from marketplace.accounts.models import User
from marketplace.db import db
from marketplace.logs import JsonLine, PlainLine
from marketplace.web import Application, now, public

SECRET = "RSSMRA85T10A562S"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is written meanwhile, as JSON."""
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    handler = Keep()
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield found
    root.removeHandler(handler)
    root.setLevel(before)


def test_a_request_is_one_line_with_its_rule_and_its_proxy_s_id(
    app: Application, client: FlaskClient, lines: list[str]
) -> None:
    answer = client.get("/rispondi/006003a-secret?q=x", headers={"X-Request-Id": "proxy-12345"})
    assert answer.headers["X-Request-Id"] == "proxy-12345"
    [line] = [json.loads(one) for one in lines if "marketplace.requests" in one]
    assert (line["rule"], line["status"], line["request"]) == ("/rispondi/<secret>", 404, "proxy-12345")
    assert not any("a-secret" in one for one in lines)


def test_an_id_that_no_proxy_makes_is_not_repeated(client: FlaskClient) -> None:
    assert client.get("/", headers={"X-Request-Id": "x y\t<script>"}).headers["X-Request-Id"].count("-") == 4


def test_a_defect_tells_its_place_and_no_value(app: Application, lines: list[str]) -> None:
    @app.get("/broken/<what>")
    @public
    def broken(what: str) -> str:
        if what == "python":
            raise ValueError(SECRET)
        for _ in range(2):
            db.session.add(User(email=SECRET, fs_uniquifier=SECRET, create_datetime=now()))
        db.session.flush()
        return ""

    app.config["PROPAGATE_EXCEPTIONS"] = False
    for what in ("python", "database"):
        assert app.test_client().get(f"/broken/{what}?code={SECRET}").status_code >= 409
    [python] = [json.loads(one) for one in lines if "ValueError" in one]
    assert python["rule"] == "/broken/<what>"
    assert python["error"].startswith("ValueError < tests/test_logs.py:")
    [database] = [json.loads(one) for one in lines if "IntegrityError" in one]
    assert "23505 user_account_" in database["error"]
    assert not any(SECRET in one for one in lines)


def test_a_job_is_told_without_its_arguments() -> None:
    job = Job(
        id=7, status="doing", queue="default", priority=0, lock=None, queueing_lock=None, task_name="messages.deliver",
        task_kwargs={"email": SECRET},
    )  # fmt: skip
    record = logging.LogRecord("procrastinate.worker", logging.ERROR, "", 0, f"Job failed {SECRET}", None, None)
    record.action, record.job = "job_error", job.log_context()
    for formatter in (JsonLine(), PlainLine()):
        line = formatter.format(record)
        assert "messages.deliver" in line
        assert "job_error" in line
        assert SECRET not in line


def test_a_malformed_request_is_told_without_what_it_was_or_whose() -> None:
    said = f"Invalid request from ip=192.0.2.7: Invalid HTTP request line: 'GET /rispondi/{SECRET}'"
    line = PlainLine().format(logging.LogRecord("gunicorn.error", logging.WARNING, "", 0, said, None, None))
    assert line.endswith("gunicorn.error: invalid request")


def test_lines_for_people_stay_one_line() -> None:
    record = logging.LogRecord("marketplace", logging.WARNING, "", 0, "two\nlines", None, None)
    assert PlainLine().format(record).endswith(" WARNING marketplace: two lines")
    assert "\n" not in PlainLine().format(record)
