"""Lines are written by the set: one statement for a batch, whatever the number of its families."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlmodel import Session

TYPES: Final = {
    "municipality_id": "text",
    "id": "uuid",
    "statement_id": "uuid",
    "household_id": "uuid",
    "meeting_id": "uuid",
    "membership_id": "uuid",
    "provider_id": "uuid",
    "kind": "text",
    "share_cents": "bigint",
    "subsidy_cents": "bigint",
    "guarantee_cents": "bigint",
    "net_cents": "bigint",
    "provider_cents": "bigint",
    "explanation": "jsonb",
}
_INSERT: Final = f"""
    insert into statement_line ({", ".join(TYPES)})
    select * from unnest({", ".join(f"cast(:{name} as {kind}[])" for name, kind in TYPES.items())})"""  # noqa: S608


def write_lines(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `statement_line`, each with all its columns."""
    if rows:
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in TYPES}
        columns["explanation"] = [json.dumps(explanation) for explanation in columns["explanation"]]
        session.connection().execute(text(_INSERT), columns)
