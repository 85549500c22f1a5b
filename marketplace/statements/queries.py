"""What the pages about money read: each is one query for a page, whatever the number of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from billing.ledger import Account, Kind
from marketplace.errors import NotFound
from marketplace.statements.models import ASKED, MonthClosing, Payment, PaymentState, Statement
from marketplace.statements.months import first_day


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line as its family reads it; `explanation` is what was kept with it (bills.py)."""

    held_on: date
    kind: str
    share_cents: int
    subsidy_cents: int
    guarantee_cents: int
    net_cents: int
    alone_cents: int | None
    explanation: dict[str, Any]
    line_id: UUID | None = None
    contest_state: str | None = None
    contest_answer: str = ""


@dataclass(frozen=True, slots=True)
class GroupLines:
    """The lines of one need, by date."""

    service: str
    topic: str | None
    provider_name: str
    person_name: str
    lines: tuple[LineFacts, ...]

    @property
    def net_cents(self) -> int:
        return sum(line.net_cents for line in self.lines)


@dataclass(frozen=True, slots=True)
class StatementFacts:
    """A closed statement with everything behind its total, and what was asked for it, the oldest first."""

    statement: Statement
    payments: tuple[Payment, ...]
    groups: tuple[GroupLines, ...]

    @property
    def payment(self) -> Payment | None:
        """The payment that says how the statement stands; None where nothing was due."""
        return telling(self.payments)

    @property
    def first_payment(self) -> Payment | None:
        """What the closing asked, where it asked anything."""
        return next((one for one in self.payments if not one.cause), None)

    @property
    def waiting_cents(self) -> int:
        """What waits for a decision."""
        return sum(one.cents for one in self.payments if one.state == PaymentState.WAITING)

    @property
    def asked_cents(self) -> int:
        """What the closing asked of the family."""
        return sum(one.cents for one in self.payments if not one.cause.startswith("returned:"))

    @property
    def lines(self) -> list[LineFacts]:
        return [line for group in self.groups for line in group.lines]

    @property
    def share_cents(self) -> int:
        return sum(line.share_cents for line in self.lines)

    @property
    def subsidy_cents(self) -> int:
        return sum(line.subsidy_cents for line in self.lines)

    @property
    def guarantee_cents(self) -> int:
        return sum(line.guarantee_cents for line in self.lines)

    @property
    def alone_cents(self) -> int | None:
        """What the billed meetings would have cost without a group; None where that is not known of all."""
        billed = [line for line in self.lines if line.share_cents and line.kind == "meeting"]
        known = [line.alone_cents for line in billed if line.alone_cents is not None]
        return sum(known) if billed and len(known) == len(billed) else None

    @property
    def credit_cents(self) -> int:
        """What earlier credit pays of the total; negative where something of earlier months is asked with it."""
        return self.statement.total_cents - self.asked_cents


def telling(payments: Sequence[Payment]) -> Payment | None:
    """Of a statement's payments the one that says how it stands: the newest still asked for, else the newest."""
    asked = [one for one in payments if one.state in ASKED and one.state != PaymentState.WAITING]
    known = asked or [one for one in payments if one.state != PaymentState.CANCELLED]
    return known[-1] if known else None


def list_statements(
    session: Session, municipality_id: str, household_id: UUID
) -> list[tuple[Statement, tuple[Payment, ...]]]:
    """A household's closed statements, newest first, with the payments asked for each, oldest first."""
    rows = session.exec(
        select(Statement, Payment)
        .outerjoin(
            Payment,
            (col(Payment.municipality_id) == col(Statement.municipality_id))
            & (col(Payment.statement_id) == col(Statement.id)),
        )
        .where(
            Statement.municipality_id == municipality_id,
            Statement.household_id == household_id,
            col(Statement.number).is_not(None),
        )
        .order_by(col(Statement.month).desc(), col(Payment.id))
    )
    return [
        (statement, tuple(payment for _, payment in found if payment is not None))
        for statement, found in groupby(rows, key=itemgetter(0))
    ]


def statements_of(municipality_id: str, household_id: UUID) -> SelectOfScalar[Statement]:
    """A household's closed statements."""
    return select(Statement).where(
        Statement.municipality_id == municipality_id,
        Statement.household_id == household_id,
        col(Statement.number).is_not(None),
    )


def get_statement(session: Session, municipality_id: str, household_id: UUID, month: date) -> StatementFacts:
    """A household's closed statement of a month; raises NotFound."""
    for statement, payments in list_statements(session, municipality_id, household_id):
        if statement.month == month:
            return StatementFacts(statement, payments, _groups(session, statement))
    raise NotFound


def _groups(session: Session, statement: Statement) -> tuple[GroupLines, ...]:
    rows = (
        session.connection()
        .execute(
            text("""
            select m.need_id, sl.service, sl.topic, pr.name as provider_name,
                   coalesce(pe.name, '') as person_name, mt.held_on, l.kind, l.share_cents, l.subsidy_cents,
                   l.guarantee_cents, l.net_cents, coalesce(xs.cap_cents, m.alone_cents) as alone_cents,
                   l.explanation, l.id, c.state as contest_state, coalesce(c.answer, '') as contest_answer
            from statement_line l
            left join contest c on c.municipality_id = l.municipality_id and c.line_id = l.id
            join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
            join slot sl on sl.municipality_id = mt.municipality_id and sl.id = mt.slot_id
            join provider pr on pr.municipality_id = mt.municipality_id and pr.id = mt.provider_id
            join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
            join need n on n.municipality_id = m.municipality_id and n.id = m.need_id
            left join person pe on pe.municipality_id = n.municipality_id and pe.id = n.person_id
            left join extra_seat xs on xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
              and xs.membership_id = l.membership_id
            where l.municipality_id = :municipality and l.statement_id = :statement
            order by sl.service, m.need_id, mt.held_on, l.kind, l.id"""),
            {"municipality": statement.municipality_id, "statement": statement.id},
        )
        .all()
    )
    groups: dict[UUID, list[Any]] = {}
    for row in rows:
        groups.setdefault(row.need_id, []).append(row)
    return tuple(
        GroupLines(
            first.service,
            first.topic,
            first.provider_name,
            first.person_name,
            tuple(
                LineFacts(
                    row.held_on,
                    row.kind,
                    row.share_cents,
                    row.subsidy_cents,
                    row.guarantee_cents,
                    row.net_cents,
                    row.alone_cents,
                    row.explanation,
                    row.id,
                    row.contest_state,
                    row.contest_answer,
                )
                for row in members
            ),
        )
        for members in groups.values()
        for first in members[:1]
    )


@dataclass(frozen=True, slots=True)
class ContestFacts:
    """A contested line as the officer reads it."""

    contest_id: UUID
    state: str
    reason: str
    family_name: str
    month: date
    provider_name: str
    service: str
    line: LineFacts
    household_id: UUID


def subject_of_contest(session: Session, municipality_id: str, contest_id: UUID) -> ContestFacts:
    """What a contest is about; raises NotFound."""
    row = (
        session.connection()
        .execute(
            text("""
            select c.id, c.state, c.reason, h.family_name, h.id as household_id, s.month, pr.name as provider_name,
                   sl.service,
                   mt.held_on, l.kind,
                   l.share_cents, l.subsidy_cents, l.guarantee_cents, l.net_cents, l.explanation
            from contest c
            join statement_line l on l.municipality_id = c.municipality_id and l.id = c.line_id
            join statement s on s.municipality_id = c.municipality_id and s.id = c.statement_id
            join household h on h.municipality_id = c.municipality_id and h.id = c.household_id
            join meeting mt on mt.municipality_id = c.municipality_id and mt.id = c.meeting_id
            join slot sl on sl.municipality_id = mt.municipality_id and sl.id = mt.slot_id
            join provider pr on pr.municipality_id = mt.municipality_id and pr.id = mt.provider_id
            where c.municipality_id = :municipality and c.id = :contest"""),
            {"municipality": municipality_id, "contest": contest_id},
        )
        .first()
    )
    if row is None:
        raise NotFound
    line = LineFacts(
        row.held_on,
        row.kind,
        row.share_cents,
        row.subsidy_cents,
        row.guarantee_cents,
        row.net_cents,
        None,
        row.explanation,
    )
    return ContestFacts(
        row.id, row.state, row.reason, row.family_name, row.month, row.provider_name, row.service, line,
        row.household_id,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenMonth:
    """A month that is over and not closed: how many of its meetings can be billed, how many wait to be recorded."""

    month: date
    ready: int
    waiting: int


def list_open_months(session: Session, municipality_id: str, today: date) -> list[OpenMonth]:
    """Months that are over and not closed, from the first meeting that nobody billed on, oldest first."""
    rows = session.connection().execute(
        text("""
            with unbilled as (
                select mt.id, date_trunc('month', mt.held_on)::date as month, mt.state, mt.slot_id, mt.extra_id
                from meeting mt
                where mt.municipality_id = :municipality and mt.held_on < :until and mt.state <> 'dissolved'
                  and not exists (select 1 from statement_line l
                      where l.municipality_id = mt.municipality_id and l.meeting_id = mt.id)
                  and exists (select 1 from membership m where m.municipality_id = mt.municipality_id
                      and m.slot_id = mt.slot_id and m.state in ('confirmed', 'left')
                      and (mt.extra_id is null or exists (select 1 from extra_seat xs
                   where xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
                     and xs.membership_id = m.id and xs.state = 'taken'))))
            select u.month, count(*) as meetings, count(*) filter (where u.state in ('scheduled', 'held') and exists (
                select 1 from membership m where m.municipality_id = :municipality and m.slot_id = u.slot_id
                  and m.state = 'confirmed' and (u.extra_id is null or exists (select 1 from extra_seat xs
                   where xs.municipality_id = m.municipality_id and xs.extra_id = u.extra_id
                     and xs.membership_id = m.id and xs.state = 'taken'))
                  and not exists (select 1 from attendance a
                      where a.municipality_id = m.municipality_id and a.meeting_id = u.id
                        and a.membership_id = m.id))) as waiting
            from unbilled u where not exists (select 1 from month_closing c
                where c.municipality_id = :municipality and c.month = u.month)
            group by 1 order by 1"""),
        {"municipality": municipality_id, "until": first_day(today)},
    )
    return [OpenMonth(row.month, row.meetings - row.waiting, row.waiting) for row in rows]


def closings_of(municipality_id: str) -> SelectOfScalar[MonthClosing]:
    """The closed months of a municipality."""
    return select(MonthClosing).where(MonthClosing.municipality_id == municipality_id)


def list_closings(session: Session, municipality_id: str) -> list[MonthClosing]:
    """The closed months, newest first."""
    return list(
        session.exec(
            select(MonthClosing)
            .where(MonthClosing.municipality_id == municipality_id)
            .order_by(col(MonthClosing.month).desc())
        )
    )


def month_lines(session: Session, municipality_id: str, month: date) -> Sequence[Any]:
    """Every line of a closed month for the settlement report, by number and date."""
    return (
        session.connection()
        .execute(
            text("""
                select s.year, s.number, h.id as household_id, h.family_name, h.given_name, mt.held_on, sl.service,
                       pr.name as provider_name,
                       l.explanation ->> 'attendance' as attendance, l.share_cents, l.subsidy_cents,
                       coalesce(g.code, '') as programme, l.guarantee_cents, l.net_cents
                from statement_line l
                join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
                join household h on h.municipality_id = l.municipality_id and h.id = l.household_id
                join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
                join slot sl on sl.municipality_id = mt.municipality_id and sl.id = mt.slot_id
                join provider pr on pr.municipality_id = l.municipality_id and pr.id = l.provider_id
                join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
                left join programme g on g.municipality_id = m.municipality_id and g.id = m.programme_id
                where l.municipality_id = :municipality and s.month = :month
                order by s.year, s.number, mt.held_on, l.id"""),
            {"municipality": municipality_id, "month": month},
        )
        .all()
    )


def account_totals(session: Session, municipality_id: str) -> dict[Kind, int]:
    """The ledger's balance by kind of account."""
    rows = session.connection().execute(
        text("select account, sum(cents)::bigint from posting where municipality_id = :municipality group by 1"),
        {"municipality": municipality_id},
    )
    totals: dict[Kind, int] = {}
    for name, cents in rows:
        kind = Account.parse(name).kind
        totals[kind] = totals.get(kind, 0) + int(cents)
    return totals
