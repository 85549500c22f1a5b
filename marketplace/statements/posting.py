"""An entry is written once: its business key is unique, and writing it again changes nothing."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from billing import ledger
from marketplace.statements.models import LedgerEntry, Posting


def post(session: Session, municipality_id: str, entry: ledger.Entry, now: datetime, booked_on: date) -> bool:
    """Write one entry unless its key is written already; True if it was new."""
    written = session.connection().execute(
        insert_or_skip(LedgerEntry)
        .values(_entry_row(municipality_id, entry, now, booked_on))
        .on_conflict_do_nothing(constraint="posted_once")
        .returning(col(LedgerEntry.id))
    )
    entry_id = written.scalar()
    if entry_id is None:
        return False
    session.connection().execute(insert(Posting), _posting_rows(municipality_id, entry, entry_id))
    return True


def post_all(
    session: Session, municipality_id: str, entries: Iterable[ledger.Entry], now: datetime, booked_on: date
) -> None:
    """Write many new entries at once; a key that is written already is a violated constraint (`posted_once`)."""
    rows = [(_entry_row(municipality_id, entry, now, booked_on), entry) for entry in entries]
    if not rows:
        return
    connection = session.connection()
    connection.execute(insert(LedgerEntry), [row for row, _ in rows])
    postings = [posting for row, entry in rows for posting in _posting_rows(municipality_id, entry, row["id"])]
    connection.execute(insert(Posting), postings)


def balance_cents(session: Session, municipality_id: str, account: ledger.Account) -> int:
    """An account's balance: debits less credits."""
    total = session.exec(
        select(func.coalesce(func.sum(col(Posting.cents)), 0)).where(
            Posting.municipality_id == municipality_id, Posting.account == str(account)
        )
    ).one()
    return int(total)


def _entry_row(municipality_id: str, entry: ledger.Entry, now: datetime, booked_on: date) -> dict[str, Any]:
    return {
        "municipality_id": municipality_id,
        "id": uuid7(),
        "business_key": entry.key,
        "event": entry.event,
        "at": now,
        "booked_on": booked_on,
    }


def _posting_rows(municipality_id: str, entry: ledger.Entry, entry_id: Any) -> list[dict[str, Any]]:
    return [
        {
            "municipality_id": municipality_id,
            "id": uuid7(),
            "entry_id": entry_id,
            "account": str(posting.account),
            "cents": posting.amount_cents,
        }
        for posting in entry.postings
    ]
