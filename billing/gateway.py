"""The only door to Stripe: each call carries our row's key, so that doing it again does nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import stripe

from billing.answers import (
    BalanceLine,
    Charge,
    ChargeStatus,
    GatewayError,
    GatewayUnavailableError,
    HostedPage,
    Returned,
    SavedMethod,
    TopUp,
)

CURRENCY = "eur"
COUNTRY = "IT"

# The shapes that the SDK's own types give to each call's parameters: what the local double is as strict as.
PARAMETER_TYPES: Mapping[str, type] = {
    "POST /v1/customers": stripe.params.CustomerCreateParams,
    "POST /v1/checkout/sessions": stripe.params.checkout.SessionCreateParams,
    "GET /v1/payment_intents/{id}": stripe.params.PaymentIntentRetrieveParams,
    "POST /v1/payment_intents": stripe.params.PaymentIntentCreateParams,
    "POST /v1/payment_intents/{id}/confirm": stripe.params.PaymentIntentConfirmParams,
    "POST /v1/refunds": stripe.params.RefundCreateParams,
    "POST /v1/transfers": stripe.params.TransferCreateParams,
    "POST /v1/transfers/{id}/reversals": stripe.params.TransferReversalCreateParams,
    "POST /v1/accounts": stripe.params.AccountCreateParams,
    "POST /v1/account_links": stripe.params.AccountLinkCreateParams,
    "GET /v1/balance_transactions": stripe.params.BalanceTransactionListParams,
}


class Gateway:
    """Stripe's API with one account's key; `base_url` points it at the local double when there is no key."""

    def __init__(self, secret_key: str, *, base_url: str | None = None, timeout_seconds: float = 20) -> None:
        self._connections = stripe.RequestsClient(timeout=timeout_seconds)
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": base_url} if base_url else None,
            max_network_retries=2,
            http_client=self._connections,
        )

    def close(self) -> None:
        """Gives back the connections; a later call opens new ones."""
        self._connections.close()  # type: ignore[no-untyped-call]

    def create_customer(self, key: str, *, municipality_id: str, email: str | None) -> str:
        """A payer at Stripe; its name stays with us."""
        params: stripe.params.CustomerCreateParams = {
            "metadata": {"reference": key, "municipality": municipality_id},
            "preferred_locales": ["it"],
        }
        if email:
            params["email"] = email
        with _translated():
            return self._client.v1.customers.create(params, {"idempotency_key": f"customer-{key}"}).id

    def open_setup_page(
        self, key: str, *, customer_id: str, reference: str, done_url: str, cancel_url: str
    ) -> HostedPage:
        """The hosted page where a family saves a card or a SEPA mandate; it needs no JavaScript of ours."""
        with _translated():
            page = self._client.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "customer": customer_id,
                    "currency": CURRENCY,
                    "allowed_payment_method_types": ["card", "sepa_debit"],
                    "success_url": done_url,
                    "cancel_url": cancel_url,
                    "locale": "it",
                    "client_reference_id": reference,
                },
                {"idempotency_key": f"setup-{key}"},
            )
        return HostedPage(page.id, page.url or "")

    def open_payment_page(
        self,
        key: str,
        *,
        customer_id: str,
        amount_cents: int,
        reference: str,
        group: str,
        municipality_id: str,
        description: str,
        done_url: str,
        cancel_url: str,
    ) -> HostedPage:
        """The hosted page where a family pays now, itself: without a saved method, or where its bank asks for it."""
        with _translated():
            page = self._client.v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "customer": customer_id,
                    "allowed_payment_method_types": ["card"],
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": CURRENCY,
                                "unit_amount": amount_cents,
                                "product_data": {"name": description},
                            },
                        }
                    ],
                    "payment_intent_data": {
                        "transfer_group": group,
                        "metadata": {"reference": reference, "municipality": municipality_id},
                    },
                    "success_url": done_url,
                    "cancel_url": cancel_url,
                    "locale": "it",
                    "client_reference_id": reference,
                },
                {"idempotency_key": f"pay-{key}"},
            )
        return HostedPage(page.id, page.url or "")

    def find_saved_method(self, page_id: str) -> SavedMethod | None:
        """What a family saved on the hosted page `page_id`, or None while it has not."""
        with _translated():
            page = self._client.v1.checkout.sessions.retrieve(page_id)
            if page.status != "complete" or page.setup_intent is None:
                return None
            setup = self._client.v1.setup_intents.retrieve(_id(page.setup_intent))
            if setup.status != "succeeded" or setup.payment_method is None or setup.customer is None:
                return None
            method = self._client.v1.payment_methods.retrieve(_id(setup.payment_method))
        details = getattr(method, method.type)
        return SavedMethod(_id(setup.customer), method.id, method.type, details["last4"] or "")

    def charge(
        self,
        key: str,
        *,
        customer_id: str,
        method_id: str,
        amount_cents: int,
        reference: str,
        group: str,
        municipality_id: str,
        description: str,
    ) -> Charge:
        """A first attempt to collect `amount_cents` off session for our row `reference`; `group` ties its transfers."""
        return _attempt(
            lambda: self._client.v1.payment_intents.create(
                {
                    "amount": amount_cents,
                    "currency": CURRENCY,
                    "customer": customer_id,
                    "payment_method": method_id,
                    "confirm": True,
                    "off_session": True,
                    "transfer_group": group,
                    "description": description,
                    "metadata": {"reference": reference, "municipality": municipality_id},
                },
                {"idempotency_key": key},
            )
        )

    def charge_again(self, key: str, *, intent_id: str, method_id: str) -> Charge:
        """Another attempt on a declined intent, perhaps with another method."""
        return _attempt(
            lambda: self._client.v1.payment_intents.confirm(
                intent_id, {"payment_method": method_id, "off_session": True}, {"idempotency_key": key}
            )
        )

    def get_charge(self, intent_id: str) -> Charge:
        """How a payment stands now, whatever the webhooks said and in whatever order."""
        with _translated():
            return _charge(
                self._client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge.balance_transaction"]})
            )

    def refund(self, key: str, *, intent_id: str, amount_cents: int, municipality_id: str) -> str:
        """Gives back a payment or a part of it; its transfers are reversed apart."""
        with _translated():
            return self._client.v1.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": amount_cents,
                    "metadata": {"reference": key, "municipality": municipality_id},
                },
                {"idempotency_key": key},
            ).id

    def get_refund(self, refund_id: str) -> Returned:
        """How a refund stands now: one that failed came again."""
        with _translated():
            refund = self._client.v1.refunds.retrieve(refund_id)
        failed = refund.status in {"failed", "canceled"}
        return Returned(
            refund.id,
            _id(refund.payment_intent),
            refund.amount,
            taken_cents=refund.amount,
            returned_cents=refund.amount if failed else 0,
            fee_cents=0,
            status=refund.status or "",
            reason=getattr(refund, "failure_reason", None) or "",
            reference=_metadata(refund).get("reference", ""),
        )

    def get_dispute(self, dispute_id: str) -> Returned:
        """How a dispute stands now, by the movements that it made."""
        with _translated():
            dispute = self._client.v1.disputes.retrieve(dispute_id)
        moves = dispute.balance_transactions
        return Returned(
            dispute.id,
            _id(dispute.payment_intent),
            dispute.amount,
            taken_cents=-sum(move.amount for move in moves if move.amount < 0),
            returned_cents=sum(move.amount for move in moves if move.amount > 0),
            fee_cents=sum(move.fee for move in moves),
            status=dispute.status,
            reason=dispute.reason,
        )

    def transfer(self, key: str, *, account_id: str, amount_cents: int, group: str, municipality_id: str) -> str:
        """Pays a provider's connected account."""
        with _translated():
            return self._client.v1.transfers.create(
                {
                    "amount": amount_cents,
                    "currency": CURRENCY,
                    "destination": account_id,
                    "transfer_group": group,
                    "metadata": {"reference": key, "municipality": municipality_id},
                },
                {"idempotency_key": key},
            ).id

    def reverse_transfer(self, key: str, *, transfer_id: str, amount_cents: int, municipality_id: str) -> str:
        """Takes a transfer, or a part of it, back."""
        with _translated():
            return self._client.v1.transfers.reversals.create(
                transfer_id,
                {"amount": amount_cents, "metadata": {"reference": key, "municipality": municipality_id}},
                {"idempotency_key": key},
            ).id

    def create_account(self, key: str, *, municipality_id: str, email: str | None) -> str:
        """A provider's connected account, which it completes on Stripe's own pages."""
        params: stripe.params.AccountCreateParams = {
            "type": "express",
            "country": COUNTRY,
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"reference": key, "municipality": municipality_id},
        }
        if email:
            params["email"] = email
        with _translated():
            return self._client.v1.accounts.create(params, {"idempotency_key": f"account-{key}"}).id

    def open_onboarding_page(self, *, account_id: str, done_url: str, again_url: str) -> str:
        """The address of the page where a provider gives Stripe what it asks for; good for a few minutes."""
        with _translated():
            return self._client.v1.account_links.create(
                {
                    "account": account_id,
                    "type": "account_onboarding",
                    "return_url": done_url,
                    "refresh_url": again_url,
                }
            ).url

    def get_topup(self, topup_id: str) -> TopUp:
        """How a top-up of our balance stands; whoever makes it at Stripe writes the municipality in its metadata."""
        with _translated():
            found = self._client.v1.topups.retrieve(topup_id)
        is_there = found.status == "succeeded"
        return TopUp(found.id, found.amount if is_there else 0, _metadata(found).get("municipality", ""))

    def can_be_paid(self, account_id: str) -> bool:
        """Whether a connected account may receive transfers now."""
        with _translated():
            capabilities = self._client.v1.accounts.retrieve(account_id).capabilities
        return capabilities is not None and getattr(capabilities, "transfers", None) == "active"

    def iter_balance(self, since: datetime | None = None) -> Iterator[BalanceLine]:
        """The movements of our balance at Stripe, newest first, page by page: all, or those made from `since` on."""
        params: stripe.params.BalanceTransactionListParams = {"limit": 100, "expand": ["data.source"]}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        with _translated():
            listed = self._client.v1.balance_transactions.list(params)
            for line in listed.auto_paging_iter():
                yield _balance_line(line)


def _id(expandable: Any) -> str:
    """The id of what Stripe gives either as an id or as an object."""
    return expandable if isinstance(expandable, str) else str(expandable.id)


def _charge(intent: stripe.PaymentIntent) -> Charge:
    balance = getattr(intent.latest_charge, "balance_transaction", None)
    status, reason = ChargeStatus.DECLINED, ""
    error = intent.last_payment_error
    if intent.status in {"succeeded", "processing", "requires_action"}:
        status = ChargeStatus(intent.status)
    else:
        reason = getattr(error, "decline_code", None) or getattr(error, "code", None) or intent.status
    kept = _metadata(intent)
    return Charge(
        intent.id,
        status,
        intent.amount,
        getattr(balance, "fee", 0),
        reason,
        kept.get("reference", ""),
        kept.get("municipality", ""),
    )


def _attempt(confirm: Callable[[], stripe.PaymentIntent]) -> Charge:
    """The outcome of one attempt to charge: a declined card is an outcome, not a fault."""
    with _translated():
        try:
            return _charge(confirm())
        except stripe.CardError as refused:
            error = refused.error
            if error is None or error.payment_intent is None:
                raise
            reason = error.decline_code or error.code or "declined"
            asks_family = reason == "authentication_required"
            status = ChargeStatus.NEEDS_FAMILY if asks_family else ChargeStatus.DECLINED
            return Charge(_id(error.payment_intent), status, reason=reason)


def _metadata(source: Any) -> dict[str, str]:
    kept = getattr(source, "metadata", None)
    return dict(kept.to_dict()) if kept else {}


def _balance_line(line: stripe.BalanceTransaction) -> BalanceLine:
    source: Any = line.source
    intent = getattr(source, "payment_intent", None)
    return BalanceLine(
        line.id,
        line.type,
        line.amount,
        line.fee,
        getattr(source, "id", ""),
        _id(intent) if intent else "",
        _metadata(source).get("municipality", ""),
        datetime.fromtimestamp(line.created, UTC),
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Stripe's errors as ours: worth another try with the same key, or not."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
        raise GatewayUnavailableError(str(error)) from error
    except stripe.IdempotencyError as error:
        raise GatewayError(str(error)) from error
    except stripe.StripeError as error:
        if (error.http_status or 0) >= 500 or error.http_status == 409:
            raise GatewayUnavailableError(str(error)) from error
        raise GatewayError(str(error), getattr(error, "code", None) or "") from error
