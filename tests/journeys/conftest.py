"""Journeys go through the whole service as it is run: site, worker and payment double on a small city of their own."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright

from marketplace.installation import Installation
from marketplace.postgres import Server
from tests import database
from tests.demo.test_supervisor import environment, free_port
from tests.test_processes import soon

PHONE, DESKTOP = 360, 1280
READY_SECONDS = 180
expect.set_options(timeout=20_000)  # a machine that runs other tests beside is slow, not wrong
BUTTONS = {
    "family": "Entra come famiglia",
    "provider": "Entra come professionista",
    "officer": "Entra come ufficio del Comune",
    "operator": "Entra come sportello",
    "administrator": "Entra come amministrazione",
}


@dataclass(frozen=True)
class Site:
    """A running service: where it answers, and the database behind it."""

    url: str
    installation: Installation


@pytest.fixture(scope="module")
def site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on a new copy of a small city, for the journeys of one file."""
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    with database.copied(server, database.city_template(server)) as mine:
        told = environment(folder / "var", port, DATABASE_URL=mine.owner_url, SECRET_KEYS=",".join(database.KEYS))
        said = folder / "said"
        with said.open("w") as output:
            command = [Path(sys.executable).with_name("marketplace"), "demo"]
            process = subprocess.Popen(command, env=told, stderr=output)
        try:
            assert soon(lambda: process.poll() is not None or "è pronto" in said.read_text(), READY_SECONDS)
            assert process.poll() is None, said.read_text()
            yield Site(f"http://127.0.0.1:{port}", mine)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for one file: Playwright's event loop would trouble other tests of this process."""
    with sync_playwright() as playwright:
        # As root Chromium has no sandbox of its own.
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open a page, as a visitor of its own: `visit(width=360, javascript=True, locale="it-IT")`.

    Without `worker` no service worker: behind one, `page.route` does not see what the page asks for.
    At the end no page may have met a fault of the server or of a script.
    """
    visitors: list[BrowserContext] = []
    faults: list[str] = []

    def note(response: Response) -> None:
        if response.status >= 500:
            faults.append(f"{response.status} {response.url}")

    def open_page(width: int = PHONE, javascript: bool = True, locale: str = "it-IT", worker: bool = True) -> Page:
        visitor = browser.new_context(
            base_url=site.url,
            viewport={"width": width, "height": 800},
            java_script_enabled=javascript,
            locale=locale,
            timezone_id="Europe/Rome",
            service_workers="allow" if worker else "block",
        )
        visitors.append(visitor)
        page = visitor.new_page()
        page.on("response", note)
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        return page

    yield open_page
    for visitor in visitors:
        visitor.close()
    assert faults == []


def enter_as(page: Page, role: str, nth: int = 0) -> None:
    """Sign in by one click as the `nth` of the demo's people with this role."""
    page.goto("/")
    page.get_by_role("button", name=BUTTONS[role]).nth(nth).click()
    page.wait_for_load_state()


def assert_accessible(page: Page) -> None:
    """Axe finds nothing serious, and the page does not scroll sideways."""
    found = [
        f"{one['id']}: {one['help']} ({', '.join(str(node['target']) for node in one['nodes'][:3])})"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not found, f"{page.url}\n" + "\n".join(found)
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        raise AssertionError(f"{page.url} scrolls sideways")
