"""A bank's file is read any number of times and counts once; only what fits to the cent is matched by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from billing import ledger
from billing.bank import BankFileError, BankLine, creditor_reference, read_bank_file, references_in
from billing.pagopa import notice_number, notices_in
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.accounts.policy import Policy, get_policy
from marketplace.errors import Rejected
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.models import (
    BankRow,
    BankState,
    MonthClosing,
    PagopaFlow,
    Payment,
    PaymentState,
    Payout,
    Statement,
    StatementState,
)
from marketplace.statements.payments import settle_payment
from marketplace.statements.posting import Deed, post
from marketplace.statements.settlements import (
    NothingToPay,
    find_settlement,
    owed_by_municipality,
    paid_by_bank,
    post_paid,
    settle_month,
)
from marketplace.words import N_

PAGOPA_TRANSFER = "LGPE-RIVERSAMENTO"
"""What pagoPA writes in the transfer of a flow: /PUR/LGPE-RIVERSAMENTO/URI/<the flow's identifier>."""
OPEN = (PaymentState.DUE, PaymentState.FAILED)
REFUSALS = {
    "forbidden_xml": N_("Il file contiene definizioni XML che un estratto conto non ha: non lo apriamo."),
    "not_xml": N_("Il file non è XML intero: scaricalo di nuovo dalla banca."),
    "not_camt053": N_("È un XML, ma non un estratto CAMT.053."),
    "not_a_statement": N_("Nel file non ci sono le colonne della data e dell'importo."),
    "too_large": N_("Il file è più grande di 5 MB: scarica un periodo più breve."),
    "empty": N_("Nel file non ci sono movimenti contabilizzati."),
    "bad_line": N_("Una riga del file non si legge (%(detail)s): niente è stato registrato."),
}


class BadBankFile(Rejected):
    """A file that is not a bank's statement."""

    default = N_("Il file non si legge come estratto conto.")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file brought: new lines, those of them that were matched, and how many were known."""

    new: int
    matched: int
    known: int


def statement_reference(statement: Statement) -> str:
    """What a family writes in its transfer for a statement."""
    return creditor_reference(f"{statement.municipality_id}{statement.year}{statement.number:06d}")


def statement_notice(statement: Statement, policy: Policy) -> str:
    """The pagoPA notice number of a statement: its IUV is the year (2 digits) and the statement's number (11)."""
    assert statement.year is not None and statement.number is not None
    return notice_number(policy.pagopa_segregation, f"{statement.year % 100:02d}{statement.number:011d}")


def month_reference(municipality_id: str, month: date) -> str:
    """What the treasury writes in its transfer for a closed month."""
    return creditor_reference(f"{municipality_id}M{month:%Y%m}")


def take_file(session: Session, by: Actor, now: datetime, data: bytes) -> Taken:
    """Read a bank's file: its new lines are kept, and those that fit what is due are matched and booked."""
    try:
        lines = read_bank_file(data)
    except BankFileError as refused:
        detail = str(refused).partition(": ")[2][:60]
        raise BadBankFile(REFUSALS.get(refused.code, BadBankFile.default), detail=detail) from refused
    city = by.municipality_id
    new = [row for line in lines if (row := _keep(session, city, now, line)) is not None]
    for row in new:
        if row.cents > 0:
            _match(session, by, now, row)
    matched = sum(1 for row in new if row.state == BankState.MATCHED)
    record(session, by, now, "read_bank_file", "bank", None, new=len(new), matched=matched)
    session.flush()
    return Taken(len(new), matched, len(lines) - len(new))


def _keep(session: Session, city: str, now: datetime, line: BankLine) -> BankRow | None:
    """The row of a line that was in no file before, None for one that was."""
    values = {
        "municipality_id": city,
        "id": uuid7(),
        "account": line.account,
        "reference": line.reference,
        "booked_on": line.booked_on,
        "cents": line.cents,
        "name": line.name,
        "text": line.text,
        "state": BankState.UNMATCHED if line.cents > 0 else BankState.OUT,
        "why": "no_reference" if line.cents > 0 else "",
        "read_at": now,
    }
    kept = session.execute(
        insert(BankRow).values(values).on_conflict_do_nothing(constraint="bank_line_once").returning(col(BankRow.id))
    ).scalar_one_or_none()
    return None if kept is None else session.get_one(BankRow, (city, kept))


def _match(session: Session, by: Actor, now: datetime, row: BankRow) -> None:
    """Match a line by its reference or its pagoPA notice; where the amount is another, an officer looks."""
    for reference in references_in(row.text):
        body = reference[4:]
        if not body.startswith(row.municipality_id):
            continue
        rest = body[6:]
        if rest.startswith("M") and len(rest) == 7 and rest[1:].isdecimal():
            _match_month(session, by, now, row, date(int(rest[1:5]), max(1, min(12, int(rest[5:]))), 1))
        elif len(rest) == 10 and rest.isdecimal():
            _match_statement(session, now, row, int(rest[:4]), int(rest[4:]))
        if row.state == BankState.MATCHED:
            return
    for notice in _notices(session, row):
        row.notice = notice
        _match_statement(session, now, row, 2000 + int(notice[3:5]), int(notice[5:16]))
        if row.state == BankState.MATCHED:
            return
        row.notice = ""
    if row.why == "no_reference":
        match_flow(session, row)


def match_flow(session: Session, row: BankRow) -> None:
    """pagoPA's one transfer for a flow is that flow's, once and to the cent: its payments are booked, it is not."""
    words = row.text.upper()
    if PAGOPA_TRANSFER not in words or row.state != BankState.UNMATCHED:
        return
    row.why = "waits_for_flow"
    flows = select(PagopaFlow).where(
        PagopaFlow.municipality_id == row.municipality_id, col(PagopaFlow.confirmed_at).is_not(None)
    )
    for flow in session.exec(flows.order_by(col(PagopaFlow.identifier).desc())):
        if flow.identifier.upper() not in words:
            continue
        claimed = select(BankRow.id).where(
            BankRow.municipality_id == row.municipality_id, BankRow.matched_to == f"flow:{flow.id}"
        )
        if session.exec(claimed).first() is not None:
            row.why = "nothing_due"
        elif flow.total_cents != row.cents:
            row.why = "other_amount"
        else:
            row.state, row.matched_to, row.why = BankState.MATCHED, f"flow:{flow.id}", ""
            session.flush()
        return


def _notices(session: Session, row: BankRow) -> Iterator[str]:
    """The city's pagoPA notice numbers in a line's words."""
    policy = get_policy(session, row.municipality_id, row.booked_on)
    return notices_in(row.text, policy.pagopa_segregation) if policy.pagopa_creditor else iter(())


def _match_statement(session: Session, now: datetime, row: BankRow, year: int, number: int) -> None:
    statement = session.exec(
        select(Statement).where(
            Statement.municipality_id == row.municipality_id, Statement.year == year, Statement.number == number
        )
    ).first()
    if statement is None:
        return
    asked = _open_payments(session, statement)
    if not asked:
        row.why = "nothing_due"
        return
    if sum(one.cents for one in asked) != row.cents:
        row.why = "other_amount"
        return
    book_to_family(session, now, row, statement, asked)


def _open_payments(session: Session, statement: Statement) -> Sequence[Payment]:
    return session.exec(
        select(Payment)
        .where(
            Payment.municipality_id == statement.municipality_id,
            Payment.statement_id == statement.id,
            col(Payment.state).in_(OPEN),
        )
        .order_by(col(Payment.id))
        .with_for_update()
    ).all()


def book_to_family(
    session: Session, now: datetime, row: BankRow, statement: Statement, asked: Sequence[Payment] = ()
) -> None:
    """The money is the family's: what is asked and fits is paid, anything else is a credit."""
    post(session, row.municipality_id, _credit_entry(row, statement), now, row.booked_on)
    row.state, row.matched_to, row.why = BankState.MATCHED, f"statement:{statement.id}", ""
    session.flush()
    for payment in asked:
        payment.bank_line_id = row.id
        settle_payment(session, payment, now)


def _credit_entry(row: BankRow, statement: Statement) -> ledger.Entry:
    payer = ledger.family(str(statement.household_id))
    return ledger.bank_transfer_received(str(row.id), row.municipality_id, payer, row.cents)


def _match_month(session: Session, by: Actor, now: datetime, row: BankRow, month: date) -> None:
    closing = session.exec(
        select(MonthClosing).where(MonthClosing.municipality_id == row.municipality_id, MonthClosing.month == month)
    ).first()
    if closing is None:
        return
    settlement = find_settlement(session, closing)
    if settlement is None:
        if sum(owed_by_municipality(session, row.municipality_id, month).values()) != row.cents:
            row.why = "other_amount"
            return
        settlement = settle_month(session, by, now, closing)
    elif settlement.paid_cents != row.cents:
        row.why = "other_amount"
        return
    row.state, row.matched_to, row.why = BankState.MATCHED, f"settlement:{settlement.id}", ""


def list_unmatched(session: Session, municipality_id: str) -> list[BankRow]:
    """Lines that came in and that nobody is known to have paid, the oldest first."""
    return list(
        session.exec(
            select(BankRow)
            .where(BankRow.municipality_id == municipality_id, BankRow.state == BankState.UNMATCHED)
            .order_by(col(BankRow.booked_on), col(BankRow.id))
        )
    )


def preview_credit(session: Session, municipality_id: str, line_id: UUID, year: int, number: int) -> Deed:
    """What crediting a line to a statement's family will post, and whether it pays the statement."""
    row, statement = _line_and_statement(session, municipality_id, line_id, year, number)
    return _credit_deed(row, statement, _paid_by(session, row, statement))


def credit_line(
    session: Session, by: Actor, now: datetime, line_id: UUID, year: int, number: int, shown: str | None = None
) -> None:
    """An officer says whose a line is: it is booked to the statement's family, as `shown`, and pays what it fits."""
    row, statement = _line_and_statement(session, by.municipality_id, line_id, year, number)
    asked = _paid_by(session, row, statement)
    _credit_deed(row, statement, asked).check_shown(shown)
    row.notice = next(_notices(session, row), "")
    book_to_family(session, now, row, statement, asked)
    record(session, by, now, "credit_bank_line", "bank_line", row.id, cents=row.cents)


def household_of(session: Session, municipality_id: str, year: int, number: int) -> UUID | None:
    """Whose the statement of a number is."""
    return session.exec(
        select(Statement.household_id).where(
            Statement.municipality_id == municipality_id, Statement.year == year, Statement.number == number
        )
    ).first()


def _line_and_statement(
    session: Session, municipality_id: str, line_id: UUID, year: int, number: int
) -> tuple[BankRow, Statement]:
    """A line that is nobody's yet, locked, and the statement of a number; raises UnknownStatement."""
    row = session.get(BankRow, (municipality_id, line_id), with_for_update=True, populate_existing=True)
    statement = session.exec(
        select(Statement).where(
            Statement.municipality_id == municipality_id, Statement.year == year, Statement.number == number
        )
    ).first()
    if row is None or row.state != BankState.UNMATCHED or statement is None:
        raise UnknownStatement
    return row, statement


def _paid_by(session: Session, row: BankRow, statement: Statement) -> Sequence[Payment]:
    """The payments of a statement that a line pays: all that is open, where its amount is theirs to the cent."""
    asked = _open_payments(session, statement)
    fits = statement.state != StatementState.WRITTEN_OFF and sum(one.cents for one in asked) == row.cents
    return asked if fits else ()


def _credit_deed(row: BankRow, statement: Statement, asked: Sequence[Payment]) -> Deed:
    then = N_("L'importo non è quello che l'estratto chiede: diventa un credito della famiglia.")
    if asked:
        then = N_("L'estratto risulta pagato, e la parte dei professionisti si paga con bonifico.")
    return Deed((_credit_entry(row, statement),), N_("Subito"), (then,))


class UnknownStatement(Rejected):
    """There is no such statement, or the line was matched meanwhile."""

    default = N_("Nessun estratto ha questo numero, oppure il movimento è già abbinato.")


def list_payouts_by_bank(session: Session, municipality_id: str) -> list[tuple[Payout, Provider]]:
    """What providers are due of families' bank transfers, and not paid yet."""
    rows = session.exec(
        select(Payout, Provider)
        .join(Provider, col(Provider.id) == col(Payout.provider_id))
        .where(
            Payout.municipality_id == municipality_id,
            Provider.municipality_id == municipality_id,
            col(Payout.by_bank).is_(True),
            col(Payout.paid_at).is_(None),
        )
        .order_by(col(Payout.due_on), col(Provider.name), col(Payout.id))
    )
    return list(rows)


def _due_by_bank(session: Session, municipality_id: str, today: date) -> list[Payout]:
    return [payout for payout, _ in list_payouts_by_bank(session, municipality_id) if payout.due_on <= today]


def preview_payouts_by_bank(session: Session, municipality_id: str, today: date) -> Deed:
    """What recording the treasury's transfers will post: an entry for each payout that is due."""
    payouts = _due_by_bank(session, municipality_id, today)
    if not payouts:
        raise NothingToPay
    return paid_by_bank(payouts)


def record_payouts_by_bank(session: Session, by: Actor, now: datetime, shown: str | None = None) -> int:
    """The treasury paid what `list_payouts_by_bank` lists and is due, as `shown`; how many."""
    city = by.municipality_id
    session.connection().execute(
        text("select pg_advisory_xact_lock(hashtext('bank payouts'), hashtext(:city))"), {"city": city}
    )
    payouts = _due_by_bank(session, city, local_day(now))
    post_paid(session, now, payouts, shown)
    record(session, by, now, "record_payouts_by_bank", "payout", None, payouts=len(payouts))
    session.flush()
    return len(payouts)
