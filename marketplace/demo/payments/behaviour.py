"""What Stripe does on each call, as far as we use it: objects, balance movements and events, in its own words."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.demo.payments.store import Store, new_id, timestamp

Body = dict[str, Any]
FEE_FIXED_CENTS = 25
FEE_PER_MILLE = 15
DEBIT_FEE_CENTS = 35
DISPUTE_FEE_CENTS = 2000


@dataclass
class StripeFault(Exception):
    """An error as Stripe answers it; `kept` ones are replayed for the same idempotency key."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    more: Mapping[str, Any] | None = None

    @property
    def is_kept(self) -> bool:
        return self.status == 402

    def body(self) -> Body:
        error = {"type": self.type, "code": self.code, "message": self.message, "param": self.param}
        return {"error": {name: value for name, value in error.items() if value is not None} | dict(self.more or {})}


def invalid(code: str, message: str, param: str | None = None, status: int = 400) -> StripeFault:
    return StripeFault(status, "invalid_request_error", code, message, param)


def get(store: Store, kind: str, object_id: str, param: str = "id") -> Body:
    body = store.find(kind, object_id)
    if body is None:
        raise invalid("resource_missing", f"No such {kind}: '{object_id}'", param, 404 if param == "id" else 400)
    return body


def emit(store: Store, type_: str, body: Body, delay_seconds: float = 0) -> None:
    """An event about an object, as it is now, to be delivered when it is due."""
    event_id = new_id("evt")
    event = {
        "id": event_id,
        "object": "event",
        "type": type_,
        "created": timestamp(),
        "livemode": False,
        "data": {"object": body},
    }
    due = time.time() + delay_seconds + float(store.switch("webhook_delay_seconds"))
    store.put_event(event, due)
    if store.switch("duplicate_webhooks"):
        store.put_event(event | {"id": event_id + "_again"}, due)


def balance_cents(store: Store) -> int:
    return sum(line["net"] for line in store.newest("balance_transaction"))


def _move(store: Store, type_: str, source: Body, amount: int, fee: int = 0) -> str:
    line = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "type": type_,
        "amount": amount,
        "fee": fee,
        "net": amount - fee,
        "currency": "eur",
        "source": source["id"],
        "source_kind": source["object"],
        "created": timestamp(),
    }
    store.put("balance_transaction", line)
    return str(line["id"])


def create_customer(store: Store, params: Body) -> Body:
    customer = {"id": new_id("cus"), "object": "customer", "created": timestamp(), "metadata": {}} | params
    return store.put("customer", customer)


def create_intent(store: Store, params: Body) -> Body:
    if params["amount"] < 50:
        raise invalid("amount_too_small", "Amount must be at least €0.50 eur", "amount")
    if params["currency"] != "eur":
        raise invalid("parameter_invalid", "Invalid currency", "currency")
    intent: Body = {
        "id": new_id("pi"),
        "object": "payment_intent",
        "status": "requires_confirmation",
        "latest_charge": None,
        "last_payment_error": None,
        "created": timestamp(),
        "metadata": {},
    }
    intent |= {name: value for name, value in params.items() if name not in {"confirm", "off_session", "expand"}}
    store.put("payment_intent", intent)
    return confirm_intent(store, intent["id"], params) if params.get("confirm") else intent


def confirm_intent(store: Store, intent_id: str, params: Body) -> Body:
    """One attempt to collect: succeeds, is on its way (SEPA), or is declined with 402."""
    intent = get(store, "payment_intent", intent_id)
    if intent["status"] in {"succeeded", "processing", "canceled"}:
        raise invalid("payment_intent_unexpected_state", f"This PaymentIntent's status is {intent['status']}.")
    method_id = params.get("payment_method") or intent.get("payment_method")
    if not method_id:
        raise invalid("payment_intent_invalid_parameter", "A payment method is needed to confirm.", "payment_method")
    method = get(store, "payment_method", method_id, "payment_method")
    if method["customer"] != intent.get("customer"):
        raise invalid("payment_method_not_available", "The method belongs to another customer.", "payment_method")
    intent["payment_method"] = method_id
    code = _decline_code(store, method)
    if code:
        _decline(store, intent, code)
    charge = _charge(store, intent, method)
    intent |= {"latest_charge": charge["id"], "last_payment_error": None}
    if method["type"] == "sepa_debit":
        store.put("payment_intent", intent | {"status": "processing"})
        emit(store, "payment_intent.processing", intent | {"status": "processing"})
        return intent | {"status": "processing"}
    _settle(store, intent | {"status": "processing"}, charge, method)
    return get(store, "payment_intent", intent_id)


def _decline_code(store: Store, method: Body) -> str:
    if store.count_down("decline_next"):
        return str(store.switch("decline_code"))
    if store.count_down("authenticate_next"):
        return "authentication_required"
    behaves = str(method["behaves"])
    return behaves if behaves in {"card_declined", "insufficient_funds", "authentication_required"} else ""


def _decline(store: Store, intent: Body, code: str) -> None:
    needs_family = code == "authentication_required"
    error = {
        "type": "card_error",
        "code": code if needs_family else "card_declined",
        "decline_code": code,
        "message": "Your card was declined.",
    }
    intent |= {"status": "requires_payment_method", "last_payment_error": error}
    store.put("payment_intent", intent)
    emit(store, "payment_intent.payment_failed", intent)
    more = {"decline_code": code, "payment_intent": intent}
    raise StripeFault(402, "card_error", error["code"], error["message"], more=more)


def _charge(store: Store, intent: Body, method: Body) -> Body:
    copied = ("amount", "currency", "customer", "transfer_group", "metadata")
    charge = {
        "id": new_id("py" if method["type"] == "sepa_debit" else "ch"),
        "object": "charge",
        "payment_intent": intent["id"],
        "amount_refunded": 0,
        "status": "pending",
        "created": timestamp(),
    } | {name: intent.get(name) for name in copied}
    return store.put("charge", charge)


def _settle(store: Store, intent: Body, charge: Body, method: Body) -> None:
    """The money arrives: balance, charge, intent and events."""
    amount = int(intent["amount"])
    debit = method["type"] == "sepa_debit"
    fee = DEBIT_FEE_CENTS if debit else FEE_FIXED_CENTS + (amount * FEE_PER_MILLE + 999) // 1000
    line = _move(store, "payment" if debit else "charge", charge, amount, fee)
    store.put("charge", charge | {"status": "succeeded", "balance_transaction": line})
    done = store.put("payment_intent", intent | {"status": "succeeded"})
    emit(store, "payment_intent.succeeded", done)
    if method["behaves"] == "disputed" or store.count_down("dispute_next"):
        dispute(store, charge["id"])


def advance_debits(store: Store, now: float) -> None:
    """SEPA debits that were on their way long enough succeed, or bounce."""
    delay = float(store.switch("debit_delay_seconds"))
    for intent in store.newest("payment_intent"):
        if intent["status"] != "processing" or intent["created"] + delay > now:
            continue
        method = get(store, "payment_method", intent["payment_method"])
        charge = get(store, "charge", intent["latest_charge"])
        if method["behaves"] == "bounces":
            error = {"type": "card_error", "code": "debit_not_authorized", "decline_code": "debit_not_authorized"}
            store.put("charge", charge | {"status": "failed"})
            failed = store.put(
                "payment_intent", intent | {"status": "requires_payment_method", "last_payment_error": error}
            )
            emit(store, "payment_intent.payment_failed", failed)
        else:
            _settle(store, intent, charge, method)


def dispute(store: Store, charge_id: str) -> Body:
    """The payer's bank takes the money back."""
    charge = get(store, "charge", charge_id)
    body = {
        "id": new_id("dp"),
        "object": "dispute",
        "charge": charge_id,
        "payment_intent": charge["payment_intent"],
        "amount": charge["amount"],
        "currency": "eur",
        "reason": "fraudulent",
        "status": "needs_response",
        "metadata": {},
        "balance_transactions": [],
        "created": timestamp(),
    }
    _move_disputed(store, body, -int(charge["amount"]), DISPUTE_FEE_CENTS)
    emit(store, "charge.dispute.created", body)
    emit(store, "charge.dispute.funds_withdrawn", body)
    return body


def decide_dispute(store: Store, dispute_id: str, status: str) -> Body:
    """The payer's bank decides: `won` gives the money back to us, `lost` leaves it gone; the fee stays paid."""
    body = get(store, "dispute", dispute_id)
    if body["status"] not in {"needs_response", "under_review"} or status not in {"won", "lost"}:
        raise invalid("parameter_invalid", f"This dispute is {body['status']}.", "status")
    body |= {"status": status}
    if status == "won":
        _move_disputed(store, body, int(body["amount"]))
        emit(store, "charge.dispute.funds_reinstated", body)
    store.put("dispute", body)
    emit(store, "charge.dispute.closed", body)
    return body


def _move_disputed(store: Store, body: Body, amount: int, fee: int = 0) -> None:
    """The movement, kept with the dispute as Stripe does."""
    line = _move(store, "adjustment", body, amount, fee)
    body["balance_transactions"].append({"id": line, "amount": amount, "fee": fee, "net": amount - fee})
    store.put("dispute", body)


def fail_refund(store: Store, refund_id: str) -> Body:
    """The payer's bank does not take the refund: the money comes back to us."""
    refund = store.put("refund", get(store, "refund", refund_id) | {"status": "failed", "failure_reason": "unknown"})
    _move(store, "refund_failure", refund, int(refund["amount"]))
    emit(store, "refund.failed", refund)
    return refund


def create_refund(store: Store, params: Body) -> Body:
    intent = get(store, "payment_intent", params.get("payment_intent", ""), "payment_intent")
    if intent["status"] != "succeeded":
        raise invalid("charge_not_refundable", "This PaymentIntent has no successful charge.", "payment_intent")
    charge = get(store, "charge", intent["latest_charge"])
    left = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if not 0 < amount <= left:
        raise invalid(
            "amount_too_large", f"Refund amount is greater than unrefunded amount on charge ({left}).", "amount"
        )
    refund = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "currency": "eur",
        "charge": charge["id"],
        "payment_intent": intent["id"],
        "status": "succeeded",
        "metadata": params.get("metadata", {}),
        "created": timestamp(),
    }
    store.put("refund", refund)
    store.put("charge", charge | {"amount_refunded": charge["amount_refunded"] + amount})
    _move(store, "refund", refund, -amount)
    emit(store, "refund.created", refund)
    emit(store, "charge.refunded", charge | {"amount_refunded": charge["amount_refunded"] + amount})
    return refund


def create_transfer(store: Store, params: Body) -> Body:
    account = get(store, "account", params["destination"], "destination")
    if account["capabilities"].get("transfers") != "active":
        raise invalid(
            "insufficient_capabilities_for_transfer", "The destination account cannot be paid yet.", "destination"
        )
    amount = params.get("amount", 0)
    if amount <= 0:
        raise invalid("parameter_invalid_integer", "This value must be greater than or equal to 1.", "amount")
    if amount > balance_cents(store):
        raise invalid("balance_insufficient", "You have insufficient available funds in your Stripe account.")
    transfer = {
        "id": new_id("tr"),
        "object": "transfer",
        "amount_reversed": 0,
        "reversed": False,
        "metadata": {},
        "created": timestamp(),
    } | params
    store.put("transfer", transfer)
    _move(store, "transfer", transfer, -amount)
    emit(store, "transfer.created", transfer)
    return transfer


def top_up(store: Store, amount: int, municipality: str) -> Body:
    """Somebody puts money on our balance, at Stripe's own pages."""
    topup = {
        "id": new_id("tu"),
        "object": "topup",
        "amount": amount,
        "currency": "eur",
        "status": "succeeded",
        "metadata": {"municipality": municipality},
        "created": timestamp(),
    }
    store.put("topup", topup)
    _move(store, "topup", topup, amount)
    emit(store, "topup.succeeded", topup)
    return topup


def reverse_transfer(store: Store, transfer_id: str, params: Body) -> Body:
    transfer = get(store, "transfer", transfer_id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = params.get("amount", left)
    if not 0 < amount <= left:
        raise invalid("amount_too_large", f"Reversal amount is greater than the unreversed amount ({left}).", "amount")
    reversal = {
        "id": new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "currency": "eur",
        "transfer": transfer_id,
        "metadata": params.get("metadata", {}),
        "created": timestamp(),
    }
    store.put("transfer_reversal", reversal)
    reversed_cents = transfer["amount_reversed"] + amount
    changed = transfer | {"amount_reversed": reversed_cents, "reversed": reversed_cents == transfer["amount"]}
    store.put("transfer", changed)
    _move(store, "transfer_refund", reversal, amount)
    emit(store, "transfer.reversed", changed)
    return reversal


def read_intent(store: Store, intent_id: str, params: Body) -> Body:
    """An intent, with its charge and the charge's balance movement where they are asked for."""
    intent = get(store, "payment_intent", intent_id)
    expand = params.get("expand", [])
    if intent["latest_charge"] and any(path.startswith("latest_charge") for path in expand):
        charge = get(store, "charge", intent["latest_charge"])
        if "latest_charge.balance_transaction" in expand and charge.get("balance_transaction"):
            charge["balance_transaction"] = get(store, "balance_transaction", charge["balance_transaction"])
        intent["latest_charge"] = charge
    return intent


def list_balance(store: Store, params: Body) -> Body:
    """Movements newest first, by pages, from a second on where that is asked; `data.source` expands."""
    created = params.get("created", {})
    since = int(created.get("gte", 0)) if isinstance(created, dict) else int(created)
    lines = [line for line in store.newest("balance_transaction") if line["created"] >= since]
    if after := params.get("starting_after"):
        position = next((index for index, line in enumerate(lines) if line["id"] == after), None)
        if position is None:
            raise invalid("resource_missing", f"No such balance transaction: '{after}'", "starting_after")
        lines = lines[position + 1 :]
    limit = min(int(params.get("limit", 10)), 100)
    data = []
    for line in lines[:limit]:
        kind = line.pop("source_kind")
        if "data.source" in params.get("expand", []):
            line["source"] = store.find(kind, line["source"])
        data.append(line)
    return {"object": "list", "data": data, "has_more": len(lines) > limit, "url": "/v1/balance_transactions"}
