"""One session a request or job, bound to one municipality by row-level security; a row's key names its municipality."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import BigInteger, CheckConstraint, Connection, CursorResult, ForeignKeyConstraint, event, text
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import SessionTransaction
from sqlmodel import Field, Session, SQLModel
from uuid_utils.compat import uuid7

NOBODY = "nobody"


class Database(SQLAlchemy):
    """Flask-SQLAlchemy-Lite with SQLModel's session."""

    @property
    def session(self) -> Session:
        """The session of the current application context."""
        return cast(Session, super().session)


db = Database(session_options={"class_": Session})


@dataclass(frozen=True, slots=True)
class Scope:
    """What row-level security lets a session see.

    `municipality_id` None: only global tables. `household_id`, `provider_id` None: all of the municipality's;
    NOBODY: none of the guarded rows.
    """

    municipality_id: str | None = None
    household_id: UUID | str | None = None
    provider_id: UUID | str | None = None


def set_scope(session: OrmSession, scope: Scope) -> None:
    """From now on the session sees `scope`, across its commits."""
    session.info["scope"] = scope
    if session.in_transaction():
        session.flush()
        _apply(session.connection(), scope)


@contextmanager
def seeing(session: OrmSession, scope: Scope) -> Iterator[None]:
    """The session sees `scope` meanwhile: for what an operation reads for somebody who may not see it whole."""
    before = session.info.get("scope", Scope())
    set_scope(session, scope)
    try:
        yield
    finally:
        session.info["scope"] = before
        if session.is_active and session.in_transaction():
            set_scope(session, before)


def set_author(session: OrmSession, reason: str | None = None, **who: object) -> None:
    """From now on the database notes who changes a row's state: `user_id`, `role`, `on_behalf_of`, and the reason."""
    known = {name: str(value) for name, value in {"reason": reason, **who}.items() if value is not None}
    session.info["author"] = json.dumps(known)
    if session.in_transaction():
        session.flush()
        _sign(session.connection(), session.info["author"])


def _apply(connection: Connection, scope: Scope) -> None:
    connection.execute(
        text(
            "select set_config('app.municipality', :municipality, true),"
            " set_config('app.household', :household, true), set_config('app.provider', :provider, true)"
        ),
        {
            "municipality": scope.municipality_id or "",
            "household": str(scope.household_id or ""),
            "provider": str(scope.provider_id or ""),
        },
    )


def _sign(connection: Connection, author: str) -> None:
    connection.execute(text("select set_config('app.author', :author, true)"), {"author": author})


@event.listens_for(OrmSession, "after_begin")
def _scope_the_transaction(session: OrmSession, transaction: SessionTransaction, connection: Connection) -> None:
    """set_config(..., true) ends with its transaction, so each new one is scoped again."""
    if "scope" in session.info:
        _apply(connection, session.info["scope"])
    if "author" in session.info:
        _sign(connection, session.info["author"])


class Row(SQLModel):
    """A row that belongs to a municipality: key `(municipality_id, id)`, `id` a UUIDv7."""

    municipality_id: str = Field(primary_key=True, foreign_key="municipality.id", max_length=6)
    id: UUID = Field(default_factory=uuid7, primary_key=True, sa_column_kwargs={"server_default": text("uuidv7()")})


def refers(table: str, column: str | None = None) -> ForeignKeyConstraint:
    """A foreign key to another row of the same municipality; `column` defaults to `<table>_id`."""
    local = column or f"{table}_id"
    return ForeignKeyConstraint(
        ["municipality_id", local], [f"{table}.municipality_id", f"{table}.id"], name=f"{local}_exists"
    )


def choice(enum: type[StrEnum]) -> EnumType:
    """A column type for `enum`: its values as text, checked by the database."""
    return EnumType(
        enum,
        native_enum=False,
        create_constraint=True,
        length=40,
        name=f"{enum.__name__.lower()}_known",
        values_callable=lambda members: [member.value for member in members],
    )


def check(name: str, condition: str) -> CheckConstraint:
    """A named rule about one row."""
    return CheckConstraint(condition, name=name)


def cents(*default: int | None) -> Any:
    """A field of integer euro cents (BIGINT), compulsory without a `default`, nullable with None."""
    return Field(default=default[0] if default else ..., sa_type=BigInteger)


def json_list() -> Any:
    """A JSONB field that holds a list, empty by default."""
    return Field(default_factory=list, sa_type=JSONB)


def json_object() -> Any:
    """A JSONB field that holds an object, empty by default."""
    return Field(default_factory=dict, sa_type=JSONB)


def insert_once(session: Session, table: type[SQLModel], row: Mapping[str, Any]) -> bool:
    """Write the row unless it is there, reading nothing back (its writer may not see it); whether it was written."""
    statement = insert(table).values(row).on_conflict_do_nothing()
    result = session.connection().execute(statement, execution_options={"preserve_rowcount": True})
    return bool(cast(CursorResult[None], result).rowcount)
