"""What an officer does about money is what the page before it said, once, and never above its limit."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlmodel import Session, select

from billing import ledger
from marketplace.messages.models import Message
from marketplace.slots.models import Presence
from marketplace.statements import deeds, give_backs
from marketplace.statements.audit import audit
from marketplace.statements.give_backs import REFUND, REVERSAL
from marketplace.statements.models import (
    LedgerEntry,
    Payment,
    PaymentState,
    Payout,
    Posting,
    RefundState,
    Reversal,
    Statement,
    StatementState,
)
from marketplace.statements.operations import close_month
from marketplace.statements.posting import Deed, balance_cents
from marketplace.statements.settlements import list_bank_payouts, settle_month
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, one_family, pay_out, take_events
from tests.statements.world import CITY, CLOSED_AT, OFFICER, City, Group

KEY, OTHER_KEY = UUID(int=1), UUID(int=2)


def with_a_credit(city: City, stand_in: StandIn) -> tuple[Group, Payment]:
    """A family that paid four meetings and was at three: a credit of 30 euros; its provider was paid 27 for each."""
    group, payment = one_family(city, stand_in, at_venue=True)
    collect(city.session, payment)
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    pay_out(city.session, city.session.exec(select(Payout)).one(), DUE + timedelta(days=7))
    city.attend(group.meetings[0], {group.memberships[0].id: Presence.ABSENT_NOTIFIED}, at=DUE)
    close_month(city.session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, date(2026, 12, 1))
    return group, payment


def postings(session: Session, key: str) -> set[tuple[str, int]]:
    entry = session.exec(select(LedgerEntry).where(LedgerEntry.business_key == key)).one()
    rows = session.exec(select(Posting).where(Posting.entry_id == entry.id)).all()
    return {(one.account, one.cents) for one in rows}


def shown(deed: Deed) -> set[tuple[str, int]]:
    [entry] = deed.entries
    return {(str(one.account), one.amount_cents) for one in entry.postings}


def clean(city: City, stand_in: StandIn) -> bool:
    return list(audit(city.session, CITY, stand_in.gateway.iter_balance())) == []


def test_a_credit_is_given_back_as_the_page_said_and_once_for_each_key(city: City, stand_in: StandIn) -> None:
    _, payment = with_a_credit(city, stand_in)
    said = shown(REFUND.preview(city.session, payment, 2000))
    asked = REFUND.ask(city.session, OFFICER, DUE, payment, 2000, "Credito", KEY)
    assert REFUND.ask(city.session, OFFICER, DUE, payment, 2000, "Credito", KEY).id == asked.id
    for _ in range(2):
        give_backs.make_refund.func.__wrapped__(city.session, CITY, DUE, refund_id=str(asked.id))
    take_events(city.session, stand_in, shuffled=True, times=2)
    assert (asked.state, payment.state) == (RefundState.DONE, PaymentState.SUCCEEDED)
    assert postings(city.session, f"refund:{asked.stripe_refund_id}") == said
    assert balance_cents(city.session, CITY, ledger.family(str(payment.household_id))) == -1000
    assert len(city.session.exec(select(Payment)).all()) == 1  # nothing is asked again
    assert clean(city, stand_in)


@pytest.mark.parametrize("cents", [0, -1, 3001])
def test_a_refund_above_the_credit_is_refused(city: City, stand_in: StandIn, cents: int) -> None:
    _, payment = with_a_credit(city, stand_in)
    with pytest.raises(give_backs.AboveCredit, match="30,00"):
        REFUND.ask(city.session, OFFICER, DUE, payment, cents, "Troppo", KEY)


def test_two_refunds_together_are_no_more_than_the_credit(city: City, stand_in: StandIn) -> None:
    _, payment = with_a_credit(city, stand_in)
    REFUND.ask(city.session, OFFICER, DUE, payment, 2000, "Prima", KEY)
    with pytest.raises(give_backs.AboveCredit, match="10,00"):
        REFUND.ask(city.session, OFFICER, DUE, payment, 2000, "Seconda", OTHER_KEY)


def test_a_refund_that_stripe_refuses_gives_nothing_back_and_says_why(city: City, stand_in: StandIn) -> None:
    _, payment = with_a_credit(city, stand_in)
    asked = REFUND.ask(city.session, OFFICER, DUE, payment, 3000, "Credito", KEY)
    stand_in.gateway.refund("x", intent_id=payment.stripe_intent_id or "", amount_cents=12000, municipality_id=CITY)
    give_backs.make_refund.func.__wrapped__(city.session, CITY, DUE, refund_id=str(asked.id))
    assert asked.state == RefundState.FAILED and "greater" in asked.failure


def test_what_a_provider_had_too_much_is_taken_back_once(city: City, stand_in: StandIn) -> None:
    group, _ = with_a_credit(city, stand_in)
    payout = city.session.exec(select(Payout)).one()
    assert REVERSAL.most_cents(city.session, payout) == 2700
    with pytest.raises(give_backs.AboveOverpaid):
        REVERSAL.ask(city.session, OFFICER, DUE, payout, 2701, "Troppo", KEY)
    said = shown(REVERSAL.preview(city.session, payout, 2700))
    asked = REVERSAL.ask(city.session, OFFICER, DUE, payout, 2700, "Assente", KEY)
    assert REVERSAL.most_cents(city.session, payout) == 0
    for _ in range(2):
        give_backs.make_reversal.func.__wrapped__(city.session, CITY, DUE, reversal_id=str(asked.id))
    assert len(city.session.exec(select(Reversal)).all()) == 1
    assert postings(city.session, f"reversal:{asked.stripe_reversal_id}") == said
    assert balance_cents(city.session, CITY, ledger.provider(str(group.provider.id))) == 0
    assert REVERSAL.most_cents(city.session, payout) == 0 and clean(city, stand_in)


def late(city: City, stand_in: StandIn) -> tuple[Group, Payment]:
    group, payment = one_family(city, stand_in, "declined", at_venue=True)
    for days in (0, 3, 7):
        collect(city.session, payment, DUE + timedelta(days=days))
    return group, payment


def test_a_debt_passes_to_the_fund_thirty_days_after_the_letter_and_the_provider_is_paid_by_it(
    city: City, stand_in: StandIn
) -> None:
    _, payment = late(city, stand_in)
    written_at = DUE + timedelta(days=10)
    with pytest.raises(deeds.NotYet):
        deeds.write_off(city.session, OFFICER, written_at + timedelta(days=60), payment)
    for _ in range(2):
        deeds.remind(city.session, OFFICER, written_at, payment)
    letters = [one for one in city.session.exec(select(Message)).all() if one.key.startswith("reminder")]
    assert len(letters) == 1
    with pytest.raises(deeds.NotYet):
        deeds.write_off(city.session, OFFICER, written_at + timedelta(days=29), payment)
    after = written_at + timedelta(days=30)
    said = shown(deeds.preview_write_off(city.session, after, payment))
    for _ in range(2):
        deeds.write_off(city.session, OFFICER, after, payment)
    statement = city.session.exec(select(Statement)).one()
    assert (statement.state, payment.state) == (StatementState.WRITTEN_OFF, PaymentState.CANCELLED)
    assert postings(city.session, f"guarantee:{statement.id}") == said
    assert said == {(f"guarantee:{CITY}", 12000), (f"family:{payment.household_id}", -12000)}
    closing = close_month(city.session, OFFICER, after + timedelta(days=31), CITY, date(2027, 1, 1))
    settlement = settle_month(city.session, OFFICER, after + timedelta(days=32), closing)
    assert settlement.paid_cents == 12000
    assert [one.due_cents for one, _ in list_bank_payouts(city.session, settlement)] == [4 * 2700]
    assert clean(city, stand_in)


def test_an_attempt_is_made_again_when_an_officer_asks(city: City, stand_in: StandIn) -> None:
    _, payment = late(city, stand_in)
    deeds.retry(city.session, OFFICER, DUE + timedelta(days=8), payment)
    assert payment.next_attempt_on == (DUE + timedelta(days=8)).date()
    collect(city.session, payment, DUE + timedelta(days=8))
    assert payment.attempts == 4 and payment.state == PaymentState.FAILED


def test_what_is_paid_cannot_be_tried_reminded_or_written_off(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in)
    collect(city.session, payment)
    with pytest.raises(deeds.NotOpen):
        deeds.retry(city.session, OFFICER, DUE, payment)
    with pytest.raises(deeds.NotOpen):
        deeds.remind(city.session, OFFICER, DUE, payment)
    with pytest.raises(deeds.NotYet):
        deeds.write_off(city.session, OFFICER, DUE, payment)
