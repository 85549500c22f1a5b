"""A municipality's colour carries white words and is nothing but a colour; its words are on its own pages."""

import re

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, AuditEntry, Role
from marketplace.appearance.colours import CONTRAST_MIN, contrast_with_white, deeper, sheet_of
from marketplace.appearance.operations import TooPale, change_appearance, find_appearance
from marketplace.db import Scope, db, set_scope
from marketplace.web import Application
from tests.city import CITY, NOW, found_city

OFFICER = Actor(CITY, Role.OFFICER)
TEXTS = {"welcome_it": "Benvenuti!", "welcome_en": "", "help_it": "Sportello: lunedì 9-12", "help_en": "Desk: Monday"}
COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("colour", "ratio"), [("#ffffff", 1.0), ("#000000", 21.0), ("#767676", 4.54), ("#777777", 4.48)]
)
def test_contrast_is_that_of_wcag(colour: str, ratio: float) -> None:
    assert contrast_with_white(colour) == pytest.approx(ratio, abs=0.01)


@given(COLOURS)
def test_a_deeper_colour_is_never_harder_to_read(colour: str) -> None:
    assert contrast_with_white(deeper(colour)) >= contrast_with_white(colour)
    assert deeper(colour) in sheet_of(colour)


def test_a_pale_colour_is_refused_and_changes_nothing(session: Session) -> None:
    found_city(session)
    with pytest.raises(TooPale):
        change_appearance(session, OFFICER, NOW, "#ffcc00", TEXTS)
    assert find_appearance(session, CITY) is None


def test_a_change_keeps_one_row_and_says_who(session: Session) -> None:
    found_city(session)
    change_appearance(session, OFFICER, NOW, "#7A0019", TEXTS)
    kept = change_appearance(session, OFFICER, NOW, "#00503C", TEXTS | {"welcome_en": "Welcome!"})
    assert contrast_with_white(kept.colour) >= CONTRAST_MIN and kept.colour == "#00503c"
    assert (kept.welcome("it"), kept.welcome("en"), kept.help("en")) == ("Benvenuti!", "Welcome!", "Desk: Monday")
    said = session.exec(select(AuditEntry).where(AuditEntry.action == "change_appearance")).all()
    assert [entry.detail["colour"] for entry in said] == ["#7a0019", "#00503c"]


def test_the_pages_have_the_colour_and_the_words(app: Application, client: FlaskClient) -> None:
    with app.app_context():
        found_city(db.session)
        db.session.commit()
    assert "/aspetto/" not in client.get("/").text
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        change_appearance(db.session, OFFICER, NOW, "#7a0019", TEXTS | {"welcome_it": "<b>Benvenuti</b> a noi"})
        db.session.commit()
    page = client.get("/").text
    address = re.search(r"/aspetto/\w+/7a0019.css", page).group()  # type: ignore[union-attr]
    assert 'content="#7a0019"' in page
    assert "&lt;b&gt;Benvenuti&lt;/b&gt; a noi" in page and "Sportello: lunedì 9-12" in page
    assert "Sportello: lunedì 9-12" in client.get("/domande-frequenti").text
    sheet = client.get(address)
    assert sheet.mimetype == "text/css" and "#7a0019" in sheet.text and sheet.cache_control.max_age
    assert client.get("/aspetto/before/7a0019.css").cache_control.max_age == 0  # a later sheet has another address
    for nonsense in ("7a001", "7a0019}", "red", "7a00199"):
        assert client.get(f"/aspetto/any/{nonsense}.css").status_code == 404
