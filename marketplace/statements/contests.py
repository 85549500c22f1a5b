"""A contested line waits, the rest is charged; what an officer decides is billed with the next closing, or charged."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select as select_rows
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.households.models import Household
from marketplace.jobs import defer
from marketplace.slots.calendar import local_day
from marketplace.slots.meetings import record_attendance
from marketplace.slots.models import Meeting, Presence
from marketplace.statements.models import (
    Contest,
    ContestState,
    Outcome,
    Payment,
    PaymentState,
    Statement,
    StatementLine,
    StatementState,
)
from marketplace.statements.months import morning_of
from marketplace.statements.notices import tell_household
from marketplace.statements.payments import collect, lock_payment, still_asked
from marketplace.words import N_

CONTEST_DAYS = 7


class TooLate(Rejected):
    """A line is contested within seven days of the closing, before the charge."""

    default = N_("Una riga si contesta entro 7 giorni dalla chiusura, prima dell'addebito. Ora chiama il Comune.")


class NothingToContest(Rejected):
    """Only a line that the family pays can be contested, once."""

    default = N_("Questa riga non si può contestare: non la paghi, oppure l'hai già contestata.")


class AlreadyDecided(Conflict):
    """A contest is decided once."""

    default = N_("Questa contestazione è già decisa.")


@dataclass(frozen=True, slots=True)
class Contested:
    """A contest with what it is about."""

    contest: Contest
    line: StatementLine
    statement: Statement
    household: Household
    held_on: date


def may_contest(statement: Statement, payment: Payment | None, today: date) -> bool:
    """Whether lines of a statement can still be contested."""
    return (
        statement.closed_at is not None
        and today <= local_day(statement.closed_at) + timedelta(days=CONTEST_DAYS)
        and payment is not None
        and payment.state == PaymentState.DUE
        and not payment.attempts
    )


def contest_line(session: Session, by: Actor, now: datetime, line_id: UUID, reason: str) -> Contest:
    """The family's no to one line: its part of the payment waits for a decision, the rest is charged on its day."""
    city = by.municipality_id
    line = session.get(StatementLine, (city, line_id))
    if line is None or line.household_id != by.household_id:
        raise NotFound
    known = session.exec(select(Contest).where(Contest.municipality_id == city, Contest.line_id == line_id)).first()
    if known is not None or line.net_cents <= 0 or line.kind != "meeting":
        raise NothingToContest
    statement = session.get_one(Statement, (city, line.statement_id))
    asked = session.exec(
        select(Payment.id).where(
            Payment.municipality_id == city, Payment.statement_id == statement.id, Payment.cause == ""
        )
    ).first()
    payment = lock_payment(session, city, asked) if asked else None
    if payment is None or not may_contest(statement, payment, local_day(now)):
        raise TooLate
    _split_off(session, payment, line, now)
    contest = Contest(
        municipality_id=city,
        line_id=line.id,
        statement_id=statement.id,
        household_id=line.household_id,
        meeting_id=line.meeting_id,
        membership_id=line.membership_id,
        reason=reason,
        opened_at=now,
    )
    session.add(contest)
    record(session, by, now, "contest_line", "contest", contest.id, cents=line.net_cents)
    session.flush()
    return contest


def _split_off(session: Session, payment: Payment, line: StatementLine, now: datetime) -> None:
    """The line's part becomes a payment of its own, that waits; earlier credit keeps counting for the rest."""
    part = min(line.net_cents, payment.cents)
    waiting = Payment(
        municipality_id=payment.municipality_id,
        statement_id=payment.statement_id,
        household_id=payment.household_id,
        cause=f"contested:{line.id}",
        cents=part,
        state=PaymentState.WAITING,
        updated_at=now,
    )
    if part == payment.cents:
        session.delete(payment)
    else:
        payment.cents, payment.updated_at = payment.cents - part, now
    session.add(waiting)


def decide_contest(
    session: Session,
    by: Actor,
    now: datetime,
    contest_id: UUID,
    outcome: Outcome | None,
    answer: str,
    presence: Presence | None = None,
) -> Contest:
    """An officer's decision: None, the line stands and is charged; else it is billed anew with the next closing.

    FUND: the guarantee fund bears what the family would pay. ATTENDANCE: `presence` is what really happened.
    """
    city = by.municipality_id
    contest = session.get(Contest, (city, contest_id), with_for_update=True, populate_existing=True)
    if contest is None:
        raise NotFound
    if contest.state != ContestState.OPEN:
        raise AlreadyDecided
    contest.state = ContestState.REJECTED if outcome is None else ContestState.UPHELD
    contest.outcome, contest.answer, contest.decided_at, contest.decided_by = outcome, answer, now, by.user_id
    if outcome is Outcome.ATTENDANCE:
        assert presence is not None
        record_attendance(session, by, now, contest.meeting_id, {contest.membership_id: presence})
    _let_go(session, contest, now)
    record(session, by, now, "decide_contest", "contest", contest.id, outcome=outcome.value if outcome else "rejected")
    _tell(session, contest, now)
    session.flush()
    return contest


def _let_go(session: Session, contest: Contest, now: datetime) -> None:
    """The part that waited is charged, or not asked any more."""
    waiting_id = session.exec(
        select(Payment.id).where(
            Payment.municipality_id == contest.municipality_id, Payment.cause == f"contested:{contest.line_id}"
        )
    ).one()
    payment = lock_payment(session, contest.municipality_id, waiting_id)
    statement = session.get_one(Statement, (contest.municipality_id, contest.statement_id))
    payment.updated_at = now
    if contest.state == ContestState.REJECTED:
        due_on = max(local_day(now), statement.due_on)
        payment.state, payment.next_attempt_on = PaymentState.DUE, due_on
        session.flush()
        defer(session, collect, contest.municipality_id, at=morning_of(due_on), payment_id=str(payment.id))
        return
    payment.state = PaymentState.CANCELLED
    session.flush()
    if statement.state == StatementState.CLOSED and not still_asked(session, statement):
        statement.state, statement.paid_at = StatementState.PAID, now


def _tell(session: Session, contest: Contest, now: datetime) -> None:
    body = N_("Hai ragione sulla riga che hai contestato: non la paghi com'era. La rettifica è sul prossimo estratto.")
    if contest.state == ContestState.REJECTED:
        body = N_("La riga che hai contestato resta com'è, e la addebitiamo. Il perché è in Estratti conto.")
    household = (contest.municipality_id, contest.household_id)
    words = (N_("La tua contestazione è decisa"), body)
    tell_household(session, now, household, f"contest-decided-{contest.id}", words)


def list_contests(
    session: Session, municipality_id: str, *, household_id: UUID | None = None, state: ContestState | None = None
) -> list[Contested]:
    """Contests with their lines, the oldest first."""
    query = (
        select_rows(Contest, StatementLine, Statement, Household, col(Meeting.held_on))
        .join(StatementLine, col(StatementLine.id) == col(Contest.line_id))
        .join(Statement, col(Statement.id) == col(Contest.statement_id))
        .join(Household, col(Household.id) == col(Contest.household_id))
        .join(Meeting, col(Meeting.id) == col(Contest.meeting_id))
        .where(col(Contest.municipality_id) == municipality_id, col(StatementLine.municipality_id) == municipality_id)
        .order_by(col(Contest.opened_at), col(Contest.id))
    )
    if household_id is not None:
        query = query.where(col(Contest.household_id) == household_id)
    if state is not None:
        query = query.where(col(Contest.state) == state)
    return [Contested(*row) for row in session.execute(query)]
