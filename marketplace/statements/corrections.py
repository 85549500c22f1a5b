"""A closed month never changes: what was recorded later is a correction, a line of difference on the next statement."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session
from uuid_utils.compat import uuid7

from billing import ledger
from billing.absence import Line
from marketplace.statements.bills import MeetingBill, iter_to_correct
from marketplace.statements.lines import write_lines
from marketplace.statements.months import last_day
from marketplace.statements.opening import OpenStatements
from marketplace.statements.posting import post

FIGURES = ("share_cents", "subsidy_cents", "guarantee_cents", "net_cents", "provider_cents")


def correct_meetings(
    session: Session, municipality_id: str, month: date, now: datetime, statements: OpenStatements
) -> int:
    """Write the lines, the ledger entries and the vouchers of every meeting that is known better now; how many."""
    corrected = 0
    for bill in list(iter_to_correct(session, municipality_id, now)):
        if bill.bill is None:
            continue
        before = billed_figures(session, municipality_id, bill.meeting_id)
        rows = list(_rows(municipality_id, bill, before, statements))
        if not rows:
            continue
        write_lines(session, rows)
        entry = ledger.meeting_corrected(
            f"{bill.meeting_id}:{month:%Y-%m}",
            posted(session, municipality_id, bill.meeting_id),
            bill.entry(municipality_id),
        )
        if entry is not None:
            post(session, municipality_id, entry, now, last_day(month))
        _correct_vouchers(session, municipality_id, bill.meeting_id)
        corrected += 1
    return corrected


def billed_figures(
    session: Session, municipality_id: str, meeting_id: UUID, until: date = date.max
) -> dict[UUID, tuple[int, ...]]:
    """What the lines of a meeting add up to for each membership, to a month; the last figure is how many lines."""
    rows = session.connection().execute(
        text("""
            select l.membership_id, sum(l.share_cents), sum(l.subsidy_cents), sum(l.guarantee_cents), sum(l.net_cents),
                   sum(l.provider_cents), count(*)
            from statement_line l join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
            where l.municipality_id = :municipality and l.meeting_id = :meeting and s.month <= :until group by 1"""),
        {"municipality": municipality_id, "meeting": meeting_id, "until": until},
    )
    return {row[0]: tuple(int(figure) for figure in row[1:]) for row in rows}


def posted(session: Session, municipality_id: str, meeting_id: UUID, until: date = date.max) -> ledger.Entry | None:
    """What the ledger holds of a meeting so far, as one entry; None where that is nothing."""
    rows = session.connection().execute(
        text("""
            select p.account, sum(p.cents)::bigint from ledger_entry e
            join posting p on p.municipality_id = e.municipality_id and p.entry_id = e.id
            where e.municipality_id = :municipality and e.booked_on <= :until
              and (e.business_key = 'meeting:' || :meeting or e.business_key like 'correction:' || :meeting || ':%')
            group by 1 having sum(p.cents) <> 0 order by 1"""),
        {"municipality": municipality_id, "meeting": str(meeting_id), "until": until},
    )
    postings = tuple(ledger.Posting(ledger.Account.parse(account), cents) for account, cents in rows)
    return ledger.Entry(f"meeting:{meeting_id}", "meeting_billed", postings) if postings else None


def figures(line: Line) -> tuple[int, ...]:
    """A line's figures, in the order of FIGURES."""
    return tuple(getattr(line, name) for name in FIGURES)


def _rows(
    municipality_id: str, bill: MeetingBill, before: Mapping[UUID, tuple[int, ...]], statements: OpenStatements
) -> Iterator[dict[str, Any]]:
    assert bill.bill is not None
    for member, line in zip(bill.members, bill.bill.lines, strict=True):
        *was, count = before.get(member.membership_id, (0,) * (len(FIGURES) + 1))
        difference = [new - old for new, old in zip(figures(line), was, strict=True)]
        if not any(difference):
            continue
        statements.open([member.household_id])
        yield {
            "municipality_id": municipality_id,
            "id": uuid7(),
            "statement_id": statements[member.household_id],
            "household_id": member.household_id,
            "meeting_id": bill.meeting_id,
            "membership_id": member.membership_id,
            "provider_id": bill.provider_id,
            "kind": f"correction-{count}",
            "explanation": bill.explanation(line)
            | {"was_net_cents": was[3], "now_net_cents": line.net_cents, "is_forgiven": member.is_forgiven},
        } | dict(zip(FIGURES, difference, strict=True))


def _correct_vouchers(session: Session, municipality_id: str, meeting_id: UUID) -> None:
    """What a programme committed for the meeting falls to what is used of it now."""
    session.connection().execute(
        text("""
            update voucher_hold h
            set committed_cents = used.cents, state = case when used.cents > 0 then 'committed' else 'released' end,
                held_cents = greatest(h.held_cents, used.cents)
            from (select l.membership_id, date_trunc('week', mt.held_on)::date as week, sum(l.subsidy_cents) as cents
                  from statement_line l
                  join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
                  where l.municipality_id = :municipality and l.meeting_id = :meeting and mt.extra_id is null
                  group by 1, 2) used
            where h.municipality_id = :municipality and h.membership_id = used.membership_id and h.week = used.week
              and h.state = 'committed' and h.committed_cents <> used.cents"""),
        {"municipality": municipality_id, "meeting": meeting_id},
    )
