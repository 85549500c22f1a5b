"""What Stripe keeps is the fund's, nobody waits for it after the top-up, and no more than the new list is read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from billing import ledger
from marketplace.demo.payments import behaviour
from marketplace.statements import gateways
from marketplace.statements.audit import audit
from marketplace.statements.commands import audit_books
from marketplace.statements.models import Payout
from marketplace.statements.nightly import agreed_until, at_stripe, check_books
from marketplace.statements.operations import close_month
from marketplace.statements.payouts import UNFUNDED, to_top_up_cents
from marketplace.statements.posting import balance_cents, post
from marketplace.statements.settlements import owed_by_municipality
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE, collect, one_family, pay_out, take_events
from tests.statements.world import CITY, NOVEMBER, OFFICER, City

DECEMBER = NOVEMBER.replace(month=12)
LATER = DUE + timedelta(days=8)


@pytest.fixture
def unfunded(city: City, stand_in: StandIn) -> Payout:
    """A payout that is due, of a payment from which Stripe kept its fee."""
    group, payment = one_family(city, stand_in)
    collect(city.session, payment)
    group.provider.stripe_account_id = stand_in.open_account(str(group.provider.id))
    return city.session.exec(select(Payout)).one()


def top_up(stand_in: StandIn, cents: int, municipality: str = CITY) -> None:
    with stand_in.store.transaction():
        behaviour.top_up(stand_in.store, cents, municipality)


def test_the_fund_bears_what_stripe_keeps_and_the_provider_is_due_all_the_same(
    city: City, stand_in: StandIn, unfunded: Payout
) -> None:
    fee = to_top_up_cents(city.session, CITY)
    assert fee > 0
    assert balance_cents(city.session, CITY, ledger.STRIPE_FEES) == 0
    assert balance_cents(city.session, CITY, ledger.guarantee(CITY)) == fee
    assert unfunded.due_cents == 10800
    close_month(city.session, OFFICER, datetime(2027, 1, 4, 8, tzinfo=UTC), CITY, DECEMBER)
    assert owed_by_municipality(city.session, CITY, DECEMBER) == {ledger.guarantee(CITY): fee}


def test_a_payout_above_what_is_there_waits_and_goes_once_the_balance_is_topped_up(
    city: City, stand_in: StandIn, unfunded: Payout
) -> None:
    for days in range(2):
        pay_out(city.session, unfunded, LATER + timedelta(days=days))
        assert (unfunded.failure, unfunded.paid_at) == (UNFUNDED, None)
    top_up(stand_in, to_top_up_cents(city.session, CITY))
    take_events(city.session, stand_in, times=2, shuffled=True)
    assert to_top_up_cents(city.session, CITY) == 0
    at_once = "task_name = 'statements.pay_provider' and scheduled_at is null"
    waiting = city.session.execute(text(f"select count(*) from procrastinate_jobs where {at_once}"))
    assert waiting.scalar_one() == 1
    pay_out(city.session, unfunded, LATER + timedelta(days=2))
    pay_out(city.session, unfunded, LATER + timedelta(days=3))
    assert (unfunded.failure, unfunded.paid_at is not None) == ("", True)
    assert len(stand_in.store.newest("transfer")) == 1
    assert list(audit(city.session, CITY, stand_in.gateway.iter_balance())) == []


def test_a_top_up_of_nobody_known_changes_nothing(city: City, stand_in: StandIn, unfunded: Payout) -> None:
    before = to_top_up_cents(city.session, CITY)
    top_up(stand_in, 500, "")
    take_events(city.session, stand_in)
    assert to_top_up_cents(city.session, CITY) == before


def test_after_they_agreed_only_what_is_newer_is_read_and_compared(
    city: City, stand_in: StandIn, unfunded: Payout
) -> None:
    session = city.session
    assert agreed_until(session, CITY) is None
    first = check_books(session, CITY, LATER, at_stripe())
    assert (first.count, agreed_until(session, CITY)) == (0, LATER)
    assert check_books(session, CITY, LATER + timedelta(days=1), [], LATER).count == 0  # nothing new on either side
    pay_by_hand(session, LATER + timedelta(days=2))
    found = check_books(session, CITY, LATER + timedelta(days=3), [], LATER)
    assert [one["row"] for one in found.differences] == ["topup:invented"]
    assert agreed_until(session, CITY) == LATER + timedelta(days=1)


def pay_by_hand(session: Session, at: datetime) -> None:
    """An entry that Stripe knows nothing of."""
    post(session, CITY, ledger.stripe_topped_up("invented", CITY, 100), at, at.date())


def test_a_movement_that_we_never_wrote_down_is_found_by_the_newer_list(
    city: City, stand_in: StandIn, unfunded: Payout
) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    top_up(stand_in, 700)
    movements = list(stand_in.gateway.iter_balance(since))
    found = [one.row for one in audit(city.session, CITY, movements, since) if one.row.startswith("topup:")]
    assert len(found) == 1


def test_stripes_list_is_read_from_an_instant_on(city: City, stand_in: StandIn, unfunded: Payout) -> None:
    assert len(list(stand_in.gateway.iter_balance(datetime.now(UTC) - timedelta(hours=1)))) == 1
    assert list(stand_in.gateway.iter_balance(datetime.now(UTC) + timedelta(hours=1))) == []


@pytest.mark.parametrize(
    ("with_stripe", "status", "words"), [(True, 1, "Stripe non risponde"), (False, 0, "non sono stati confrontati")]
)
def test_an_audit_without_stripe_says_so_and_proves_the_rest(
    city: City, stand_in: StandIn, unfunded: Payout, with_stripe: bool, status: int, words: str
) -> None:
    gateways.pay_through(None)
    said: list[str] = []
    collected: Callable[[str], None] = said.append
    city.session.commit()
    assert audit_books(city.session, CITY, collected, collected, with_stripe) == status
    assert any(words in line for line in said)
    city.session.connection().execute(text("update statement set total_cents = total_cents + 1"))
    city.session.commit()
    assert audit_books(city.session, CITY, collected, collected, with_stripe) == 1
