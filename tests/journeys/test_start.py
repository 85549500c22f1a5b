"""Whoever comes to the start page finds the way in."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import DESKTOP, PHONE, assert_accessible, enter_as

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_start_page_is_usable_by_all(visit: Callable[..., Page], width: int) -> None:
    page = visit(width=width)
    page.goto("/")
    assert_accessible(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_one_click_makes_you_an_officer_of_the_demo(visit: Callable[..., Page], javascript: bool) -> None:
    page = visit(width=DESKTOP, javascript=javascript)
    enter_as(page, "officer")
    expect(page.get_by_role("button", name="Esci")).to_be_visible()
