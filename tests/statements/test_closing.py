"""A month closed: every line, voucher, entry, number and payment, once, against the real database."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from marketplace.accounts.models import PolicyVersion
from marketplace.slots.models import MeetingState, Presence, ProposalState
from marketplace.statements import operations
from marketplace.statements.audit import audit
from marketplace.statements.models import LedgerEntry, MonthClosing, Payment, Posting, Statement, StatementLine
from marketplace.statements.operations import MonthNotOver, close_month, count_waiting, list_waiting
from marketplace.vouchers.models import HoldState, ProgrammeWeek, VoucherHold
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, TUESDAYS, City, Group


def three(city: City, **first: Any) -> Group:
    """A group of three, the first with a voucher of a half."""
    group = city.group()
    city.join(group, city.household(), percent="50", held=900, **first)
    city.join(group, city.household())
    city.join(group, city.household())
    return group


def close(city: City, month: date = NOVEMBER) -> MonthClosing:
    return close_month(city.session, OFFICER, CLOSED_AT, CITY, month)


def balances(session: Session) -> dict[str, int]:
    rows = session.connection().execute(text("select account, sum(cents)::bigint from posting group by 1"))
    return {account: int(cents) for account, cents in rows}


def test_a_month_of_meetings_becomes_statements_that_agree_with_ledger_and_vouchers(city: City) -> None:
    group = three(city)
    city.everybody_came(group)
    closing = close(city)
    statements = city.session.exec(select(Statement).order_by(Statement.number)).all()  # type: ignore[arg-type]
    assert [one.number for one in statements] == [1, 2, 3]
    assert sorted(one.total_cents for one in statements) == [4 * 650, 4 * 1300, 4 * 1300]
    assert all(one.state == "closed" and one.due_on == date(2026, 12, 8) for one in statements)
    after = balances(city.session)
    assert after[f"provider:{group.provider.id}"] == -4 * 3600
    assert after[f"venue:{city.venue.id}"] == -4 * 300
    assert after[f"programme:{city.programme.id}"] == 4 * 650
    assert sum(after.values()) == 0
    holds = city.session.exec(select(VoucherHold)).all()
    assert {(hold.state, hold.committed_cents) for hold in holds} == {(HoldState.COMMITTED, 650)}
    weeks = city.session.exec(select(ProgrammeWeek).where(ProgrammeWeek.used_cents > 0)).all()
    assert [week.used_cents for week in weeks] == [650] * 4
    payments = city.session.exec(select(Payment)).all()
    assert sorted(payment.cents for payment in payments) == [2600, 5200, 5200]
    assert closing.totals["net_cents"] == 4 * 3250 and closing.totals["meetings_waiting"] == 0


def test_closing_again_changes_nothing(city: City) -> None:
    city.everybody_came(three(city))
    first = close(city)
    before = balances(city.session)
    again = close_month(city.session, OFFICER, CLOSED_AT + timedelta(hours=1), CITY, NOVEMBER)
    assert again.id == first.id
    assert balances(city.session) == before
    assert len(city.session.exec(select(StatementLine)).all()) == 12


def test_a_meeting_that_nobody_recorded_waits_and_comes_with_a_later_month(city: City) -> None:
    group = three(city)
    *recorded, late = group.meetings
    for meeting in recorded:
        city.attend(meeting, {one.id: Presence.PRESENT for one in group.memberships})
    city.attend(late, {group.memberships[0].id: Presence.PRESENT})
    assert [(meeting.id, count) for meeting, count in list_waiting(city.session, CITY, date(2026, 12, 1))] == [
        (late.id, 2)
    ]
    assert count_waiting(city.session, CITY, date(2026, 12, 1)) == 1
    closing = close(city)
    assert closing.totals["meetings"] == 3 and closing.totals["meetings_waiting"] == 1
    assert city.session.exec(select(VoucherHold).where(VoucherHold.state == HoldState.HELD)).one().held_cents == 900
    city.attend(late, {one.id: Presence.PRESENT for one in group.memberships[1:]})
    december = close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    assert december.totals["meetings"] == 1 and december.totals["statements"] == 3
    assert city.session.exec(select(VoucherHold).where(VoucherHold.state == HoldState.HELD)).all() == []


def test_absences_follow_the_rule_and_nobody_passes_its_cap(city: City) -> None:
    group = three(city, cap=700)
    mine, other, third = group.memberships
    came, told, absent, cancelled = group.meetings
    city.attend(came, {one.id: Presence.PRESENT for one in group.memberships})
    city.attend(
        told, {mine.id: Presence.PRESENT, other.id: Presence.ABSENT_NOTIFIED, third.id: Presence.ABSENT_NOTIFIED}
    )
    city.attend(absent, {mine.id: Presence.PRESENT, other.id: Presence.ABSENT, third.id: Presence.PRESENT})
    cancelled.state = MeetingState.CANCELLED_BY_PROVIDER
    city.session.flush()
    close(city)
    lines = {(line.meeting_id, line.membership_id): line for line in city.session.exec(select(StatementLine)).all()}
    alone = lines[told.id, mine.id]
    assert (alone.share_cents, alone.subsidy_cents, alone.net_cents, alone.guarantee_cents) == (3000, 900, 700, 1400)
    assert lines[told.id, other.id].net_cents == 0
    assert lines[absent.id, other.id].net_cents == 1300
    assert lines[absent.id, other.id].explanation["attendance"] == "absent"
    assert all(lines[cancelled.id, one.id].net_cents == 0 for one in group.memberships)
    assert lines[cancelled.id, mine.id].explanation["attendance"] == "cancelled_by_provider"
    assert balances(city.session)[f"guarantee:{CITY}"] == 1400
    released = city.session.exec(select(VoucherHold).where(VoucherHold.state == HoldState.RELEASED)).one()
    assert released.week == TUESDAYS[3] - timedelta(days=1)


def test_a_day_cancelled_by_the_municipality_costs_families_nothing_and_pays_half(city: City) -> None:
    group = city.group(days=TUESDAYS[:1])
    city.join(group, city.household())
    group.meetings[0].state = MeetingState.CANCELLED_BY_MUNICIPALITY
    city.session.flush()
    assert close(city).totals["compensation_cents"] == 1350
    assert balances(city.session) == {f"guarantee:{CITY}": 1350, f"provider:{group.provider.id}": -1350}
    assert city.session.exec(select(Statement)).one().state == "paid"


def test_who_left_is_billed_until_it_left(city: City) -> None:
    group = three(city)
    leaver = group.memberships[2]
    city.everybody_came(group)
    leaver.state = ProposalState.LEFT
    proposal = city.session.connection().execute(
        text("update proposal set state = 'left', left_on = :day where id = :id"),
        {"day": TUESDAYS[2], "id": leaver.proposal_id},
    )
    assert proposal.rowcount == 1
    city.session.flush()
    close(city)
    mine = city.session.exec(select(StatementLine).where(StatementLine.membership_id == leaver.id)).all()
    assert len(mine) == 2


def test_the_odd_cent_is_explained(city: City) -> None:
    group = three(city)
    group.slot.rate_cents_per_hour = 1803
    city.session.flush()
    city.everybody_came(group)
    close(city)
    line = city.session.exec(select(StatementLine)).first()
    assert line is not None
    assert sum(line.explanation["shares"]) == line.explanation["cost_cents"]
    assert line.explanation["shares"][line.explanation["mine"]] == line.share_cents


@pytest.mark.parametrize("month", [date(2026, 12, 1), date(2027, 1, 1), date(2026, 11, 2)])
def test_a_month_that_is_not_over_is_not_closed(city: City, month: date) -> None:
    with pytest.raises(MonthNotOver):
        close(city, month)


def test_a_month_is_over_at_midnight_in_italy(city: City) -> None:
    before = CLOSED_AT.replace(month=11, day=30, hour=22, minute=59)
    with pytest.raises(MonthNotOver):
        close_month(city.session, OFFICER, before, CITY, NOVEMBER)
    close_month(city.session, OFFICER, before + timedelta(minutes=1), CITY, NOVEMBER)


@pytest.mark.parametrize("step", ["_write_lines", "_use_vouchers", "_number_statements", "_totals", "record"])
def test_a_closing_killed_anywhere_leaves_nothing_and_can_be_done_again(
    city: City, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    city.everybody_came(three(city))
    city.session.commit()
    done = getattr(operations, step)

    def killed(*args: Any, **kwargs: Any) -> None:
        done(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(operations, step, killed)
        close(city)
    city.session.rollback()
    assert city.session.exec(select(LedgerEntry)).all() == []
    assert city.session.exec(select(Statement)).all() == []
    close(city)
    assert len(city.session.exec(select(LedgerEntry)).all()) == 4
    assert sum(city.session.exec(select(Posting.cents)).all()) == 0


def test_what_is_recorded_after_the_closing_is_a_credit_on_the_next_statement(city: City) -> None:
    group = three(city)
    mine, other, third = group.memberships
    city.everybody_came(group)
    close(city)
    before = balances(city.session)
    meeting = group.meetings[1]
    city.attend(meeting, {mine.id: Presence.ABSENT_NOTIFIED}, at=CLOSED_AT + timedelta(days=2))
    closing = close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    assert closing.totals["meetings_corrected"] == 1 and closing.totals["statements"] == 3
    corrections = {
        line.membership_id: line
        for line in city.session.exec(select(StatementLine).where(StatementLine.kind == "correction-1")).all()
    }
    assert {line.net_cents for line in corrections.values()} == {-650, 425}
    assert (corrections[mine.id].subsidy_cents, corrections[mine.id].share_cents) == (-650, -1300)
    assert corrections[mine.id].explanation["was_net_cents"] == 650
    after = balances(city.session)
    assert after[f"family:{mine.household_id}"] == before[f"family:{mine.household_id}"] - 650
    assert after[f"programme:{city.programme.id}"] == before[f"programme:{city.programme.id}"] - 650
    credit = city.session.exec(
        select(Statement).where(Statement.household_id == mine.household_id, Statement.month == date(2026, 12, 1))
    ).one()
    assert (credit.total_cents, credit.state) == (-650, "paid")
    assert list(audit(city.session, CITY)) == []
    city.attend(meeting, {mine.id: Presence.PRESENT}, at=CLOSED_AT + timedelta(days=40))
    close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=65), CITY, date(2027, 1, 1))
    again = city.session.exec(select(StatementLine).where(StatementLine.kind == "correction-2")).all()
    assert {line.net_cents for line in again} == {1300, -425}  # the voucher went back to the programme
    assert list(audit(city.session, CITY)) == []
    assert (other.id, third.id) != (mine.id, mine.id)


def test_a_closing_after_a_closing_corrects_nothing_that_did_not_change(city: City) -> None:
    city.everybody_came(three(city))
    close(city)
    closing = close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    assert closing.totals["meetings_corrected"] == 0 and closing.totals["statements"] == 0


def test_the_database_itself_refuses_an_entry_that_does_not_balance(city: City) -> None:
    entry = city.session.connection().execute(
        text("""
            insert into ledger_entry (municipality_id, business_key, event, at, booked_on)
            values (:city, 'x', 'paid_by_bank', now(), '2026-11-30') returning id"""),
        {"city": CITY},
    )
    with pytest.raises(IntegrityError, match="does not balance"):
        city.session.connection().execute(
            text("""
                insert into posting (municipality_id, entry_id, account, cents)
                values (:city, :entry, 'provider:x', 5), (:city, :entry, 'bank:035033', -4)"""),
            {"city": CITY, "entry": entry.scalar_one()},
        )


def test_a_substitute_is_paid_and_may_be_refused_free_of_charge_and_so_may_a_moved_meeting(city: City) -> None:
    settings = {"absence_notified_is_free": False}
    city.session.add(PolicyVersion(municipality_id=CITY, valid_from=NOVEMBER, settings=settings, created_at=LONG_AGO))
    group = three(city)
    substitute = city.group(days=[]).provider
    plain, held, moved, last = group.meetings
    held.provider_id = substitute.id
    moved.held_on += timedelta(days=2)
    mine, *others = group.memberships
    for meeting in (plain, held, moved):
        present = {one.id: Presence.PRESENT for one in others}
        city.attend(meeting, present | {mine.id: Presence.ABSENT_NOTIFIED})
    city.attend(last, {one.id: Presence.PRESENT for one in group.memberships})
    close(city)
    lines = city.session.exec(select(StatementLine).where(StatementLine.membership_id == mine.id)).all()
    nets = {line.meeting_id: line.net_cents for line in lines}
    assert nets[plain.id] > 0 and nets[last.id] > 0
    assert nets.get(held.id, 0) == nets.get(moved.id, 0) == 0
    assert balances(city.session)[f"provider:{substitute.id}"] < 0
    assert list(audit(city.session, CITY)) == []
