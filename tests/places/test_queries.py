"""An address is found exactly, or asked about, or refused in words; never taken silently for another."""

import pytest

from marketplace.accounts.models import Municipality
from marketplace.db import Scope, set_scope
from marketplace.places.models import Address
from marketplace.places.queries import has_register, look_up_address
from marketplace.places.register import fold_street
from tests.families import CITY, city

HOUSES = [
    ("Via Giuseppe Garibaldi", "", 12, ""),
    ("Via Giuseppe Garibaldi", "", 14, "B"),
    ("Via Guido Monaco", "", 3, ""),
    ("Via Roma", "Rigutino", 5, ""),
    ("Via Roma", "Quarata", 5, ""),
    ("Via 25 Aprile", "", 7, ""),
]


@pytest.fixture
def town(session):
    city(session)
    set_scope(session, Scope(CITY))
    for street, locality, number, exponent in HOUSES:
        session.add(
            Address(
                municipality_id=CITY, street=street, locality=locality, number=str(number), exponent=exponent,
                street_key=fold_street(street), number_key=f"{number}{exponent}".lower(), lat=43.4, lon=11.8,
            )
        )  # fmt: skip
    session.flush()
    return session.get_one(Municipality, CITY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("via giuseppe  garibaldi, 12", "Via Giuseppe Garibaldi 12"),
        ("VIA GIUSEPPE GARIBALDI n. 14/b", "Via Giuseppe Garibaldi 14/B"),
        ("Via Roma 5, Quarata", "Via Roma 5, Quarata"),
        ("via 25 aprile 7", "Via 25 Aprile 7"),
    ],
)
def test_an_address_of_the_register_is_found(session, town, text, words):
    found = look_up_address(session, town, text)
    assert found.exact is not None
    assert found.exact.words == words


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("via giuseppe garibaldy 12", "Via Giuseppe Garibaldi 12"),
        ("via giuseppe garibaldi 99", "Via Giuseppe Garibaldi 14/B"),
        ("via guido monaco 3/z", "Via Guido Monaco 3"),
    ],
)
def test_what_is_only_near_is_asked_about(session, town, text, first):
    found = look_up_address(session, town, text)
    assert found.exact is None
    assert found.choices[0].words == first


def test_a_street_in_two_localities_is_asked_about(session, town):
    found = look_up_address(session, town, "via roma 5")
    assert found.exact is None
    assert {one.words for one in found.choices} == {"Via Roma 5, Rigutino", "Via Roma 5, Quarata"}
    assert found.problem is not None


@pytest.mark.parametrize("text", ["", "via roma", "xyz 3", "'; drop table address; --", "12", "%%% 5"])
def test_what_cannot_be_found_is_said(session, town, text):
    found = look_up_address(session, town, text)
    assert found.exact is None
    assert found.problem is not None


def test_a_city_may_have_no_register(session):
    city(session)
    set_scope(session, Scope(CITY))
    assert not has_register(session, CITY)
