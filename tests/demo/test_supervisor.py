"""`marketplace demo` is one command, and nothing is left when it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from marketplace.serving import PortUnavailable, bind
from tests.test_processes import runs, soon

MARKETPLACE = Path(sys.executable).with_name("marketplace")
START_SECONDS = 300

pytestmark = pytest.mark.slow


@dataclass
class Demo:
    """A running demo, its data folder and its port."""

    process: subprocess.Popen[str]
    var: Path
    port: int

    def health(self) -> dict[str, Any]:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
            return dict(json.load(answer))
        return {}


def environment(var: Path, port: int, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "VAR": str(var), "PORT": str(port), **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(var: Path) -> list[int]:
    """All processes that were told of this data folder, by a variable or an argument."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if os.fsencode(var) in told and int(process.name) != os.getpid():
                found.append(int(process.name))
    return [pid for pid in found if runs(pid)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo on an empty folder, for all tests here; the last one ends it."""
    var, port = tmp_path_factory.mktemp("demo") / "var", free_port()
    log = var.parent / "said"
    with log.open("w") as output:
        process = subprocess.Popen([MARKETPLACE, "demo"], env=environment(var, port), stderr=output, text=True)
    found = Demo(process, var, port)
    assert soon(lambda: process.poll() is not None or "è pronto" in log.read_text(), START_SECONDS)
    assert process.poll() is None, log.read_text()
    yield found
    process.send_signal(signal.SIGINT)
    process.wait(30)


def test_database_and_worker_are_well(demo: Demo) -> None:
    assert soon(lambda: demo.health().get("status") == "ok")


def test_another_command_uses_the_database_of_the_demo(demo: Demo) -> None:
    note = demo.var / "postgres/data/postmaster.pid"
    before = note.read_text().splitlines()[0]
    done = subprocess.run([MARKETPLACE, "migrate"], env=environment(demo.var, demo.port), check=False)
    assert done.returncode == 0
    assert note.read_text().splitlines()[0] == before
    assert demo.health()["database"] == "ok"


def test_a_second_demo_on_the_same_port_says_so_and_starts_nothing(demo: Demo, tmp_path: Path) -> None:
    done = subprocess.run(
        [MARKETPLACE, "demo"], env=environment(tmp_path, demo.port), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"La porta {demo.port} è già in uso: scegline un'altra con PORT=...\n"
    assert not (tmp_path / "postgres").exists()


def test_a_killed_database_comes_back(demo: Demo) -> None:
    postmaster = int((demo.var / "postgres/data/postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)
    assert soon(lambda: not runs(postmaster))
    assert soon(lambda: demo.health().get("status") == "ok", 60)


def test_ctrl_c_ends_all_in_peace(demo: Demo) -> None:
    assert len(processes_of(demo.var)) > 4
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0
    assert soon(lambda: not processes_of(demo.var))


def test_a_port_is_taken_from_the_first_second_on() -> None:
    with bind(0) as first, pytest.raises(PortUnavailable, match="già in uso"):
        bind(first.getsockname()[1])


def test_a_demo_is_refused_in_production(tmp_path: Path) -> None:
    told = environment(tmp_path, free_port(), PRODUCTION="1", SECRET_KEYS="one")
    done = subprocess.run([MARKETPLACE, "demo"], env=told, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "PRODUCTION" in done.stderr


@pytest.mark.parametrize("port", ["0", "many", "70000"])
def test_a_port_that_is_none_is_refused_in_one_line(tmp_path: Path, port: str) -> None:
    told = environment(tmp_path, 0) | {"PORT": port}
    done = subprocess.run([MARKETPLACE, "demo"], env=told, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "PORT" in done.stderr
