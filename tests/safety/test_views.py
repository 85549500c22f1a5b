"""Anybody reports a danger from any page without knowing more than what happens; an officer answers and suspends."""

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.providers.models import Accreditation, Provider
from marketplace.safety import operations as safety
from marketplace.safety.models import DangerReport
from marketplace.web import Application
from tests.city import CITY, NOW, found_city
from tests.families import sign_in

PAGE = "/segnala-un-pericolo"


@pytest.fixture(autouse=True)
def teacher_id(app: Application) -> str:
    """A city with one teacher."""
    with app.app_context():
        found_city(db.session)
        db.session.commit()
        return str(db.session.exec(select(Provider.id)).one())


@pytest.fixture
def officer(app: Application) -> FlaskClient:
    """An officer's browser."""
    with app.app_context():
        user = add_user(db.session, NOW, "ufficio@example.org", "Ufficio")
        appoint(db.session, NOW, user.id, CITY, Role.OFFICER)
        db.session.commit()
        who = Actor(CITY, Role.OFFICER, user.id)
    browser = app.test_client()
    sign_in(browser, who)
    return browser


def reports(app: Application) -> list[DangerReport]:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return list(db.session.exec(select(DangerReport)))


def test_a_stranger_reports_and_reads_by_when_somebody_answers(app: Application, client: FlaskClient) -> None:
    assert "Laura Neri" not in client.get(PAGE).text
    said = {"words": "Nessuno apre ai bambini.", "key": "0" * 32}
    for _tap in range(2):
        answer = client.post(PAGE, data=said, follow_redirects=True)
    assert answer.status_code == 200
    assert "risponde entro" in answer.text
    assert len(reports(app)) == 1


def test_a_flood_is_stopped_and_what_was_written_last_stays_on_the_page(
    app: Application, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safety, "OF_STRANGERS_PER_HOUR", 2)
    answers = [client.post(PAGE, data={"words": f"Numero {number}"}) for number in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 422]
    assert "chiama il 112" in answers[2].text
    assert "Numero 2" in answers[2].text
    assert len(reports(app)) == 2


def test_without_words_nothing_is_kept_and_what_was_written_stays(app: Application, client: FlaskClient) -> None:
    answer = client.post(PAGE, data={"words": " ", "about": "Palestra"})
    assert answer.status_code == 422
    assert 'value="Palestra"' in answer.text
    assert reports(app) == []


def test_a_long_story_is_never_cut_in_silence(app: Application, client: FlaskClient) -> None:
    with_city = client.get(PAGE).text
    assert "<textarea" in with_city and "maxlength" not in with_city[with_city.index("<textarea") :].split(">")[0]
    story = "una parola " * 500
    answer = client.post(PAGE, data={"words": story})
    assert answer.status_code == 422 and story.strip() in answer.text and "4000" in answer.text
    assert reports(app) == []


def test_an_officer_reads_answers_and_suspends(
    app: Application, client: FlaskClient, officer: FlaskClient, teacher_id: str
) -> None:
    client.post(PAGE, data={"words": "Urla ai bambini.", "about": "Laura"})
    assert "/comune/segnalazioni" in officer.get("/comune").text
    path = f"/comune/segnalazioni/{reports(app)[0].id}"
    assert "Urla ai bambini." in officer.get(path).text
    nobody = officer.post(path, data={"words": "Da fermare.", "sospendi": "1"})
    assert (nobody.status_code, "Scegli chi sospendere." in nobody.text) == (422, True)
    done = officer.post(path, data={"words": "Da fermare.", "sospendi": "1", "provider": teacher_id})
    assert done.status_code == 303
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert db.session.exec(select(Provider.accreditation)).one() == Accreditation.SUSPENDED
    assert "Da fermare." in officer.get(path).text


def test_a_story_in_paragraphs_keeps_them(app: Application, client: FlaskClient) -> None:
    client.post(PAGE, data={"words": "  Lunedì   è caduta.\r\n\r\n\r\nMartedì di nuovo.\n"})
    assert reports(app)[0].words == "Lunedì è caduta.\n\nMartedì di nuovo."
