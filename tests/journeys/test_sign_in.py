"""Signing in with a passkey in a real browser, with a device of Chromium's own making; every page fits 320 px."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from flask_security.utils import hash_password
from playwright.sync_api import Browser, CDPSession, Error, Page, expect
from werkzeug.serving import BaseWSGIServer, make_server

from marketplace import create_app
from marketplace.accounts.models import Actor, Role
from marketplace.accounts.set_up_codes import make_set_up_code
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.appearance.forms import TEXTS
from marketplace.appearance.operations import change_appearance
from marketplace.config import settings_from
from marketplace.db import db
from marketplace.installation import Installation
from marketplace.postgres import Server
from tests import database
from tests.city import CITY, found_city
from tests.demo.test_supervisor import free_port
from tests.journeys.conftest import assert_accessible

pytestmark = pytest.mark.browser
NARROWEST = 320
PASSWORD = "una frase lunga"
ACCESS = re.compile(r"//[^/]+/accesso$")  # and not the sign-in page that leads there
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site on an empty city, with an officer who has a password and no second step."""
    port, var = free_port(), tmp_path_factory.mktemp("house")
    with database.copied(server, database.migrated_template(server)) as mine:
        told = {"VAR": str(var), "PORT": str(port), "SECRET_KEYS": ",".join(database.KEYS)}
        serving = threading.Thread(target=_serve, args=(told, mine, port, ready := threading.Event()), daemon=True)
        serving.start()
        assert ready.wait(60)
        yield f"http://localhost:{port}"
        _SERVERS.pop().shutdown()
        serving.join(30)


_SERVERS: list[BaseWSGIServer] = []
_CODES: list[str] = []


def _serve(told: dict[str, str], mine: Installation, port: int, ready: threading.Event) -> None:
    """In a thread of its own: Playwright's event loop does not let Flask end its context beside it."""
    app = create_app(settings_from(told), mine.app_url)
    with app.app_context():
        found_city(db.session)
        words = dict.fromkeys(TEXTS, "Sportello famiglie, piazza Grande 1")  # its own look, so that axe sees one
        change_appearance(db.session, Actor(CITY, Role.OFFICER), datetime.now(UTC), "#7a0019", words)
        officer = add_user(db.session, datetime.now(UTC), "officer@example.org", "Olga")
        officer.password = hash_password(PASSWORD)
        appoint(db.session, datetime.now(UTC), officer.id, CITY, Role.OFFICER)
        _CODES.append(make_set_up_code(db.session, datetime.now(UTC), officer.id))
        db.session.commit()
    made = make_server("127.0.0.1", port, app, threaded=True)
    _SERVERS.append(made)
    ready.set()
    made.serve_forever()
    with app.app_context():
        for one in db.engines.values():
            one.dispose()


@pytest.fixture
def open_page(browser: Browser, house: str) -> Iterator[Callable[..., Page]]:
    """A narrow page of the site, in a browser that nobody has used."""
    contexts = []

    def made(javascript: bool = True) -> Page:
        context = browser.new_context(
            base_url=house,
            viewport={"width": NARROWEST, "height": 700},
            java_script_enabled=javascript,
            locale="it-IT",
        )
        contexts.append(context)
        return context.new_page()

    yield made
    for one in contexts:
        one.close()


def with_device(page: Page) -> CDPSession:
    """Give the page's browser a device with a fingerprint reader that always knows its owner."""
    chrome = page.context.new_cdp_session(page)
    chrome.send("WebAuthn.enable", {"enableUI": False})
    chrome.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    return chrome


def enter_by_password(page: Page) -> None:
    page.goto("/entra/password")
    assert_accessible(page)
    page.get_by_label("E-mail").fill("officer@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    page.wait_for_url("**/benvenuto")
    page.goto("/accesso/due-passaggi")
    page.wait_for_url("**/accesso/attiva*")
    assert_accessible(page)
    page.get_by_label("Codice di attivazione").fill(_CODES[-1])
    page.get_by_label("Codice di attivazione").press("Enter")
    page.wait_for_url("**/accesso/due-passaggi*")


@pytest.mark.parametrize("address", ["/registrati", "/entra", "/entra/password", "/entra/inviato"])
def test_pages_before_signing_in_work_by_keyboard_and_say_what_they_are(
    open_page: Callable[..., Page], address: str
) -> None:
    page = open_page(javascript=False)
    page.goto(address)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= NARROWEST
    fields = page.locator("main input:not([type=hidden]):visible, main button:visible, main a:visible").all()
    assert fields
    for field in fields:
        field.focus()
        assert field.evaluate("one => one === document.activeElement")
        box = field.bounding_box()
        assert box and box["width"] > 0
    page = open_page()
    page.goto(address)
    assert_accessible(page)


def test_an_officer_adds_a_passkey_by_keyboard_and_gets_in_with_it_alone(open_page: Callable[..., Page]) -> None:
    page = open_page()
    with_device(page)
    enter_by_password(page)
    assert_accessible(page)
    page.get_by_role("link", name="Oppure usa una passkey").press("Enter")
    page.wait_for_url("**/accesso/passkey*")
    expect(page.get_by_text("Qui le passkey non funzionano")).to_be_hidden()
    assert_accessible(page)
    page.get_by_label("Nome").fill("telefono di Olga")
    page.get_by_role("button", name="Aggiungi").press("Enter")
    page.wait_for_url(ACCESS)
    expect(page.get_by_role("heading", name="telefono di Olga")).to_be_visible()
    assert_accessible(page)
    page.context.clear_cookies()
    # Chromium's device may answer the request behind the e-mail field by itself, even meanwhile; else the button asks.
    page.goto("/entra?next=/accesso")
    with suppress(Error):
        page.evaluate("document.querySelector('[data-passkey=get]')?.requestSubmit()")
    page.wait_for_url(ACCESS)
    expect(page.get_by_text("con una passkey")).to_be_visible()


def test_a_device_without_the_passkey_says_what_else_to_do(open_page: Callable[..., Page]) -> None:
    page = open_page()
    with_device(page)
    page.goto("/entra")
    assert_accessible(page)
    page.get_by_role("button", name="Entra con una passkey").press("Enter")
    expect(page.get_by_text("La passkey non è stata usata")).to_be_visible()
    assert_accessible(page)


def test_without_javascript_the_pages_name_the_other_ways(open_page: Callable[..., Page]) -> None:
    page = open_page(javascript=False)
    page.goto("/entra")
    expect(page.get_by_role("button", name="Entra con una passkey")).to_be_hidden()
    expect(page.get_by_text("Per entrare con una passkey serve un browser recente")).to_be_visible()
    page.get_by_role("link", name="Registrati").click()
    page.wait_for_url("**/registrati*")
