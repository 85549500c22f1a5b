"""What people come for, from its first page to its last, with and without scripts."""

from collections.abc import Callable
from pathlib import Path
from re import compile as pattern

import psycopg
import pytest
from playwright.sync_api import Error, Page, expect

from tests.journeys.conftest import DESKTOP, Site, enter_as

pytestmark = [pytest.mark.browser, pytest.mark.long]
WAYS = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no-scripts"])
ROUND_SECONDS = 180
RUNNING = 1  # the demo's family whose groups have begun
Visit = Callable[..., Page]


def one(site: Site, query: str) -> str:
    """The first column of the first row that the whole database has."""
    with psycopg.connect(site.installation.owner_url.replace("+psycopg", "")) as connection:
        found = connection.execute(query).fetchone()
    assert found is not None, query
    return str(found[0])


def press(page: Page, name: str) -> None:
    """A button that leads to another page."""
    with page.expect_navigation():
        page.get_by_role("button", name=name).last.click()


def begin_need(page: Page) -> None:
    """The first of the four steps, with nothing answered."""
    page.goto("/oggi")
    if page.get_by_role("button", name="Butta via").count():
        press(page, "Butta via")
    page.goto("/esigenze/nuova")


def say_what(page: Page, service: str) -> None:
    page.get_by_label(service).check()
    page.locator("[name='person_id']").first.check()
    if service == "Aiuto nello studio":
        page.get_by_label("Materia").select_option(label="Matematica")
    press(page, "Continua")


def say_when(page: Page, days: tuple[int, ...], hours: str) -> None:
    for day in days:
        page.locator(f"#ore-giorni-{day}").check(force=True)
    page.get_by_label(hours).check()
    press(page, "Continua")


def say_where(page: Page, how_far: str) -> None:
    page.get_by_label(how_far, exact=True).check()
    page.get_by_label("Nessun limite").check()
    press(page, "Continua")


@WAYS
def test_a_parent_posts_a_need_though_the_network_fails_and_reads_what_was_paid(visit: Visit, javascript: bool) -> None:
    page = visit(javascript=javascript)
    enter_as(page, "family", RUNNING)
    begin_need(page)
    say_what(page, "Aiuto nello studio")
    say_when(page, (0, 2), "Dopo la scuola")
    page.context.set_offline(True)
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        press(page, "Continua")
    page.context.set_offline(False)
    page.goto("/oggi")  # as whoever opens the site anew
    page.get_by_role("link", name="Riprendi").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dove e a che prezzo?")
    say_where(page, "1,5 km")
    expect(page.get_by_text("lunedì e mercoledì").first).to_be_visible()
    press(page, "Pubblica")
    expect(page.get_by_text("Pubblicata.")).to_be_visible()
    page.goto("/estratti")
    page.locator("main a[href*='/estratti/2']").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("€").first).to_be_visible()


@WAYS
def test_a_parent_says_that_a_child_does_not_come_after_reading_what_it_costs(visit: Visit, javascript: bool) -> None:
    page = visit(javascript=javascript)
    enter_as(page, "family", RUNNING)
    page.goto("/calendario")
    page.get_by_role("link", name="Segnala assenza").last.click()
    expect(page.get_by_text(pattern("Sei in tempo|si paga lo stesso|questo incontro lo paghi")).first).to_be_visible()
    address = page.url
    press(page, "Segnala assenza")
    page.goto(address)
    expect(page.get_by_text("L'hai già segnalato")).to_be_visible()


@WAYS
def test_an_operator_posts_a_need_for_an_elder_on_the_phone(visit: Visit, site: Site, javascript: bool) -> None:
    page = visit(width=DESKTOP, javascript=javascript)
    enter_as(page, "operator")
    surname = one(
        site,
        "select h.family_name from household h join person p on p.household_id = h.id"
        " join need n on n.person_id = p.id where n.service = 'home_care' order by h.id limit 1",
    )
    page.get_by_label("Cognome, telefono o codice fiscale").fill(surname)
    press(page, "Cerca la famiglia")
    with page.expect_navigation():
        page.get_by_role("button", name=pattern("Inizia: .*telefono")).first.click()
    expect(page.get_by_text("Agisci per")).to_be_visible()
    begin_need(page)
    say_what(page, "Assistenza")
    say_when(page, (1, 3), "Mattina")
    say_where(page, "Solo a casa mia")
    press(page, "Pubblica")
    expect(page.get_by_text("Pubblicata.")).to_be_visible()
    begun = one(site, "select count(*) from audit_entry where on_behalf_of is not null")
    assert int(begun) > 0


@WAYS
def test_a_stranger_with_an_invitation_sees_the_price_and_nobody_s_name(
    visit: Visit, site: Site, javascript: bool
) -> None:
    page = visit(javascript=javascript)
    enter_as(page, "family", RUNNING)
    page.goto("/gruppi")
    page.locator("main a[href*='/gruppi/']").first.click()
    page.get_by_role("link", name=pattern("Invita")).first.click()
    if page.get_by_role("button", name="Crea l'invito").count():
        press(page, "Crea l'invito")
    address = page.get_by_label("L'indirizzo da mandare").input_value()
    stranger = visit(javascript=javascript)
    stranger.goto(address)
    expect(stranger.get_by_role("heading", level=1)).to_contain_text("un gruppo vicino a te")
    stranger.get_by_role("link", name="Pubblica la tua esigenza").click()
    stranger.get_by_label("Nome", exact=False).first.fill("Vanna Vicina")
    stranger.get_by_label("E-mail").fill(f"vanna{'s' if javascript else 'n'}@example.org")
    press(stranger, "Registrati")
    stranger.get_by_role("link", name="Dimostrazione: apri la posta").click()
    stranger.locator("main a[href*='/link']").first.click()
    expect(stranger.get_by_role("button").last).to_be_visible()


@WAYS
def test_an_office_brings_a_sheet_in_matches_sends_and_settles(
    visit: Visit, site: Site, javascript: bool, tmp_path: Path
) -> None:
    page = visit(width=DESKTOP, javascript=javascript)
    enter_as(page, "officer")
    page.goto("/comune/importa")
    street = one(site, "select street || ', ' || number from address where number is not null order by id limit 1")
    code = "J1" if javascript else "J2"
    sheet = tmp_path / "bisogni.csv"
    sheet.write_text(
        "codice;cognome;nome;servizio;disponibilita;codice_fiscale;indirizzo;eta;classe;isee;durata;prezzo_max_ora\n"
        f"{code};Rossi;Maria;ripetizioni;lun 15-19 | mer 15-19;RSSMRA85D41A794Y;{street};9;4 primaria;;90;\n"
        f"{code}X;Rossi;Maria;ripetizioni;mai;RSSMRA85D41A794Y;{street};9;4 primaria;;90;\n"
    )
    page.locator("input[type=file]").set_input_files(sheet)
    press(page, "Carica e controlla")
    expect(page.get_by_text("Resta fuori").first).to_be_visible()
    assert page.get_by_role("button", name="Importa 1 riga").count(), page.inner_text("main")
    press(page, "Importa 1 riga")
    expect(page.get_by_text("Non è ancora entrato nulla")).to_be_hidden()
    page.goto("/comune/abbinamenti")
    assert page.get_by_text("Tempo e seme").count(), page.inner_text("main")
    page.get_by_text("Tempo e seme").click()
    page.get_by_label("Secondi di calcolo, al massimo").fill("3")
    press(page, "Avvia un abbinamento")
    follow(page)
    page.get_by_role("link", name="Invia").first.click()
    press(page, "Invia")
    page.goto("/comune")
    page.locator("main").get_by_role("link", name="Mese di").first.click()
    close = page.locator("main").get_by_role("link", name="Chiudi")
    if close.count():
        close.first.click()
        press(page, "Sì, chiudi")
    page.goto("/comune/rendiconti")
    page.locator("main table a[href*='/comune/rendiconti/2']").first.click()
    report = page.locator("main a[href$='.csv']").first.get_attribute("href")
    assert report is not None
    answer = page.request.get(report)
    assert (answer.status, answer.text().count("\n") > 1) == (200, True)


def follow(page: Page) -> None:
    """Wait for a round's end: with scripts the page draws itself anew, without them it says how to."""
    done = page.get_by_text("Perché le altre non hanno un posto")
    for _ in range(ROUND_SECONDS):
        if done.count():
            return
        page.wait_for_timeout(1000)
        page.reload()
    expect(done).to_be_visible()
