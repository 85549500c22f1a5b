"""A household has one statement a month, opened when its first line is written."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import Session
from uuid_utils.compat import uuid7

from marketplace.statements.models import Statement


class OpenStatements(dict[UUID, UUID]):
    """The statements of a month by household, each opened, still empty, when it is first asked for.

    Those that stay empty, because their meetings wait for a decision, are taken away again.
    """

    def __init__(self, session: Session, municipality_id: str, month: date, due_on: date) -> None:
        super().__init__()
        self._session, self._city, self._month, self._due_on = session, municipality_id, month, due_on

    def open(self, households: Iterable[UUID]) -> None:
        """Open those that are not open yet, in one go."""
        rows: list[dict[str, Any]] = [
            {
                "municipality_id": self._city,
                "id": uuid7(),
                "household_id": household_id,
                "month": self._month,
                "state": "open",
                "total_cents": 0,
                "due_on": self._due_on,
            }
            for household_id in households
            if household_id not in self
        ]
        if rows:
            self._session.connection().execute(insert(Statement), rows)
        self.update({row["household_id"]: row["id"] for row in rows})
