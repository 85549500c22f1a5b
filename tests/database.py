"""Every test that commits gets a database of its own: a copy, made in milliseconds, of one that is migrated once."""

import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

import marketplace
from marketplace.installation import Installation
from marketplace.postgres import Server, ensure_server
from marketplace.schema import migrate

ROOT = Path(__file__).parents[1]
VAR = ROOT / "build" / "test-database"  # kept between runs, so that the next one starts at once
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
SOURCE = Path(marketplace.__file__).parent
_numbers = itertools.count()


@contextmanager
def running_server() -> Iterator[Server]:
    """The server of the tests, shared by xdist's workers and by runs at the same time."""
    with ensure_server(VAR, SETTINGS) as server:
        yield server


def migrated_template(server: Server) -> str:
    """The name of a database at the schema of the code as it stands; made by whichever worker comes first."""
    name = f"template_{_fingerprint()}"
    with _maintenance(server) as connection:
        connection.execute("select pg_advisory_lock(1)")
        known = [row[0] for row in connection.execute("select datname from pg_database").fetchall()]
        if name not in known:
            for old in filter(_is_left_over, known):
                with suppress(psycopg.errors.ObjectInUse):
                    _drop(connection, old)
            draft = f"draft_{os.getpid()}"
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(draft)))
            migrate(server.url("owner", draft))
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
    kind, _, rest = name.partition("_")
    if kind in ("test", "draft"):
        return not Path(f"/proc/{rest.split('_')[0]}").exists()
    return kind == "template"


def _drop(connection: psycopg.Connection, name: str) -> None:
    force = "" if name.startswith("template_") else " with (force)"
    connection.execute(sql.SQL("drop database if exists {}" + force).format(sql.Identifier(name)))


@contextmanager
def _maintenance(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(host=str(server.sockets), user="owner", dbname="postgres", autocommit=True) as connection:
        yield connection
