"""All that the stand-in knows is in one SQLite file: a call's objects, answer and events are kept, or none is."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
create table if not exists object (id text primary key, kind text not null, number integer not null,
    body text not null);
create index if not exists object_by_kind on object (kind, number);
create table if not exists answer (key text primary key, request text not null, status integer not null,
    body text not null);
create table if not exists event (id text primary key, number integer not null, body text not null, due real not null,
    tries integer not null default 0, delivered integer not null default 0);
create table if not exists switch (name text primary key, value text not null);
"""

# What may be told to the stand-in; a number of times counts down, the others stay until changed.
SWITCHES: dict[str, Any] = {
    "decline_next": 0,
    "decline_code": "insufficient_funds",
    "authenticate_next": 0,
    "dispute_next": 0,
    "hang_up_next": 0,
    "hang_up_seconds": 1.0,
    "webhook_delay_seconds": 0.0,
    "debit_delay_seconds": 2.0,
    "duplicate_webhooks": False,
    "reorder_webhooks": False,
    "hold_webhooks": False,
}


class Store:
    """One connection, one call at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript("pragma journal_mode=wal;" + SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that happens inside is kept, or nothing is."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    # objects -----------------------------------------------------------------
    def put(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Keeps an object, new or changed."""
        number = self._next_number()
        self._connection.execute(
            "insert into object values (?, ?, ?, ?) on conflict (id) do update set body = excluded.body",
            (body["id"], kind, number, json.dumps(body)),
        )
        return body

    def find(self, kind: str, object_id: str) -> dict[str, Any] | None:
        row = self._connection.execute(
            "select body from object where id = ? and kind = ?", (object_id, kind)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def newest(self, kind: str) -> list[dict[str, Any]]:
        """All of a kind, newest first."""
        rows = self._connection.execute("select body from object where kind = ? order by number desc", (kind,))
        return [json.loads(row[0]) for row in rows]

    def _next_number(self) -> int:
        row = self._connection.execute(
            "select max((select coalesce(max(number), 0) from object), (select coalesce(max(number), 0) from event))"
        ).fetchone()
        return int(row[0]) + 1

    # idempotency -------------------------------------------------------------
    def find_answer(self, key: str) -> tuple[str, int, dict[str, Any]] | None:
        row = self._connection.execute("select request, status, body from answer where key = ?", (key,)).fetchone()
        return (row[0], row[1], json.loads(row[2])) if row else None

    def keep_answer(self, key: str, request: str, status: int, body: dict[str, Any]) -> None:
        self._connection.execute("insert into answer values (?, ?, ?, ?)", (key, request, status, json.dumps(body)))

    # events ------------------------------------------------------------------
    def put_event(self, body: dict[str, Any], due: float) -> None:
        self._connection.execute(
            "insert into event (id, number, body, due) values (?, ?, ?, ?)",
            (body["id"], self._next_number(), json.dumps(body), due),
        )

    def due_events(self, now: float) -> list[tuple[str, str, int]]:
        """Undelivered events that are due: id, body, how often tried; oldest first."""
        with self._lock:
            rows = self._connection.execute(
                "select id, body, tries from event where delivered = 0 and due <= ? order by number", (now,)
            )
            return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]

    def mark_event(self, event_id: str, *, delivered: bool, due: float) -> None:
        with self._lock:
            self._connection.execute(
                "update event set delivered = ?, tries = tries + 1, due = ? where id = ?", (delivered, due, event_id)
            )

    # switches ----------------------------------------------------------------
    def switch(self, name: str) -> Any:
        with self._lock:
            row = self._connection.execute("select value from switch where name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else SWITCHES[name]

    def set_switch(self, name: str, value: Any) -> None:
        with self._lock:
            self._connection.execute(
                "insert into switch values (?, ?) on conflict (name) do update set value = excluded.value",
                (name, json.dumps(value)),
            )

    def count_down(self, name: str) -> bool:
        """Whether a counted switch is on; uses it up once."""
        left = int(self.switch(name))
        if left > 0:
            self.set_switch(name, left - 1)
        return left > 0


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def timestamp() -> int:
    return int(time.time())
