"""An officer starts a round, follows it, reads what it found, and sends it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import DESKTOP, assert_accessible, enter_as

pytestmark = pytest.mark.browser
ROUND_SECONDS = 180


def test_an_officer_runs_a_round_and_sends_its_proposals(visit: Callable[..., Page]) -> None:
    page = visit(width=DESKTOP)
    enter_as(page, "officer")
    assert_accessible(page)
    page.goto("/comune/abbinamenti")
    assert_accessible(page)
    page.get_by_text("Tempo e seme").click()
    page.get_by_label("Secondi di calcolo, al massimo").fill("3")
    page.get_by_role("button", name="Avvia un abbinamento").click()
    expect(page.get_by_text("Perché le altre non hanno un posto")).to_be_visible(timeout=ROUND_SECONDS * 1000)
    assert_accessible(page)
    send = page.get_by_role("link", name="Invia")
    if send.count():
        send.first.click()
        page.get_by_role("button", name="Invia").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Abbinamento")


@pytest.mark.parametrize(
    "address", ["/comune", "/comune/programmi", "/comune/isee", "/comune/accreditamenti", "/comune/rendiconti"]
)
def test_the_offices_pages_are_usable_by_all(visit: Callable[..., Page], address: str) -> None:
    page = visit()
    enter_as(page, "officer")
    answer = page.goto(address)
    assert answer is not None and answer.status == 200, address
    assert_accessible(page)
