"""The console of payments: what the preview says is what the button does; a family contests, an officer decides."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine
from sqlmodel import Session, select

from marketplace.accounts.models import PolicyVersion, Role
from marketplace.households.models import Household
from marketplace.installation import Installation
from marketplace.slots.models import Presence
from marketplace.statements import console, gateways, treasury, views
from marketplace.statements.models import (
    BankRow,
    BankState,
    Contest,
    Payment,
    PaymentState,
    Posting,
    Refund,
    Statement,
    StatementState,
)
from marketplace.statements.operations import close_month
from marketplace.web import Application
from tests.billing.test_bank import BOMB, camt, entry
from tests.stand_in import StandIn, running
from tests.statements.test_payments import DUE, collect, one_family
from tests.statements.test_views import enter
from tests.statements.world import CITY, CLOSED_AT, LONG_AGO, OFFICER, City, build


@pytest.fixture
def session(app: Application, installation: Installation) -> Iterator[Session]:
    engine = create_engine(installation.app_url)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def stand_in(app: Application, tmp_path: Path) -> Iterator[StandIn]:
    with running(tmp_path) as up:
        gateways.pay_through(up.gateway)
        yield up
        gateways.pay_through(None)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call it with an instant: the pages' now."""

    def set_now(at: object) -> None:
        for module in (views, console, treasury):
            monkeypatch.setattr(module, "now", lambda: at)

    return set_now


def key_of(page: str, name: str = "chiave") -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def mark_of(page: str) -> dict[str, str]:
    """What the page before a deed hands back, so that nothing else than what it showed is posted."""
    return {"visto": key_of(page, "visto")}


def lines_of(page: str) -> list[list[str]]:
    """The table of the page before a deed: account, debit, credit."""
    rows = re.findall(r'<tr role="row">(.*?)</tr>', page.partition("<tbody")[2].partition("</tbody>")[0], re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[cell.strip().replace("\xa0", " ") for cell in row] for row in cells]


def written(session: Session) -> int:
    return len(session.exec(select(Posting)).all())


def officer(app: Application, session: Session) -> FlaskClient:
    return enter(app, session, Role.OFFICER)


def test_a_late_payment_is_tried_reminded_and_written_off_each_after_its_preview(
    app: Application, session: Session, stand_in: StandIn, on: Callable[..., None]
) -> None:
    city = build(session)
    _, payment = one_family(city, stand_in, "declined")
    for days in (0, 3, 7):
        collect(session, payment, DUE + timedelta(days=days))
    browser = officer(app, session)
    here = f"/comune/pagamenti/{payment.id}"
    on(DUE + timedelta(days=8))
    assert "la carta è stata rifiutata" in browser.get("/comune/pagamenti").text
    assert "da sollecitare" in browser.get("/comune/pagamenti").text
    page = browser.get(here).text
    assert "Riprova l'addebito" in page and "Manda la lettera" in page and "Passa il debito" not in page
    said = browser.get(f"{here}/riprova").text
    assert "Se l'addebito riesce" in said and "Conto dei pagamenti online" in said and "108,00" in said
    assert browser.post(f"{here}/riprova").status_code == 303
    assert browser.get(f"{here}/stralcio").status_code == 409
    assert browser.post(f"{here}/sollecito").status_code == 303
    on(DUE + timedelta(days=39))
    said = browser.get(f"{here}/stralcio").text
    assert "Fondo di garanzia" in said and "Famiglia" in said and said.count("108,00") == 2
    session.expire_all()
    assert session.get_one(Payment, (CITY, payment.id)).state == PaymentState.FAILED  # looking changes nothing
    assert browser.post(f"{here}/stralcio").status_code == 409  # nobody saw what it writes
    assert browser.post(f"{here}/stralcio", data=mark_of(said)).status_code == 303
    session.expire_all()
    assert session.exec(select(Statement)).one().state == StatementState.WRITTEN_OFF
    assert "None" not in browser.get(here).text


def test_an_operator_of_the_desk_tries_again_and_moves_no_money_by_hand(
    app: Application, session: Session, stand_in: StandIn
) -> None:
    city = build(session)
    _, payment = one_family(city, stand_in, "declined")
    collect(session, payment)
    browser = enter(app, session, Role.OPERATOR)
    assert browser.get("/comune/pagamenti").status_code == 200
    assert browser.post(f"/comune/pagamenti/{payment.id}/riprova").status_code == 303
    for forbidden in ("rimborso", "stralcio"):
        assert browser.post(f"/comune/pagamenti/{payment.id}/{forbidden}").status_code == 403


def test_a_credit_is_given_back_once_though_the_button_was_pressed_twice(
    app: Application, session: Session, stand_in: StandIn
) -> None:
    city = build(session)
    group, payment = one_family(city, stand_in)
    collect(session, payment)
    city.attend(group.meetings[0], {group.memberships[0].id: Presence.ABSENT_NOTIFIED}, at=DUE)
    close_month(session, OFFICER, CLOSED_AT + timedelta(days=31), CITY, CLOSED_AT.date())
    session.commit()
    browser = officer(app, session)
    here = f"/comune/pagamenti/{payment.id}"
    assert "27,00" in browser.get(here).text
    assert browser.get(f"{here}/rimborso?importo=boh&motivo=").status_code == 422
    assert browser.get(f"{here}/rimborso?importo=28&motivo=x").status_code == 422
    said = browser.get(f"{here}/rimborso?importo=27&motivo=Assente").text
    assert "Appena Stripe conferma" in said and said.count("27,00") == 2
    answer = {"importo": "27", "motivo": "Assente", "chiave": key_of(said)}
    for _ in range(2):
        assert browser.post(f"{here}/rimborso", data=answer).status_code == 303
    assert len(session.exec(select(Refund)).all()) == 1
    assert "Rimborso" in browser.get("/comune/pagamenti").text
    assert browser.post(f"{here}/rimborso", data=answer | {"chiave": "x"}).status_code == 404


def test_a_family_contests_a_line_and_the_officer_answers(
    app: Application, session: Session, stand_in: StandIn, on: Callable[..., None]
) -> None:
    city: City = build(session)
    _, payment = one_family(city, stand_in)
    session.commit()
    on(CLOSED_AT + timedelta(days=1))
    mine = enter(app, session, Role.FAMILY, household=payment.household_id)
    page = mine.get("/estratti/2026-11").text
    link = re.search(r"/estratti/2026-11/contesta/[0-9a-f-]+", page)
    assert link is not None
    assert "Che cosa non torna?" in mine.get(link[0]).text
    assert mine.post(link[0], data={"motivo": ""}).status_code == 422
    assert mine.post(link[0], data={"motivo": "Quel giorno eravamo malati"}).status_code == 303
    page = mine.get("/estratti/2026-11").text
    assert "In verifica" in page and "27,00\xa0€ aspettano la decisione" in page
    browser = officer(app, session)
    contest = session.exec(select(Contest)).one()
    here = f"/comune/contestazioni/{contest.id}"
    assert "Righe contestate" in browser.get("/comune/pagamenti").text
    shown = browser.get(here).text
    assert "Quel giorno eravamo malati" in shown and "Fondo di garanzia, dare 27,00\xa0€" in shown
    assert browser.post(here, data={}).status_code == 422
    assert browser.post(here, data={"esito": "fondo", "risposta": "Hai ragione"}).status_code == 303
    assert browser.post(here, data={"esito": "resta"}).status_code == 409
    page = mine.get("/estratti/2026-11").text
    assert "Contestazione accolta" in page and "Il Comune risponde: Hai ragione" in page
    assert mine.get(link[0]).status_code == 200 and "None" not in mine.get(link[0]).text


def test_a_bank_file_is_read_on_its_page_and_its_lines_are_matched_by_number(
    app: Application, session: Session, stand_in: StandIn, on: Callable[..., None]
) -> None:
    city = build(session)
    group, payment = one_family(city, stand_in, choice=None)
    provider = group.provider.name
    payer = f"Famiglia {session.get_one(Household, (CITY, payment.household_id)).family_name}"
    session.add(
        PolicyVersion(
            municipality_id=CITY,
            valid_from=LONG_AGO.date(),
            settings={"iban": "IT60X0542811101000000123456", "payee": "Comune"},
            created_at=LONG_AGO,
        )
    )
    session.commit()
    mine = enter(app, session, Role.FAMILY, household=payment.household_id)
    page = mine.get("/estratti/2026-11").text
    assert "IT60X0542811101000000123456" in page and "0350332026000001" in page
    browser = officer(app, session)
    assert browser.post("/comune/banca", data={}).status_code == 422
    bad = browser.post("/comune/banca", data={"file": (io.BytesIO(BOMB), "x.xml")})
    assert bad.status_code == 422 and "definizioni XML" in bad.text
    data = camt(entry("108.00", text="Per la nonna"))
    assert browser.post("/comune/banca", data={"file": (io.BytesIO(data), "a.xml")}).status_code == 303
    page = browser.get("/comune/banca").text
    assert "Per la nonna" in page and "nessuna causale nota" in page
    line = session.exec(select(BankRow)).one()
    here, whose = f"/comune/banca/movimenti/{line.id}", {"estratto": "1/2026"}
    assert browser.get(here, query_string={"estratto": "uno"}).status_code == 422
    assert browser.get(here, query_string={"estratto": "9/2026"}).status_code == 422
    before = written(session)
    said = browser.get(here, query_string=whose).text
    assert lines_of(said) == [["Banca", "108,00 €", ""], [payer, "", "108,00 €"]] and "risulta pagato" in said
    session.expire_all()
    assert (written(session), session.get_one(BankRow, (CITY, line.id)).state) == (before, BankState.UNMATCHED)
    assert browser.post(here, data=whose).status_code == 409
    assert browser.post(here, data=whose | mark_of(said)).status_code == 303
    session.expire_all()
    assert session.get_one(Payment, (CITY, payment.id)).state == PaymentState.SUCCEEDED
    assert "Registra come pagati" not in browser.get("/comune/banca").text  # not due yet
    assert browser.get("/comune/banca/compensi").status_code == 409
    on(DUE + timedelta(days=8))
    page = browser.get("/comune/banca").text
    assert "Registra come pagati" in page and "None" not in page
    before = written(session)
    said = browser.get("/comune/banca/compensi").text
    assert lines_of(said) == [[provider, "108,00 €", ""], ["Banca", "", "108,00 €"]]
    session.expire_all()
    assert written(session) == before
    assert browser.post("/comune/banca/compensi", data={"visto": "altro"}).status_code == 409
    assert browser.post("/comune/banca/compensi", data=mark_of(said)).status_code == 303
    assert browser.post("/comune/banca/compensi", data=mark_of(said)).status_code == 409
    session.expire_all()
    assert written(session) == before + 2


def test_a_line_of_another_amount_is_said_to_be_a_credit_before_it_is_one(
    app: Application, session: Session, stand_in: StandIn
) -> None:
    city = build(session)
    _, payment = one_family(city, stand_in, choice=None)
    session.commit()
    browser = officer(app, session)
    browser.post("/comune/banca", data={"file": (io.BytesIO(camt(entry("8.00", text="Per la nonna"))), "a.xml")})
    here = f"/comune/banca/movimenti/{session.exec(select(BankRow)).one().id}"
    said = browser.get(here, query_string={"estratto": "1/2026"}).text
    assert "diventa un credito" in said and "risulta pagato" not in said
    session.get_one(Payment, (CITY, payment.id)).cents = 800  # meanwhile it would pay the statement
    session.commit()
    assert browser.post(here, data={"estratto": "1/2026"} | mark_of(said)).status_code == 409
