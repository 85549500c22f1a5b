"""Counts what the main jobs ask of people, in real Chromium on the demo, into docs/experience.md (`make counts`)."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from statistics import median

from playwright.sync_api import Browser, CDPSession, Locator, Page

from tests.journeys.conftest import DESKTOP, PHONE, enter_as
from tests.journeys.demo import running_demo

VAR = Path("var/counts")
TARGET = Path(__file__).parents[2] / "docs/experience.md"
SLOW_4G = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
SLOW_CPU = 4
LCP = """() => new Promise(done => new PerformanceObserver(list => done(list.getEntries().at(-1).startTime))
    .observe({type: 'largest-contentful-paint', buffered: true}))"""


@dataclass
class Person:
    """Somebody at a screen; every touch of it is counted. A native list takes two: open it, choose."""

    page: Page
    taps: int = 0
    answers: int = 0
    pages: set[str] = field(default_factory=set)
    received: int = 0

    def __post_init__(self) -> None:
        self.wire: CDPSession = self.page.context.new_cdp_session(self.page)
        self.wire.send("Network.enable")
        self.wire.on("Network.loadingFinished", self._receive)
        self._look()

    def _receive(self, told: dict[str, float]) -> None:
        self.received += int(told["encodedDataLength"])

    def _look(self) -> None:
        self.page.wait_for_load_state("networkidle")
        self.pages.add(self.page.url.split("?")[0].split("#")[0])

    def answer(self, *choices: Locator) -> None:
        """One answer, given with one tap for each of `choices`."""
        for choice in choices:
            choice.check()
            self.taps += 1
        self.answers += 1

    def choose(self, choices: Locator, label: str) -> None:
        """One answer from a native list."""
        choices.select_option(label=label)
        self.taps += 2
        self.answers += 1

    def take_as_it_is(self, *fields: Locator) -> None:
        """Answers that stand there already, and are right."""
        for one in fields:
            assert one.first.is_visible()
            self.answers += 1

    def tap(self, what: Locator) -> None:
        """A button or a link."""
        what.first.click()
        self.taps += 1
        self._look()


@dataclass(frozen=True)
class Count:
    """A job with its target of taps."""

    job: str
    target: int
    taps: int
    answers: int
    pages: int
    kilobytes: int


def main() -> None:
    """Count everything and write it down; exit 1 if a job asks for more than its target."""
    rmtree(VAR, ignore_errors=True)  # a month can be closed once, a proposal accepted once
    with running_demo(VAR) as (browser, url):
        counts = [one(browser, url) for one in (post, hours, accept, attend, start, close)]
        keys = count_keys(browser, url)
        paints = [(name, measure_paint(browser, url, visit)) for name, visit in PAINTED]
    TARGET.write_text(report(counts, keys, paints))
    sys.stdout.write(TARGET.read_text())
    sys.exit(any(one.taps > one.target for one in counts))


def entered(browser: Browser, url: str, role: str, path: str, nth: int = 0, width: int = PHONE) -> Page:
    """A page of somebody who has signed in."""
    size = {"width": width, "height": 780}
    # What a service worker keeps would come over no wire.
    context = browser.new_context(base_url=url, viewport=size, locale="it-IT", service_workers="block")
    page = context.new_page()
    enter_as(page, role, nth)
    page.goto(path)
    return page


def counted(job: str, target: int, person: Person) -> Count:
    """What the person has done, as a row."""
    person.page.context.close()
    kilobytes = round(person.received / 1000)
    return Count(job, target, person.taps, person.answers, len(person.pages), kilobytes)


def begin_need(browser: Browser, url: str) -> Person:
    """A family at the first of the four steps, with nothing answered."""
    page = entered(browser, url, "family", "/oggi", nth=1)
    discard = page.get_by_role("button", name="Butta via")
    if discard.count():
        discard.click()
    page.goto("/esigenze/nuova")
    return Person(page)


def post(browser: Browser, url: str) -> Count:
    """Maths once a week, Monday, Wednesday or Friday after school."""
    person = begin_need(browser, url)
    page = person.page
    answer_what(person)
    person.tap(page.get_by_role("button", name="Continua").last)
    person.take_as_it_is(
        page.get_by_label("Quante volte alla settimana?"), page.get_by_label("Quanto dura ogni volta?")
    )
    choose_hours(person)
    person.answers += 1
    person.tap(page.get_by_role("button", name="Continua").last)
    person.answer(page.get_by_label("1,5", exact=False).first)
    person.take_as_it_is(page.get_by_label("Nessun limite"))
    person.tap(page.get_by_role("button", name="Continua").last)
    person.tap(page.get_by_role("button", name="Pubblica"))
    assert "/esigenze/" in page.url, page.url
    assert page.get_by_text("Pubblicata.").is_visible()
    person.pages.discard(page.url)  # the need itself, after the last step
    return counted("Pubblicare un'esigenza", 20, person)


def answer_what(person: Person) -> None:
    """The first step's three answers."""
    page = person.page
    person.answer(page.get_by_label("Aiuto nello studio"))
    whom = page.locator("[name='person_id']")
    if whom.first.is_checked():
        person.take_as_it_is(page.locator("label:has([name='person_id'])"))
    else:
        person.answer(whom.first)
    person.choose(page.get_by_label("Materia"), "Matematica")


def choose_hours(person: Person) -> None:
    """Monday, Wednesday, Friday, 16 to 19, in the hours editor."""
    for day in (0, 2, 4):
        person.page.locator(f"#ore-giorni-{day}").check(force=True)
        person.taps += 1
    person.page.get_by_label("Dopo la scuola").check()
    person.taps += 1


def at_hours(browser: Browser, url: str) -> Person:
    """A family at the second step."""
    person = begin_need(browser, url)
    answer_what(person)
    person.tap(person.page.get_by_role("button", name="Continua").last)
    person.taps = person.answers = person.received = 0
    person.pages = {person.page.url}
    return person


def hours(browser: Browser, url: str) -> Count:
    """The editor alone, with its line added."""
    person = at_hours(browser, url)
    choose_hours(person)
    person.answers = 1
    person.tap(person.page.get_by_role("button", name="Aggiungi"))
    person.page.get_by_text("Aggiunto:").first.wait_for()
    return counted("Orari: lunedì, mercoledì, venerdì 16-19", 5, person)


def count_keys(browser: Browser, url: str) -> int:
    """Keys for the same hours from the first chip on: Tab, Space, arrows and Enter alone, the mouse untouched."""
    page = at_hours(browser, url).page
    keys = 0

    def press(key: str) -> None:
        nonlocal keys
        page.keyboard.press(key)
        keys += 1

    page.locator("#ore-giorni-0").focus()
    for day in range(7):
        if day in (0, 2, 4):
            press("Space")
        press("Tab")
    press("ArrowDown")  # from no time to the second: after school
    while not page.get_by_label("Dopo la scuola").is_checked():
        press("ArrowDown")
    while page.evaluate("document.activeElement.name") != "ore_aggiungi":
        press("Tab")
    press("Enter")
    page.get_by_text("Aggiunto: lunedì, mercoledì e venerdì").first.wait_for()
    page.context.close()
    return keys


def accept(browser: Browser, url: str) -> Count:
    """A proposal, from the family's start page."""
    person = Person(entered(browser, url, "family", "/oggi"))
    person.tap(person.page.get_by_role("link", name="Guarda e decidi"))
    person.tap(person.page.get_by_role("button", name="Accetta e paga"))
    person.page.get_by_text("Hai accettato").first.wait_for()
    return counted("Accettare una proposta", 2, person)


def attend(browser: Browser, url: str) -> Count:
    """All present at a meeting of the week; with four or with one, the taps are the same."""
    person = Person(entered(browser, url, "provider", "/lavoro"))
    week = person.page.locator(".week-meeting")
    held = week.filter(has_text="Svolto").or_(week.filter(has_text="Da segnare"))
    person.tap(held.last.get_by_role("link"))
    person.tap(person.page.get_by_role("button", name="Tutti presenti"))
    person.page.get_by_text("Presenze segnate").first.wait_for()
    return counted("Segnare quattro presenti", 3, person)


def start(browser: Browser, url: str) -> Count:
    """A round, from the officer's start page."""
    person = Person(entered(browser, url, "officer", "/comune", width=DESKTOP))
    person.tap(person.page.locator("main").get_by_role("link", name="Abbinamento", exact=False))
    person.tap(person.page.get_by_role("button", name="Avvia un abbinamento"))
    return counted("Avviare un abbinamento", 3, person)


def close(browser: Browser, url: str) -> Count:
    """Last month, from the officer's start page."""
    person = Person(entered(browser, url, "officer", "/comune", width=DESKTOP))
    person.tap(person.page.locator("main").get_by_role("link", name="Mese di"))
    person.tap(person.page.locator("main").get_by_role("link", name="Chiudi"))
    person.tap(person.page.get_by_role("button", name="Sì, chiudi"))
    return counted("Chiudere un mese", 3, person)


def home(page: Page) -> None:
    """The public start page."""
    page.goto("/")


def step(page: Page) -> None:
    """The second step of a need."""
    page.goto("/esigenze/nuova/quando")


def proposal(page: Page) -> None:
    """A proposal."""
    page.goto("/oggi")
    address = page.locator("main a[href*='/proposte/']").first.get_attribute("href")
    assert address is not None
    page.goto(address)


def statement(page: Page) -> None:
    """A month's statement."""
    page.goto("/estratti")
    address = page.locator("main a[href*='/estratti/2']").first.get_attribute("href")
    assert address is not None
    page.goto(address)


PAINTED: tuple[tuple[str, tuple[int | None, Callable[[Page], None]]], ...] = (
    ("Pagina iniziale", (None, home)),
    ("Un passo dell'esigenza", (1, step)),
    ("Una proposta", (0, proposal)),
    ("Un estratto conto", (1, statement)),
)


def measure_paint(browser: Browser, url: str, visit: tuple[int | None, Callable[[Page], None]]) -> float:
    """Seconds to the largest contentful paint on slow 4G and a slow phone, nothing kept: the middle of three."""
    nth, goto = visit
    found = []
    for _ in range(3):
        size = {"width": PHONE, "height": 640}
        page = browser.new_context(base_url=url, viewport=size, locale="it-IT", service_workers="block").new_page()
        if nth is not None:
            enter_as(page, "family", nth)
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.clearBrowserCache")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        wire.send("Network.emulateNetworkConditions", SLOW_4G)
        wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_CPU})
        goto(page)
        page.wait_for_load_state("networkidle")
        found.append(page.evaluate(LCP) / 1000)
        page.context.close()
    return median(found)


def report(counts: list[Count], keys: int, paints: list[tuple[str, float]]) -> str:
    """The counts as Markdown."""
    lines = [
        "# What the screens ask of people",
        "",
        "Counted by `make counts` in real Chromium on the demo, at 360 px (officers at 1280 px). A native list is two",
        "taps; an answer that stands there already and is right is an answer without a tap; kB are what came over the",
        "wire, compressed, for whoever has seen the start page.",
        "",
        "| Job | Taps | at most | Answers | Pages | kB |",
        "|---|---|---|---|---|---|",
        *(f"| {c.job} | {c.taps} | {c.target} | {c.answers} | {c.pages} | {c.kilobytes} |" for c in counts),
        "",
        f"The same hours by keyboard alone, from the first day on: {keys} keys.",
        "",
        "Largest contentful paint on Lighthouse's slow 4G (1.6 Mbit/s, 150 ms) with the processor four times slower,",
        "nothing kept, the middle of three visits; the aim is 2.0 s.",
        "",
        "| Page | Seconds |",
        "|---|---|",
        *(f"| {name} | {seconds:.1f} |" for name, seconds in paints),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
