"""A family decides on its proposal on a phone, and reads what it paid."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import assert_accessible, enter_as

pytestmark = pytest.mark.browser
DECIDING, RUNNING, DECIDING_TOO = 0, 1, 2


@pytest.mark.parametrize(("javascript", "family"), [(True, DECIDING), (False, DECIDING_TOO)])
def test_a_family_accepts_its_proposal_up_to_a_price_that_it_has_read(
    visit: Callable[..., Page], javascript: bool, family: int
) -> None:
    page = visit(javascript=javascript)
    enter_as(page, "family", family)
    page.get_by_role("link", name="Guarda e decidi").first.click()
    expect(page.get_by_text("Al massimo per tutto il periodo")).to_be_visible()
    expect(page.get_by_text("Nomi e indirizzi li vedete solo quando tutti hanno confermato.")).to_be_visible()
    if javascript:
        assert_accessible(page)
    page.get_by_role("button", name="Accetta e paga, al massimo").click()
    expect(page.get_by_text("Hai accettato").first).to_be_visible()
    page.goto("/oggi")
    expect(page.get_by_role("heading", name="Aspettiamo gli altri").first).to_be_visible()


def test_a_family_reads_every_line_of_a_month_on_paper_too(visit: Callable[..., Page]) -> None:
    page = visit()
    enter_as(page, "family", RUNNING)
    page.goto("/estratti")
    assert_accessible(page)
    page.locator("main a[href*='/estratti/']").first.click()
    assert_accessible(page)
    paper = page.request.get(page.url.rstrip("/") + ".pdf")
    assert (paper.status, paper.body()[:5]) == (200, b"%PDF-")


def test_a_family_sees_its_group_and_its_calendar(visit: Callable[..., Page]) -> None:
    page = visit()
    enter_as(page, "family", RUNNING)
    for address in ("/gruppi", "/calendario", "/esigenze"):
        page.goto(address)
        assert_accessible(page)
