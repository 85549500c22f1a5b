"""Bank transfers: matched by reference and exact amount, once in however many files; the rest waits for an officer."""

from datetime import date, timedelta

import pytest
from sqlmodel import Session, select

from billing import ledger
from marketplace.accounts.models import PolicyVersion
from marketplace.accounts.policy import get_policy
from marketplace.statements.audit import audit
from marketplace.statements.bank import (
    BadBankFile,
    UnknownStatement,
    credit_line,
    list_payouts_by_bank,
    list_unmatched,
    month_reference,
    record_payouts_by_bank,
    statement_notice,
    statement_reference,
    take_file,
)
from marketplace.statements.models import BankRow, Payment, PaymentState, Payout, Settlement, Statement, StatementState
from marketplace.statements.operations import close_month
from marketplace.statements.posting import balance_cents
from marketplace.statements.settlements import settle_month
from tests.billing.test_bank import BOMB, camt, entry
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, one_family, pay_out
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, City


def reference(session: Session) -> str:
    return statement_reference(session.exec(select(Statement)).one())


def owes(city: City, payment: Payment) -> int:
    return balance_cents(city.session, CITY, ledger.family(str(payment.household_id)))


def clean(city: City) -> bool:
    return [str(one) for one in audit(city.session, CITY)] == []


def test_a_transfer_with_the_right_words_pays_once_in_however_many_files(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    right = entry("108.00", text=f"Estratto di novembre {reference(city.session)} grazie")
    taken = take_file(city.session, OFFICER, DUE, camt(right, entry("3.00", "DBIT", "Commissioni")))
    assert (taken.new, taken.matched, taken.known) == (2, 1, 0)
    assert (payment.state, owes(city, payment)) == (PaymentState.SUCCEEDED, 0)
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID
    again = take_file(city.session, OFFICER, DUE, camt(right, entry("3.00", "DBIT", "Commissioni"), entry("5.00")))
    assert (again.new, again.matched, again.known) == (1, 0, 2)
    assert owes(city, payment) == 0 and len(city.session.exec(select(BankRow)).all()) == 3
    collect(city.session, payment)
    assert payment.attempts == 0 and clean(city)


def notice(city: City) -> str:
    """The pagoPA notice number of the only statement, in a city that takes pagoPA."""
    settings = {"pagopa_creditor": "00145920351"}
    city.session.add(PolicyVersion(municipality_id=CITY, valid_from=NOVEMBER, settings=settings, created_at=LONG_AGO))
    city.session.flush()
    policy = get_policy(city.session, CITY, DUE.date())
    return statement_notice(city.session.exec(select(Statement)).one(), policy)


@pytest.mark.parametrize("words", ["{}", "/RFB/{}/108.00/TXT/Condiviso 11/2026", "pagoPA avviso n. {}"])
def test_a_pagopa_payment_is_matched_by_its_notice_and_its_receipt_says_so(
    city: City, stand_in: StandIn, words: str
) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    number = notice(city)
    text = words.format(number[1:] if "RFB" in words else number)
    for _ in range(2):
        take_file(city.session, OFFICER, DUE, camt(entry("108.00", text=text)))
    assert (payment.state, owes(city, payment)) == (PaymentState.SUCCEEDED, 0)
    assert [one.notice for one in city.session.exec(select(BankRow))] == [number]
    assert len(list_payouts_by_bank(city.session, CITY)) == 1 and clean(city)


def test_a_notice_of_another_amount_paid_twice_or_unknown_waits_for_an_officer(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    number = notice(city)
    take_file(city.session, OFFICER, DUE, camt(entry("107.00", text=number)))
    assert payment.state == PaymentState.DUE
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text=number), entry("108.00", text=number)))
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text="301269999999999" + "00")))
    waiting = list_unmatched(city.session, CITY)
    assert sorted(one.why for one in waiting) == ["no_reference", "nothing_due", "other_amount"]
    assert {one.notice for one in waiting} == {""} and owes(city, payment) == 0 and clean(city)


def test_a_provider_is_paid_by_bank_what_came_by_bank(city: City, stand_in: StandIn) -> None:
    group, payment = one_family(city, stand_in, choice=None)
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text=reference(city.session))))
    [(payout, provider)] = list_payouts_by_bank(city.session, CITY)
    assert (payout.due_cents, provider.id) == (4 * 2700, group.provider.id)
    provider.stripe_account_id = stand_in.open_account(str(provider.id))
    pay_out(city.session, payout, DUE + timedelta(days=8))
    assert payout.paid_at is None
    assert record_payouts_by_bank(city.session, OFFICER, DUE + timedelta(days=6)) == 0
    assert [record_payouts_by_bank(city.session, OFFICER, DUE + timedelta(days=7)) for _ in range(2)] == [1, 0]
    assert balance_cents(city.session, CITY, ledger.provider(str(provider.id))) == 0
    assert owes(city, payment) == 0 and clean(city)


@pytest.mark.parametrize(
    ("amount", "words", "why"),
    [("107.99", "{}", "other_amount"), ("108.00", "senza causale", "no_reference"), ("108.00", "RF99{}", "matched")],
)
def test_what_does_not_fit_waits_for_an_officer(
    city: City, stand_in: StandIn, amount: str, words: str, why: str
) -> None:
    one_family(city, stand_in, choice=None)
    text = words.format(reference(city.session))
    take_file(city.session, OFFICER, DUE, camt(entry(amount, text=text)))
    waiting = list_unmatched(city.session, CITY)
    assert [one.why for one in waiting] == ([why] if why != "matched" else [])


def test_an_officer_says_whose_a_line_is(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text="Per la nonna"), entry("7.00", text="Altro")))
    first, second = sorted(list_unmatched(city.session, CITY), key=lambda one: -one.cents)
    with pytest.raises(UnknownStatement):
        credit_line(city.session, OFFICER, DUE, first.id, 2026, 99)
    credit_line(city.session, OFFICER, DUE, first.id, 2026, 1)
    assert payment.state == PaymentState.SUCCEEDED and owes(city, payment) == 0
    credit_line(city.session, OFFICER, DUE, second.id, 2026, 1)
    assert owes(city, payment) == -700  # a credit
    with pytest.raises(UnknownStatement):
        credit_line(city.session, OFFICER, DUE, first.id, 2026, 1)
    assert list_unmatched(city.session, CITY) == [] and clean(city)


def test_a_pagopa_line_that_an_officer_credits_keeps_its_notice(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    paid = notice(city)
    other = paid[:3] + "26" + "00000000099"  # of a statement that there is not, so nothing matches by itself
    unknown = f"{other}{int(other) % 93:02d}"
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text=f"avviso {unknown}")))
    [line] = list_unmatched(city.session, CITY)
    assert line.notice == ""
    credit_line(city.session, OFFICER, DUE, line.id, 2026, 1)
    assert (payment.state, line.notice) == (PaymentState.SUCCEEDED, unknown) and clean(city)


def test_a_second_transfer_for_a_paid_statement_is_not_taken_by_itself(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in, choice=None)
    words = reference(city.session)
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text=words), entry("108.00", text=words)))
    assert [one.why for one in list_unmatched(city.session, CITY)] == ["nothing_due"]
    assert len(city.session.exec(select(Payout)).all()) == 1


def test_the_municipalitys_transfer_settles_its_month_or_confirms_what_was_recorded(
    city: City, stand_in: StandIn
) -> None:
    group = city.group()
    city.join(group, city.household(), percent="50", held=900)
    city.everybody_came(group)
    closing = close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    words = month_reference(CITY, NOVEMBER)
    take_file(city.session, OFFICER, DUE, camt(entry("35.99", text=words)))
    assert city.session.exec(select(Settlement)).all() == []
    take_file(city.session, OFFICER, DUE, camt(entry("36.00", text=words)))
    settlement = city.session.exec(select(Settlement)).one()
    assert settlement.paid_cents == 3600 and settlement.closing_id == closing.id and clean(city)


def test_a_settlement_recorded_by_hand_is_missed_where_the_bank_does_not_have_it(city: City, stand_in: StandIn) -> None:
    group = city.group()
    city.join(group, city.household(), percent="50", held=900)
    city.everybody_came(group)
    settle_month(city.session, OFFICER, DUE, close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER))
    early = entry("1.00", text="x").replace("2026-12-09", "2026-12-01")
    late = entry("2.00", text="y").replace("2026-12-09", "2026-12-30")
    take_file(city.session, OFFICER, DUE, camt(early, late))
    assert [one.check for one in audit(city.session, CITY)] == ["Un versamento registrato a mano non è in banca"]
    take_file(city.session, OFFICER, DUE, camt(entry("36.00", text=month_reference(CITY, NOVEMBER))))
    assert clean(city)


@pytest.mark.parametrize("data", [BOMB, b"", b"<Document/>", b"data;importo\n2026-13-01;1\n"])
def test_a_bad_file_changes_nothing_and_says_why(city: City, data: bytes) -> None:
    with pytest.raises(BadBankFile):
        take_file(city.session, OFFICER, DUE, data)
    assert city.session.exec(select(BankRow)).all() == []


def test_a_reference_names_one_statement_of_one_city(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in, choice=None)
    assert reference(city.session)[4:] == f"{CITY}2026000001"
    assert month_reference(CITY, date(2026, 11, 1))[4:] == f"{CITY}M202611"
