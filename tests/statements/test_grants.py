"""A rule beyond a percentage lowers the statement's price: within limits and budget, explained, and derived again."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from billing.reading import model_of
from billing.rules import Rule
from marketplace.households.models import MeansTest, MeansTestState
from marketplace.slots.models import Membership, Presence
from marketplace.statements.audit import audit
from marketplace.statements.models import StatementLine
from marketplace.statements.operations import close_month
from marketplace.vouchers.models import ProgrammeWeek, VoucherHold
from marketplace.vouchers.rules import publish_rule
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, TUESDAYS, City, Group

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
HOURLY = {"kind": "charge", "tariffs": [{"per": "hour", "bands": [{"up_to": 9000, "amount": 1.50}, {}]}]}


def publish(city: City, values: dict[str, object], valid_from: date = OCTOBER) -> None:
    publish_rule(city.session, OFFICER, LONG_AGO, SEPTEMBER, city.programme.id, model_of(values, Rule), valid_from)


def declare(city: City, member: Membership, isee: int, at: datetime = LONG_AGO) -> None:
    city.session.add(
        MeansTest(
            municipality_id=CITY,
            household_id=member.household_id,
            isee_cents=str(100 * isee),
            state=MeansTestState.VERIFIED,
            valid_until=date(2026, 12, 31),
            created_at=at,
        )
    )
    city.session.flush()


def three(city: City, isee: int = 8000, held: int = 650) -> Group:
    """Three who share 39 euros, 13 each; the first has a voucher of a half, of which `held` a meeting is held."""
    group = city.group()
    mine = city.join(group, city.household(), percent="50", held=held)
    city.join(group, city.household())
    city.join(group, city.household())
    declare(city, mine, isee)
    return group


def close(city: City, month: date = NOVEMBER, at: datetime = CLOSED_AT) -> None:
    close_month(city.session, OFFICER, at, CITY, month)
    city.session.expire_all()


def lines_of(city: City, member: Membership) -> list[StatementLine]:
    found = city.session.exec(select(StatementLine).where(StatementLine.membership_id == member.id)).all()
    return sorted(found, key=lambda line: (line.meeting_id, line.kind))


def subsidies(city: City, member: Membership) -> list[int]:
    return [line.subsidy_cents for line in lines_of(city, member)]


def test_a_charge_by_the_hour_lowers_the_price_and_everything_agrees(city: City) -> None:
    publish(city, HOURLY)
    group = three(city)
    city.everybody_came(group)
    close(city)
    lines = lines_of(city, group.memberships[0])
    assert [(line.share_cents, line.subsidy_cents, line.net_cents) for line in lines] == [(1300, 1075, 225)] * 4
    decision = lines[0].explanation["decision"]
    assert (decision["number"], decision["grant_cents"], decision["extra_cents"]) == (1, 1075, 425)
    assert "8000" not in str(decision), "the ISEE stays in its means test"
    assert decision["steps"][-2]["values"]["amount"] == "1.50"
    holds = city.session.exec(select(VoucherHold)).all()
    assert {(hold.held_cents, hold.committed_cents) for hold in holds} == {(1075, 1075)}
    assert list(audit(city.session, CITY)) == []


def test_nobody_pays_more_by_a_rule_that_grants_less_than_was_promised(city: City) -> None:
    publish(city, HOURLY)
    group = three(city, isee=9001)
    city.everybody_came(group)
    close(city)
    assert subsidies(city, group.memberships[0]) == [650] * 4
    assert list(audit(city.session, CITY)) == []


def test_a_rule_pays_no_more_than_its_week_has_left(city: City) -> None:
    publish(city, HOURLY)
    group = three(city, held=800)
    for week, budget in zip(TUESDAYS, (800, 900, 1075, 5000), strict=True):
        found = city.session.exec(select(ProgrammeWeek).where(ProgrammeWeek.week == week - timedelta(days=1))).one()
        found.budget_cents = budget
    city.session.flush()
    city.everybody_came(group)
    close(city)
    assert subsidies(city, group.memberships[0]) == [800, 900, 1075, 1075]
    assert list(audit(city.session, CITY)) == []


def test_a_person_s_limit_counts_what_earlier_months_paid(city: City) -> None:
    publish(city, {**HOURLY, "limits": [{"amount": 40, "per": "year"}]})
    group = three(city)
    city.attend(group.meetings[0], {one.id: Presence.PRESENT for one in group.memberships})
    close(city)
    assert subsidies(city, group.memberships[0]) == [1075]
    for meeting in group.meetings[1:]:
        city.attend(meeting, {one.id: Presence.PRESENT for one in group.memberships})
    close(city, date(2026, 12, 1), CLOSED_AT + timedelta(days=31))
    assert subsidies(city, group.memberships[0]) == [1075, 1075, 1075, 4000 - 3 * 1075]
    last = lines_of(city, group.memberships[0])[-1].explanation["decision"]["steps"]
    assert [step["what"] for step in last][-2:] == ["limit", "grant"]
    assert list(audit(city.session, CITY)) == []


def test_a_version_counts_on_its_own_days(city: City) -> None:
    publish(city, HOURLY, TUESDAYS[2])
    group = three(city)
    city.everybody_came(group)
    close(city)
    assert subsidies(city, group.memberships[0]) == [650, 650, 1075, 1075]


def test_a_later_means_test_does_not_change_what_was_before_it(city: City) -> None:
    publish(city, HOURLY)
    group = three(city, isee=9001)
    declare(city, group.memberships[0], 100, datetime(2026, 11, 12, 9, tzinfo=UTC))
    city.everybody_came(group)
    close(city)
    assert subsidies(city, group.memberships[0]) == [650, 650, 1075, 1075]


def test_absence_without_notice_is_subsidised_as_the_policy_says_and_a_free_one_is_not(city: City) -> None:
    publish(city, HOURLY)
    group = three(city)
    mine, *others = group.memberships
    for meeting, presence in zip(group.meetings, (Presence.ABSENT, Presence.ABSENT_NOTIFIED) * 2, strict=True):
        city.attend(meeting, {mine.id: presence} | {one.id: Presence.PRESENT for one in others})
    close(city)
    assert subsidies(city, mine) == [1075, 0, 1075, 0]
    assert list(audit(city.session, CITY)) == []


def test_a_correction_decides_again_within_what_was_committed(city: City) -> None:
    publish(city, {**HOURLY, "limits": [{"amount": 30, "per": "month"}]})
    group = three(city)
    mine, other, _ = group.memberships
    city.everybody_came(group)
    close(city)
    assert subsidies(city, mine) == [1075, 1075, 850, 650]
    city.attend(group.meetings[0], {mine.id: Presence.ABSENT_NOTIFIED}, at=CLOSED_AT + timedelta(days=2))
    city.attend(group.meetings[1], {other.id: Presence.ABSENT_NOTIFIED}, at=CLOSED_AT + timedelta(days=2))
    close(city, date(2026, 12, 1), CLOSED_AT + timedelta(days=31))
    assert [line.subsidy_cents for line in lines_of(city, mine) if line.meeting_id == group.meetings[0].id] == [
        -1075,
        1075,
    ]
    assert list(audit(city.session, CITY)) == []
    assert all(one.used_cents <= one.budget_cents for one in city.session.exec(select(ProgrammeWeek)))


@pytest.mark.parametrize(
    "change",
    [
        "update programme_rule set rule = '{}'",
        "update programme_rule set number = 7",
        "update programme_rule set during = daterange('2026-01-01', null)",
        "delete from programme_rule",
        "insert into programme_rule (municipality_id, id, programme_id, number, rule, during, published_at)"
        " select municipality_id, uuidv7(), programme_id, 9, rule, daterange('2026-12-01', null), published_at"
        " from programme_rule",
    ],
)
def test_a_version_is_never_edited_and_never_overlaps_another(city: City, change: str) -> None:
    publish(city, HOURLY)
    with pytest.raises(Exception, match=r"never changed|one_rule_a_day|permission denied"), city.session.begin_nested():
        city.session.connection().execute(text(change))
