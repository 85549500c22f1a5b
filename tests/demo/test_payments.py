"""The payment stand-in through the official SDK: strict, stateful, and as awkward as it is told to be."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import stripe

from billing.answers import ChargeStatus, GatewayError, GatewayUnavailableError
from billing.gateway import Gateway
from billing.webhooks import ForgedEventError, read_event
from marketplace.demo.payments.webhooks import signature
from tests.stand_in import StandIn, running

NOW = datetime(2026, 12, 7, 9, tzinfo=UTC)
CITY = "035033"


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    with running(tmp_path) as up:
        yield up


def pay(stand_in: StandIn, choice: str = "visa", cents: int = 4550, key: str = "payment-1") -> Any:
    customer = stand_in.gateway.create_customer(str(uuid4()), municipality_id=CITY, email="a@example.org")
    method = stand_in.save_method(customer, choice)
    return stand_in.gateway.charge(
        key,
        customer_id=customer,
        method_id=method,
        amount_cents=cents,
        reference="row-1",
        group="statement-1",
        municipality_id=CITY,
        description="Novembre 2026",
    )


def events(stand_in: StandIn) -> list[str]:
    return [json.loads(body)["type"] for _, body, _ in stand_in.store.due_events(1e12)]


def test_a_card_that_pays_moves_money_once_and_says_so(stand_in: StandIn) -> None:
    charge = pay(stand_in)
    assert charge.status is ChargeStatus.SUCCEEDED
    known = stand_in.gateway.get_charge(charge.intent_id)
    assert (known.status, known.amount_cents, known.fee_cents, known.reference) == (charge.status, 4550, 94, "row-1")
    line = next(stand_in.gateway.iter_balance())
    assert (line.kind, line.amount_cents, line.intent_id, line.municipality_id) == (
        "charge",
        4550,
        charge.intent_id,
        CITY,
    )
    assert line.fee_cents == 94
    assert events(stand_in)[-1] == "payment_intent.succeeded"


@pytest.mark.parametrize(
    ("choice", "status", "reason"),
    [
        ("declined", ChargeStatus.DECLINED, "card_declined"),
        ("no_funds", ChargeStatus.DECLINED, "insufficient_funds"),
        ("authenticate", ChargeStatus.NEEDS_FAMILY, "authentication_required"),
    ],
)
def test_a_card_that_does_not_pay_is_an_outcome_with_its_reason(
    stand_in: StandIn, choice: str, status: ChargeStatus, reason: str
) -> None:
    charge = pay(stand_in, choice)
    assert (charge.status, charge.reason) == (status, reason)
    assert list(stand_in.gateway.iter_balance()) == []


def test_a_declined_payment_is_tried_again_on_the_same_intent(stand_in: StandIn) -> None:
    stand_in.set(decline_next=1)
    first = pay(stand_in)
    assert first.status is ChargeStatus.DECLINED
    method = stand_in.store.find("payment_intent", first.intent_id)["payment_method"]  # type: ignore[index]
    again = stand_in.gateway.charge_again("payment-1-2", intent_id=first.intent_id, method_id=method)
    assert again.status is ChargeStatus.SUCCEEDED and again.intent_id == first.intent_id


@pytest.mark.parametrize(
    ("choice", "after"), [("iban", ChargeStatus.SUCCEEDED), ("iban_bounces", ChargeStatus.DECLINED)]
)
def test_a_debit_is_on_its_way_before_it_arrives_or_bounces(
    stand_in: StandIn, choice: str, after: ChargeStatus
) -> None:
    charge = pay(stand_in, choice)
    assert charge.status is ChargeStatus.PROCESSING
    stand_in.settle_debits()
    assert stand_in.gateway.get_charge(charge.intent_id).status is after


def test_a_call_that_timed_out_after_the_deed_is_done_once(stand_in: StandIn) -> None:
    hasty = Gateway("sk_test_local", base_url=stand_in.url, timeout_seconds=0.3)
    customer = stand_in.gateway.create_customer("c1", municipality_id=CITY, email=None)
    wanted: dict[str, Any] = {
        "customer_id": customer,
        "method_id": stand_in.save_method(customer, "visa"),
        "amount_cents": 900,
        "reference": "row-2",
        "group": "s",
        "municipality_id": CITY,
        "description": "x",
    }
    stand_in.set(hang_up_next=1, hang_up_seconds=0.8)
    assert hasty.charge("key-1", **wanted).status is ChargeStatus.SUCCEEDED  # the SDK itself asked again
    assert hasty.charge("key-1", **wanted).status is ChargeStatus.SUCCEEDED
    assert len(list(stand_in.gateway.iter_balance())) == 1
    with pytest.raises(GatewayError):
        hasty.charge("key-1", **{**wanted, "amount_cents": 901})
    hasty.close()


def test_nobody_there_is_worth_another_try(stand_in: StandIn) -> None:
    nobody = Gateway("sk_test_local", base_url="http://127.0.0.1:9", timeout_seconds=0.2)
    with pytest.raises(GatewayUnavailableError):
        nobody.create_customer("c", municipality_id=CITY, email=None)
    nobody.close()


def test_a_provider_is_paid_once_it_has_given_its_account_and_not_above_the_balance(stand_in: StandIn) -> None:
    gateway = stand_in.gateway
    account = gateway.create_account("p1", municipality_id=CITY, email=None)
    transfer = {"account_id": account, "group": "statement-1", "municipality_id": CITY}
    assert not gateway.can_be_paid(account)
    with pytest.raises(GatewayError):
        gateway.transfer("payout-0", amount_cents=100, **transfer)
    paid = stand_in.open_account("p2")
    assert gateway.can_be_paid(paid)
    transfer["account_id"] = paid
    with pytest.raises(GatewayError, match="insufficient"):
        gateway.transfer("payout-1", amount_cents=100, **transfer)
    pay(stand_in)
    transfer_id = gateway.transfer("payout-1", amount_cents=4000, **transfer)
    assert gateway.transfer("payout-1", amount_cents=4000, **transfer) == transfer_id
    gateway.reverse_transfer("reversal-1", transfer_id=transfer_id, amount_cents=1000, municipality_id=CITY)
    with pytest.raises(GatewayError):
        gateway.reverse_transfer("reversal-2", transfer_id=transfer_id, amount_cents=3001, municipality_id=CITY)
    assert sum(line.amount_cents - line.fee_cents for line in gateway.iter_balance()) == 4550 - 94 - 3000


def test_a_refund_above_the_payment_is_refused(stand_in: StandIn) -> None:
    charge = pay(stand_in)
    with pytest.raises(GatewayError, match="greater"):
        stand_in.gateway.refund("r1", intent_id=charge.intent_id, amount_cents=4551, municipality_id=CITY)
    stand_in.gateway.refund("r2", intent_id=charge.intent_id, amount_cents=4550, municipality_id=CITY)
    with pytest.raises(GatewayError):
        stand_in.gateway.refund("r3", intent_id=charge.intent_id, amount_cents=1, municipality_id=CITY)


def test_a_dispute_takes_the_money_back(stand_in: StandIn) -> None:
    pay(stand_in, "disputed")
    assert sum(line.amount_cents for line in stand_in.gateway.iter_balance()) == 0
    assert events(stand_in)[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"ammount": 5},
        {"currency": "eur", "amount": "five"},
        {"amount": 500},
        {"amount": 500, "currency": "eur", "capture_method": "by hand"},
        {"amount": 500, "currency": "eur", "confirm": "yes"},
        {"amount": 500, "currency": "eur", "metadata": "x"},
        {"amount": 500, "currency": "eur", "payment_method_types": ["card"]},
        {"amount": 20, "currency": "eur"},
    ],
)
def test_what_the_sdks_types_do_not_allow_is_refused(stand_in: StandIn, wrong: dict[str, Any]) -> None:
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": stand_in.url}, http_client=stripe.UrllibClient())
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(wrong)  # type: ignore[arg-type]
    assert refused.value.param


def test_it_remembers_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        charge = pay(first)
    with running(tmp_path) as second:
        assert second.gateway.get_charge(charge.intent_id).status is ChargeStatus.SUCCEEDED


def test_switches_that_do_not_exist_are_refused(stand_in: StandIn) -> None:
    def turn(switches: dict[str, Any]) -> int:
        body, headers = json.dumps(switches).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{stand_in.url}/interruttori", body, headers)
        try:
            with urllib.request.urlopen(request) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert turn({"decline_next": 2}) == 200 and stand_in.store.switch("decline_next") == 2
    assert turn({"decline": 2}) == 400
    assert turn({"decline_next": "two"}) == 400


PAYLOAD = json.dumps(
    {"id": "evt_1", "type": "payment_intent.succeeded", "created": 1, "data": {"object": {"id": "pi_1"}}}
).encode()
AT = int(NOW.timestamp())


def test_a_signed_event_is_read_and_the_sdk_agrees_with_the_signature() -> None:
    header = signature(PAYLOAD, "whsec_x", AT)
    event = read_event(PAYLOAD, header, "whsec_x", NOW)
    assert (event.id, event.type, event.object["id"]) == ("evt_1", "payment_intent.succeeded", "pi_1")
    assert stripe.WebhookSignature.verify_header(PAYLOAD.decode(), header, "whsec_x", None)


@pytest.mark.parametrize(
    ("payload", "header", "later"),
    [
        (PAYLOAD, None, 0),
        (PAYLOAD, "", 0),
        (PAYLOAD, "t=1", 0),
        (PAYLOAD, f"t={AT},v1=00", 0),
        (PAYLOAD, f"t={AT},v1=é", 0),
        (PAYLOAD, signature(PAYLOAD, "whsec_other", AT), 0),
        (PAYLOAD + b" ", signature(PAYLOAD, "whsec_x", AT), 0),
        (PAYLOAD, signature(PAYLOAD, "whsec_x", AT), 301),
        (PAYLOAD, signature(PAYLOAD, "whsec_x", AT), -301),
        (b"[]", signature(b"[]", "whsec_x", AT), 0),
        (b"\xff", signature(b"\xff", "whsec_x", AT), 0),
        (b'{"id": 1}', signature(b'{"id": 1}', "whsec_x", AT), 0),
    ],
)
def test_a_forged_old_or_broken_event_is_refused(payload: bytes, header: str | None, later: int) -> None:
    with pytest.raises(ForgedEventError):
        read_event(payload, header, "whsec_x", NOW + timedelta(seconds=later))
