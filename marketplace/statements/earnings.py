"""What a provider reads about its money: few rows whatever its families are many, and every cent in one of them."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from marketplace.statements.months import first_day, last_day


@dataclass(frozen=True, slots=True)
class Earned:
    """What one meeting earned its provider, or what a later month's closing changed of it."""

    held_on: date
    service: str
    topic: str | None
    is_correction: bool
    cents: int


@dataclass(frozen=True, slots=True)
class Week:
    """The meetings of a week, from its Monday on."""

    monday: date
    earned: tuple[Earned, ...]

    @property
    def cents(self) -> int:
        return sum(one.cents for one in self.earned)


@dataclass(frozen=True, slots=True)
class Paid:
    """Payouts due on one day from one side: `families` is 0 for what the municipality pays."""

    due_on: date
    families: int
    is_paid: bool
    cents: int
    reversed_cents: int


@dataclass(frozen=True, slots=True)
class Earnings:
    """A provider's account: what is still due, what a month earned week by week, and every payout, newest first."""

    due_cents: int
    months: tuple[date, ...]
    month: date | None
    weeks: tuple[Week, ...]
    payouts: tuple[Paid, ...]

    @property
    def month_cents(self) -> int:
        return sum(week.cents for week in self.weeks)


def get_earnings(session: Session, municipality_id: str, provider_id: UUID, month: date | None) -> Earnings:
    """A provider's earnings; `month` defaults to the newest closed one."""
    connection = session.connection()
    account = {"municipality": municipality_id, "account": f"provider:{provider_id}"}
    booked = connection.execute(
        text("""
            select distinct e.booked_on from posting p
            join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
            where p.municipality_id = :municipality and p.account = :account
              and e.event in ('meeting_billed', 'meeting_corrected') order by 1 desc"""),
        account,
    )
    months = tuple(first_day(day) for day in booked.scalars())
    chosen = month if month in months else (months[0] if months else None)
    balance = connection.execute(
        text(
            "select coalesce(sum(cents), 0) from posting where municipality_id = :municipality and account = :account"
        ),
        account,
    ).scalar_one()
    return Earnings(
        due_cents=-int(balance),
        months=months,
        month=chosen,
        weeks=_weeks(session, municipality_id, provider_id, chosen) if chosen else (),
        payouts=_payouts(session, municipality_id, provider_id),
    )


def _weeks(session: Session, municipality_id: str, provider_id: UUID, month: date) -> tuple[Week, ...]:
    """What was booked to a month, by the weeks in which it took place."""
    rows = session.connection().execute(
        text("""
            select mt.held_on, sl.service, sl.topic, e.event = 'meeting_corrected', -p.cents
            from posting p
            join ledger_entry e on e.municipality_id = p.municipality_id and e.id = p.entry_id
            join meeting mt on mt.municipality_id = e.municipality_id
                 and mt.id = cast(split_part(e.business_key, ':', 2) as uuid)
            join slot sl on sl.municipality_id = mt.municipality_id and sl.id = mt.slot_id
            where p.municipality_id = :municipality and p.account = :account and e.booked_on = :booked_on
              and e.event in ('meeting_billed', 'meeting_corrected')
            order by mt.held_on, sl.service, e.id"""),
        {"municipality": municipality_id, "account": f"provider:{provider_id}", "booked_on": last_day(month)},
    )
    earned = [Earned(*row) for row in rows]
    return tuple(
        Week(monday, tuple(mine))
        for monday, mine in groupby(earned, key=lambda one: one.held_on - timedelta(days=one.held_on.weekday()))
    )


def _payouts(session: Session, municipality_id: str, provider_id: UUID) -> tuple[Paid, ...]:
    rows = session.connection().execute(
        text("""
            select o.due_on, count(distinct s.household_id), o.paid_at is not null, sum(o.due_cents)::bigint,
                   sum(o.reversed_cents)::bigint
            from payout o
            left join statement s on s.municipality_id = o.municipality_id and s.id = o.statement_id
            where o.municipality_id = :municipality and o.provider_id = :provider
            group by o.due_on, o.statement_id is null, o.paid_at is not null
            order by o.due_on desc, 3, 2 desc"""),
        {"municipality": municipality_id, "provider": provider_id},
    )
    return tuple(Paid(*row) for row in rows)
