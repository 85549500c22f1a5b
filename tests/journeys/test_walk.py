"""Every page that links lead to is accessible, fits its screen and is whole: as each role, in both languages."""

import re
from collections.abc import Callable, Iterator

import html5lib
import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import DESKTOP, PHONE, assert_accessible, enter_as

pytestmark = [pytest.mark.browser, pytest.mark.long]
STARTS = {
    "nobody": "/",
    "family": "/oggi",
    "provider": "/lavoro",
    "officer": "/comune",
    "operator": "/sportello",
    "administrator": "/gestione",
}
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d{2}(-\d{2})?")
NO_PAGE = re.compile(r"\.(pdf|json|geojson|ics|csv|xml|zip|webmanifest)$")
SMALLEST = 320
TARGETS = """() => [...document.querySelectorAll('main .btn, main button, main summary, main select, nav a')]
    .filter(one => one.offsetParent && one.tabIndex >= 0 && one.getBoundingClientRect().height < 43.5)
    .map(one => one.innerText)"""


def kind_of(address: str) -> str:
    """The address with the same word for every row: one page of each kind is enough."""
    path, _, query = address.partition("#")[0].partition("?")
    return ID.sub("*", path) + ("?" if query else "")


def assert_valid(html: str) -> None:
    """The HTML as the server sent it has no fault of syntax, and no id twice."""
    parser = html5lib.HTMLParser()
    ids = [one.get("id") for one in parser.parse(html).iter() if one.get("id")]
    assert parser.errors == []
    assert len(ids) == len(set(ids)), sorted(ids)


def walk(page: Page, start: str) -> Iterator[str]:
    """Open one page of each kind, as links lead on from `start`."""
    ahead, seen = [start], {kind_of(start)}
    while ahead:
        answer = page.goto(ahead.pop(0))
        assert answer is not None
        assert answer.status == 200, page.url
        page.wait_for_load_state("networkidle")
        assert_valid(answer.text())
        yield page.url
        for address in page.eval_on_selector_all("a[href^='/']", "all => all.map(one => one.getAttribute('href'))"):
            other = kind_of(address)
            leads_on = not address.startswith(("/lingua/", "/assets/")) and not NO_PAGE.search(address.split("?")[0])
            if leads_on and other not in seen:
                seen.add(other)
                ahead.append(address)


@pytest.mark.parametrize(("width", "language"), [(PHONE, "it"), (DESKTOP, "en")])
@pytest.mark.parametrize("role", STARTS)
def test_every_page_is_accessible_and_fits(visit: Callable[..., Page], role: str, width: int, language: str) -> None:
    page = visit(width=width)
    if role != "nobody":
        enter_as(page, role)
    page.goto(f"/lingua/{language}?next=/")
    pages = 0
    for address in walk(page, STARTS[role]):
        pages += 1
        assert_accessible(page)
        words = page.inner_text("main")
        assert page.locator("h1").count() == 1, address
        assert not re.search(r"\{\{|%\(", words), address
        assert language == "en" or not re.search(r"\bNone\b", words), address  # a word of English
        assert page.locator("html").get_attribute("lang") == language
        assert page.evaluate(TARGETS) == [], address
    assert pages > 5


@pytest.mark.parametrize("role", ["family", "provider", "officer"])
def test_every_page_fits_the_narrowest_screen(visit: Callable[..., Page], role: str) -> None:
    page = visit(width=SMALLEST)  # as wide as 1280 px are at 400 %
    enter_as(page, role)
    for address in walk(page, STARTS[role]):
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, address
