"""Collecting and paying out through the SDK: declines, time-outs, repeated and shuffled events."""

import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from billing import ledger
from billing.answers import GatewayUnavailableError
from billing.gateway import Gateway
from billing.webhooks import Event
from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.demo.payments import behaviour, hosted
from marketplace.demo.payments.seed import save_ways_to_pay
from marketplace.households.models import Household
from marketplace.messages.models import Message
from marketplace.slots.models import Presence
from marketplace.statements import events, gateways, methods, payments, payouts
from marketplace.statements.audit import audit
from marketplace.statements.models import (
    Dispute,
    Payment,
    PaymentState,
    Payout,
    Statement,
    StatementState,
    StripeEvent,
)
from marketplace.statements.operations import close_month, find_closing
from marketplace.statements.posting import balance_cents
from marketplace.statements.settlements import (
    AlreadySettled,
    NothingToSettle,
    list_bank_payouts,
    record_bank_payouts,
    settle_month,
)
from tests.stand_in import StandIn, running
from tests.statements.world import CITY, CLOSED_AT, NOVEMBER, OFFICER, City, Group

DUE = CLOSED_AT + timedelta(days=7)


def one_family(
    city: City, stand_in: StandIn, choice: str | None = "visa", at_venue: bool = False
) -> tuple[Group, Payment]:
    """A family of one group with a month closed and, unless None, a saved method; its payment of 108.00 euros."""
    group = city.group(at_venue=at_venue)
    household = city.household()
    city.join(group, household)
    city.everybody_came(group)
    if choice:
        pay_by(city.session, stand_in, household, choice)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    return group, city.session.exec(select(Payment)).one()


def pay_by(session: Session, stand_in: StandIn, household: Household, choice: str) -> None:
    customer = stand_in.gateway.create_customer(str(household.id), municipality_id=CITY, email=None)
    household.stripe_customer_id = customer
    household.stripe_payment_method_id = stand_in.save_method(customer, choice)
    session.flush()


def collect(session: Session, payment: Payment, now: datetime = DUE) -> None:
    payments.collect.func.__wrapped__(session, CITY, now, payment_id=str(payment.id))
    session.commit()


def take_events(session: Session, stand_in: StandIn, shuffled: bool = False, times: int = 1) -> None:
    """Deliver all events that the stand-in has, and handle them, each `times` times."""
    found = [json.loads(body) for _, body, _ in stand_in.store.due_events(1e12)] * times
    if shuffled:
        random.Random(3).shuffle(found)
    for body in found:
        event = Event(body["id"].removesuffix("_again"), body["type"], DUE, body["data"]["object"])
        events.receive_event(session, event, DUE)
        session.commit()
        handle(session, event.id)


def handle(session: Session, event_id: str) -> None:
    events.handle_event.func.__wrapped__(session, "", DUE, event_id=event_id)
    session.commit()


def owes(session: Session, payment: Payment) -> int:
    return balance_cents(session, CITY, ledger.family(str(payment.household_id)))


def stripe_holds(session: Session) -> int:
    return balance_cents(session, CITY, ledger.STRIPE_CLEARING)


def at_stripe(stand_in: StandIn) -> int:
    return sum(line.amount_cents - line.fee_cents for line in stand_in.gateway.iter_balance())


def test_a_payment_that_succeeds_settles_the_statement_and_makes_its_payouts(city: City, stand_in: StandIn) -> None:
    group, payment = one_family(city, stand_in, at_venue=True)
    collect(city.session, payment)
    statement = city.session.exec(select(Statement)).one()
    assert (payment.state, statement.state) == (PaymentState.SUCCEEDED, StatementState.PAID)
    assert owes(city.session, payment) == 0
    assert stripe_holds(city.session) == at_stripe(stand_in) > 0
    payout = city.session.exec(select(Payout)).one()
    assert (payout.provider_id, payout.due_cents, payout.due_on) == (group.provider.id, 4 * 2700, date(2026, 12, 15))


def test_nothing_is_charged_before_its_day(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    collect(city.session, payment, CLOSED_AT + timedelta(days=6))
    assert (payment.state, payment.attempts, at_stripe(stand_in)) == (PaymentState.DUE, 0, 0)


def test_a_declined_payment_is_told_tried_on_days_3_and_7_then_overdue(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, "no_funds")
    for days, following in ((0, date(2026, 12, 11)), (3, date(2026, 12, 15)), (7, None)):
        collect(city.session, payment, DUE + timedelta(days=days))
        assert (payment.state, payment.failure, payment.next_attempt_on) == (
            PaymentState.FAILED,
            "insufficient_funds",
            following,
        )
    assert payment.attempts == 3
    assert city.session.exec(select(Statement)).one().state == StatementState.OVERDUE
    assert len(city.session.exec(select(Message)).all()) == 3
    take_events(city.session, stand_in, shuffled=True, times=2)
    assert payment.attempts == 3 and len(city.session.exec(select(Message)).all()) == 3


def test_a_failure_is_told_to_whoever_acts_for_the_family_in_their_language(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    household = city.session.exec(select(Household)).one()
    household.email = None
    user = add_user(city.session, CLOSED_AT, "anna@example.org", "Anna")
    user.locale = "en"
    appoint(city.session, CLOSED_AT, user.id, CITY, Role.FAMILY, household_id=household.id)
    collect(city.session, payment)
    message = city.session.exec(select(Message)).one()
    assert (message.recipient, message.subject) == ("anna@example.org", "The payment failed")
    assert f"{payment.cents / 100:,.2f}" in message.body


def test_an_overdue_statement_is_paid_with_another_card(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, "declined")
    for days in (0, 3, 7):
        collect(city.session, payment, DUE + timedelta(days=days))
    household = city.session.exec(select(Household)).one()
    household.stripe_payment_method_id = stand_in.save_method(household.stripe_customer_id or "", "visa")
    later = DUE + timedelta(days=9)
    payments.pay_now(city.session, CITY, later, payment)
    collect(city.session, payment, later)
    assert payment.state == PaymentState.SUCCEEDED and owes(city.session, payment) == 0
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID


def test_without_a_way_to_pay_the_family_is_told_and_a_saved_one_is_charged_at_once(
    city: City, stand_in: StandIn
) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    collect(city.session, payment)
    assert (payment.state, payment.failure) == (PaymentState.FAILED, "no_method")
    household = city.session.exec(select(Household)).one()
    page = methods.open_setup_page(
        city.session, Actor(CITY, household_id=household.id), DUE, stand_in.gateway, "http://x/a", "http://x/b"
    )
    with stand_in.store.transaction():
        hosted.complete_session(stand_in.store, page.id, "visa")
    take_events(city.session, stand_in, times=2)
    assert household.stripe_method_label == "card:4242"
    collect(city.session, payment)
    assert payment.state == PaymentState.SUCCEEDED


def test_a_debit_on_its_way_is_settled_by_its_event(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, "iban")
    collect(city.session, payment)
    assert payment.state == PaymentState.PROCESSING and owes(city.session, payment) == 4 * 2700
    stand_in.settle_debits()
    take_events(city.session, stand_in, shuffled=True, times=3)
    assert payment.state == PaymentState.SUCCEEDED and owes(city.session, payment) == 0
    assert stripe_holds(city.session) == at_stripe(stand_in)


def test_a_debit_that_bounces_fails_by_its_event(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, "iban_bounces")
    collect(city.session, payment)
    stand_in.settle_debits()
    take_events(city.session, stand_in, shuffled=True, times=2)
    assert (payment.state, payment.attempts) == (PaymentState.FAILED, 1)
    assert stripe_holds(city.session) == at_stripe(stand_in) == 0


def test_a_worker_killed_after_the_deed_finds_it_done(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    attempt = payments.begin_attempt(city.session, CITY, DUE, payment.id)
    city.session.commit()
    assert attempt is not None
    payments.make_attempt(stand_in.gateway, CITY, attempt)  # and here it was killed
    assert payment.state == PaymentState.PROCESSING
    collect(city.session, payment)
    assert payment.attempts == 1 and payment.state == PaymentState.SUCCEEDED
    assert len(list(stand_in.gateway.iter_balance())) == 1


def test_nobody_answering_and_a_time_out_after_the_deed_are_tried_again_and_done_once(
    city: City, stand_in: StandIn
) -> None:
    _, payment = one_family(city, stand_in)
    nobody, hasty = (
        Gateway("sk_test_x", base_url=url, timeout_seconds=0.3) for url in ("http://127.0.0.1:9", stand_in.url)
    )
    gateways.pay_through(nobody)
    with pytest.raises(GatewayUnavailableError):
        collect(city.session, payment)
    city.session.rollback()
    assert payment.state == PaymentState.PROCESSING
    gateways.pay_through(hasty)
    stand_in.set(hang_up_next=1, hang_up_seconds=0.7)
    collect(city.session, payment)
    assert (payment.state, payment.attempts) == (PaymentState.SUCCEEDED, 1)
    assert len(list(stand_in.gateway.iter_balance())) == 1
    nobody.close()
    hasty.close()


def test_events_before_the_answer_in_any_order_end_in_the_same_state(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, "disputed")
    attempt = payments.begin_attempt(city.session, CITY, DUE, payment.id)
    city.session.commit()
    assert attempt is not None
    payments.make_attempt(stand_in.gateway, CITY, attempt)
    take_events(city.session, stand_in, shuffled=True, times=2)
    collect(city.session, payment)
    assert payment.state == PaymentState.REFUNDED
    [again] = returned(city.session)
    assert (again.state, again.cents, again.next_attempt_on) == (PaymentState.DUE, 4 * 2700, None)
    assert city.session.exec(select(Statement)).one().state == StatementState.OVERDUE
    assert owes(city.session, payment) == 4 * 2700
    assert stripe_holds(city.session) == at_stripe(stand_in) < 0  # Stripe keeps its fee


def returned(session: Session) -> list[Payment]:
    """What is asked again because it went back."""
    return list(session.exec(select(Payment).where(col(Payment.cause).startswith("returned:"))).all())


def disputed(city: City, stand_in: StandIn) -> tuple[Payment, str]:
    """A payment that its payer's bank took back, all events handled; Stripe's id of the dispute."""
    _, payment = one_family(city, stand_in, "disputed")
    collect(city.session, payment)
    take_events(city.session, stand_in)
    return payment, stand_in.store.newest("dispute")[0]["id"]


def decide(stand_in: StandIn, dispute_id: str, status: str) -> None:
    with stand_in.store.transaction():
        behaviour.decide_dispute(stand_in.store, dispute_id, status)


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_dispute_that_is_won_brings_the_money_back_and_asks_nobody(
    city: City, stand_in: StandIn, shuffled: bool
) -> None:
    payment, dispute_id = disputed(city, stand_in)
    decide(stand_in, dispute_id, "won")
    take_events(city.session, stand_in, shuffled=shuffled, times=2)
    assert (payment.state, [one.state for one in returned(city.session)]) == (
        PaymentState.SUCCEEDED,
        [PaymentState.CANCELLED],
    )
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID
    assert owes(city.session, payment) == 0
    dispute = city.session.exec(select(Dispute)).one()
    assert (dispute.status, dispute.taken_cents, dispute.returned_cents, dispute.fee_cents) == (
        "won",
        payment.cents,
        payment.cents,
        2000,
    )
    assert stripe_holds(city.session) == at_stripe(stand_in)


def test_a_dispute_that_is_lost_is_paid_again_by_another_way_on_a_new_intent(city: City, stand_in: StandIn) -> None:
    payment, dispute_id = disputed(city, stand_in)
    decide(stand_in, dispute_id, "lost")
    take_events(city.session, stand_in, shuffled=True)
    [again] = returned(city.session)
    household = city.session.exec(select(Household)).one()
    household.stripe_payment_method_id = stand_in.save_method(household.stripe_customer_id or "", "visa")
    payments.pay_now(city.session, CITY, DUE, again)
    collect(city.session, again)
    assert (payment.state, again.state) == (PaymentState.REFUNDED, PaymentState.SUCCEEDED)
    assert payment.stripe_intent_id != again.stripe_intent_id
    assert city.session.exec(select(Statement)).one().state == StatementState.PAID
    assert owes(city.session, payment) == 0 and len(city.session.exec(select(Payout)).all()) == 1
    assert list(audit(city.session, CITY, stand_in.gateway.iter_balance())) == []


def test_a_refund_made_by_hand_at_stripe_is_owed_again_and_one_that_fails_is_not(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    collect(city.session, payment)
    refund = stand_in.gateway.refund(
        "by-hand", intent_id=payment.stripe_intent_id or "", amount_cents=1000, municipality_id=CITY
    )
    take_events(city.session, stand_in, times=2)
    assert owes(city.session, payment) == 1000 and [one.cents for one in returned(city.session)] == [1000]
    with stand_in.store.transaction():
        behaviour.fail_refund(stand_in.store, refund)
    take_events(city.session, stand_in, shuffled=True, times=2)
    assert owes(city.session, payment) == 0 and payment.state == PaymentState.SUCCEEDED
    assert [one.state for one in returned(city.session)] == [PaymentState.CANCELLED]
    assert list(audit(city.session, CITY, stand_in.gateway.iter_balance())) == []


def test_what_a_provider_was_paid_too_much_is_kept_back_from_its_next_payout(city: City, stand_in: StandIn) -> None:
    group, payment = one_family(city, stand_in)
    collect(city.session, payment)
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    pay_out(city.session, city.session.exec(select(Payout)).one(), DUE + timedelta(days=7))
    member = group.memberships[0]
    city.attend(group.meetings[0], {member.id: Presence.ABSENT_NOTIFIED}, at=DUE + timedelta(days=1))
    december = city.meet(group, [date(2026, 12, 1), date(2026, 12, 15)])
    for meeting in december:
        city.attend(meeting, {member.id: Presence.PRESENT})
    close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    [second] = [one for one in city.session.exec(select(Payment)).all() if one.id != payment.id]
    assert second.cents == 2700
    collect(city.session, second, DUE + timedelta(days=31))
    assert sorted(one.due_cents for one in city.session.exec(select(Payout)).all()) == [2700, 4 * 2700]


def test_a_correction_to_nothing_leaves_the_provider_owing_until_it_earns_again(city: City, stand_in: StandIn) -> None:
    group, payment = one_family(city, stand_in)
    collect(city.session, payment)
    member = group.memberships[0]
    city.attend(group.meetings[0], {member.id: Presence.ABSENT_NOTIFIED}, at=DUE + timedelta(days=1))
    close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    assert owes(city.session, payment) == -2700  # a credit
    other = city.household()
    city.join(group, other)
    [january] = city.meet(group, [date(2027, 1, 12)])
    city.attend(january, {one.id: Presence.PRESENT for one in group.memberships})
    pay_by(city.session, stand_in, other, "visa")
    close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=65), CITY, date(2027, 1, 1))
    [asked] = city.session.exec(select(Payment).where(Payment.household_id == other.id)).all()
    collect(city.session, asked, DUE + timedelta(days=65))
    # the first family's share of January is paid by its credit: 1575 + 1575 - 2700 more than was paid out
    payouts_made = city.session.exec(select(Payout).order_by(Payout.due_on)).all()  # type: ignore[arg-type]
    assert [one.due_cents for one in payouts_made] == [4 * 2700, 1575 + 1575 - 2700]


def test_a_provider_is_paid_by_the_municipality_less_what_a_correction_took(city: City, stand_in: StandIn) -> None:
    group = city.group()
    city.join(group, city.household(), percent="50", held=900)
    city.everybody_came(group)
    closing = close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    settle_month(city.session, OFFICER, DUE, closing)
    city.attend(group.meetings[0], {group.memberships[0].id: Presence.ABSENT_NOTIFIED}, at=DUE)
    [december] = city.meet(group, [date(2026, 12, 15)])
    city.hold(group.memberships[0], december, 900)
    city.attend(december, {group.memberships[0].id: Presence.PRESENT})
    second = close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    with pytest.raises(NothingToSettle):  # 900 more, 900 less
        settle_month(city.session, OFFICER, DUE + timedelta(days=31), second)


def test_a_statement_paid_twice_is_a_credit_on_the_next(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    page = methods.open_payment_page(city.session, DUE, stand_in.gateway, payment, "http://x/a", "http://x/b")
    collect(city.session, payment)
    with stand_in.store.transaction():
        hosted.complete_session(stand_in.store, page.id, "visa")
    take_events(city.session, stand_in)
    assert owes(city.session, payment) == -4 * 2700
    assert len(city.session.exec(select(Payout)).all()) == 1


def test_an_event_about_nothing_of_ours_is_kept_and_changes_nothing(city: City, stand_in: StandIn) -> None:
    event = Event("evt_x", "invoice.paid", DUE, {"id": "in_1"})
    assert events.receive_event(city.session, event, DUE) and not events.receive_event(city.session, event, DUE)
    handle(city.session, "evt_x")
    assert city.session.exec(select(StripeEvent)).one().handled_at is not None


def pay_out(session: Session, payout: Payout, now: datetime) -> None:
    payouts.pay_provider.func.__wrapped__(session, CITY, now, payout_id=str(payout.id))
    session.commit()


def test_a_provider_is_paid_after_the_delay_once_and_never_without_an_account(city: City, stand_in: StandIn) -> None:
    group, payment = one_family(city, stand_in, at_venue=True)
    collect(city.session, payment)
    payout = city.session.exec(select(Payout)).one()
    pay_out(city.session, payout, DUE + timedelta(days=6))
    assert payout.paid_at is None and payout.failure == ""
    payday = DUE + timedelta(days=7)
    pay_out(city.session, payout, payday)
    assert payout.paid_at is None and payout.failure == "no_account"
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    pay_out(city.session, payout, payday + timedelta(days=1))
    pay_out(city.session, payout, payday + timedelta(days=2))
    assert payout.paid_at is not None and payout.failure == ""
    assert balance_cents(city.session, CITY, ledger.provider(str(group.provider.id))) == 0
    assert stripe_holds(city.session) == at_stripe(stand_in)


def test_what_the_municipality_owes_comes_in_once_and_goes_to_the_providers(city: City, stand_in: StandIn) -> None:
    group = city.group()
    city.join(group, city.household(), percent="50", held=900)
    city.join(group, city.household(), cap=1000)
    city.everybody_came(group)
    closing = close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    settlement = settle_month(city.session, OFFICER, DUE, closing)
    assert settlement.paid_cents == 4 * (862 + 725)
    assert balance_cents(city.session, CITY, ledger.programme(str(city.programme.id))) == 0
    assert balance_cents(city.session, CITY, ledger.guarantee(CITY)) == 0
    with pytest.raises(AlreadySettled):
        settle_month(city.session, OFFICER, DUE, closing)
    [(_, provider)] = list_bank_payouts(city.session, settlement)
    assert provider.id == group.provider.id
    assert record_bank_payouts(city.session, OFFICER, DUE, settlement) == 1
    assert record_bank_payouts(city.session, OFFICER, DUE, settlement) == 0
    families = city.session.connection().execute(text("select sum(provider_cents) from statement_line")).scalar()
    assert balance_cents(city.session, CITY, ledger.provider(str(provider.id))) == -int(families or 0)


def test_a_month_without_vouchers_has_nothing_to_settle(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in)
    closing = find_closing(city.session, CITY, NOVEMBER)
    assert closing is not None
    with pytest.raises(NothingToSettle):
        settle_month(city.session, OFFICER, DUE, closing)


def test_the_demos_families_pay_by_what_was_saved_for_them(city: City, tmp_path: Path) -> None:
    for start in (9 * 60, 16 * 60):
        group = city.group(start=start)
        for _ in range(6):
            city.join(group, city.household())
        city.everybody_came(group)
    close_month(city.session, OFFICER, CLOSED_AT, CITY, NOVEMBER)
    for _ in range(2):
        save_ways_to_pay(city.session, tmp_path, CITY)
    households = city.session.exec(select(Household)).all()
    ready = [one for one in households if one.stripe_payment_method_id]
    assert len(ready) >= 8 and all(":" in one.stripe_method_label for one in ready)
    with running(tmp_path) as stand_in:
        gateways.pay_through(stand_in.gateway)
        assert stand_in.gateway.can_be_paid(group.provider.stripe_account_id or "")
        for payment in city.session.exec(select(Payment)).all():
            collect(city.session, payment)
        gateways.pay_through(None)
    states = {one.household_id: one.state for one in city.session.exec(select(Payment)).all()}
    assert all(states[one.id] in ("succeeded", "processing", "failed") for one in ready)
    assert "succeeded" in states.values()
