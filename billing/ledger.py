"""The ledger's events as immutable entries: postings sum to zero, and the key is the business fact that is recorded.

A positive amount is a debit, a negative one a credit. A family's positive balance is what it still owes; a provider's
or a venue's negative balance is what it is still owed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The accounts there are; all but three belong to somebody."""

    FAMILY = "family"
    PROVIDER = "provider"
    VENUE = "venue"
    PROGRAMME = "programme"
    GUARANTEE = "guarantee"
    BANK = "bank"
    PLATFORM_FEES = "platform:fees"
    STRIPE_FEES = "stripe:fees"
    STRIPE_CLEARING = "stripe:clearing"


_WITHOUT_OWNER = {Kind.PLATFORM_FEES, Kind.STRIPE_FEES, Kind.STRIPE_CLEARING}


@dataclass(frozen=True, order=True)
class Account:
    """One account: its kind and, unless it is the platform's or Stripe's, whose it is."""

    kind: Kind
    owner: str = ""

    def __post_init__(self) -> None:
        if bool(self.owner) == (self.kind in _WITHOUT_OWNER):
            raise ValueError(f"account {self.kind} {'has no owner' if self.owner else 'needs an owner'}")

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner}" if self.owner else str(self.kind)

    @classmethod
    def parse(cls, name: str) -> Account:
        """The account that `str` wrote; ValueError for anything else."""
        if name in {str(kind) for kind in _WITHOUT_OWNER}:
            return cls(Kind(name))
        kind, _, owner = name.partition(":")
        return cls(Kind(kind), owner)


STRIPE_CLEARING = Account(Kind.STRIPE_CLEARING)
STRIPE_FEES = Account(Kind.STRIPE_FEES)
PLATFORM_FEES = Account(Kind.PLATFORM_FEES)


def family(owner: str) -> Account:
    return Account(Kind.FAMILY, owner)


def provider(owner: str) -> Account:
    return Account(Kind.PROVIDER, owner)


def venue(owner: str) -> Account:
    return Account(Kind.VENUE, owner)


def programme(owner: str) -> Account:
    return Account(Kind.PROGRAMME, owner)


def guarantee(municipality: str) -> Account:
    return Account(Kind.GUARANTEE, municipality)


def bank(municipality: str) -> Account:
    return Account(Kind.BANK, municipality)


class UnbalancedError(ValueError):
    """An entry whose postings do not sum to zero, or that moves nothing where it should."""


@dataclass(frozen=True)
class Posting:
    """Integer cents moved on one account: debit positive, credit negative, never zero."""

    account: Account
    amount_cents: int


@dataclass(frozen=True)
class Entry:
    """One event of the trade; posting the same `key` twice is the same event, done once."""

    key: str
    event: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        fault = imbalance(self.postings)
        if fault:
            raise UnbalancedError(f"entry {self.key}: {fault}")


def moved_cents(entry: Entry) -> int:
    """What an entry moves: the sum of its debits."""
    return sum(one.amount_cents for one in entry.postings if one.amount_cents > 0)


def imbalance(postings: Iterable[Posting]) -> str | None:
    """What is wrong with an entry's postings, or None: two or more, none zero, the sum zero."""
    amounts = [posting.amount_cents for posting in postings]
    if len(amounts) < 2:
        return f"{len(amounts)} postings"
    if not all(amounts):
        return "a posting of zero"
    if total := sum(amounts):
        return f"off by {total} cents"
    return None


def balances(entries: Iterable[Entry]) -> dict[Account, int]:
    """Each account's balance in cents after these entries, in any order; accounts at zero included."""
    total: Counter[Account] = Counter()
    for entry in entries:
        for posting in entry.postings:
            total[posting.account] += posting.amount_cents
    return dict(total)


def _entry(key: str, event: str, debits: Mapping[Account, int], credits: Mapping[Account, int]) -> Entry | None:
    """The entry of what is not zero, None where nothing moves; a negative side is a caller's error."""
    for account, cents in [*debits.items(), *credits.items()]:
        if cents < 0:
            raise UnbalancedError(f"entry {key}: {cents} cents on {account}")
    postings = [Posting(account, cents) for account, cents in sorted(debits.items()) if cents]
    postings += [Posting(account, -cents) for account, cents in sorted(credits.items()) if cents]
    return Entry(key, event, tuple(postings)) if postings else None


def _one(key: str, event: str, debit: Account, credit: Account, cents: int) -> Entry:
    if cents <= 0:
        raise UnbalancedError(f"entry {key}: {cents} cents")
    return Entry(key, event, (Posting(debit, cents), Posting(credit, -cents)))


def meeting_billed(
    meeting: str,
    *,
    net_cents: Mapping[Account, int],
    subsidy_cents: Mapping[Account, int],
    guarantee_cents: Mapping[Account, int],
    due_cents: Mapping[Account, int],
) -> Entry | None:
    """A meeting took place: families, programmes and the guarantee fund owe what provider, venue and platform are due.

    The first three are debits (a family's share less its subsidy, what programmes pay, what the fund bears above a cap
    or for a day that the municipality cancelled), the last the credits. None where nobody owes anything.
    """
    return _entry(f"meeting:{meeting}", "meeting_billed", {**net_cents, **subsidy_cents, **guarantee_cents}, due_cents)


def meeting_corrected(correction: str, billed: Entry | None, right: Entry | None) -> Entry | None:
    """What turns the entry that was billed into the one that should have been; None where they agree."""
    difference: Counter[Account] = Counter()
    for sign, entry in ((1, right), (-1, billed)):
        for posting in entry.postings if entry else ():
            difference[posting.account] += sign * posting.amount_cents
    postings = tuple(Posting(account, cents) for account, cents in sorted(difference.items()) if cents)
    return Entry(f"correction:{correction}", "meeting_corrected", postings) if postings else None


def payment_succeeded(payment: str, payer: Account, cents: int) -> Entry:
    """A family's card or debit payment arrived at Stripe."""
    return _one(f"payment:{payment}", "payment_succeeded", STRIPE_CLEARING, payer, cents)


def payment_returned(refund: str, payer: Account, cents: int) -> Entry:
    """A payment, or a part of it, went back: refunded, or disputed and lost."""
    return _one(f"refund:{refund}", "payment_returned", payer, STRIPE_CLEARING, cents)


def payment_reinstated(returned: str, payer: Account, cents: int) -> Entry:
    """What had gone back came again: a dispute was won, or a refund did not arrive."""
    return _one(f"reinstated:{returned}", "payment_reinstated", STRIPE_CLEARING, payer, cents)


def stripe_fee_charged(source: str, cents: int) -> Entry:
    """What Stripe kept for itself."""
    return _one(f"stripe-fee:{source}", "stripe_fee_charged", STRIPE_FEES, STRIPE_CLEARING, cents)


def fee_borne(source: str, municipality: str, cents: int) -> Entry:
    """The guarantee fund bears what Stripe kept: neither the family that paid nor the provider that is due."""
    return _one(f"fee-borne:{source}", "fee_borne", guarantee(municipality), STRIPE_FEES, cents)


def stripe_topped_up(topup: str, municipality: str, cents: int) -> Entry:
    """The municipality put back on Stripe's balance what fees and disputes took, so that transfers can be made."""
    return _one(f"topup:{topup}", "stripe_topped_up", STRIPE_CLEARING, bank(municipality), cents)


def bank_transfer_received(transfer: str, municipality: str, payer: Account, cents: int) -> Entry:
    """A family paid by bank transfer, or a municipality settled a programme or its guarantee fund."""
    return _one(f"bank-in:{transfer}", "bank_transfer_received", bank(municipality), payer, cents)


def borne_by_guarantee(reason: str, municipality: str, payer: Account, cents: int) -> Entry:
    """The guarantee fund takes over what a family owes: above its cap, or a bad debt."""
    return _one(f"guarantee:{reason}", "borne_by_guarantee", guarantee(municipality), payer, cents)


def stripe_paid_out(payout: str, municipality: str, cents: int) -> Entry:
    """Stripe's balance went to the municipality's bank account."""
    return _one(f"stripe-payout:{payout}", "stripe_paid_out", bank(municipality), STRIPE_CLEARING, cents)


def paid_by_bank(payout: str, municipality: str, payee: Account, cents: int) -> Entry:
    """A provider or a venue was paid by bank transfer."""
    return _one(f"bank-out:{payout}", "paid_by_bank", payee, bank(municipality), cents)


def transferred(transfer: str, payee: Account, cents: int) -> Entry:
    """A provider was paid by a transfer to its connected account."""
    return _one(f"transfer:{transfer}", "transferred", payee, STRIPE_CLEARING, cents)


def transfer_reversed(reversal: str, payee: Account, cents: int) -> Entry:
    """A transfer to a provider came back."""
    return _one(f"reversal:{reversal}", "transfer_reversed", STRIPE_CLEARING, payee, cents)
