"""A stranger reads real figures and an estimate before registering; nothing is kept, and no family is told."""

import pytest
from flask.testing import FlaskClient
from sqlmodel import func, select

from marketplace.db import db
from marketplace.households.models import Household
from marketplace.rounds.figures import Figures, figures_of
from marketplace.web import Application
from tests.city import add_need, add_programme, found_city

BLANK = {"topic": "", "level": "", "minutes": "90", "address": "", "isee": ""}
SERVICES = ("aiuto-nello-studio", "baby-sitter", "assistenza-in-casa")


@pytest.fixture
def city(app: Application) -> None:
    with app.app_context():
        found_city(db.session)
        add_programme(db.session, 1_000_000)
        add_need(db.session, "n1")
        db.session.commit()


def test_the_price_is_alone_shared_and_after_the_voucher_without_a_name(
    app: Application, client: FlaskClient, city: None
) -> None:
    asked = {"service": "tutoring", "topic": "maths", "minutes": "90", "isee": "9.000"}
    answer = client.post("/quanto-costa", data=BLANK | asked)
    assert answer.status_code == 200
    for price in ("27,00", "12,00", "-6,00", "6,00"):
        assert price in answer.text
    with app.app_context():
        assert db.session.exec(select(func.count()).select_from(Household).where(Household.given_name == "")).one() == 0


def test_without_an_isee_there_is_no_voucher_and_the_page_says_how(client: FlaskClient, city: None) -> None:
    answer = client.post("/quanto-costa", data=BLANK | {"service": "tutoring"})
    assert "Scrivi l'ISEE per vedere" in answer.text
    assert "-6,00" not in answer.text


def test_what_nobody_offers_has_no_price(client: FlaskClient, city: None) -> None:
    answer = client.post("/quanto-costa", data=BLANK | {"service": "home_care"})
    assert "Non possiamo ancora stimare" in answer.text


WRONG = ({}, {"service": "x"}, {"service": "tutoring", "minutes": "1"}, {"service": "tutoring", "isee": "molto"})


@pytest.mark.parametrize("data", WRONG)
def test_a_wrong_answer_is_told(client: FlaskClient, city: None, data: dict[str, str]) -> None:
    answer = client.post("/quanto-costa", data=BLANK | data)
    assert answer.status_code == 422
    assert "da correggere" in answer.text


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_its_sheet(client: FlaskClient, city: None, name: str) -> None:
    answer = client.get(f"/servizi/{name}")
    assert answer.status_code == 200
    assert "A chi è rivolto" in answer.text
    assert "troppo pochi per dare una media" in answer.text
    assert client.get("/servizi/altro").status_code == 404


def test_figures_are_sums_over_those_who_are_new() -> None:
    def need(code: str) -> dict[str, object]:
        return {"id": code, "service": "tutoring", "seats": 1}

    def member(code: str, share: int, subsidy: int) -> dict[str, object]:
        return {"need": code, "start": 960, "end": 1050, "share_cents": share, "subsidy_cents": subsidy}

    offer = {"service": "tutoring", "rate_cents_per_hour": 1800, "extra_seat_cents_per_hour": 300, "minutes_min": 60}
    slot = {"provider": "q1", "service": "tutoring", "place": {"venue": "v1"}}
    instance = {
        "needs": [need("n0"), need("n1"), need("n2"), need("n3")],
        "pinned": [{**slot, "members": [member("n0", 1000, 0)]}],
        "providers": [{"id": "q1", "offers": [offer]}],
        "venues": [{"id": "v1", "cost_cents_per_hour": 200}],
    }
    members = [member("n0", 1000, 0), member("n1", 1300, 650), member("n2", 1300, 0)]
    found = figures_of(instance, {"slots": [{**slot, "members": members}], "unserved": [{"need": "n3"}]})
    assert found == {"tutoring": Figures(3, 2, 6000, 2600, 650, 180)}
    assert found["tutoring"].alone_cents_per_hour == 2000
    assert found["tutoring"].net_cents_per_hour == 650
    assert not found["tutoring"].can_be_told
