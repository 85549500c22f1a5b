"""A family reads what an extra session costs before it asks or joins; the provider answers from its week."""

import re

from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.slots.models import Meeting
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from tests.city import CITY, NOW, family_of, membership_of, proposal_of, provider_of, the_slot
from tests.families import sign_in
from tests.slots.test_views import CODES, clock, confirm, group

__all__ = ["clock", "group"]


def test_a_family_sees_the_price_asks_and_another_joins_by_consent(app, client, group, clock):
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        slot = the_slot(db.session)
        slot_id = slot.id
        answer_slot(db.session, provider_of(slot), NOW, slot_id, True)
        for code in CODES:
            proposal = proposal_of(db.session, code)
            accept_proposal(db.session, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
        settle(db.session, NOW, CITY, slot_id)
        users = {}
        for code, role in (("n2", Role.FAMILY), ("q1", Role.PROVIDER)):
            user = add_user(db.session, NOW, f"u-{code}@example.org", "Bice")
            whose = (
                {"household_id": membership_of(db.session, code).household_id}
                if role == Role.FAMILY
                else {"provider_id": the_slot(db.session).provider_id}
            )
            appoint(db.session, NOW, user.id, CITY, role, **whose)
            users[code] = Actor(CITY, role, user.id)
        db.session.commit()
    path = f"/gruppi/{slot_id}/incontro-in-piu"
    assert "Chiedi un incontro in più" in client.get(f"/gruppi/{slot_id}").text
    wanted = {"held_on": "2026-12-04", "start": "15:00", "end": "16:00"}
    assert client.get(path).status_code == 200
    wrong = client.post(path, data={**wanted, "held_on": "2026-12-06"})
    assert wrong.status_code == 422
    assert "Scegli un altro orario" in wrong.text
    shown = client.post(path, data=wanted).text
    assert "Paghi al massimo 20,00" in shown
    assert "11,50" in shown
    assert "non vale il buono" in shown
    made = client.post(path, data={**wanted, "cap_cents": "2000", "chiedi": "1"})
    assert made.status_code == 303
    extra = made.location
    assert "Il professionista risponde entro" in client.get(extra).text
    teacher, bice = app.test_client(), app.test_client()
    sign_in(teacher, users["q1"])
    sign_in(bice, users["n2"])
    assert "incontro in più aspetta la tua risposta" in teacher.get("/lavoro").text
    assert "Accetta" in teacher.get("/lavoro/incontri-in-piu").text
    assert teacher.post(f"/lavoro{extra}/accetta").status_code == 303
    page = bice.get(extra).text
    assert "Se ti unisci paghi" in page
    join = re.search(r'action="([^"]+/entra)"', page)[1]
    assert bice.post(join, data={"cap_cents": "1999"}).status_code == 409
    assert bice.post(join, data={"cap_cents": "2000"}).status_code == 303
    assert "11,50" in client.get(extra).text
    assert "Incontro in più" in bice.get("/calendario").text
    out = re.search(r'action="([^"]+/esci)"', bice.get(extra).text)[1]
    assert bice.post(out).status_code == 303
    assert "Incontro in più" not in bice.get("/calendario").text


def test_who_cannot_come_sees_what_another_day_costs_before_sending(app, client, group):
    slot_id = confirm(app)
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        mine = membership_of(db.session, "n1").id
        meeting_id = db.session.exec(select(Meeting.id).order_by(Meeting.during)).first()
    page = client.get(f"/calendario/{meeting_id}/{mine}/assenza").text
    assert "Preferisci venire un altro giorno?" in page
    path = f"/gruppi/{slot_id}/incontro-in-piu?invece={meeting_id}"
    wanted = {"held_on": "2026-12-04", "start": "15:00", "end": "16:00"}
    shown = client.post(path, data=wanted).text
    assert "Invece di martedì 1 dicembre 2026" in shown
    assert "incontro non lo paghi." in shown
    assert "Paghi al massimo 20,00" in shown
    assert client.post(path, data={**wanted, "cap_cents": "2000", "chiedi": "1"}).status_code == 303
