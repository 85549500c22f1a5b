"""The ledger's entries: they balance or do not exist, and money only moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import ledger
from billing.ledger import Account, Entry, Kind, Posting

FAMILY, PROVIDER, VENUE = ledger.family("f1"), ledger.provider("p1"), ledger.venue("v1")
PROGRAMME, FUND = ledger.programme("g1"), ledger.guarantee("035033")
cents = st.integers(1, 10_000_000)


def billed(key: str = "m1", net: int = 650, subsidy: int = 650, provider: int = 1150, venue: int = 150) -> Entry:
    entry = ledger.meeting_billed(
        key,
        net_cents={FAMILY: net},
        subsidy_cents={PROGRAMME: subsidy},
        guarantee_cents={},
        due_cents={PROVIDER: provider, VENUE: venue},
    )
    assert entry is not None
    return entry


def test_a_meeting_and_its_payment_leave_the_family_owing_nothing() -> None:
    entries = [
        billed(),
        ledger.payment_succeeded("pay1", FAMILY, 650),
        ledger.stripe_fee_charged("pay1", 35),
        ledger.bank_transfer_received("b1", "035033", PROGRAMME, 650),
        ledger.transferred("t1", PROVIDER, 575),
        ledger.paid_by_bank("o1", "035033", VENUE, 150),
    ]
    after = ledger.balances(entries)
    assert sum(after.values()) == 0
    assert after[FAMILY] == 0 and after[PROGRAMME] == 0 and after[VENUE] == 0
    assert after[PROVIDER] == -575
    assert after[ledger.STRIPE_CLEARING] == 650 - 35 - 575


def test_an_entry_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(ledger.UnbalancedError, match="off by 1 cents"):
        Entry("x", "x", (Posting(FAMILY, 10), Posting(PROVIDER, -9)))
    with pytest.raises(ledger.UnbalancedError, match="1 postings"):
        Entry("x", "x", (Posting(FAMILY, 0),))
    with pytest.raises(ledger.UnbalancedError, match="zero"):
        Entry("x", "x", (Posting(FAMILY, 0), Posting(PROVIDER, 0)))
    with pytest.raises(ledger.UnbalancedError):
        billed(net=651)


@pytest.mark.parametrize("amount", [0, -5])
def test_nothing_moves_backwards_by_a_negative_amount(amount: int) -> None:
    with pytest.raises(ledger.UnbalancedError):
        ledger.payment_succeeded("p", FAMILY, amount)
    with pytest.raises(ledger.UnbalancedError):
        billed(net=-1, subsidy=1301)


def test_a_meeting_where_nobody_owes_anything_is_no_entry() -> None:
    assert (
        ledger.meeting_billed("m", net_cents={FAMILY: 0}, subsidy_cents={}, guarantee_cents={}, due_cents={PROVIDER: 0})
        is None
    )


def test_a_correction_turns_what_was_billed_into_what_is_right() -> None:
    wrong, right = billed(), billed(net=500, subsidy=800)
    correction = ledger.meeting_corrected("c1", wrong, right)
    assert correction is not None
    assert ledger.balances([wrong, correction]) == ledger.balances([right])
    assert ledger.meeting_corrected("c2", wrong, wrong) is None
    undone = ledger.meeting_corrected("c3", wrong, None)
    assert undone is not None and not any(ledger.balances([wrong, undone]).values())


@pytest.mark.parametrize("name", ["family:7", "guarantee:035033", "stripe:clearing", "stripe:fees", "platform:fees"])
def test_an_account_is_read_back_as_it_was_written(name: str) -> None:
    assert str(Account.parse(name)) == name


@pytest.mark.parametrize("name", ["family", "family:", "nobody:3", "stripe:clearing:x", ""])
def test_an_account_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Account.parse(name)


@given(st.lists(st.tuples(st.sampled_from(["pay", "refund", "transfer", "reverse", "bank"]), cents), max_size=30))
def test_any_history_sums_to_zero(history: list[tuple[str, int]]) -> None:
    make = {
        "pay": lambda key, amount: ledger.payment_succeeded(key, FAMILY, amount),
        "refund": lambda key, amount: ledger.payment_returned(key, FAMILY, amount),
        "transfer": lambda key, amount: ledger.transferred(key, PROVIDER, amount),
        "reverse": lambda key, amount: ledger.transfer_reversed(key, PROVIDER, amount),
        "bank": lambda key, amount: ledger.bank_transfer_received(key, "035033", PROGRAMME, amount),
    }
    entries = [make[kind](str(number), amount) for number, (kind, amount) in enumerate(history)]
    assert sum(ledger.balances(entries).values()) == 0
    assert all(ledger.imbalance(entry.postings) is None for entry in entries)
    assert Kind.FAMILY in Kind
