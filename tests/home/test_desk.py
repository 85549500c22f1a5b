"""An operator finds a family, acts for it with no more than its rows, and every step is on record as on its behalf."""

import re

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.households.models import Household
from marketplace.sealed import keyring
from marketplace.slots.models import CalendarFeed, ProposalState
from marketplace.slots.slips import slip_code, spaced
from marketplace.web import Application
from tests.city import CITY, NOW, Group, add_need, found_city, proposal_of, proposed
from tests.families import sign_in

TAX_CODE = "RSSMRA85D41A794Y"


@pytest.fixture
def operator(app: Application, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """An operator's browser; n1 has a proposal, n2 is another family."""

    class Clock:
        @staticmethod
        def now(zone):
            return NOW.astimezone(zone)

    monkeypatch.setattr("marketplace.web.datetime", Clock)
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        add_need(db.session, "n2")
        first = household(db.session, "n1")
        first.tax_code, first.tax_code_index, first.phone = TAX_CODE, keyring.index(TAX_CODE), "333 12 34 567"
        proposed(db.session, [Group(["n1"])])
        user = add_user(db.session, NOW, "desk@example.org", "Sara")
        appoint(db.session, NOW, user.id, CITY, Role.OPERATOR)
        db.session.commit()
        who = Actor(CITY, Role.OPERATOR, user.id)
    sign_in(client, who)
    return client


def household(session, code: str) -> Household:
    return session.exec(select(Household).where(Household.family_name == f"Famiglia {code}")).one()


def in_city(app: Application, work):
    """What `work` finds in the whole city."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return work(db.session)


def begin(app: Application, operator: FlaskClient, code: str = "n1", way: str = "telefono"):
    return operator.post(f"/sportello/{in_city(app, lambda s: household(s, code).id)}", data={"come": way})


@pytest.mark.parametrize("words", ["famiglia n1", "Anna Famiglia N1", TAX_CODE.lower(), "3331234567"])
def test_a_family_is_found_by_name_telephone_or_tax_code(operator: FlaskClient, words: str) -> None:
    page = operator.post("/sportello", data={"cerca": words}).text
    assert "Famiglia n1 Anna" in page
    assert "Famiglia n2" not in page
    assert TAX_CODE not in page.replace(words, "")


@pytest.mark.parametrize(("words", "status"), [("", 422), ("fa", 422), ("%%%", 200), ("___", 200), ("Nessuno", 200)])
def test_nothing_is_found_by_less_than_a_name(operator: FlaskClient, words: str, status: int) -> None:
    answer = operator.post("/sportello", data={"cerca": words})
    assert answer.status_code == status
    assert "Famiglia n" not in answer.text


def test_whoever_acts_for_a_family_sees_its_pages_under_a_banner_and_nobody_elses(
    app: Application, operator: FlaskClient
) -> None:
    assert begin(app, operator).location == "/oggi"
    page = operator.get("/oggi").text
    assert "Agisci per A. F., al telefono" in page
    other = in_city(app, lambda s: proposal_of(s, "n1").need_id)
    assert operator.get(f"/esigenze/{other}").status_code == 200
    second = in_city(app, lambda s: s.exec(select(Household.id).where(Household.family_name == "Famiglia n2")).one())
    assert operator.post(f"/sportello/{second}", data={"come": "telefono"}).status_code == 403
    operator.post("/sportello/fine")
    assert operator.get("/oggi").status_code == 403
    assert "Agisci per" not in operator.get("/sportello").text


def test_the_cap_is_read_aloud_before_a_yes_and_all_of_it_is_on_record(app: Application, operator: FlaskClient) -> None:
    begin(app, operator)
    key, cap = in_city(app, lambda s: (proposal_of(s, "n1").id, proposal_of(s, "n1").cap_cents))
    assert "Ho letto ad alta voce" in operator.get(f"/proposte/{key}").text
    silent = operator.post(f"/proposte/{key}/accetta", data={"cap_cents": cap})
    assert silent.status_code == 422
    said = operator.post(f"/proposte/{key}/accetta", data={"cap_cents": cap, "read_aloud": "y"})
    assert said.status_code == 303
    assert in_city(app, lambda s: proposal_of(s, "n1").state) == ProposalState.ACCEPTED
    mine = in_city(app, lambda s: household(s, "n1").id)
    entries = in_city(app, lambda s: s.exec(select(AuditEntry).where(AuditEntry.on_behalf_of == mine)).all())
    assert [(one.action, one.reason) for one in entries] == [
        ("begin_to_assist", "al telefono"),
        ("accept_proposal", "al telefono"),
    ]


def test_an_operator_takes_no_secret_address_of_a_family(app: Application, operator: FlaskClient) -> None:
    begin(app, operator)
    assert operator.post("/calendario/indirizzo").status_code == 403
    assert in_city(app, lambda s: s.exec(select(CalendarFeed)).all()) == []


def test_a_way_that_is_none_begins_nothing(app: Application, operator: FlaskClient) -> None:
    assert begin(app, operator, way="").status_code == 422
    assert operator.get("/oggi").status_code == 403


def test_a_family_that_forges_the_session_key_stays_itself(app: Application, client: FlaskClient) -> None:
    """Only an operator's appointment gives the key a meaning."""
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        add_need(db.session, "n2")
        mine, other = household(db.session, "n1").id, household(db.session, "n2").id
        user = add_user(db.session, NOW, "n1@example.org", "Anna")
        appoint(db.session, NOW, user.id, CITY, Role.FAMILY, household_id=mine)
        db.session.commit()
        who = Actor(CITY, Role.FAMILY, user.id)
    sign_in(client, who)
    with client.session_transaction() as cookie:
        cookie["acting"] = {"household": str(other), "reason": "al telefono", "initials": "X."}
    assert "Famiglia n1" in client.get("/profilo").text


def test_what_to_say_on_the_phone_is_there_word_by_word_for_who_acts_and_for_nobody_else(
    app: Application, operator: FlaskClient
) -> None:
    key, cap = in_city(app, lambda s: (proposal_of(s, "n1").id, proposal_of(s, "n1").cap_cents))
    path = f"/proposte/{key}/telefonata"
    assert operator.get(path).status_code == 403
    begin(app, operator)
    page = operator.get(path).text
    for said in (
        "Comune di Alessandria. Parlo con Anna Famiglia n1?",
        "Matematica, con Laura Neri",
        "Scuola Vochieri",
        "30,00\xa0€ a settimana",
        "25 novembre",
    ):
        assert said in page, said
    assert operator.post(f"/proposte/{key}/accetta", data={"cap_cents": cap}).status_code == 422
    assert operator.post(f"/proposte/{key}/rifiuta").status_code == 303
    assert in_city(app, lambda s: proposal_of(s, "n1").state) == ProposalState.DECLINED
    assert "Ha detto sì" not in operator.get(path).text


def test_a_family_s_letter_is_printed_and_its_slip_answered_in_the_browser(
    app: Application, operator: FlaskClient
) -> None:
    begin(app, operator)
    assert operator.post("/profilo/lettere", data={"lettere": ""}).status_code == 303
    operator.post("/sportello/fine")
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        add_need(db.session, "n3")
        household(db.session, "n3").by_letter = True
        proposed(db.session, [Group(["n3"], day=3)])
        db.session.commit()
    assert "1 lettera aspetta" in operator.get("/sportello/lettere").text
    assert operator.post("/sportello/lettere").status_code == 303
    listed = operator.get("/sportello/lettere").text
    assert "Nessuna lettera aspetta" in listed
    pdf = operator.get(re.findall(r'href="(/sportello/lettere/[^"]+\.pdf)"', listed)[0])
    assert pdf.data.startswith(b"%PDF-")
    assert pdf.headers["Cache-Control"] == "no-store"
    code = in_city(app, lambda s: slip_code(CITY, proposal_of(s, "n3").id))
    assert operator.post("/sportello/tagliandi", data={"codice": code[:-1]}).status_code == 422
    assert "Ha segnato SÌ" in operator.post("/sportello/tagliandi", data={"codice": spaced(code)}).text
    assert operator.post("/sportello/tagliandi", data={"codice": code, "risposta": "si"}).status_code == 303
    assert in_city(app, lambda s: proposal_of(s, "n3").state) == ProposalState.ACCEPTED
    assert "1 lettera aspetta" in operator.get("/sportello/lettere").text
