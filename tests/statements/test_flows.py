"""A pagoPA flow is looked at first, then pays what fits, once; its one transfer is not counted a second time."""

import io
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlmodel import Session, select
from werkzeug.test import TestResponse

from billing import ledger
from marketplace.accounts.models import Actor, Appointment, Role
from marketplace.accounts.sign_in import add_user
from marketplace.db import Scope, db, set_scope
from marketplace.statements import flows
from marketplace.statements.audit import audit
from marketplace.statements.bank import list_unmatched, take_file
from marketplace.statements.models import BankRow, BankState, PagopaFlow, Payment, PaymentState
from marketplace.statements.operations import close_month
from marketplace.statements.posting import ShownOtherwise, balance_cents
from marketplace.web import Application
from tests.billing.test_bank import camt, entry
from tests.billing.test_pagopa_flow import NAMED, flow
from tests.stand_in import StandIn
from tests.statements.test_bank import notice
from tests.statements.test_payments import DUE, one_family
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, NOVEMBER, OFFICER, City, build

UNKNOWN = "99000000000000000"


def owed(city: City, payment: Payment) -> int:
    return balance_cents(city.session, CITY, ledger.family(str(payment.household_id)))


def differences(session: Session) -> list[str]:
    return [f"{one.check}: {one.row} {one.detail}" for one in audit(session, CITY)]


def test_a_flow_pays_what_fits_once_and_shows_what_it_does_not_know(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    iuv = notice(city)[1:]
    data = flow((iuv, "R1", "108.00", "0"), (iuv, "R2", "108.00", "0"), (UNKNOWN, "R3", "5.00", "9"))
    kept = flows.take_flow(city.session, OFFICER, DUE, data)
    assert flows.take_flow(city.session, OFFICER, DUE, data).id == kept.id
    plan = flows.plan_flow(city.session, kept)
    assert [line.why for line in plan] == ["", "nothing_due", "unknown_iuv"]
    assert payment.state == PaymentState.DUE and city.session.exec(select(BankRow)).all() == []
    deed = flows.flow_deed(kept, plan)
    with pytest.raises(ShownOtherwise):
        flows.confirm_flow(city.session, OFFICER, DUE, kept.id, "another")
    flows.confirm_flow(city.session, OFFICER, DUE, kept.id, deed.mark)
    assert (payment.state, owed(city, payment)) == (PaymentState.SUCCEEDED, 0)
    waiting = {(one.why, one.cents) for one in list_unmatched(city.session, CITY)}
    assert waiting == {("nothing_due", 10800), ("unknown_iuv", 500)}
    with pytest.raises(flows.AlreadyConfirmed):
        flows.confirm_flow(city.session, OFFICER, DUE, kept.id)
    with pytest.raises(flows.AlreadyConfirmed):
        flows.discard_flow(city.session, OFFICER, DUE, kept.id)
    again = flows.take_flow(city.session, OFFICER, DUE, data.replace(NAMED.encode(), b"another-name"))
    assert {line.why for line in flows.plan_flow(city.session, again)} == {"known"}
    flows.confirm_flow(city.session, OFFICER, DUE, again.id)
    assert owed(city, payment) == 0 and len(city.session.exec(select(BankRow)).all()) == 3
    assert differences(city.session) == []


@pytest.mark.parametrize("flow_first", [True, False])
def test_the_transfer_of_a_flow_is_its_flows_and_is_not_counted_twice(
    city: City, stand_in: StandIn, flow_first: bool
) -> None:
    one_family(city, stand_in, choice=None)
    data = flow((notice(city)[1:], "R1", "108.00", "0"))
    transfer = camt(entry("108.00", text=f"/PUR/LGPE-RIVERSAMENTO/URI/{NAMED}"))
    if not flow_first:
        take_file(city.session, OFFICER, DUE, transfer)
        assert [one.why for one in list_unmatched(city.session, CITY)] == ["waits_for_flow"]
    kept = flows.take_flow(city.session, OFFICER, DUE, data)
    flows.confirm_flow(city.session, OFFICER, DUE, kept.id)
    if flow_first:
        take_file(city.session, OFFICER, DUE, transfer)
    assert list_unmatched(city.session, CITY) == []
    assert balance_cents(city.session, CITY, ledger.bank(CITY)) == 10800
    assert differences(city.session) == []
    take_file(city.session, OFFICER, DUE, camt(entry("108.00", text=f"LGPE-RIVERSAMENTO {NAMED} bis")))
    assert [one.why for one in list_unmatched(city.session, CITY)] == ["nothing_due"]
    city.session.connection().execute(text("update pagopa_flow set total_cents = 10700, rows = '[]'"))
    assert any("10800 e non 10700" in one for one in differences(city.session))


def test_a_flow_whose_transfer_never_came_and_a_lost_row_are_told_by_the_audit(city: City, stand_in: StandIn) -> None:
    one_family(city, stand_in, choice=None)
    kept = flows.take_flow(city.session, OFFICER, DUE, flow((notice(city)[1:], "R1", "108.00", "0")))
    flows.discard_flow(city.session, OFFICER, DUE, kept.id)
    assert city.session.exec(select(PagopaFlow)).all() == []
    kept = flows.take_flow(city.session, OFFICER, DUE, flow((UNKNOWN, "R1", "7.00", "0")))
    flows.confirm_flow(city.session, OFFICER, DUE, kept.id)
    assert differences(city.session) == []
    city.session.connection().execute(text("update bank_line set cents = 600 where reference like 'pagopa:%'"))
    assert [one for one in differences(city.session) if "700 e non 600" in one]
    for days in (-1, 20):
        city.session.add(
            BankRow(
                municipality_id=CITY,
                account="",
                reference=f"r{days}",
                booked_on=kept.settled_on + timedelta(days=days),
                cents=-1,
                name="",
                text="",
                state=BankState.OUT,
                read_at=DUE,
            )
        )
    city.session.flush()
    assert [one for one in differences(city.session) if one.startswith("Il bonifico di un flusso pagoPA")]


@pytest.mark.parametrize("wrong", ["creditor", "changed", "words"])
def test_a_flow_of_another_body_or_with_other_figures_is_refused(city: City, stand_in: StandIn, wrong: str) -> None:
    one_family(city, stand_in, choice=None)
    one = (notice(city)[1:], "R1", "108.00", "0")
    if wrong == "changed":
        flows.take_flow(city.session, OFFICER, DUE, flow(one))
    data = {
        "creditor": flow(one, creditor="01199250158"),
        "changed": flow((one[0], "R1", "107.00", "0")),
        "words": b"date;amount",
    }[wrong]
    words = {"creditor": "altro ente", "changed": "altri dati", "words": "non è XML"}[wrong]
    with pytest.raises(flows.BadFlow, match=words):
        flows.take_flow(city.session, OFFICER, DUE, data)


def test_a_revoked_payment_is_kept_and_credits_nobody(city: City, stand_in: StandIn) -> None:
    _, payment = one_family(city, stand_in, choice=None)
    kept = flows.take_flow(city.session, OFFICER, DUE, flow((notice(city)[1:], "R1", "108.00", "3")))
    assert [line.why for line in flows.plan_flow(city.session, kept)] == ["revoked"]
    flows.confirm_flow(city.session, OFFICER, DUE, kept.id)
    assert [(one.state, one.cents) for one in city.session.exec(select(BankRow))] == [(BankState.OUT, -10800)]
    assert payment.state == PaymentState.DUE and differences(city.session) == []


def test_an_officer_hands_a_flow_in_looks_at_it_and_confirms(app: Application, client: FlaskClient) -> None:
    with app.app_context():
        set_scope(db.session, Scope())
        town = build(db.session)
        group = town.group()
        town.join(group, town.household())
        town.everybody_came(group)
        user = add_user(db.session, LONG_AGO, "ufficio@example.org", "Ufficio")
        close_month(db.session, Actor(CITY, Role.OFFICER, user.id), CLOSED_AT, CITY, NOVEMBER)
        db.session.add(Appointment(user_id=user.id, municipality_id=CITY, role=Role.OFFICER, created_at=LONG_AGO))
        iuv = notice(town)[1:]
        euros = f"{sum(one.cents for one in db.session.exec(select(Payment))) / 100:.2f}"
        db.session.commit()
        with client.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = user.fs_uniquifier, True
    page = "/comune/banca/flussi"

    def send(data: bytes) -> TestResponse:
        return client.post(page, data={"flow": (io.BytesIO(data), "flusso.xml")}, content_type="multipart/form-data")

    refused = send(b"<a/>")
    assert refused.status_code == 422 and "non un flusso" in refused.text
    where = send(flow((iuv, "R1", euros, "0"), (UNKNOWN, "R2", "1.00", "0"))).location
    shown = client.get(where).text
    assert "estratto 1/2026" in shown and "nessun estratto ha questo avviso" in shown
    assert client.post(f"{where}/conferma", data={"visto": "x"}).status_code == 409
    mark = shown.partition('name="visto" value="')[2].partition('"')[0]
    assert client.post(f"{where}/conferma", data={"visto": mark}).status_code == 303
    assert "Registrato il" in client.get(where).text
    assert UNKNOWN in client.get("/comune/banca").text and "flussi" in client.get("/comune/banca").text
    assert client.post(f"{where}/scarta").status_code == 409
