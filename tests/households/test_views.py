"""A new family on its own pages: registered once, asked in words, nothing typed lost."""

import pytest
from sqlmodel import select

from marketplace.accounts.models import Appointment
from marketplace.db import Scope, db, set_scope
from marketplace.households.models import Household, MeansTest, Person
from marketplace.places.models import Address
from marketplace.places.register import fold_street
from tests.families import CITY, city, sign_in, user

FORM = {
    "given_name": "Maria",
    "family_name": "Rossi",
    "tax_code": "rssmra85d41a794y",
    "address": "via garibaldi 12",
    "phone": "347 1234567",
    "notice": "y",
}
PERSON = {"name": "Luca", "age": "12", "level": "7", "languages": ["it"]}


def rows(app, kind):
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return list(db.session.exec(select(kind)))


@pytest.fixture
def new(app, client):
    """A browser of somebody who has just signed up, in a city with a register."""
    with app.app_context():
        city(db.session)
        set_scope(db.session, Scope(CITY))
        for street, number in (("Via Garibaldi", 12), ("Via Galvani", 12)):
            key = fold_street(street)
            db.session.add(
                Address(
                    municipality_id=CITY, street=street, number=str(number), street_key=key, number_key=str(number),
                    lat=43.46, lon=11.88,
                )
            )  # fmt: skip
        who = user(db.session)
        db.session.commit()
    sign_in(client, who)
    return client


def test_a_new_family_registers_and_goes_on_to_its_people(app, new):
    answer = new.post("/famiglia/nuova", data=FORM)
    assert (answer.status_code, answer.location) == (303, "/profilo/persone/nuova?poi=/esigenze/nuova")
    (household,) = rows(app, Household)
    assert (household.address, household.email) == ("Via Garibaldi 12", "maria@example.org")
    assert household.tax_code == "RSSMRA85D41A794Y"
    answer = new.post(answer.location, data=PERSON)
    assert answer.location == "/esigenze/nuova"
    assert [(one.name, one.level) for one in rows(app, Person)] == [("Luca", 7)]


def test_a_double_tap_registers_once(app, new):
    new.post("/famiglia/nuova", data=FORM)
    assert new.post("/famiglia/nuova", data=FORM).status_code == 303
    assert len(rows(app, Household)) == len(rows(app, Appointment)) == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("tax_code", "RSSMRA85D41A794X", "controlla i 16 caratteri"),
        ("given_name", " ", "Scrivi il tuo nome"),
        ("address", "via che non esiste", "numero civico"),
        ("phone", "chiamami", "Scrivi il numero in cifre"),
        ("notice", "", "informativa"),
    ],
)
def test_a_mistake_is_said_in_words_and_nothing_typed_is_lost(app, new, field, value, words):
    answer = new.post("/famiglia/nuova", data={**FORM, field: value})
    assert answer.status_code == 422
    assert words in answer.text.replace("&#39;", "'")
    assert "Errore:" in answer.text
    kept = "family_name"
    assert f'value="{FORM[kept]}"' in answer.text
    assert rows(app, Household) == []


def test_an_unsure_address_is_asked_about(app, new):
    answer = new.post("/famiglia/nuova", data={**FORM, "address": "via garibaldii 12"})
    assert answer.status_code == 422
    assert "Via Garibaldi 12" in answer.text
    chosen = next(str(one.id) for one in rows(app, Address) if one.street == "Via Garibaldi")
    again = {**FORM, "address": "via garibaldii 12", "address_asked": "via garibaldii 12", "address_id": chosen}
    assert new.post("/famiglia/nuova", data={**again, "address_id": "nessuno"}).status_code == 422
    assert new.post("/famiglia/nuova", data={**again, "address_id": "a' or 1=1"}).status_code == 422
    assert new.post("/famiglia/nuova", data=again).status_code == 303
    assert rows(app, Household)[0].address == "Via Garibaldi 12"


def test_without_a_register_the_city_centre_stands_in_and_the_page_says_so(app, client):
    with app.app_context():
        city(db.session)
        who = user(db.session)
        db.session.commit()
    sign_in(client, who)
    answer = client.post("/famiglia/nuova", data=FORM, follow_redirects=True)
    assert "stradario" in answer.text
    (household,) = rows(app, Household)
    assert (household.address, household.lat, household.lon) == ("via garibaldi 12", 43.463, 11.879)


@pytest.mark.parametrize(("field", "value"), [("age", "111"), ("age", "dodici"), ("name", ""), ("languages", [])])
def test_a_person_needs_a_name_an_age_and_a_language(app, new, field, value):
    new.post("/famiglia/nuova", data=FORM)
    assert new.post("/profilo/persone/nuova", data={**PERSON, field: value}).status_code == 422
    assert rows(app, Person) == []


def test_the_profile_shows_and_changes_what_is_known(app, new):
    new.post("/famiglia/nuova", data=FORM)
    new.post("/profilo/persone/nuova", data=PERSON)
    (person,) = rows(app, Person)
    for path, data in (
        ("/profilo/contatti", {"email": "casa@example.org", "phone": ""}),
        ("/profilo/indirizzo", {"address": "via galvani 12"}),
        ("/profilo/isee", {"isee": "14.500"}),
        (f"/profilo/persone/{person.id}", {**PERSON, "age": "13", "name": "Luca B."}),
    ):
        assert new.get(path).status_code == 200
        assert (new.post(path, data=data).status_code, path) == (303, path)
    page = new.get("/profilo").text
    for words in ("casa@example.org", "Via Galvani 12", "14.500,00", "Luca B.", "13 anni", "2ª media", "Da verificare"):
        assert words in page
    assert rows(app, MeansTest)[0].isee_cents == "1450000"


def test_a_person_without_needs_is_taken_away_once(app, new):
    new.post("/famiglia/nuova", data=FORM)
    new.post("/profilo/persone/nuova", data=PERSON)
    path = f"/profilo/persone/{rows(app, Person)[0].id}/togli"
    assert [new.post(path).status_code, new.post(path).status_code] == [303, 303]
    assert rows(app, Person) == []


@pytest.mark.parametrize("path", ["/profilo", "/profilo/isee", "/profilo/persone/nuova", "/famiglia/nuova"])
def test_strangers_are_sent_to_sign_in(client, path):
    assert client.get(path).location.startswith("/entra")
