"""Prometheus reads the queue and the pages of all processes; nobody else does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from marketplace import create_app
from marketplace.config import Settings
from marketplace.db import Scope, db, set_scope
from marketplace.installation import Installation
from marketplace.rounds.operations import start_round
from marketplace.web import Application
from tests.city import NOW, OFFICER, add_need, found_city

TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def client(installation: Installation, settings: Settings) -> Iterator[FlaskClient]:
    made = create_app(replace(settings, metrics_token="s3cret"), installation.app_url)
    with made.app_context():
        set_scope(db.session, Scope())
        found_city(db.session)
        add_need(db.session, "n1")
        start_round(db.session, OFFICER, NOW, 5)
        db.session.commit()
    yield made.test_client()
    with made.app_context():
        db.engine.dispose()


def value(page: str, name: str) -> float:
    [found] = re.findall(rf"^{re.escape(name)} (.*)$", page, re.MULTILINE)
    return float(found)


def test_the_queue_is_told(client: FlaskClient) -> None:
    page = client.get("/metrics", headers=TOKEN)
    assert page.content_type.startswith("text/plain")
    assert value(page.text, 'condiviso_jobs{state="waiting"}') == 1
    assert value(page.text, 'condiviso_jobs{state="failed"}') == 0
    assert value(page.text, "condiviso_job_oldest_seconds") >= 0
    assert value(page.text, "condiviso_workers") == 0
    assert value(page.text, "condiviso_database_up") == 1


@pytest.mark.parametrize("given", [None, "Bearer wrong", "s3cret"])
def test_without_the_token_there_is_no_such_page(client: FlaskClient, given: str | None) -> None:
    assert client.get("/metrics", headers={"Authorization": given} if given else {}).status_code == 404


def test_without_a_token_set_nobody_reads(app: Application) -> None:
    assert app.test_client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_a_silent_database_is_told(settings: Settings) -> None:
    app = create_app(
        replace(settings, metrics_token="s3cret"), "postgresql+psycopg://app@127.0.0.1:1/none?connect_timeout=2"
    )
    page = app.test_client().get("/metrics", headers=TOKEN)
    assert value(page.text, "condiviso_database_up") == 0


def test_a_process_that_ends_leaves_the_others_their_count() -> None:
    code = """
import os, sys
from marketplace.metrics import FOLDER, counting
with counting():
    child = os.fork()
    if not child:
        sys.exit()
    os.waitpid(child, 0)
    assert os.path.isdir(os.environ[FOLDER])
assert not os.path.exists(os.environ[FOLDER])
"""
    subprocess.run([sys.executable, "-c", code], check=True)
