"""`python -m tests.faults.kills --points 240 --seed 1`: processes are hit at a step chosen by seed, and begin again.

Each stage of the story runs in a process of its own. A step is each statement and commit that it sends to PostgreSQL,
each call to Stripe and its answer, each e-mail before and after it leaves. At the chosen step the process is killed
(SIGKILL), or the whole database is, or its connection is cut, or Stripe hangs up, or mail fails. Then the stage is
repeated, as people and workers do, and the story goes on. It must end as it does undisturbed: the same states, cents,
messages and movements at Stripe, no difference in the audit, no job left over.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from werkzeug.serving import make_server

from marketplace import create_app
from marketplace.config import settings_from
from marketplace.demo.payments.app import create_app as stand_in_app
from marketplace.demo.payments.store import Store
from marketplace.messages.operations import Folder
from marketplace.postgres import ensure_server
from marketplace.schema import migrate
from tests.database import KEYS
from tests.faults.story import STAGES, Stage, World, found, outcome

MODES = ("process", "process", "process", "process", "database", "cut", "stripe", "mail")
SETTINGS = ("fsync=off",)  # what is written outlives every process, if not the machine
HANGS_AFTER = 40
STRIPE_STAGES = ("collect", "take events", "pay out")
MAIL_STAGES = ("tell", "settle", "close", "collect")


@dataclass(frozen=True)
class Point:
    """Where it hits: at the `step`-th step of a stage."""

    stage: int
    step: int
    mode: str

    def __str__(self) -> str:
        return f"{self.mode} at step {self.step} of '{STAGES[self.stage].name}' ({STAGES[self.stage].role})"


class Blow:
    """Counts the steps of this process and strikes at one."""

    def __init__(self, point: Point | None, data: Path) -> None:
        self.steps, self._point, self._data, self._cut = 0, point, data, False

    def step(self, connection: Any = None) -> None:
        self.steps += 1
        if self._point is None or (self.steps < self._point.step and not self._cut):
            return
        if self._point.mode == "process":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._point.mode == "database" and self.steps == self._point.step:
            kill_database(self._data)
        elif self._point.mode == "cut":
            self._cut = connection is None
            if connection is not None and not connection.closed:
                self._point = None
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def watch(self) -> None:
        """From now on every step of this process is counted."""
        for owner, name, find in (
            (psycopg.Cursor, "execute", lambda cursor: cursor.connection),
            (psycopg.AsyncCursor, "execute", lambda cursor: cursor.connection),
            (psycopg.Connection, "commit", lambda connection: connection),
            (http.client.HTTPConnection, "request", lambda _: None),
            (http.client.HTTPConnection, "getresponse", lambda _: None),
        ):
            self._before(owner, name, find)
        send = Folder.__call__

        def carried(folder: Folder, message: Any) -> None:
            self.step()
            if self._point is not None and self._point.mode == "mail" and self.steps <= self._point.step + 40:
                raise ConnectionRefusedError("the mail server is away")
            send(folder, message)
            with (folder.path.parent / "mail.log").open("a") as log:
                log.write(f"{message['Message-ID']}\n")
            self.step()

        Folder.__call__ = carried  # type: ignore[method-assign]

    def _before(self, owner: Any, name: str, find: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)

        def counted(one: Any, *args: Any, **kwargs: Any) -> Any:
            self.step(find(one))
            return original(one, *args, **kwargs)

        setattr(owner, name, counted)


def kill_database(data: Path) -> None:
    """SIGKILL to the server and to every process of its."""
    main = int((data / "postmaster.pid").read_text().split()[0])
    below = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    for pid in (main, *map(int, below)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Installation:
    """A database server, a stand-in for Stripe and an application of their own, in a folder that goes at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.var = folder, folder / "var"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.server = ensure_server(self.var, SETTINGS)
        self.world = self._world()
        self._owner("create database story")
        migrate(self.world.owner_url)
        with self._stripe():
            assert forked(lambda: found(self.world)) == 0
            self._keep(0)

    def _world(self) -> World:
        settings = settings_from(
            {
                "VAR": str(self.var),
                "SECRET_KEYS": ",".join(KEYS),
                "STRIPE_BASE_ADDRESS": f"http://127.0.0.1:{self.port}",
                "STRIPE_WEBHOOK_SECRET": "whsec_x",
            }
        )
        app_url = self.server.url("app", "story")
        app = create_app(settings, app_url)
        app.config.update(WTF_CSRF_ENABLED=False)
        return World(app, self.server.url("owner", "story"), app_url, f"http://127.0.0.1:{self.port}", self.var)

    def _owner(self, statement: str) -> None:
        with psycopg.connect(
            host=str(self.server.sockets), user="owner", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)

    @contextmanager
    def _stripe(self) -> Iterator[None]:
        """The stand-in in a process of its own."""
        pid = begun(self._serve_stripe)
        try:
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                    break
                time.sleep(0.02)
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _serve_stripe(self) -> None:
        store = Store(self.var / "payments.sqlite")
        make_server("127.0.0.1", self.port, stand_in_app(store), threaded=True).serve_forever()

    def heal(self) -> None:
        """What a supervisor does: the server runs again; what dead workers had at hand is given to others."""
        ensure_server(self.var, SETTINGS).close()

    def _keep(self, number: int) -> None:
        """How all stands before a stage, to begin from there."""
        self._owner(f"drop database if exists before_{number}")
        self._owner(f"create database before_{number} template story")
        with (
            closing(sqlite3.connect(self.var / "payments.sqlite")) as now,
            closing(sqlite3.connect(self.folder / f"{number}.sqlite")) as kept,
        ):
            now.backup(kept)
        log = self.var / "mail.log"
        (self.folder / f"{number}.log").write_bytes(log.read_bytes() if log.exists() else b"")

    def _begin_before(self, number: int) -> None:
        for name in ("payments.sqlite-wal", "payments.sqlite-shm"):
            (self.var / name).unlink(missing_ok=True)
        shutil.copy(self.folder / f"{number}.sqlite", self.var / "payments.sqlite")
        shutil.copy(self.folder / f"{number}.log", self.var / "mail.log")
        self._owner("drop database if exists story with (force)")
        self._owner(f"create database story template before_{number}")
        self._owner("checkpoint")  # else a copied sequence would begin again after a crash

    def play(self, point: Point | None) -> tuple[dict[str, Any], list[int]]:
        """The story, from the stage that is hit on; how it ended, and how many steps each stage took."""
        first = point.stage if point else 0
        self._begin_before(first)
        steps = []
        with self._stripe():
            for number, stage in list(enumerate(STAGES))[first:]:
                hits = point if point and number == first else None
                if hits is None:
                    self._do(stage, None, "by itself")
                    steps.append(int((self.folder / "steps").read_text()))
                else:
                    self._be_hit(stage, hits)
                if point is None and number + 1 < len(STAGES):
                    self._keep(number + 1)
            assert not forked(self._tell), (self.folder / "error").read_text()
        return json.loads((self.folder / "outcome").read_text()), steps

    def _do(self, stage: Stage, point: Point | None, how: str) -> None:
        status = forked(lambda: self._stage(stage, point))
        assert not status, f"'{stage.name}' failed {how}: {(self.folder / 'error').read_text()}"

    def _be_hit(self, stage: Stage, point: Point) -> None:
        """Hit once; whatever came of it, a supervisor and people begin the stage again."""
        if point.mode == "stripe":
            self._hang_up(point)
        pid = begun(lambda: self._stage(stage, point))
        until = time.monotonic() + HANGS_AFTER
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError("neither ends nor goes on")
            self.heal()
            time.sleep(0.05)
        self.heal()
        bury_workers(self.world.owner_url)
        self._do(stage, None, "when repeated")

    def _hang_up(self, point: Point) -> None:
        store = self.world.store()
        with store.transaction():
            store.set_switch("hang_up_next", 1 + point.step % 3)
            store.set_switch("hang_up_seconds", 0.1)
        store.close()

    def _stage(self, stage: Stage, point: Point | None) -> None:
        with reporting(self.folder / "error"):
            set_clocks(stage.at)
            blow = Blow(point, self.var / "postgres" / "data")
            blow.watch()
            try:
                stage.run(self.world, stage.at)
            finally:
                (self.folder / "steps").write_text(str(blow.steps))

    def _tell(self) -> None:
        with reporting(self.folder / "error"):
            with create_engine(self.world.owner_url, poolclass=NullPool).connect() as owner:
                told = outcome(self.world, owner)
            (self.folder / "outcome").write_text(json.dumps(told))


def bury_workers(owner_url: str) -> None:
    """Time passes: the heartbeat of every worker is old, and what it had at hand is given back to the queue."""
    with create_engine(owner_url, poolclass=NullPool).begin() as owner:
        owner.execute(text("update procrastinate_workers set last_heartbeat = now() - interval '5 minutes'"))
        given_back = "select procrastinate_retry_job_v2(id, now(), null, null, null) from procrastinate_jobs"
        owner.execute(text(f"{given_back} where status = 'doing'"))


def set_clocks(at: datetime) -> None:
    """The clock on this process's wall."""
    import marketplace.jobs
    import marketplace.web

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return at.astimezone(tz)

    marketplace.jobs.datetime = Clock  # type: ignore[misc]
    marketplace.web.datetime = Clock  # type: ignore[misc]


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.write_text(traceback.format_exc())
        raise


def forked(work: Callable[[], None]) -> int:
    """Do it in a process of its own; 0 if it ended well."""
    return os.waitpid(begun(work), 0)[1]


def begun(work: Callable[[], None]) -> int:
    """The process that does it."""
    pid = os.fork()
    if not pid:
        run_quietly(work)
    return pid


def run_quietly(work: Callable[[], None]) -> None:
    """In the new process, and its end."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        work()
        status = 0
    finally:
        os._exit(status)


def choose(points: int, seed: int, steps: list[int]) -> list[Point]:
    """So many points, each stage in proportion to its steps, and each at least once."""
    luck = random.Random(seed)
    stages = list(range(len(steps)))
    chosen = []
    for number in range(points):
        mode = luck.choice(MODES)
        names = {"stripe": STRIPE_STAGES, "mail": MAIL_STAGES}.get(mode)
        among = [one for one in stages if names is None or STAGES[one].name in names]
        stage = among[number % len(among)] if number < 2 * len(stages) else luck.choices(
            among, [steps[one] for one in among])[0]  # fmt: skip
        chosen.append(Point(stage, luck.randint(1, steps[stage]), mode))
    return chosen


def faults_of(expected: dict[str, Any], ended: dict[str, Any], point: Point) -> list[str]:
    """What is not as it is undisturbed. An e-mail may leave again, the same, only where its process was hit."""
    wrong = [f"audit: {one}" for one in ended["differences"]]
    wrong += [f"{name}: {ended[name]}, not {expected[name]}" for name in ("at_stripe", "mails") if
              ended[name] != expected[name]]  # fmt: skip
    if ended["again"] > 2:  # two jobs at a time
        wrong.append(f"{ended['again']} e-mails left twice")
    before, after = map(Counter, (map(tuple, expected["counted"]), map(tuple, ended["counted"])))
    wrong += [f"missing {one}" for one in before - after] + [f"instead {one}" for one in after - before]
    return [f"{point}: {one}" for one in wrong]


def play_all(points: int, seed: int, say: Callable[[str], None]) -> list[str]:
    """Every fault found."""
    found_faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        installation = Installation(Path(folder))
        try:
            expected, steps = installation.play(None)
            assert not expected["differences"], expected["differences"]
            assert not expected["again"]
            say(f"{sum(steps)} steps: " + ", ".join(f"{s.name} {n}" for s, n in zip(STAGES, steps, strict=True)))
            again = 0
            for number, point in enumerate(choose(points, seed, steps), 1):
                try:
                    ended, _ = installation.play(point)
                    wrong = faults_of(expected, ended, point)
                    again += ended["again"]
                except (AssertionError, DBAPIError) as problem:
                    wrong = [f"{point}: {problem}"]
                    installation.heal()
                for one in wrong:
                    say(one)
                found_faults += wrong
                if number % 20 == 0:
                    say(f"{number} of {points}, {len(found_faults)} faults, {again} e-mails again")
        finally:
            installation.server.close()
    return found_faults


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--points", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wrong = play_all(arguments.points, arguments.seed, lambda line: print(line, flush=True))  # noqa: T201
    print(f"{arguments.points} points, seed {arguments.seed}: {len(wrong)} faults")  # noqa: T201
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
