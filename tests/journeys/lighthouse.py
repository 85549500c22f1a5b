"""Lighthouse's mobile scores of the pages that families open most, on the demo (`make lighthouse`; needs Node.js)."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which
from socket import socket
from typing import Any

from playwright.sync_api import BrowserType, Page

from tests.demo.test_supervisor import free_port
from tests.journeys.conftest import enter_as
from tests.journeys.counts import home, proposal, statement, step
from tests.journeys.demo import running_demo
from tests.test_processes import soon

TOOL = Path("build/lighthouse/node_modules/.bin/lighthouse")
VAR = Path("var/lighthouse")
LEAST = {"accessibility": 95, "best-practices": 95, "performance": 90}
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
PAGES: tuple[tuple[str, int | None, Callable[[Page], None]], ...] = (
    ("Pagina iniziale", None, home),
    ("Un passo dell'esigenza", 1, step),
    ("Una proposta", 0, proposal),
    ("Un estratto conto", 1, statement),
)


def main() -> None:
    """Print a table; exit 1 if a score is below its least."""
    with running_demo(VAR) as (browser, url):
        found = [(name, *measured(browser.browser_type, url, nth, goto)) for name, nth, goto in PAGES]
    sys.stdout.write(
        "| Page | " + " | ".join(LEAST) + " | Largest paint, s | First visit, kB |\n|---|---|---|---|---|---|\n"
    )
    for name, scores, paint, kilobytes in found:
        marks = " | ".join(str(scores[one]) for one in LEAST)
        sys.stdout.write(f"| {name} | {marks} | {paint:.1f} | {kilobytes} |\n")
    sys.exit(any(scores[one] < least for _, scores, _, _ in found for one, least in LEAST.items()))


def measured(
    kind: BrowserType, url: str, nth: int | None, goto: Callable[[Page], None]
) -> tuple[dict[str, int], float, int]:
    """Scores of 100, seconds and kB of one page, for somebody whose browser has never been here before."""
    port, profile = free_port(), VAR.absolute() / f"profile-{nth}-{goto.__name__}"
    chromium = which("chromium")
    assert chromium is not None
    command = [chromium, "--headless=new", "--no-sandbox", *QUIET, f"--remote-debugging-port={port}"]
    browser = subprocess.Popen([*command, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL)
    try:
        assert soon(lambda: listens(port))
        page = kind.connect_over_cdp(f"http://127.0.0.1:{port}").contexts[0].new_page()
        return scores_of(where(page, url, nth, goto), port)
    finally:
        browser.terminate()
        browser.wait(30)


def listens(port: int) -> bool:
    """Whether the browser can be told what to do."""
    with socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def where(page: Page, url: str, nth: int | None, goto: Callable[[Page], None]) -> str:
    """The address of the page, with its visitor signed in and nothing of the visit kept but the cookie."""
    visitor = Absolute(page, url)
    if nth is not None:
        enter_as(visitor, "family", nth)  # type: ignore[arg-type]
    goto(visitor)  # type: ignore[arg-type]
    address = page.url
    page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.forEach(one => one.unregister()))")
    page.close()
    return address


class Absolute:
    """A page that knows the site's address: a browser that is already open takes no `base_url`."""

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url = page, url

    def goto(self, path: str) -> None:
        """Open a path of the site."""
        self._page.goto(self._url + path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._page, name)


def scores_of(address: str, port: int) -> tuple[dict[str, int], float, int]:
    """What Lighthouse's mobile profile says of an address in the open browser."""
    only = "--only-categories=" + ",".join(LEAST)
    keep = ["--disable-storage-reset", "--quiet", "--output=json", "--output-path=stdout"]
    told = subprocess.run([TOOL, address, f"--port={port}", only, *keep], capture_output=True, check=True)
    report = json.loads(told.stdout)
    scores = {name: round(100 * report["categories"][name]["score"]) for name in LEAST}
    audits = report["audits"]
    paint, size = (audits[one]["numericValue"] for one in ("largest-contentful-paint", "total-byte-weight"))
    return scores, paint / 1000, round(size / 1000)


if __name__ == "__main__":
    main()
