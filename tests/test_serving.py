"""The site as it is really served: several processes that count together, and finish what they have begun."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from marketplace.installation import Installation
from marketplace.jobs import plain
from tests.test_processes import soon

READY_SECONDS = 180  # a machine that runs other tests beside is slow, not wrong


@pytest.fixture
def site(installation: Installation, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """The address of a real `marketplace web` in production, its process, and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "VAR": str(tmp_path / "var"),
        "DATABASE_URL": installation.owner_url,
        "PORT": str(port),
        "PRODUCTION": "1",
        "SECRET_KEYS": "a key of the tests",
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": "s3cret",
        "BASE_URL": "https://condiviso.example",
    }
    log = tmp_path / "web.log"
    code = "from marketplace.cli import main; main(['web'])"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=os.environ | settings, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        assert soon(lambda: process.poll() is not None or is_ready(address), READY_SECONDS)
        assert process.poll() is None, log.read_text()
        yield address, process, log
    finally:
        process.kill()
        process.wait()


def is_ready(address: str) -> bool:
    with suppress(OSError):
        return read(f"{address}/ready")[0] == 200
    return False


def read(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ""


@pytest.mark.slow
def test_all_processes_count_together_and_log_json(site: tuple[str, subprocess.Popen[bytes], Path]) -> None:
    address, _process, log = site
    with ThreadPoolExecutor(8) as pool:
        assert {status for status, _ in pool.map(read, [f"{address}/entra"] * 40)} == {200}
    page = read(f"{address}/metrics", Authorization="Bearer s3cret")[1]
    counted = re.findall(r'^condiviso_request_seconds_count{.*rule="/entra",status="200"} (.*)$', page, re.M)
    assert [float(one) for one in counted] == [40]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line.get("rule") == "/entra" for line in lines) == 40


@pytest.mark.slow
def test_a_connection_stays_open_for_whoever_asks_again_later(site: tuple[str, subprocess.Popen[bytes], Path]) -> None:
    host = site[0].removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
        for wait in (0, 4):
            time.sleep(wait)
            connection.request("GET", "/entra")
            answer = connection.getresponse()
            assert answer.read()
            assert answer.status == 200


def waits_for_lock(connection: psycopg.Connection[tuple[bool]]) -> bool:
    """Whether somebody stands in line in this connection's database."""
    query = (
        "select exists (select from pg_locks join pg_database d on d.oid = database where not granted and datname = %s)"
    )
    found = connection.execute(query, (connection.info.dbname,)).fetchone()
    return found is not None and found[0]


@pytest.mark.slow
def test_what_is_being_answered_at_the_end_is_answered(
    site: tuple[str, subprocess.Popen[bytes], Path], installation: Installation
) -> None:
    address, process, log = site
    with ThreadPoolExecutor(1) as pool, psycopg.connect(plain(installation.owner_url)) as slow:
        slow.execute("lock table municipality in access exclusive mode")
        answer = pool.submit(read, f"{address}/entra")
        assert soon(lambda: waits_for_lock(slow), READY_SECONDS)
        process.send_signal(signal.SIGTERM)
        time.sleep(4)
        assert process.poll() is None
        assert not answer.done()
        slow.rollback()
        assert answer.result(60)[0] == 200, log.read_text()
    assert process.wait(60) == 0
    with pytest.raises(OSError):
        read(f"{address}/ready")
