"""While an address is typed, the register's own are offered: streets first, then house numbers."""

import pytest
from flask.testing import FlaskClient
from sqlmodel import Session

from marketplace.accounts.models import Municipality
from marketplace.db import Scope, db, set_scope
from marketplace.places.models import Address
from marketplace.places.queries import STREETS_MAX, suggest_addresses
from marketplace.places.register import fold_street
from marketplace.web import Application
from tests.families import CITY, NOW

HOUSES = [
    ("VIA GIUSEPPE GARIBALDI", "", ["1", "12", "120", "2"]),
    ("VIALE DEI MILLE", "", ["7"]),
    ("VIA DELLE GARE", "", ["3"]),
    ("VIA ROMA", "SAN GIULIANO", ["1"]),
    ("VIA ROMA", "", ["1"]),
]


def register(session: Session, city: str = CITY) -> None:
    session.add(Municipality(id=city, name=f"Comune {city}", lat=44.7, lon=10.6, created_at=NOW))
    session.flush()
    set_scope(session, Scope(city))
    for street, locality, numbers in HOUSES:
        for number in numbers:
            session.add(
                Address(
                    municipality_id=city,
                    street=street,
                    locality=locality,
                    number=number,
                    street_key=fold_street(street),
                    number_key=number,
                    lat=44.7,
                    lon=10.6,
                )
            )
    session.flush()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("garib", ["Via Giuseppe Garibaldi "]),
        ("VIA gar", ["Via delle Gare ", "Via Giuseppe Garibaldi "]),
        ("via garibadi", ["Via Giuseppe Garibaldi ", "Via delle Gare "]),
        ("Garibaldi 12", ["Via Giuseppe Garibaldi 12", "Via Giuseppe Garibaldi 120"]),
        ("garibaldi, n. 12", ["Via Giuseppe Garibaldi 12", "Via Giuseppe Garibaldi 120"]),
        ("roma 1", ["Via Roma 1", "Via Roma 1, San Giuliano"]),
        ("garibaldi 9", []),
        ("g", []),
        ("", []),
        ("%%%", []),
        ("via _", []),
        ("12", []),
    ],
)
def test_what_is_typed_may_become(session: Session, typed: str, offered: list[str]) -> None:
    register(session)
    found = suggest_addresses(session, CITY, typed)
    assert [one for one in found if one in offered] == offered
    assert len(found) <= STREETS_MAX


def test_a_visitor_is_offered_only_the_own_municipality(app: Application, client: FlaskClient) -> None:
    with app.app_context():
        set_scope(db.session, Scope())
        register(db.session)
        db.session.commit()
    assert client.post("/indirizzi", data={"testo": "mille"}).json == ["Viale dei Mille "]
    assert client.post("/indirizzi", data={"testo": "x" * 5000}).json == []
    assert client.get("/indirizzi").status_code == 405
