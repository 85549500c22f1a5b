"""A contested line waits, the rest is charged; the officer's word is charged, or billed anew with the next closing."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session, col, select

from billing import ledger
from marketplace.accounts.models import Actor, Role
from marketplace.errors import NotFound
from marketplace.slots.models import Presence
from marketplace.statements.audit import audit
from marketplace.statements.contests import (
    AlreadyDecided,
    NothingToContest,
    TooLate,
    contest_line,
    decide_contest,
    list_contests,
)
from marketplace.statements.models import (
    Contest,
    ContestState,
    Outcome,
    Payment,
    PaymentState,
    Payout,
    Statement,
    StatementLine,
    StatementState,
)
from marketplace.statements.operations import close_month
from marketplace.statements.posting import balance_cents
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, one_family
from tests.statements.world import CITY, CLOSED_AT, OFFICER, City

SOON = CLOSED_AT + timedelta(days=2)
NEXT_CLOSING = CLOSED_AT + timedelta(days=31)


def contested(city: City, stand_in: StandIn, how_many: int = 1) -> tuple[Payment, list[Contest]]:
    """A family of one group, 4 meetings of 27 euros, that contests the first lines; the payment of the rest."""
    _, payment = one_family(city, stand_in)
    lines = lines_of(city.session)[:how_many]
    by = family_of(payment)
    return payment, [contest_line(city.session, by, SOON, line.id, "Luca non c'era") for line in lines]


def family_of(payment: Payment) -> Actor:
    return Actor(CITY, Role.FAMILY, household_id=payment.household_id)


def lines_of(session: Session) -> list[StatementLine]:
    return list(session.exec(select(StatementLine).order_by(col(StatementLine.id))).all())


def waiting(session: Session) -> Payment:
    return session.exec(select(Payment).where(col(Payment.cause).startswith("contested:"))).one()


def december(city: City) -> None:
    close_month(city.session, OFFICER, NEXT_CLOSING, CITY, date(2026, 12, 1))


def clean(city: City, stand_in: StandIn) -> bool:
    return list(audit(city.session, CITY, stand_in.gateway.iter_balance())) == []


def owes(city: City, payment: Payment) -> int:
    return balance_cents(city.session, CITY, ledger.family(str(payment.household_id)))


def test_the_line_waits_and_the_rest_is_charged_on_its_day(city: City, stand_in: StandIn) -> None:
    payment, _ = contested(city, stand_in)
    collect(city.session, payment)
    assert (payment.state, payment.cents) == (PaymentState.SUCCEEDED, 3 * 2700)
    assert (waiting(city.session).state, waiting(city.session).cents) == (PaymentState.WAITING, 2700)
    collect(city.session, waiting(city.session))
    assert waiting(city.session).state == PaymentState.WAITING
    assert city.session.exec(select(Statement)).one().state == StatementState.CLOSED
    assert [one.due_cents for one in city.session.exec(select(Payout)).all()] == [3 * 2700]
    assert clean(city, stand_in)


def test_a_line_that_stands_is_charged_and_reaches_its_provider(city: City, stand_in: StandIn) -> None:
    payment, [contest] = contested(city, stand_in)
    collect(city.session, payment)
    decide_contest(city.session, OFFICER, DUE + timedelta(days=1), contest.id, None, "Il registro dice presente")
    rest = waiting(city.session)
    assert rest.state == PaymentState.DUE and rest.next_attempt_on == (DUE + timedelta(days=1)).date()
    collect(city.session, rest, DUE + timedelta(days=1))
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID
    assert sorted(one.due_cents for one in city.session.exec(select(Payout)).all()) == [2700, 3 * 2700]
    december(city)
    assert owes(city, payment) == 0 and clean(city, stand_in)


def test_what_the_fund_bears_is_never_asked_and_is_a_credit_line_with_the_next_closing(
    city: City, stand_in: StandIn
) -> None:
    payment, [contest] = contested(city, stand_in)
    collect(city.session, payment)
    decide_contest(city.session, OFFICER, DUE, contest.id, Outcome.FUND, "")
    assert waiting(city.session).state == PaymentState.CANCELLED
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID
    fees = balance_cents(city.session, CITY, ledger.guarantee(CITY))
    december(city)
    [credit] = [line for line in lines_of(city.session) if line.kind == "correction-1"]
    assert (credit.net_cents, credit.guarantee_cents, credit.share_cents) == (-2700, 2700, 0)
    assert credit.explanation["is_forgiven"] and credit.explanation["was_net_cents"] == 2700
    assert owes(city, payment) == 0
    assert balance_cents(city.session, CITY, ledger.guarantee(CITY)) == fees + 2700
    assert clean(city, stand_in)


def test_an_attendance_set_right_is_billed_anew(city: City, stand_in: StandIn) -> None:
    payment, [contest] = contested(city, stand_in)
    collect(city.session, payment)
    decide_contest(city.session, OFFICER, DUE, contest.id, Outcome.ATTENDANCE, "", Presence.ABSENT_NOTIFIED)
    december(city)
    assert owes(city, payment) == 0
    provider = city.session.exec(select(Payout)).one().provider_id
    assert balance_cents(city.session, CITY, ledger.provider(str(provider))) == -3 * 2700
    assert clean(city, stand_in)


def test_all_lines_can_be_contested_and_then_nothing_is_charged(city: City, stand_in: StandIn) -> None:
    _, contests = contested(city, stand_in, how_many=4)
    payments = city.session.exec(select(Payment)).all()
    assert [one.state for one in payments] == [PaymentState.WAITING] * 4
    for contest in contests:
        decide_contest(city.session, OFFICER, DUE, contest.id, None, "")
    for one in payments:
        collect(city.session, one)
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID
    assert sum(one.due_cents for one in city.session.exec(select(Payout)).all()) == 4 * 2700
    assert clean(city, stand_in)


def test_a_line_is_contested_by_its_family_alone_once_and_in_time(city: City, stand_in: StandIn) -> None:
    payment, [contest] = contested(city, stand_in)
    by = family_of(payment)
    first, second, *_ = lines_of(city.session)
    with pytest.raises(NothingToContest):
        contest_line(city.session, by, SOON, first.id, "Di nuovo")
    with pytest.raises(NotFound):
        contest_line(city.session, Actor(CITY, Role.FAMILY, household_id=contest.id), SOON, second.id, "Non mia")
    with pytest.raises(TooLate):
        contest_line(city.session, by, CLOSED_AT + timedelta(days=8), second.id, "Tardi")
    collect(city.session, payment)
    with pytest.raises(TooLate):
        contest_line(city.session, by, DUE, second.id, "Già addebitata")


def test_a_contest_is_decided_once(city: City, stand_in: StandIn) -> None:
    _, [contest] = contested(city, stand_in)
    assert [one.contest.id for one in list_contests(city.session, CITY, state=ContestState.OPEN)] == [contest.id]
    decide_contest(city.session, OFFICER, DUE, contest.id, Outcome.FUND, "")
    with pytest.raises(AlreadyDecided):
        decide_contest(city.session, OFFICER, DUE, contest.id, None, "")
    assert list_contests(city.session, CITY, state=ContestState.OPEN) == []
