"""A pagoPA flow is shown before it is booked, counts once however often it comes, and pays what fits to the cent."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from sqlmodel import Session, col, select

from billing import ledger
from billing.pagopa import is_notice_number
from billing.pagopa_flow import FlowError, FlowRow, read_flow
from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.accounts.policy import Policy, get_policy
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.statements.bank import OPEN, book_to_family, list_unmatched, match_flow
from marketplace.statements.models import BankRow, BankState, PagopaFlow, Payment, Statement, StatementState
from marketplace.statements.posting import Deed
from marketplace.words import N_

LISTED_MAX = 20
REFUSALS = {
    "too_large": N_("Il file è più grande di 5 MB."),
    "forbidden_xml": N_("Il file contiene definizioni XML che un flusso non ha: non lo apriamo."),
    "not_xml": N_("Il file non è XML intero: scaricalo di nuovo dal portale pagoPA."),
    "not_a_flow": N_("È un XML, ma non un flusso di rendicontazione pagoPA."),
    "empty": N_("Nel flusso non c'è nessun pagamento."),
    "bad_row": N_("Un dato del flusso non si legge (%(detail)s): niente è stato registrato."),
    "other_count": N_("I pagamenti nel flusso non sono quanti dice il totale (%(detail)s)."),
    "other_total": N_("I pagamenti non danno il totale del flusso (%(detail)s)."),
    "told_twice": N_("Nel flusso lo stesso pagamento c'è due volte."),
    "other_creditor": N_(
        "Il flusso è di un altro ente creditore: controlla il codice fiscale nelle regole del Comune."
    ),
    "changed": N_("Un flusso con questo nome è già stato letto, con altri dati: chiedi a pagoPA quale è giusto."),
}
THEN_PAID = N_("Gli estratti abbinati risultano pagati, e la parte dei professionisti si paga con bonifico.")
THEN_WAITS = N_("I pagamenti da guardare restano tra quelli da abbinare.")


class BadFlow(Rejected):
    """A file that is not a flow of this municipality's."""

    default = N_("Il file non si legge come flusso di rendicontazione pagoPA.")


class AlreadyConfirmed(Conflict):
    """The flow was booked already."""

    default = N_("Questo flusso è già registrato: non c'è altro da fare.")


@dataclass(frozen=True, slots=True)
class FlowLine:
    """What becomes of a flow's row: it pays `asked` of `statement`, or waits for an officer, who is told `why`."""

    row: FlowRow
    statement: Statement | None
    asked: Sequence[Payment]
    why: str

    @property
    def is_matched(self) -> bool:
        """Whether it is booked by itself."""
        return not self.why


def take_flow(session: Session, by: Actor, now: datetime, data: bytes) -> PagopaFlow:
    """Keep a flow to be looked at; nothing is booked yet. The same flow again is the one kept. Raises BadFlow."""
    try:
        flow = read_flow(data)
    except FlowError as refused:
        raise _refusal(refused.code, refused.detail) from refused
    if flow.creditor != get_policy(session, by.municipality_id, flow.settled_on).pagopa_creditor or not flow.creditor:
        raise _refusal("other_creditor")
    rows = [asdict(row) | {"paid_on": row.paid_on.isoformat(), "reference": row.reference} for row in flow.rows]
    kept = session.exec(
        select(PagopaFlow).where(
            PagopaFlow.municipality_id == by.municipality_id, PagopaFlow.identifier == flow.identifier
        )
    ).first()
    if kept is not None:
        if (kept.rows, kept.total_cents, kept.settled_on) != (rows, flow.total_cents, flow.settled_on):
            raise _refusal("changed")
        return kept
    kept = PagopaFlow(
        municipality_id=by.municipality_id,
        identifier=flow.identifier,
        transfer=flow.transfer,
        settled_on=flow.settled_on,
        total_cents=flow.total_cents,
        rows=rows,
        read_at=now,
    )
    session.add(kept)
    record(session, by, now, "read_pagopa_flow", "pagopa_flow", kept.id, rows=len(rows), cents=flow.total_cents)
    session.flush()
    return kept


def _refusal(code: str, detail: str = "") -> BadFlow:
    return BadFlow(REFUSALS[code], detail=detail) if detail else BadFlow(REFUSALS[code])


def get_flow(session: Session, by: Actor, flow_id: UUID, lock: bool = False) -> PagopaFlow:
    """A flow of the municipality. Raises NotFound."""
    found = session.get(PagopaFlow, (by.municipality_id, flow_id), with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    return found


def list_flows(session: Session, by: Actor) -> Sequence[PagopaFlow]:
    """The newest flows first."""
    mine = select(PagopaFlow).where(PagopaFlow.municipality_id == by.municipality_id)
    return session.exec(
        mine.order_by(col(PagopaFlow.read_at).desc(), col(PagopaFlow.id).desc()).limit(LISTED_MAX)
    ).all()


def plan_flow(session: Session, flow: PagopaFlow) -> list[FlowLine]:
    """What confirming a flow does with each of its rows; a statement is paid by the first that fits it."""
    policy = get_policy(session, flow.municipality_id, flow.settled_on)
    known = set(
        session.exec(
            select(BankRow.reference).where(
                BankRow.municipality_id == flow.municipality_id,
                col(BankRow.reference).in_([row["reference"] for row in flow.rows]),
            )
        )
    )
    lines: list[FlowLine] = []
    taken: set[UUID] = set()
    for row in rows_of(flow):
        line = FlowLine(row, None, (), "known") if row.reference in known else _line(session, flow, policy, row)
        if (statement := line.statement) is not None and line.is_matched:
            if statement.id in taken:
                line = FlowLine(row, statement, (), "nothing_due")
            taken.add(statement.id)
        lines.append(line)
    return lines


def rows_of(flow: PagopaFlow) -> list[FlowRow]:
    """The rows as they were read."""
    return [
        FlowRow(row["iuv"], row["receipt"], row["index"], row["cents"], date.fromisoformat(row["paid_on"]))
        for row in flow.rows
    ]


def _line(session: Session, flow: PagopaFlow, policy: Policy, row: FlowRow) -> FlowLine:
    if row.cents <= 0:
        return FlowLine(row, None, (), "revoked")
    notice = f"3{row.iuv}"
    if not is_notice_number(notice) or notice[1:3] != policy.pagopa_segregation:
        return FlowLine(row, None, (), "unknown_iuv")
    statement = session.exec(
        select(Statement).where(
            Statement.municipality_id == flow.municipality_id,
            Statement.year == 2000 + int(notice[3:5]),
            Statement.number == int(notice[5:16]),
        )
    ).first()
    if statement is None:
        return FlowLine(row, None, (), "unknown_iuv")
    asked = session.exec(
        select(Payment)
        .where(
            Payment.municipality_id == flow.municipality_id,
            Payment.statement_id == statement.id,
            col(Payment.state).in_(OPEN),
        )
        .order_by(col(Payment.id))
        .with_for_update()
    ).all()
    if not asked or statement.state == StatementState.WRITTEN_OFF:
        return FlowLine(row, statement, (), "nothing_due")
    fits = sum(one.cents for one in asked) == row.cents
    return FlowLine(row, statement, asked if fits else (), "" if fits else "other_amount")


def flow_deed(flow: PagopaFlow, lines: Sequence[FlowLine]) -> Deed:
    """What confirming posts: an entry for each row that is matched, and what follows for the others."""
    entries = tuple(
        ledger.bank_transfer_received(
            str(_row_id(flow, line.row)),
            flow.municipality_id,
            ledger.family(str(line.statement.household_id)),
            line.row.cents,
        )
        for line in lines
        if line.is_matched and line.statement is not None
    )
    waits = any(line.why not in ("", "known") for line in lines)
    return Deed(entries, N_("Subito"), (*((THEN_PAID,) if entries else ()), *((THEN_WAITS,) if waits else ())))


def _row_id(flow: PagopaFlow, row: FlowRow) -> UUID:
    """The id that a row will have as a line of the bank's, known before it is written."""
    return uuid5(flow.id, row.reference)


def confirm_flow(session: Session, by: Actor, now: datetime, flow_id: UUID, shown: str | None = None) -> None:
    """Book a flow as `shown`: what fits is paid, the rest waits with the other lines. Raises AlreadyConfirmed."""
    flow = get_flow(session, by, flow_id, lock=True)
    if flow.confirmed_at is not None:
        raise AlreadyConfirmed
    lines = plan_flow(session, flow)
    flow_deed(flow, lines).check_shown(shown)
    for line in lines:
        if line.why != "known":
            _book(session, now, flow, line)
    flow.confirmed_at = now
    session.flush()
    for waiting in list_unmatched(session, flow.municipality_id):
        match_flow(session, waiting)
    matched = sum(line.is_matched for line in lines)
    record(session, by, now, "confirm_pagopa_flow", "pagopa_flow", flow.id, rows=len(lines), matched=matched)
    session.flush()


def _book(session: Session, now: datetime, flow: PagopaFlow, line: FlowLine) -> None:
    row = BankRow(
        municipality_id=flow.municipality_id,
        id=_row_id(flow, line.row),
        account=flow.identifier,
        reference=line.row.reference,
        booked_on=flow.settled_on,
        cents=line.row.cents,
        name="pagoPA",
        text=f"IUV {line.row.iuv}",
        state=BankState.OUT if line.why == "revoked" else BankState.UNMATCHED,
        why=line.why,
        notice=f"3{line.row.iuv}" if line.is_matched else "",
        read_at=now,
    )
    session.add(row)
    session.flush()
    if line.is_matched and line.statement is not None:
        book_to_family(session, now, row, line.statement, line.asked)


def discard_flow(session: Session, by: Actor, now: datetime, flow_id: UUID) -> None:
    """Throw a flow away that was not booked. Raises AlreadyConfirmed."""
    flow = get_flow(session, by, flow_id, lock=True)
    if flow.confirmed_at is not None:
        raise AlreadyConfirmed
    record(session, by, now, "discard_pagopa_flow", "pagopa_flow", flow.id)
    session.delete(flow)
    session.flush()
