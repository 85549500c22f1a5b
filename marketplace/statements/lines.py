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
# One JSON document for a batch: psycopg writes it many times faster than arrays, and there is one parameter to bind.
_INSERT: Final = f"""
    insert into statement_line ({", ".join(TYPES)}) select * from json_to_recordset(cast(:rows as json))
      as new ({", ".join(f"{name} {kind}" for name, kind in TYPES.items())})"""  # noqa: S608


def write_lines(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `statement_line`, each with all its columns."""
    if rows:
        session.connection().execute(text(_INSERT), {"rows": json.dumps(rows, default=str)})
