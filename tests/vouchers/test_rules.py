"""A rule counts from a day to come; who would get less is told in time, and nobody else."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session, select
from uuid_utils.compat import uuid7

from billing.reading import model_of
from billing.rules import Rule
from marketplace.accounts.models import Actor, Role
from marketplace.errors import Forbidden, Rejected
from marketplace.messages.models import Message
from marketplace.vouchers.models import Programme, ProgrammeRule
from marketplace.vouchers.operations import Hold, hold, lock_weeks
from marketplace.vouchers.rules import falls, find_rule, list_rules, publish_rule, withdraw_rule
from tests.city import CITY, NOW, OFFICER, add_need, add_programme, found_city

TODAY = NOW.date()
TOMORROW, NOTICE = TODAY + timedelta(days=1), TODAY + timedelta(days=14)


def rule(amount: float, **changes: object) -> Rule:
    """What the programme grants by the hour, to an ISEE of 15,000."""
    bands = [{"up_to": 15000, "amount": amount}, {"amount": 0}]
    return model_of({"kind": "grant", "tariffs": [{"per": "hour", "bands": bands}], **changes}, Rule)


@pytest.fixture
def programme(session: Session) -> Programme:
    found_city(session)
    return add_programme(session, 100_000)


def publish(session: Session, programme: Programme, new: Rule, valid_from: date) -> ProgrammeRule:
    return publish_rule(session, OFFICER, NOW, TODAY, programme.id, new, valid_from)


def test_the_next_version_ends_the_one_before_and_withdraws_what_was_to_come(
    session: Session, programme: Programme
) -> None:
    publish(session, programme, rule(4), TOMORROW)
    publish(session, programme, rule(5), NOTICE)
    publish(session, programme, rule(6), NOTICE - timedelta(days=2))
    session.expire_all()
    newest, withdrawn, first = list_rules(session, CITY, programme.id)
    assert (first.valid_from, first.valid_to) == (TOMORROW, NOTICE - timedelta(days=2))
    assert withdrawn.during.isempty
    assert (newest.number, newest.valid_from, newest.valid_to) == (3, NOTICE - timedelta(days=2), None)
    assert find_rule(session, CITY, programme.id, TODAY) is None
    assert find_rule(session, CITY, programme.id, TOMORROW).number == 1
    assert find_rule(session, CITY, programme.id, NOTICE).as_rule == rule(6)


@pytest.mark.parametrize(
    ("old", "new", "less"),
    [
        (rule(4), rule(4), False),
        (rule(4), rule(5), False),
        (rule(4), rule(3.99), True),
        (rule(4), rule(4, limits=[{"amount": 100, "per": "month"}]), True),
        (rule(4, limits=[{"amount": 100, "per": "month"}]), rule(4), False),
        (rule(4), rule(4, age_min=6), True),
        (rule(4, age_min=6), rule(4), False),
        (rule(4), rule(4, isee_max=14_999), True),
        (rule(4), rule(4, residents_only=True), True),
    ],
)
def test_a_rule_falls_where_anybody_would_get_less(old: Rule, new: Rule, less: bool) -> None:
    assert falls(old, new) is less


def test_a_falling_rule_waits_for_the_notice_and_tells_who_has_a_voucher(
    session: Session, programme: Programme
) -> None:
    holder, _other = add_need(session, "n1", 1_000_000), add_need(session, "n2", 1_000_000)
    week = TODAY + timedelta(weeks=1, days=-TODAY.weekday())
    lock_weeks(session, CITY, [programme.id], [week])
    hold(session, NOW, CITY, [Hold(programme.id, holder.id, uuid7(), week, 500)])
    publish(session, programme, rule(4), TOMORROW)
    assert session.exec(select(Message)).all() == []
    with pytest.raises(Rejected) as refused:
        publish(session, programme, rule(3), NOTICE - timedelta(days=1))
    assert refused.value.values == {"days": 14, "first": "7 dicembre 2026"}
    publish(session, programme, rule(3), NOTICE)
    told = session.exec(select(Message)).all()
    assert [message.recipient for message in told] == ["n1@example.org"]
    assert "7 dicembre 2026" in told[0].subject


def test_a_rule_is_withdrawn_with_notice(session: Session, programme: Programme) -> None:
    publish(session, programme, rule(4), TOMORROW)
    for day in (TODAY, NOTICE - timedelta(days=1)):
        with pytest.raises(Rejected):
            withdraw_rule(session, OFFICER, NOW, TODAY, programme.id, day)
    withdraw_rule(session, OFFICER, NOW, TODAY, programme.id, NOTICE)
    assert find_rule(session, CITY, programme.id, NOTICE) is None
    assert find_rule(session, CITY, programme.id, NOTICE - timedelta(days=1)) is not None
    with pytest.raises(Rejected):
        withdraw_rule(session, OFFICER, NOW, TODAY, programme.id, NOTICE)


def test_no_rule_counts_from_today_or_before_and_only_officers_publish(session: Session, programme: Programme) -> None:
    with pytest.raises(Rejected):
        publish(session, programme, rule(4), TODAY)
    for role in (Role.FAMILY, Role.PROVIDER, Role.OPERATOR, Role.ADMINISTRATOR):
        with pytest.raises(Forbidden):
            publish_rule(session, Actor(CITY, role), NOW, TODAY, programme.id, rule(4), TOMORROW)
        with pytest.raises(Forbidden):
            withdraw_rule(session, Actor(CITY, role), NOW, TODAY, programme.id, NOTICE)
