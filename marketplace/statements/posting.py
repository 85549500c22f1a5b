"""An entry is written once: its business key is unique, and writing it again changes nothing."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from billing import ledger
from marketplace.errors import Conflict
from marketplace.statements.models import LedgerEntry, Posting
from marketplace.words import N_

TO_COME = "..."
"""In an entry that is only shown: the id that Stripe will give."""


class ShownOtherwise(Conflict):
    """What would be posted is not what the page showed."""

    default = N_("Nel frattempo la scrittura è cambiata: torna indietro e guarda di nuovo che cosa verrà scritto.")


@dataclass(frozen=True, slots=True)
class Deed:
    """An action about money as it will be: its entries, `when` they are written, and what follows (both msgids)."""

    entries: tuple[ledger.Entry, ...]
    when: str
    then: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """Names what the page said and nothing else: the page hands it back with the confirmation."""
        entries = [[one.key, [[str(of.account), of.amount_cents] for of in one.postings]] for one in self.entries]
        return hashlib.sha256(json.dumps([entries, self.then]).encode()).hexdigest()[:32]

    def check_shown(self, mark: str | None) -> None:
        """Raises ShownOtherwise where a page showed other entries; `mark` is None where no page was shown."""
        if mark is not None and mark != self.mark:
            raise ShownOtherwise


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
    _write_postings(session, municipality_id, [(entry_id, entry)])
    return True


def post_all(
    session: Session,
    municipality_id: str,
    entries: Iterable[ledger.Entry],
    now: datetime,
    booked_on: date,
    *,
    is_first: bool = False,
) -> None:
    """Write many new entries at once; a key that is written already is a violated constraint (`posted_once`).

    Before the first of many batches the planner counts anew: it may know the table as it was when it was small, and
    would then look for each posting's entry by reading all of them.
    """
    new = [(uuid7(), entry) for entry in entries]
    if not new:
        return
    session.connection().execute(
        text("""
            insert into ledger_entry (municipality_id, id, business_key, event, at, booked_on)
            select :municipality, id, key, event, :at, :booked_on
            from json_to_recordset(cast(:rows as json)) as new (id uuid, key text, event text)"""),
        {
            "municipality": municipality_id,
            "rows": json.dumps([{"id": str(one), "key": entry.key, "event": entry.event} for one, entry in new]),
            "at": now,
            "booked_on": booked_on,
        },
    )
    if is_first:
        session.connection().execute(text("analyze ledger_entry"))
    _write_postings(session, municipality_id, new)


def _write_postings(session: Session, municipality_id: str, entries: Sequence[tuple[UUID, ledger.Entry]]) -> None:
    """All postings of some entries in one statement: the database checks that each entry of it sums to zero."""
    rows = [
        {"entry": str(entry_id), "account": str(posting.account), "cents": posting.amount_cents}
        for entry_id, entry in entries
        for posting in entry.postings
    ]
    session.connection().execute(
        text("""
            insert into posting (municipality_id, id, entry_id, account, cents)
            select :municipality, uuidv7(), entry, account, cents
            from json_to_recordset(cast(:rows as json)) as new (entry uuid, account text, cents bigint)"""),
        {"municipality": municipality_id, "rows": json.dumps(rows)},
    )


def post_fee(session: Session, municipality_id: str, source: str, cents: int, now: datetime, booked_on: date) -> None:
    """What Stripe kept of a payment or for a dispute, and that the guarantee fund bears it; nothing where that is 0."""
    if cents:
        post(session, municipality_id, ledger.stripe_fee_charged(source, cents), now, booked_on)
        post(session, municipality_id, ledger.fee_borne(source, municipality_id, cents), now, booked_on)


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
