"""A need is posted in four pages; a mistake is said, nothing typed is lost, and a double tap posts once."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from marketplace.db import Scope, db, set_scope
from marketplace.needs.models import Need, NeedDraft, NeedState
from marketplace.rounds.models import Round, RoundState
from tests.families import CITY, child, city, family, sign_in

WHAT = {"service": "tutoring", "topic": "maths", "seats": "1"}
WHEN = {"sessions": "2", "minutes": "90", "ore_giorni": ["0", "2"], "ore_fascia": "960-1140"}
WHERE = {
    "travel_km_max": "1.5",
    "price_kind": "nessuno",
    "price": "",
    "host_seats": "0",
    "group_max": "",
    "languages": "it",
}
STEPS = "/esigenze/nuova/"


def rows(app, kind):
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return list(db.session.exec(select(kind)))


@pytest.fixture
def luca(app, client):
    """The id of a child of the family that has signed in."""
    with app.app_context():
        city(db.session)
        who = family(db.session)
        person_id = str(child(db.session, who).id)
        db.session.commit()
    sign_in(client, who)
    return person_id


def write(client, luca, **changes):
    """The first three steps."""
    pages = {"cosa": {**WHAT, "person_id": luca}, "quando": WHEN, "dove": WHERE}
    for step, data in pages.items():
        answer = client.post(STEPS + step, data={**data, **changes.get(step, {})})
    return answer


def test_four_pages_post_a_need(app, client, luca):
    assert client.get("/esigenze/nuova").location == STEPS + "cosa"
    answer = client.post(STEPS + "cosa", data={**WHAT, "person_id": luca})
    assert answer.location == STEPS + "quando"
    answer = client.post(STEPS + "quando", data=WHEN)
    assert answer.location == STEPS + "dove"
    answer = client.post(STEPS + "dove", data=WHERE)
    assert answer.location == STEPS + "riepilogo"
    page = client.get(STEPS + "riepilogo")
    for words in ("Matematica", "Luca", "lunedì e mercoledì, 16:00-19:00", "1 ora e 30", "Nessun limite", "stima"):
        assert words in page.text
    answer = client.post(STEPS + "riepilogo", data={"notes": "Allergia alle noci"})
    (need,) = rows(app, Need)
    assert answer.location == f"/esigenze/{need.id}"
    assert (need.state, need.notes, need.topic, need.sessions) == (NeedState.OPEN, "Allergia alle noci", "maths", 2)
    assert rows(app, NeedDraft) == []
    page = client.get(answer.location)
    assert "In attesa" in page.text
    assert "Matematica" in client.get("/esigenze").text
    assert "In attesa" in client.get("/oggi").text


def test_a_round_at_work_is_promised_only_to_the_needs_that_it_holds(app, client, luca):
    write(client, luca)
    page = client.post(STEPS + "riepilogo", data={"notes": ""}).location
    for hours, promised in ((-1, False), (1, True)):
        with app.app_context():
            set_scope(db.session, Scope(CITY))
            for one in db.session.exec(select(Round)):
                one.state = RoundState.FAILED
            started = datetime.now(UTC) + timedelta(hours=hours)
            db.session.add(Round(municipality_id=CITY, state=RoundState.SOLVED, started_at=started))
            db.session.commit()
        assert ("sta facendo un abbinamento" in client.get(page).text) is promised


def test_a_double_tap_posts_once(app, client, luca):
    write(client, luca)
    answers = [client.post(STEPS + "riepilogo", data={"notes": ""}) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert len(rows(app, Need)) == 1


@pytest.mark.parametrize(
    ("step", "change", "words"),
    [
        ("cosa", {"service": ""}, "Scegli un servizio"),
        ("cosa", {"person_id": ""}, "Scegli per chi"),
        ("cosa", {"person_id": "018f0000-0000-7000-8000-000000000000"}, "valida"),
        ("cosa", {"topic": ""}, "Scegli la materia"),
        ("quando", {"minutes": "210"}, "La durata non sta in nessuna fascia"),
        ("quando", {"minutes": "50"}, "valida"),
        ("quando", {"sessions": "3"}, "più dei giorni"),
        ("quando", {"ore_giorni": [], "ore_fascia": ""}, "Aggiungi almeno un giorno"),
        ("quando", {"ore_fascia": "altro", "ore_dalle": "1140", "ore_alle": "960"}, "L'ora di fine viene prima"),
        ("dove", {"travel_km_max": ""}, "Scegli una distanza"),
        ("dove", {"price_kind": "limite", "price": "0"}, "0,01 a 200"),
        ("dove", {"price_kind": "limite", "price": "dodici"}, "Scrivi gli euro in cifre"),
        ("dove", {"price_kind": "limite", "price": ""}, "Scrivi il prezzo"),
        ("dove", {"languages": []}, "Scegli almeno una lingua"),
    ],
)
def test_what_cannot_be_is_said_and_kept_on_the_page(app, client, luca, step, change, words):
    steps = ["cosa", "quando", "dove"]
    for before in steps[: steps.index(step)]:
        client.post(STEPS + before, data={"cosa": {**WHAT, "person_id": luca}, "quando": WHEN}[before])
    data = {"cosa": {**WHAT, "person_id": luca}, "quando": WHEN, "dove": WHERE}[step]
    answer = client.post(STEPS + step, data={**data, **change})
    assert answer.status_code == 422
    assert words in answer.text.replace("&#39;", "'")
    assert "Errore:" in answer.text
    assert rows(app, Need) == []


def test_what_was_typed_is_there_again_whatever_button_was_pressed(app, client, luca):
    answer = client.post(STEPS + "cosa", data={**WHAT, "person_id": "", "esci": "1"})
    assert answer.location == "/oggi"
    assert "bozza" in client.get("/oggi").text
    page = client.get(STEPS + "cosa")
    assert 'value="tutoring" checked' in page.text
    answer = client.post(STEPS + "cosa", data={**WHAT, "service": "babysitting", "person_id": luca, "persona": "1"})
    assert answer.location == "/profilo/persone/nuova?poi=/esigenze/nuova/cosa"
    assert rows(app, NeedDraft)[0].answers["service"] == "babysitting"
    answer = client.post(STEPS + "quando", data={**WHEN, "indietro": "1"})
    assert answer.location == STEPS + "cosa"
    assert rows(app, NeedDraft)[0].answers["windows"][0] == {"day": 0, "start": 960, "end": 1140}


def test_the_hours_are_written_rule_by_rule(app, client, luca):
    client.post(STEPS + "cosa", data={**WHAT, "person_id": luca})
    answer = client.post(STEPS + "quando", data={**WHEN, "ore_aggiungi": "1"})
    assert answer.status_code == 200
    assert "Aggiunto: lunedì e mercoledì, 16:00-19:00" in answer.text
    assert "Ti servono 2 giorni da 1 ora e 30: ci stanno" in answer.text
    assert len(rows(app, NeedDraft)[0].answers["windows"]) == 2


def test_care_at_home_is_at_home(app, client, luca):
    client.post(STEPS + "cosa", data={"service": "home_care", "person_id": luca, "seats": "1", "topic": "maths"})
    client.post(STEPS + "quando", data=WHEN)
    page = client.get(STEPS + "dove")
    assert "Solo a casa mia" in page.text
    assert "Fino a" not in page.text
    client.post(STEPS + "dove", data={**WHERE, "travel_km_max": "0"})
    client.post(STEPS + "riepilogo", data={})
    (need,) = rows(app, Need)
    assert (need.travel_km_max, need.topic, need.level) == ("0", None, None)


def test_an_open_need_is_changed_and_withdrawn(app, client, luca):
    write(client, luca)
    client.post(STEPS + "riepilogo", data={})
    (need,) = rows(app, Need)
    answer = client.post(f"/esigenze/{need.id}/cambia", data={"passo": "quando"})
    assert answer.location == STEPS + "quando"
    answer = client.post(
        STEPS + "quando",
        data={"sessions": "2", "minutes": "60", "ore_regola": "0,2;960;1140"},
    )
    assert answer.location == STEPS + "riepilogo"
    client.post(STEPS + "riepilogo", data={})
    (changed,) = rows(app, Need)
    assert (changed.id, changed.minutes) == (need.id, 60)
    for _ in range(2):
        assert client.post(f"/esigenze/{need.id}/ritira").status_code == 303
    assert rows(app, Need)[0].state == NeedState.WITHDRAWN


def test_a_draft_is_thrown_away_only_when_asked(app, client, luca):
    write(client, luca)
    assert client.post("/esigenze/nuova/butta").status_code == 303
    assert rows(app, NeedDraft) == []


def test_the_summary_needs_the_other_steps(client, luca):
    assert client.get(STEPS + "riepilogo").location == STEPS + "cosa"


def test_a_new_account_registers_its_family_first(app, client):
    from tests.families import user

    with app.app_context():
        city(db.session)
        who = user(db.session)
        db.session.commit()
    sign_in(client, who)
    assert client.get("/esigenze/nuova").location == "/famiglia/nuova"


def test_a_family_takes_its_own_data_away(client, luca):
    write(client, luca)
    client.post(STEPS + "riepilogo", data={})
    found = client.get("/profilo/dati.json").json
    assert (found["household"][0]["tax_code"], found["person"][0]["name"]) == ("RSSMRA85D41A794Y", "Luca")
    assert found["need"][0]["topic"] == "maths"
    assert "tax_code_index" not in found["household"][0]


@pytest.mark.parametrize(
    "path", ["/oggi", "/esigenze", "/buoni", "/calendario", "/gruppi", "/profilo", "/calendario.ics"]
)
def test_every_page_of_a_new_family_opens(client, luca, path):
    assert client.get(path).status_code == 200
