"""Documents' pages and papers as their readers see them."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pypdf
import pytest
from flask.testing import FlaskClient
from sqlmodel import Session, col, select

from billing.libretto import Cap
from marketplace.accounts.models import PolicyVersion, Role
from marketplace.documents.models import Document, DocumentKind, TaxProfile
from marketplace.documents.operations import issue_all
from marketplace.documents.paper import Sheet, print_sheet
from marketplace.households.models import Household
from marketplace.statements.models import Statement
from marketplace.web import Application
from tests.documents.paid import PAYER, VAT_NUMBER, a_group, close_and_pay, documents, says
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE
from tests.statements.test_views import enter, session, stand_in  # noqa: F401 - fixtures
from tests.statements.world import CITY, LONG_AGO, City, build

FORM = {
    "regime": "ordinary",
    "vat_number": f"IT {VAT_NUMBER}",
    "vat_percent": "5",
    "legal_name": "Laura Neri",
    "street": "Via Roma 2",
    "postal_code": "42121",
    "town": "Reggio Emilia",
    "province": "re",
}


@pytest.fixture
def town(session: Session, stand_in: StandIn) -> City:  # noqa: F811
    city = build(session)
    group = a_group(city, families=2, at_venue=True)
    city.groups.append(group)
    close_and_pay(city, stand_in)
    session.commit()
    return city


def issue(city: City) -> list[Document]:
    says(city.session, city.groups[0].provider)
    issue_all(city.session, CITY, DUE)
    city.session.commit()
    return documents(city.session)


def text_of(pdf: bytes) -> str:
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    return "\n".join(page.extract_text() for page in reader.pages).replace("\xa0", " ")


def family(app: Application, city: City, number: int = 0) -> FlaskClient:
    return enter(app, city.session, Role.FAMILY, household=city.groups[0].memberships[number].household_id)


def test_a_family_finds_its_receipt_and_no_others(app: Application, town: City) -> None:
    mine = {one.household_id: one for one in issue(town)}
    first, second = (mine[one.household_id] for one in town.groups[0].memberships)
    client = family(app, town)
    page = client.get("/documenti").text
    assert f"/documenti/{first.id}.pdf" in page
    assert str(second.id) not in page
    paper = text_of(client.get(f"/documenti/{first.id}.pdf").data)
    for words in (
        "Ricevuta 1/2026",
        "Laura Neri",
        PAYER,
        VAT_NUMBER,
        f"{first.total_cents / 100:.2f}".replace(".", ","),
        "Sala, incassata per conto della sede",
    ):
        assert words in paper
    assert client.get(f"/documenti/{second.id}.pdf").status_code == 404
    assert client.get(f"/lavoro/documenti/{first.id}.xml").status_code == 403


def test_a_receipt_is_read_in_english_too(app: Application, town: City) -> None:
    first = issue(town)[0]
    client = enter(app, town.session, Role.OFFICER)
    client.get("/lingua/en")
    paper = text_of(client.get(f"/documenti/{first.id}.pdf").data)
    assert "Receipt 1/2026" in paper
    assert "Ricevuta" not in paper


def test_a_provider_says_how_it_stands_and_its_receipts_are_made(
    app: Application, town: City, work: Callable[[], None]
) -> None:
    client = enter(app, town.session, Role.PROVIDER, provider=town.groups[0].provider.id)
    assert "Le ricevute aspettano i tuoi dati fiscali" in client.get("/lavoro/documenti").text
    assert client.post("/lavoro/dati-fiscali", data=FORM).status_code == 303
    work()
    page = client.get("/lavoro/documenti").text
    found = town.session.exec(select(Document).where(Document.kind == DocumentKind.RECEIPT)).all()
    assert len(found) == 2
    assert all(f"/lavoro/documenti/{one.id}.xml" in page for one in found)
    answer = client.get(f"/lavoro/documenti/{found[0].id}.xml")
    assert answer.status_code == 200
    assert answer.data.startswith(b"<?xml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vat_number": "12345678901"}, "La partita IVA non è giusta"),
        ({"vat_percent": "101"}, "Scrivi l&#39;aliquota"),
        ({"vat_percent": "zero"}, "Scrivi l&#39;aliquota"),
        ({"postal_code": "4212"}, "Il CAP ha 5 cifre"),
        ({"town": "Плёс"}, "Usa lettere latine"),
        ({"regime": "boh"}, "has-error"),
    ],
)
def test_what_cannot_stand_on_an_invoice_is_not_kept(
    app: Application, town: City, change: dict[str, str], words: str
) -> None:
    client = enter(app, town.session, Role.PROVIDER, provider=town.groups[0].provider.id)
    answer = client.post("/lavoro/dati-fiscali", data=FORM | change)
    assert answer.status_code == 422
    assert words in answer.text
    assert town.session.exec(select(TaxProfile)).all() == []


def test_an_officer_sees_every_issuers_numbers_and_who_is_missing(app: Application, town: City) -> None:
    client = enter(app, town.session, Role.OFFICER)
    assert "Professionisti senza dati fiscali" in client.get("/comune/documenti").text
    issue(town)
    page = client.get("/comune/documenti").text
    assert "Professionisti senza dati fiscali" not in page
    assert "Ricevuta 2/2026" in page


def test_this_years_certificate_says_that_it_is_provisional(app: Application, town: City) -> None:
    client = family(app, town)
    answer = client.get("/documenti/certificazione-provvisoria.pdf")
    assert answer.status_code == 200
    paper = text_of(answer.data)
    assert "Provvisoria" in paper
    assert "Pagamento con carta o addebito in conto" in paper


def test_a_statement_to_pay_has_its_pagopa_notice(app: Application, town: City) -> None:
    session = town.session  # noqa: F811
    client = family(app, town)
    assert client.get("/estratti/2026-11/avviso.pdf").status_code == 404
    settings = {"pagopa_creditor": VAT_NUMBER, "pagopa_interbank": "AABBC"}
    session.add(
        PolicyVersion(municipality_id=CITY, valid_from=date(2026, 1, 1), settings=settings, created_at=LONG_AGO)
    )
    session.commit()
    assert client.get("/estratti/2026-11/avviso.pdf").status_code == 404  # it is paid
    household = session.get_one(Household, (CITY, town.groups[0].memberships[0].household_id))
    statement = session.exec(select(Statement).where(col(Statement.household_id) == household.id)).one()
    statement.state = "overdue"
    session.connection().exec_driver_sql("update payment set state = 'failed', failure = 'card_declined'")
    session.commit()
    assert "/estratti/2026-11/avviso.pdf" in client.get("/estratti/2026-11").text
    paper = text_of(client.get("/estratti/2026-11/avviso.pdf").data)
    assert f"3012 6000 0000 {statement.number:04d}" in paper
    assert VAT_NUMBER in paper
    assert "AABBC" in paper


def test_both_sides_see_how_far_the_caps_of_libretto_famiglia_are_used(app: Application, town: City) -> None:
    group = town.groups[0]
    says(town.session, group.provider, "libretto", vat_number=None, legal_name="Laura")
    town.session.commit()
    page = family(app, town).get("/documenti").text
    assert "Libretto Famiglia nel" in page
    assert "Il limite è vicino" not in page
    client = enter(app, town.session, Role.PROVIDER, provider=group.provider.id)
    assert "Compensi di un professionista, da tutte le famiglie" in client.get("/lavoro/documenti").text


def test_near_a_cap_of_libretto_famiglia_there_is_a_warning(
    app: Application, town: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(town.session, town.groups[0].provider, "libretto", vat_number=None, legal_name="Laura")
    town.session.commit()
    monkeypatch.setattr("billing.libretto.CAPS", dict.fromkeys(Cap, 6000))
    assert "Il limite è superato" in enter(app, town.session, Role.OFFICER).get("/comune/documenti").text
    assert "Il limite è" in family(app, town).get("/documenti").text


def test_two_readers_at_once_each_get_their_own_paper(app: Application) -> None:
    together = threading.Barrier(2)

    def read(name: str) -> list[str]:
        with app.test_request_context():
            together.wait()
            papers = [print_sheet(Sheet(f"{name} {number}", "Comune")) for number in range(10)]
        return [pypdf.PdfReader(io.BytesIO(paper)).pages[0].extract_text() for paper in papers]

    with ThreadPoolExecutor(2) as pool:
        for name, papers in zip(("Ricevuta", "Nota"), pool.map(read, ("Ricevuta", "Nota")), strict=True):
            assert all(f"{name} {number}" in paper for number, paper in enumerate(papers))
