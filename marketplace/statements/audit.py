"""The books are right when each figure follows again from meetings, rules and Stripe's list; the rest is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import BalanceLine
from marketplace.statements.bills import MeetingBill, iter_billed, iter_corrected
from marketplace.statements.corrections import billed_figures, figures, posted
from marketplace.statements.models import MonthClosing
from marketplace.statements.months import last_day
from marketplace.statements.rules import RULES
from marketplace.words import N_

BATCH_MEETINGS = 1000

# A line's figures, in the order of FIGURES, and what was kept with them for the family to read.
Written = tuple[tuple[int, ...], dict[str, Any]]

# What Stripe calls its movements, and the ledger's key for each: by payment, or by the object itself.
BY_INTENT = {"charge": "payment", "payment": "payment"}
BY_OBJECT = {
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "reinstated",
    "transfer": "transfer",
    "transfer_refund": "reversal",
    "transfer_cancel": "reversal",
    "topup": "topup",
}


@dataclass(frozen=True)
class Difference:
    """One thing that does not agree: `check` is a msgid, `row` names the row, `detail` gives both figures."""

    check: str
    row: str
    detail: str = ""


LEARNT_WITHIN = timedelta(days=7)
"""How late we may write down what Stripe moved; it repeats an event for three days."""


def audit(
    session: Session,
    municipality_id: str,
    at_stripe: Iterable[BalanceLine] | None = None,
    since: datetime | None = None,
) -> Iterator[Difference]:
    """Everything in a municipality's books that does not agree; nothing where all does.

    `at_stripe` is the list of Stripe's movements (of all municipalities); without it that comparison is left out.
    With `since`, an instant up to which ledger and Stripe agreed, the list begins LEARNT_WITHIN before it, and only
    what was written or moved after it is compared.
    """
    connection = session.connection()
    for check, query in RULES:
        for row, detail in connection.execute(text(query), {"city": municipality_id}):
            yield Difference(check, str(row), str(detail))
    closings = session.exec(
        select(MonthClosing).where(MonthClosing.municipality_id == municipality_id).order_by(col(MonthClosing.month))
    ).all()
    for closing in closings:
        yield from _check_month(session, municipality_id, closing)
    if at_stripe is not None:
        yield from _check_stripe(session, municipality_id, at_stripe, since)


def _check_month(session: Session, municipality_id: str, closing: MonthClosing) -> Iterator[Difference]:
    """Bills every meeting of a closed month again, as it was known then, against its lines and its entry."""
    seen = 0
    bills = iter_billed(session, municipality_id, closing.month, closing.closed_at)
    while batch := list(islice(bills, BATCH_MEETINGS)):
        lines = _lines(session, municipality_id, batch)
        entries = _entries(session, municipality_id, batch)
        for bill in batch:
            seen += len(bill.members)
            yield from _check_meeting(municipality_id, bill, lines, entries.get(f"meeting:{bill.meeting_id}", {}))
    yield from _check_corrections(session, municipality_id, closing)
    found = session.connection().execute(
        text("""
            select count(*) from statement_line l
            join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
            where l.municipality_id = :city and s.month = :month and l.kind = 'meeting'"""),
        {"city": municipality_id, "month": closing.month},
    )
    if (count := found.scalar_one()) != seen:
        yield Difference(
            N_("Righe senza un incontro che le spieghi"), f"{closing.month:%Y-%m}", f"{count} e non {seen}"
        )


def _check_corrections(session: Session, municipality_id: str, closing: MonthClosing) -> Iterator[Difference]:
    """Bills every meeting that a closed month corrected again, against all its lines and entries to that month."""
    for bill in list(iter_corrected(session, municipality_id, closing.month, closing.closed_at)):
        lines = billed_figures(session, municipality_id, bill.meeting_id, closing.month)
        right = (
            {member.membership_id: figures(line) for member, line in zip(bill.members, bill.bill.lines, strict=True)}
            if bill.bill
            else {}
        )
        written = {membership_id: found[:-1] for membership_id, found in lines.items()}
        if written != right:
            yield Difference(N_("Una rettifica non segue da presenze e regole"), str(bill.meeting_id))
        entry = posted(session, municipality_id, bill.meeting_id, last_day(closing.month))
        due = bill.entry(municipality_id)
        if (entry and set(entry.postings)) != (due and set(due.postings)):
            yield Difference(N_("Una scrittura non segue dal suo incontro"), str(bill.meeting_id))


def _check_meeting(
    municipality_id: str, bill: MeetingBill, lines: dict[tuple[Any, Any], Written], posted: dict[str, int]
) -> Iterator[Difference]:
    for index, member in enumerate(bill.members):
        right: Written | None = None
        if bill.bill is not None:
            line = bill.bill.lines[index]
            right = figures(line), bill.explanation(line)
        written = lines.get((bill.meeting_id, member.membership_id))
        if written != right:
            row = f"{bill.meeting_id} {member.membership_id}"
            yield Difference(N_("Una riga non segue da presenze e regole"), row, f"{written} e non {right}")
    entry = bill.entry(municipality_id)
    due = {str(posting.account): posting.amount_cents for posting in entry.postings} if entry else {}
    if posted != due:
        yield Difference(N_("Una scrittura non segue dal suo incontro"), str(bill.meeting_id), f"{posted} e non {due}")


def _lines(session: Session, municipality_id: str, batch: list[MeetingBill]) -> dict[tuple[Any, Any], Written]:
    rows = session.connection().execute(
        text("""
            select meeting_id, membership_id, share_cents, subsidy_cents, guarantee_cents, net_cents, provider_cents,
                   explanation
            from statement_line
            where municipality_id = :city and kind = 'meeting' and meeting_id = any(:meetings)"""),
        {"city": municipality_id, "meetings": [bill.meeting_id for bill in batch]},
    )
    return {(row[0], row[1]): (tuple(row[2:-1]), row[-1]) for row in rows}


def _entries(session: Session, municipality_id: str, batch: list[MeetingBill]) -> dict[str, dict[str, int]]:
    rows = session.connection().execute(
        text("""
            select e.business_key, p.account, p.cents from ledger_entry e
            join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
            where e.municipality_id = :city and e.business_key = any(:keys)"""),
        {"city": municipality_id, "keys": [f"meeting:{bill.meeting_id}" for bill in batch]},
    )
    entries: dict[str, dict[str, int]] = {}
    for key, account, cents in rows:
        entries.setdefault(key, {})[account] = cents
    return entries


def _check_stripe(
    session: Session, municipality_id: str, at_stripe: Iterable[BalanceLine], since: datetime | None
) -> Iterator[Difference]:
    """Every movement of ours at Stripe has its entry, to the cent, and every entry its movement."""
    rows = (
        session.connection()
        .execute(
            text("""
            select e.business_key, p.cents, cast(:since as timestamptz) is null or e.at >= :since as is_new
            from ledger_entry e
            join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
            where e.municipality_id = :city and p.account = :clearing
              and (cast(:since as timestamptz) is null or e.at >= cast(:since as timestamptz) - :learnt)"""),
            {
                "city": municipality_id,
                "clearing": str(ledger.STRIPE_CLEARING),
                "since": since,
                "learnt": 2 * LEARNT_WITHIN,
            },
        )
        .all()
    )
    ours: dict[str, int] = {row.business_key: int(row.cents) for row in rows}
    new = {row.business_key for row in rows if row.is_new}
    theirs: dict[str, int] = {}
    lines = list(at_stripe)
    intents = _our_intents(session, municipality_id, {line.intent_id for line in lines})
    for line in lines:
        if line.municipality_id == municipality_id or line.intent_id in intents:
            for key, cents in _movements(line):
                theirs[key] = theirs.get(key, 0) + cents
                if since is None or line.created_at >= since:
                    new.add(key)
    for key in sorted(new):
        mine, theirs_ = ours.get(key, 0), theirs.get(key, 0)
        if mine != theirs_:
            yield Difference(N_("Il registro e Stripe non dicono lo stesso"), key, f"{mine} e {theirs_}")


def _our_intents(session: Session, municipality_id: str, intents: set[str]) -> set[str]:
    """Those of Stripe's intents that are payments of this municipality: a dispute names no more than its intent."""
    keys = session.connection().execute(
        text("select business_key from ledger_entry where municipality_id = :city and business_key = any(:keys)"),
        {"city": municipality_id, "keys": [f"payment:{intent}" for intent in intents]},
    )
    return {key.removeprefix("payment:") for key in keys.scalars()}


def _movements(line: BalanceLine) -> Iterator[tuple[str, int]]:
    """What the ledger should hold of a movement: its amount, and its fee."""
    if line.kind in BY_INTENT:
        yield f"{BY_INTENT[line.kind]}:{line.intent_id}", line.amount_cents
        fee_of = line.intent_id
    else:
        kind = BY_OBJECT.get(line.kind, line.kind)
        if line.kind == "adjustment":  # a dispute: taken, or given again
            kind = "refund" if line.amount_cents < 0 else "reinstated"
        yield f"{kind}:{line.source_id}", line.amount_cents
        fee_of = line.source_id
    if line.fee_cents:
        yield f"stripe-fee:{fee_of}", -line.fee_cents
