"""What a payment service answers, in our words: values that never change, and the two ways in which it says no."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class GatewayError(Exception):
    """Stripe refused the call for a reason that trying again will not change; `code` is its word for it."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class GatewayUnavailableError(GatewayError):
    """Nobody answered, or not now: the same call with the same key may be made again."""


class ChargeStatus(StrEnum):
    """How a payment stands; only SUCCEEDED has moved money."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    NEEDS_FAMILY = "requires_action"
    DECLINED = "declined"


@dataclass(frozen=True)
class Charge:
    """How a payment stands; `reason` is Stripe's decline code, empty unless it was declined.

    `reference` and `municipality_id` are what it was asked with; `fee_cents` is what Stripe keeps, known on success.
    """

    intent_id: str
    status: ChargeStatus
    amount_cents: int = 0
    fee_cents: int = 0
    reason: str = ""
    reference: str = ""
    municipality_id: str = ""


@dataclass(frozen=True)
class HostedPage:
    """A page of Stripe's own to send somebody to."""

    id: str
    url: str


@dataclass(frozen=True)
class SavedMethod:
    """A card or a SEPA mandate that may be charged off session, and how people recognise it."""

    customer_id: str
    method_id: str
    kind: str
    last4: str


@dataclass(frozen=True)
class BalanceLine:
    """One change of Stripe's balance: `amount_cents` less `fee_cents`, by the object `source_id` (charge, transfer).

    `intent_id` is the payment that it belongs to, empty for transfers.
    """

    id: str
    kind: str
    amount_cents: int
    fee_cents: int
    source_id: str
    intent_id: str
    municipality_id: str
    created_at: datetime


@dataclass(frozen=True)
class TopUp:
    """Money that was put on our balance at Stripe from a bank; 0 cents until it is there."""

    id: str
    cents: int
    municipality_id: str


@dataclass(frozen=True)
class Returned:
    """Money that went back to its payer, by a refund or to its bank: `taken_cents` left, `returned_cents` came again.

    `reference` is ours where the refund is; `status` and `reason` are Stripe's words.
    """

    id: str
    intent_id: str
    cents: int
    taken_cents: int
    returned_cents: int
    fee_cents: int
    status: str
    reason: str = ""
    reference: str = ""
