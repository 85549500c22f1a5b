"""Draws the README's pictures: the demo in its own folder, as its people see it. Run by `make screenshots`."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.journeys.conftest import DESKTOP, PHONE, enter_as
from tests.journeys.demo import running_demo

PICTURES = Path(__file__).parents[2] / "docs/pictures"
HEIGHT = {PHONE: 780, DESKTOP: 900}


def main() -> None:
    """Start the demo, walk to each page, keep what the first screen shows."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_demo(Path("var/screenshots")) as (browser, url):
        draw(browser, url)


def draw(browser: Browser, url: str) -> None:
    """One picture a signature screen."""
    family = _visit(browser, url, "family", PHONE)
    family.goto("/oggi")
    family.get_by_role("link", name="Guarda e decidi").first.click()
    _keep(family, "proposal")
    _keep(_at(_visit(browser, url, "family", PHONE), "/esigenze/nuova/quando"), "need")
    member = _visit(browser, url, "family", PHONE, nth=1)
    member.goto("/estratti")
    member.locator("main a[href*='/estratti/2']").first.click()
    _keep(member, "statement")
    _keep(_at(_visit(browser, url, "provider", PHONE), "/lavoro"), "week")
    officer = _visit(browser, url, "officer", DESKTOP)
    officer.goto("/comune/abbinamenti")
    officer.locator("main .rows-list a").first.click()
    officer.locator(".leaflet-interactive").first.wait_for()
    _keep(officer, "round")


def _visit(browser: Browser, url: str, role: str, width: int, nth: int = 0) -> Page:
    page = browser.new_context(
        base_url=url, viewport={"width": width, "height": HEIGHT[width]}, locale="it-IT", timezone_id="Europe/Rome"
    ).new_page()
    enter_as(page, role, nth)
    return page


def _at(page: Page, path: str) -> Page:
    page.goto(path)
    return page


def _keep(page: Page, name: str) -> None:
    page.wait_for_load_state()
    page.screenshot(path=PICTURES / f"{name}.png")
    sys.stdout.write(f"docs/pictures/{name}.png\n")


if __name__ == "__main__":
    main()
