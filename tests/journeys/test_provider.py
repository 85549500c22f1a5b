"""A provider takes attendance on a phone, with a thumb, with and without scripts."""

from collections.abc import Callable

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Site, assert_accessible, enter_as

pytestmark = pytest.mark.browser


def last_meeting(site: Site) -> str:
    """The demo provider's latest meeting that has begun."""
    with psycopg.connect(site.installation.owner_url.replace("+psycopg", "")) as connection:
        found = connection.execute(
            "select m.id from meeting m join appointment a on a.provider_id = m.provider_id"
            " where lower(m.during) < now() and m.state in ('scheduled', 'held') order by m.during desc limit 1"
        ).fetchone()
    assert found is not None
    return str(found[0])


def recorded(page: Page) -> dict[str | None, str | None]:
    """What the page says of each member of whom something was said."""
    chosen = page.get_by_role("radio", checked=True).all()
    return {radio.get_attribute("name"): radio.get_attribute("value") for radio in chosen}


@pytest.mark.parametrize("javascript", [True, False])
def test_a_provider_says_who_was_there(visit: Callable[..., Page], site: Site, javascript: bool) -> None:
    page = visit(javascript=javascript)
    enter_as(page, "provider")
    page.goto(f"/lavoro/presenze/{last_meeting(site)}")
    if javascript:
        assert_accessible(page)
    before = recorded(page)
    with (
        page.expect_navigation()
    ):  # the script asks first whether the house answers: the click is over before the form leaves
        page.get_by_role("button", name="Tutti presenti").click()
    page.goto(f"/lavoro/presenze/{last_meeting(site)}")
    asked = {radio.get_attribute("name") for radio in page.get_by_role("radio").all()}
    assert asked
    assert recorded(page) == {**dict.fromkeys(asked, "present"), **before}  # what was said of somebody stays


@pytest.mark.parametrize("illness", ["a network that wants a sign-in", "a network that swallows everything"])
def test_attendance_stays_on_the_phone_until_the_house_can_serve(
    visit: Callable[..., Page], site: Site, illness: str
) -> None:
    page = visit(worker=False)
    enter_as(page, "provider")
    page.goto(f"/lavoro/presenze/{last_meeting(site)}")
    silent = illness.endswith("everything")
    page.route("**/health", lambda route: None if silent else route.fulfill(status=403))
    page.get_by_role("button", name="Tutti presenti").click()
    expect(page.get_by_text("Da inviare: 1")).to_be_visible()
    page.unroute("**/health")
    page.reload()
    expect(page.get_by_text("Da inviare")).to_be_hidden()


def test_a_provider_sees_its_week_its_proposals_and_what_it_earns(visit: Callable[..., Page]) -> None:
    page = visit()
    enter_as(page, "provider")
    expect(page.get_by_role("heading", name="La tua settimana")).to_be_visible()
    assert_accessible(page)
    for address in ("/lavoro/proposte", "/lavoro/compensi", "/lavoro/offerte", "/lavoro/orari"):
        page.goto(address)
        assert_accessible(page)


@pytest.mark.long
def test_a_provider_s_day_without_network_is_sent_once_and_forgotten_at_sign_out(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit()
    enter_as(page, "provider")
    page.goto("/lavoro")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("navigator.serviceWorker.controller")
    sheet = f"/lavoro/presenze/{last_meeting(site)}"
    for address in ("/lavoro", sheet):
        page.goto(address)
        page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    page.goto("/lavoro")
    expect(page.get_by_text("Senza rete. Dati delle")).to_be_visible()
    page.goto(sheet)
    page.get_by_role("button", name="Tutti presenti").click()
    expect(page.get_by_text("Da inviare: 1")).to_be_visible()
    page.context.set_offline(False)
    page.goto("/lavoro")
    expect(page.get_by_text("Da inviare")).to_be_hidden()
    page.goto(sheet)
    assert set(recorded(page).values()) <= {"present", "absent_notified", "absent"}
    page.get_by_role("button", name="Esci").click()
    page.context.set_offline(True)
    page.goto("/lavoro")
    expect(page.get_by_role("heading", name="Senza rete")).to_be_visible()
