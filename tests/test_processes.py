"""A tree of processes lives and ends together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

TREE = """
import signal, subprocess, sys, time
from pathlib import Path
from marketplace.processes import Child, Ended, KeepsFailing, Tree, ends_by_signal

home, kind = Path(sys.argv[1]), sys.argv[2]

def note(name):
    def run():
        import os
        grandchild = subprocess.Popen(["sleep", "600"])
        (home / f"{name}.new").write_text(f"{os.getpid()} {grandchild.pid}")
        (home / f"{name}.new").rename(home / name)
        if kind == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if kind == "failing":
            grandchild.kill()
            raise RuntimeError("no luck")
        time.sleep(600)
    return run

tree = Tree([Child("one", note("one")), Child("two", note("two"))], home / "log")
try:
    with ends_by_signal():
        tree.start()
        while True:
            tree.tend()
            time.sleep(0.02)
except Ended:
    print("ended")
except KeepsFailing as problem:
    print(problem)
finally:
    tree.stop()
"""


def soon(done: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pids(home: Path, *names: str) -> list[int]:
    assert soon(lambda: all((home / name).exists() for name in names))
    return [int(pid) for name in names for pid in (home / name).read_text().split()]


def runs(pid: int) -> bool:
    """Whether it lives; who has ended and waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    kind = getattr(request, "param", "obedient")
    parent = subprocess.Popen(
        [sys.executable, "-c", TREE, str(tmp_path), kind], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield parent
    with suppress(ProcessLookupError):
        parent.kill()
    parent.communicate()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_asked_for_end_leaves_no_child_nor_grandchild(
    tmp_path: Path, tree: subprocess.Popen[str], sign: signal.Signals
) -> None:
    found = pids(tmp_path, "one", "two")
    tree.send_signal(sign)
    assert tree.communicate(timeout=60)[0] == "ended\n"
    assert soon(lambda: not any(map(runs, found)))


@pytest.mark.parametrize("tree", ["stubborn"], indirect=True)
def test_a_child_that_will_not_end_is_ended(tmp_path: Path, tree: subprocess.Popen[str]) -> None:
    found = pids(tmp_path, "one", "two")
    tree.terminate()
    tree.communicate(timeout=60)
    assert soon(lambda: not any(map(runs, found)))


def test_a_killed_parent_leaves_no_child(tmp_path: Path, tree: subprocess.Popen[str]) -> None:
    children = pids(tmp_path, "one", "two")[::2]
    tree.kill()
    assert soon(lambda: not any(map(runs, children)))


def test_a_child_that_dies_is_started_again_without_what_it_left(tmp_path: Path, tree: subprocess.Popen[str]) -> None:
    child, grandchild = pids(tmp_path, "one")
    (tmp_path / "one").unlink()
    os.kill(child, signal.SIGKILL)
    assert pids(tmp_path, "one")[0] != child
    assert soon(lambda: not runs(grandchild))


@pytest.mark.parametrize("tree", ["failing"], indirect=True)
def test_a_child_that_dies_again_and_again_ends_all_and_says_where_to_look(
    tmp_path: Path, tree: subprocess.Popen[str]
) -> None:
    said = tree.communicate(timeout=60)[0]
    assert "si ferma di continuo" in said
    assert str(tmp_path / "log") in said
    assert "no luck" in (tmp_path / "log/one.log").read_text()
