"""A tree of processes lives and ends together: a child that dies is started again, an ended parent leaves no child."""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from marketplace.errors import CannotRun
from marketplace.words import N_

PR_SET_PDEATHSIG = 1
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.1
STOP_SECONDS = 5
RESTARTS_MAX = 5
RESTARTS_WITHIN_SECONDS = 60


class Ended(Exception):
    """Somebody asked for the end: Ctrl-C, SIGTERM, a closed terminal."""


class KeepsFailing(CannotRun):
    """A child died again and again."""

    default = N_("Il processo %(name)s si ferma di continuo: %(log)s dice perché.")


@dataclass
class Child:
    """A named piece of work that runs in a process of its own; `orphaned` is the signal it gets when we are killed."""

    name: str
    run: Callable[[], None]
    orphaned: signal.Signals = signal.SIGKILL
    pid: int = 0
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=RESTARTS_MAX))
    due: float = 0.0


@contextmanager
def ends_by_signal() -> Iterator[None]:
    """Within, an asked-for end is the exception Ended, once."""

    owner = os.getpid()

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        if os.getpid() != owner:  # a fork that kept our handler, as a pool's workers do: it just ends
            os._exit(128 + number)
        for sign in ENDINGS:
            signal.signal(sign, signal.SIG_IGN)
        raise Ended

    before = {sign: signal.signal(sign, end) for sign in ENDINGS}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


class Tree:
    """The children of this process. They are forked, so that what is imported already costs them nothing.

    Nothing that a fork may not share (threads, database connections) may be open here.
    """

    def __init__(self, children: Sequence[Child], logs: Path) -> None:
        self.children = children
        self.logs = logs

    def start(self) -> None:
        """Start all, each with a new log."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for child in self.children:
            self._log(child).unlink(missing_ok=True)
            self._fork(child)

    def tend(self) -> None:
        """Start again those that died, later each time; raises KeepsFailing."""
        now = time.monotonic()
        for child in self.children:
            if child.pid and _has_ended(child.pid):
                _end_group(child.pid, signal.SIGKILL)
                child.pid = 0
                child.deaths.append(now)
                if len(child.deaths) == RESTARTS_MAX and now - child.deaths[0] < RESTARTS_WITHIN_SECONDS:
                    raise KeepsFailing(name=child.name, log=self._log(child))
                child.due = now + 0.25 * 2 ** len(child.deaths)
            if not child.pid and now >= child.due:
                self._fork(child)

    def stop(self) -> None:
        """Ask all to end, then see to it; returns when none is left."""
        running = [child for child in self.children if child.pid]
        for child in running:
            _end_group(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in running:
            while not _has_ended(child.pid) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS / 5)
            _end_group(child.pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child.pid, 0)
            child.pid = 0

    def _log(self, child: Child) -> Path:
        return self.logs / f"{child.name}.log"

    def _fork(self, child: Child) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        child.pid = os.fork()
        if not child.pid:
            _become(child, parent, self._log(child))


def _become(child: Child, parent: int, log: Path) -> NoReturn:
    """In the new process: a group of its own, so that the terminal's Ctrl-C reaches only the parent."""
    status = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, child.orphaned)
        if os.getppid() == parent:
            for sign in ENDINGS:
                signal.signal(sign, signal.SIG_DFL)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
            child.run()
            status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _end_group(pid: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, sign)
