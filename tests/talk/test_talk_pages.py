"""The pages: a parent writes and reports without JavaScript, the professional answers, an officer decides."""

import re
from datetime import datetime, tzinfo

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.slots.models import Slot
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from marketplace.web import Application
from tests.city import CITY, NOW, Group, add_need, family_of, found_city, proposal_of, proposed, provider_of, the_slot
from tests.families import sign_in


class Clock:
    """The hour of the web in these tests."""

    @classmethod
    def now(cls, zone: tzinfo) -> datetime:
        return NOW.astimezone(zone)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, app: Application) -> dict[str, FlaskClient]:
    """Browsers of two families of a confirmed group, of its professional and of an officer."""
    monkeypatch.setattr("marketplace.web.datetime", Clock)
    browsers = {}
    with app.app_context():
        found_city(db.session)
        for code in ("n1", "n2"):
            add_need(db.session, code)
        found = proposed(db.session, [Group(["n1", "n2"])])
        slot = db.session.exec(select(Slot).where(Slot.round_id == found.id)).one()
        answer_slot(db.session, provider_of(slot), NOW, slot.id, True)
        for code in ("n1", "n2"):
            proposal = proposal_of(db.session, code)
            accept_proposal(db.session, family_of(proposal), NOW, proposal.id, proposal.cap_cents)
        settle(db.session, NOW, CITY, slot.id)
        whose: dict[str, tuple[Role, dict[str, object]]] = {
            "anna": (Role.FAMILY, {"household_id": proposal_of(db.session, "n1").household_id}),
            "bruno": (Role.FAMILY, {"household_id": proposal_of(db.session, "n2").household_id}),
            "teacher": (Role.PROVIDER, {"provider_id": slot.provider_id}),
            "officer": (Role.OFFICER, {}),
        }
        for name, (role, of) in whose.items():
            user = add_user(db.session, NOW, f"{name}@example.org", name)
            appoint(db.session, NOW, user.id, CITY, role, **of)  # type: ignore[arg-type]
            browsers[name] = (client := app.test_client())
            db.session.commit()
            sign_in(client, Actor(CITY, role, user.id))
    return browsers


def slot_id(app: Application) -> str:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return str(the_slot(db.session).id)


def test_a_message_is_written_reported_and_removed(app: Application, people: dict[str, FlaskClient]) -> None:
    page = f"/gruppi/{slot_id(app)}/messaggi"
    assert "Nessuno ha ancora scritto" in people["anna"].get(page).text
    key = re.search(r'name="key"[^>]*value="([^"]+)"', people["anna"].get(page).text).group(1)  # type: ignore[union-attr]
    for _ in range(2):  # a double tap
        assert people["anna"].post(page, data={"words": "<b>Ciao</b>", "key": key}).status_code == 303
    seen = people["teacher"].get(f"/lavoro{page}").text
    assert seen.count("&lt;b&gt;Ciao&lt;/b&gt;") == 1
    [report] = re.findall(r"/gruppi/messaggi/[0-9a-f-]+/segnala", people["bruno"].get(page).text)
    assert report not in people["anna"].get(page).text  # nobody reports oneself
    assert people["bruno"].post(report, data={"why": "non va"}).status_code == 303
    assert "Ciao" not in people["anna"].get(page).text
    [case] = re.findall(r"/comune/messaggi/[0-9a-f-]+", people["officer"].get("/comune/messaggi").text)
    assert "messaggio di un gruppo aspetta" in people["officer"].get("/comune").text
    assert "non va" in people["officer"].get(case).text
    assert people["officer"].post(f"{case}/togli").status_code == 303
    assert "Messaggio tolto dal Comune" in people["bruno"].get(page).text


def test_what_was_typed_stays_where_it_is_refused(app: Application, people: dict[str, FlaskClient]) -> None:
    page = f"/gruppi/{slot_id(app)}/messaggi"
    answer = people["anna"].post(page, data={"words": "x" * 1001})
    assert answer.status_code == 422
    assert "x" * 1001 in answer.text
    assert people["anna"].post(page, data={"words": " "}).status_code == 422
