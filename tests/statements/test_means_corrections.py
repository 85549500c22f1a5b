"""A wrong ISEE: a dated decision, a line of difference on the next statement, and books that still agree."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.errors import Forbidden, Rejected
from marketplace.households.models import MeansTest
from marketplace.messages.models import Message
from marketplace.slots.models import Membership
from marketplace.statements.audit import audit
from marketplace.statements.means_corrections import correct_means_test
from marketplace.statements.models import Statement, StatementLine
from marketplace.vouchers.models import VoucherDecision, VoucherHold
from tests.statements.test_grants import HOURLY, close, publish, subsidies, three
from tests.statements.world import CITY, CLOSED_AT, OFFICER, TUESDAYS, City

DECEMBER, LATER = date(2026, 12, 1), CLOSED_AT + timedelta(days=31)
FOUND_AT = datetime(2026, 12, 3, 9, tzinfo=UTC)


def correct(city: City, member: Membership, isee: int, from_day: date) -> MeansTest:
    return correct_means_test(
        city.session, OFFICER, FOUND_AT, FOUND_AT.date(), member.household_id, 100 * isee, from_day, "ISEE non vero"
    )


def differences(city: City, member: Membership) -> list[tuple[int, int]]:
    found = city.session.exec(
        select(StatementLine).where(StatementLine.membership_id == member.id, StatementLine.kind != "meeting")
    ).all()
    return sorted((line.subsidy_cents, line.net_cents) for line in found)


def test_a_voucher_that_was_not_due_is_a_debit_line_from_its_day_and_the_hold_goes_back(city: City) -> None:
    group = three(city)
    mine = group.memberships[0]
    mine.cap_cents, mine.held_cents, city.programme.isee_max_cents = 700, 650, 1_500_000
    city.everybody_came(group)
    close(city)
    assert subsidies(city, mine) == [650] * 4
    correct(city, mine, 20_000, TUESDAYS[2])
    correct(city, mine, 20_000, TUESDAYS[2])
    assert len(city.session.exec(select(VoucherDecision)).all()) == 1, "twice is once"
    close(city, DECEMBER, LATER)
    assert differences(city, mine) == [(-650, 650)] * 2
    holds = sorted((hold.state, hold.committed_cents) for hold in city.session.exec(select(VoucherHold)))
    assert holds == [("committed", 650)] * 2 + [("released", 0)] * 2
    assert list(audit(city.session, CITY)) == []
    told = city.session.exec(select(Message)).all()
    assert len(told) == 1 and "20" not in told[0].body.replace("2026", "").replace("30", "")


def test_an_isee_that_was_lower_is_a_credit_line_by_the_rule_of_those_days(city: City) -> None:
    publish(city, HOURLY)
    group = three(city, isee=9_500)
    mine = group.memberships[0]
    city.everybody_came(group)
    close(city)
    assert subsidies(city, mine) == [650] * 4
    correct(city, mine, 8_000, TUESDAYS[0])
    close(city, DECEMBER, LATER)
    assert differences(city, mine) == [(425, -425)] * 4
    statement = city.session.exec(
        select(Statement).where(Statement.household_id == mine.household_id, Statement.month == DECEMBER)
    ).one()
    assert statement.total_cents == -1700
    assert list(audit(city.session, CITY)) == []


def test_what_is_still_to_be_billed_is_billed_without_the_voucher(city: City) -> None:
    group = three(city)
    mine = group.memberships[0]
    mine.cap_cents, mine.held_cents, city.programme.isee_max_cents = 700, 650, 1_500_000
    correct(city, mine, 20_000, TUESDAYS[1])
    city.everybody_came(group)
    close(city, at=FOUND_AT + timedelta(hours=1))
    lines = city.session.exec(select(StatementLine).where(StatementLine.membership_id == mine.id)).all()
    assert sorted(line.net_cents for line in lines) == [650, 1300, 1300, 1300]
    assert list(audit(city.session, CITY)) == []


def test_a_correction_needs_an_officer_a_reason_and_a_day_that_has_come(city: City) -> None:
    group = three(city)
    mine, other, _ = group.memberships
    arguments = (mine.household_id, 100, TUESDAYS[0], "motivo")
    for role in (Role.FAMILY, Role.PROVIDER, Role.OPERATOR, Role.ADMINISTRATOR):
        with pytest.raises(Forbidden):
            correct_means_test(city.session, Actor(CITY, role), FOUND_AT, FOUND_AT.date(), *arguments)
    for wrong in (
        (mine.household_id, 100, FOUND_AT.date() + timedelta(days=1), "motivo"),
        (mine.household_id, 100, TUESDAYS[0], " "),
        (other.household_id, 100, TUESDAYS[0], "motivo"),
    ):
        with pytest.raises(Rejected):
            correct_means_test(city.session, OFFICER, FOUND_AT, FOUND_AT.date(), *wrong)
    assert city.session.exec(select(VoucherDecision)).all() == []
