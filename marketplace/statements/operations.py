"""A month is closed once, whole or not at all: one transaction writes lines, vouchers, ledger, numbers and payments."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlalchemy import text
from sqlmodel import Session, select
from uuid_utils.compat import uuid7

from billing.ledger import Entry, guarantee
from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.errors import NotFound, Rejected
from marketplace.jobs import defer, job
from marketplace.slots.calendar import local_day
from marketplace.slots.models import Meeting
from marketplace.statements.bills import MeetingBill, iter_unbilled
from marketplace.statements.corrections import correct_meetings
from marketplace.statements.lines import write_lines
from marketplace.statements.models import MonthClosing
from marketplace.statements.months import last_day, next_month
from marketplace.statements.opening import OpenStatements
from marketplace.statements.payments import defer_collections
from marketplace.statements.posting import post_all
from marketplace.words import N_

BATCH_MEETINGS = 1000
CHARGE_MIN_CENTS = 50
"""Stripe takes no less; what is less waits for the next statement."""

CLOSING_TRIES = RetryStrategy(max_attempts=5, exponential_wait=3)


class MonthNotOver(Rejected):
    """A month is closed from its last day's midnight on."""

    default = N_("Il mese non è ancora finito: si chiude dal giorno dopo il suo ultimo.")


def find_closing(session: Session, municipality_id: str, month: date) -> MonthClosing | None:
    """The closing of a month (its first day), if it is closed."""
    return session.exec(
        select(MonthClosing).where(MonthClosing.municipality_id == municipality_id, MonthClosing.month == month)
    ).first()


def get_closing(session: Session, municipality_id: str, month: date) -> MonthClosing:
    """The closing of a month; raises NotFound while it is open."""
    closing = find_closing(session, municipality_id, month)
    if closing is None:
        raise NotFound
    return closing


def check_month(month: date, now: datetime) -> None:
    """Raises MonthNotOver unless `month` is the first day of a month that is over."""
    if month.day != 1 or local_day(now) < next_month(month):
        raise MonthNotOver


def request_closing(session: Session, by: Actor, now: datetime, municipality_id: str, month: date) -> None:
    """Have `month` closed by a job, at once; asking again while it waits or runs is asking once."""
    check_month(month, now)
    name = f"close-{municipality_id}-{month}"
    user_id = str(by.user_id) if by.user_id else None
    defer(session, close_job, municipality_id, lock=name, once=name, month=month.isoformat(), user_id=user_id)


def is_closing(session: Session, municipality_id: str, month: date) -> bool:
    """Whether a closing of `month` waits or runs."""
    found = session.connection().execute(
        text("select 1 from procrastinate_jobs where queueing_lock = :name and status in ('todo', 'doing') limit 1"),
        {"name": f"close-{municipality_id}-{month}"},
    )
    return found.first() is not None


@job("statements.close_month", retry=CLOSING_TRIES)
def close_job(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Close a month for the officer who asked."""
    user_id = arguments.get("user_id")
    by = Actor(municipality_id, Role.OFFICER, UUID(user_id) if user_id else None)
    close_month(session, by, now, municipality_id, date.fromisoformat(arguments["month"]))


def close_month(session: Session, by: Actor, now: datetime, municipality_id: str, month: date) -> MonthClosing:
    """Close `month` (its first day) and give its closing; a closed one is given back as it is.

    Every meeting before the month's end that is on no statement yet and whose attendance is known goes on one:
    its lines, the vouchers used or given back, its ledger entry; then each household's statement has its number and
    total, and what is due a payment, collected from `charge_after_days` on. A killed closing leaves nothing.
    """
    check_month(month, now)
    session.connection().execute(
        text("select pg_advisory_xact_lock(hashtext('closing'), hashtext(:municipality))"),
        {"municipality": municipality_id},
    )
    closing = find_closing(session, municipality_id, month)
    if closing is not None:
        return closing
    closed_on = local_day(now)
    due_on = closed_on + timedelta(days=get_policy(session, municipality_id, closed_on).charge_after_days)
    statements = OpenStatements(session, municipality_id, month, due_on)
    statements.open(_billable_households(session, municipality_id, month))
    waiting = _write_lines(session, municipality_id, month, now, statements)
    corrected = correct_meetings(session, municipality_id, month, now, statements)
    # The planner must know that these are no longer the small tables that they were before this transaction.
    session.connection().execute(text("analyze statement, statement_line, ledger_entry, posting"))
    values = {"municipality": municipality_id, "month": month, "now": now, "due_on": due_on}
    _use_vouchers(session, values)
    _number_statements(session, values | {"year": closed_on.year})
    totals = _totals(session, values) | {"meetings_waiting": waiting, "meetings_corrected": corrected}
    closing = MonthClosing(
        municipality_id=municipality_id, month=month, closed_at=now, closed_by=by.user_id, totals=totals
    )
    session.add(closing)
    record(session, by, now, "close_month", "month", closing.id, month=month.isoformat(), **totals)
    session.flush()
    defer_collections(session, municipality_id, month, due_on)
    return closing


def _billable_households(session: Session, municipality_id: str, month: date) -> Sequence[UUID]:
    """Every household of a meeting that may be billed."""
    households = session.connection().execute(
        text("""
            select distinct m.household_id from meeting mt
            join membership m on m.municipality_id = mt.municipality_id and m.slot_id = mt.slot_id
                 and m.state in ('confirmed', 'left')
            where mt.municipality_id = :municipality and mt.held_on < :until and mt.state <> 'dissolved'
              and (mt.extra_id is null or exists (select 1 from extra_seat xs
                   where xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
                     and xs.membership_id = m.id and xs.state = 'taken'))
              and not exists (select 1 from statement_line l
                  where l.municipality_id = mt.municipality_id and l.meeting_id = mt.id)
            order by 1"""),
        {"municipality": municipality_id, "until": next_month(month)},
    )
    return households.scalars().all()


def _write_lines(session: Session, municipality_id: str, month: date, now: datetime, statements: OpenStatements) -> int:
    """Lines and ledger entries of every meeting that is decided; how many wait for a decision.

    While the database writes one batch the next is worked out: a connection serves one thread after the other, and a
    month of a large city takes both cores.
    """

    def write(lines: list[dict[str, Any]], entries: list[Entry], is_first: bool) -> None:
        write_lines(session, lines)
        post_all(session, municipality_id, entries, now, last_day(month), is_first=is_first)

    waiting = 0
    with ThreadPoolExecutor(1) as writer, _uncollected():
        written: Future[None] | None = None
        for batch in _batches(iter_unbilled(session, municipality_id, next_month(month), now)):
            lines = [row for bill in batch for row in _line_rows(municipality_id, bill, statements)]
            entries = [entry for bill in batch if (entry := bill.entry(municipality_id)) is not None]
            waiting += sum(1 for bill in batch if bill.bill is None)
            if written is not None:
                written.result()
            written = writer.submit(write, lines, entries, written is None)
        if written is not None:
            written.result()
    return waiting


@contextmanager
def _uncollected() -> Iterator[None]:
    """Within, Python looks for no cycles: bills have none, and looking costs a third of their time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _batches(bills: Iterable[MeetingBill]) -> Iterator[list[MeetingBill]]:
    source = iter(bills)
    while batch := list(islice(source, BATCH_MEETINGS)):
        yield batch


def _line_rows(municipality_id: str, bill: MeetingBill, statements: OpenStatements) -> list[dict[str, Any]]:
    if bill.bill is None:
        return []
    return [
        {
            "municipality_id": municipality_id,
            "id": uuid7(),
            "statement_id": statements[member.household_id],
            "household_id": member.household_id,
            "meeting_id": bill.meeting_id,
            "membership_id": member.membership_id,
            "provider_id": bill.provider_id,
            "kind": "meeting",
            "share_cents": line.share_cents,
            "subsidy_cents": line.subsidy_cents,
            "guarantee_cents": line.guarantee_cents,
            "net_cents": line.net_cents,
            "provider_cents": line.provider_cents,
            "explanation": bill.explanation(line),
        }
        for member, line in zip(bill.members, bill.bill.lines, strict=True)
    ]


def _use_vouchers(session: Session, values: dict[str, Any]) -> None:
    """What was held for the billed meetings is committed as it was used, or given back to the programme's week."""
    session.connection().execute(
        text("""
            update voucher_hold h
            set state = case when used.cents > 0 then 'committed' else 'released' end, committed_cents = used.cents,
                held_cents = greatest(h.held_cents, used.cents)
            from (select l.membership_id, date_trunc('week', mt.held_on)::date as week, sum(l.subsidy_cents) as cents
                  from statement_line l
                  join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
                  join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
                  where l.municipality_id = :municipality and s.month = :month and l.kind = 'meeting'
                    and mt.extra_id is null
                  group by 1, 2) used
            where h.municipality_id = :municipality and h.membership_id = used.membership_id and h.week = used.week
              and h.state = 'held'"""),
        values,
    )


def _number_statements(session: Session, values: dict[str, Any]) -> None:
    """Totals, numbers without gaps, and the payment of what is owed and nobody asked for yet; empty statements go."""
    connection = session.connection()
    connection.execute(
        text("""
            delete from statement s where s.municipality_id = :municipality and s.month = :month and s.state = 'open'
              and not exists (select 1 from statement_line l
                  where l.municipality_id = s.municipality_id and l.statement_id = s.id)"""),
        values,
    )
    connection.execute(
        text("""
            update statement s
            set total_cents = sums.cents, state = 'closed', closed_at = :now, year = :year, number = sums.number
            from (select s.id, sum(l.net_cents) as cents,
                         row_number() over (order by s.id) + (
                             select coalesce(max(number), 0) from statement
                             where municipality_id = :municipality and year = :year) as number
                  from statement s
                  join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
                  where s.municipality_id = :municipality and s.month = :month and s.state = 'open'
                  group by s.id) sums
            where s.municipality_id = :municipality and s.id = sums.id"""),
        values,
    )
    # That all are closed now the planner must know, or it looks for each one's account among all of them. What is asked
    # and what is paid already is one statement: of the new payments it knows nothing.
    connection.execute(text("analyze statement"))
    connection.execute(
        text("""
            with new as (
                insert into payment (municipality_id, id, statement_id, household_id, cause, cents, state, attempts,
                                     next_attempt_on, failure, updated_at)
                select s.municipality_id, uuidv7(), s.id, s.household_id, '', account.cents - coalesce(asked.cents, 0),
                       'due', 0, :due_on, '', :now
                from statement s
                join (select account, sum(cents) as cents from posting
                      where municipality_id = :municipality and account like 'family:%' group by account) account
                  on account.account = 'family:' || s.household_id
                left join (select household_id, sum(cents) as cents from payment
                      where municipality_id = :municipality and state in ('due', 'processing', 'failed', 'waiting')
                      group by household_id) asked on asked.household_id = s.household_id
                where s.municipality_id = :municipality and s.month = :month and s.state = 'closed'
                  and account.cents - coalesce(asked.cents, 0) >= :least
                returning statement_id)
            update statement s set state = 'paid', paid_at = :now
            where s.municipality_id = :municipality and s.month = :month and s.state = 'closed'
              and s.id not in (select statement_id from new)"""),
        values | {"least": CHARGE_MIN_CENTS},
    )


def _totals(session: Session, values: dict[str, Any]) -> dict[str, int]:
    """What the closing adds up to, in cents and counts."""
    row = session.connection().execute(
        text("""
            select count(distinct s.id) as statements, count(distinct l.meeting_id) as meetings,
                   coalesce(sum(l.share_cents), 0)::bigint as share_cents,
                   coalesce(sum(l.subsidy_cents), 0)::bigint as subsidy_cents,
                   coalesce(sum(l.guarantee_cents), 0)::bigint as guarantee_cents,
                   coalesce(sum(l.net_cents), 0)::bigint as net_cents
            from statement s join statement_line l on l.municipality_id = s.municipality_id and l.statement_id = s.id
            where s.municipality_id = :municipality and s.month = :month"""),
        values,
    )
    totals = dict(row.mappings().one())
    fund = session.connection().execute(
        text("""
            select coalesce(sum(p.cents), 0)::bigint from posting p
            join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
            where p.municipality_id = :municipality and e.booked_on = :booked_on and p.account = :fund
              and e.event in ('meeting_billed', 'meeting_corrected')"""),
        values | {"booked_on": last_day(values["month"]), "fund": str(guarantee(values["municipality"]))},
    )
    return totals | {"compensation_cents": int(fund.scalar_one()) - totals["guarantee_cents"]}


def count_waiting(session: Session, municipality_id: str, before: date) -> int:
    """How many meetings `list_waiting` would list."""
    return len(_unrecorded(session, municipality_id, before))


def list_waiting(session: Session, municipality_id: str, before: date) -> list[tuple[Meeting, int]]:
    """Meetings before a day whose attendance is not recorded, and for how many members: nobody pays or is paid."""
    missing = _unrecorded(session, municipality_id, before)
    if not missing:
        return []
    meetings = session.exec(
        select(Meeting).where(Meeting.municipality_id == municipality_id, Meeting.id.in_(missing))  # type: ignore[attr-defined]
    )
    return [(meeting, missing[meeting.id]) for meeting in sorted(meetings, key=lambda one: (one.held_on, one.id))]


def _unrecorded(session: Session, municipality_id: str, before: date) -> dict[UUID, int]:
    """For how many members nothing was recorded, by meeting."""
    rows = (
        session.connection()
        .execute(
            text("""
            select mt.id, count(*) from meeting mt
            join membership m on m.municipality_id = mt.municipality_id and m.slot_id = mt.slot_id
                 and m.state = 'confirmed'
            where mt.municipality_id = :municipality and mt.held_on < :before and mt.state in ('scheduled', 'held')
              and (mt.extra_id is null or exists (select 1 from extra_seat xs
                   where xs.municipality_id = mt.municipality_id and xs.extra_id = mt.extra_id
                     and xs.membership_id = m.id and xs.state = 'taken'))
              and not exists (select 1 from attendance a where a.municipality_id = mt.municipality_id
                  and a.meeting_id = mt.id and a.membership_id = m.id)
              and not exists (select 1 from statement_line l where l.municipality_id = mt.municipality_id
                  and l.meeting_id = mt.id)
            group by mt.id order by mt.id"""),
            {"municipality": municipality_id, "before": before},
        )
        .all()
    )
    return {row[0]: int(row[1]) for row in rows}
