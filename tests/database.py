"""Every test that commits gets a database of its own: a copy, made in milliseconds, of one that is migrated once."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import NullPool, create_engine
from sqlmodel import Session

import marketplace
from marketplace.demo.history import Size, make_demo
from marketplace.installation import Installation
from marketplace.postgres import Server, ensure_server
from marketplace.schema import migrate
from marketplace.sealed import keyring

ROOT = Path(__file__).parents[1]
VAR = ROOT / "build" / "test-database"  # kept between runs, so that the next one starts at once
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
KEYS = ("a key for tests of no use elsewhere",)
SMALL = Size(first_families=80, families=130, first_seconds=3, second_seconds=3)
SOURCE = Path(marketplace.__file__).parent
_numbers = itertools.count()


@contextmanager
def running_server() -> Iterator[Server]:
    """The server of the tests, shared by xdist's workers and by runs at the same time."""
    with ensure_server(VAR, SETTINGS) as server:
        yield server


def migrated_template(server: Server) -> str:
    """The name of an empty database at the schema of the code as it stands."""
    return _template(server, "template", "template1", lambda draft: migrate(draft.owner_url))


def city_template(server: Server) -> str:
    """The name of a database that holds the demo with its past, in a small city."""
    return _template(server, "city", migrated_template(server), _make_demo)


def _make_demo(installation: Installation) -> None:
    """Without an application: Playwright's event loop, where journeys run, does not let Flask end its context."""
    keyring.unlock(list(KEYS))
    engine = create_engine(installation.app_url, poolclass=NullPool)
    with Session(engine) as session:
        make_demo(session, datetime.now(UTC), lambda line: None, SMALL)


def _template(server: Server, kind: str, base: str, fill: Callable[[Installation], object]) -> str:
    """A database to copy, filled by whichever worker comes first; those of older code go."""
    name = f"{kind}_{_fingerprint()}"
    with _maintenance(server) as connection:
        connection.execute("select pg_advisory_lock(hashtext(%s))", (kind,))
        known = [row[0] for row in connection.execute("select datname from pg_database").fetchall()]
        if name not in known:
            for old in known:
                if old.startswith(f"{kind}_") or _is_left_over(old):
                    with suppress(psycopg.errors.ObjectInUse):
                        _drop(connection, old)
            draft = f"draft_{os.getpid()}"
            connection.execute(sql.SQL("create database {} template {}").format(*map(sql.Identifier, (draft, base))))
            fill(Installation(server.url("owner", draft), server.url("app", draft)))
            connection.execute(sql.SQL("alter database {} rename to {}").format(*map(sql.Identifier, (draft, name))))
    return name


@contextmanager
def copied(server: Server, template: str) -> Iterator[Installation]:
    """A database of one's own, dropped at the end."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with _maintenance(server) as connection:
        connection.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(*map(sql.Identifier, (name, template)))
        )
        try:
            yield Installation(server.url("owner", name), server.url("app", name))
        finally:
            _drop(connection, name)


def _fingerprint() -> str:
    """Of all the code, as any of it may change the schema."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _is_left_over(name: str) -> bool:
    """Whether it is the work of a process that was killed."""
    kind, _, rest = name.partition("_")
    return kind in ("test", "draft") and not Path(f"/proc/{rest.split('_')[0]}").exists()


def _drop(connection: psycopg.Connection, name: str) -> None:
    force = " with (force)" if name.startswith("test_") else ""
    connection.execute(sql.SQL("drop database if exists {}" + force).format(sql.Identifier(name)))


@contextmanager
def _maintenance(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(host=str(server.sockets), user="owner", dbname="postgres", autocommit=True) as connection:
        yield connection
