"""Anybody sees where groups meet and how many accredited people work near; nobody's home, and no name of a person."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Municipality
from marketplace.db import db
from marketplace.home.public_places import count_providers, list_places
from marketplace.households.details import Home
from marketplace.needs.models import Service
from marketplace.places.models import Address, Venue
from marketplace.providers.models import Accreditation, Provider
from marketplace.web import Application
from tests.city import CITY, NOW, add_need, add_provider, found_city

HOUSE = Address(
    municipality_id=CITY, street="Via Milano", number="1", street_key="via milano", number_key="1", lat=44.95, lon=8.615
)


@pytest.fixture
def city(app: Application) -> Iterator[Municipality]:
    """Two venues, the second near a house of the register."""
    with app.app_context():
        found_city(db.session)
        first = db.session.exec(select(Venue)).one()
        second = Venue(
            **{**first.model_dump(exclude={"id"}), "code": "v2", "name": "Biblioteca", "lat": 44.949, "created_at": NOW}
        )
        second.services = ["tutoring"]
        db.session.add_all([second, Address(**HOUSE.model_dump())])
        add_need(db.session, "n1")
        db.session.commit()
        yield db.session.get_one(Municipality, CITY)


def test_the_page_names_places_and_no_person(client: FlaskClient, city: Municipality) -> None:
    page = client.get("/luoghi").text
    assert "Scuola Vochieri" in page and "Biblioteca" in page
    assert "Laura Neri" not in page and "Via Roma 1" not in page
    assert "meno di 5" in page
    babysitting = client.get("/luoghi?servizio=babysitting").text
    assert "Scuola Vochieri" in babysitting and "Biblioteca" not in babysitting
    assert client.get("/luoghi?servizio=nulla").status_code == 200


def test_the_map_is_the_citys_own_and_has_only_venues(client: FlaskClient, city: Municipality) -> None:
    drawn = client.get("/luoghi.geojson?servizio=tutoring").get_json()["features"]
    assert sorted(one["properties"]["label"].split(",")[0] for one in drawn if one["properties"]) == [
        "Biblioteca",
        "Scuola Vochieri",
    ]


def test_from_an_address_the_nearest_comes_first_and_the_address_is_in_no_url(
    client: FlaskClient, city: Municipality
) -> None:
    answer = client.post("/luoghi", data={"address": "Via Milano 1"})
    assert answer.status_code == 200
    table = answer.text[answer.text.index("<table") :]
    assert table.index("Biblioteca") < table.index("Scuola Vochieri")
    assert "100" in table and "4,1" in table
    nowhere = client.post("/luoghi", data={"address": "Via che non c'è 9"})
    assert nowhere.status_code == 422 and "Scuola Vochieri" in nowhere.text


def test_only_the_accredited_are_counted_and_near_means_near(city: Municipality) -> None:
    near, far = Home("", 44.914, 8.616), Home("", 44.99, 8.616)
    assert count_providers(db.session, city)[Service.TUTORING] == 1
    assert [count_providers(db.session, city, one)[Service.TUTORING] for one in (near, far)] == [1, 0]
    add_provider(db.session, "q2").accreditation = Accreditation.SUSPENDED
    db.session.flush()
    assert count_providers(db.session, city)[Service.TUTORING] == 1
    db.session.exec(select(Provider).where(Provider.code == "q2")).one().accreditation = Accreditation.ACCREDITED
    db.session.flush()
    assert count_providers(db.session, city)[Service.TUTORING] == 2
    assert [place.km for place in list_places(db.session, city, None)] == [None, None]
