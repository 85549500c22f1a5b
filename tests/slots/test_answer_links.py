"""The link of a message answers its one proposal, up to the cap that was read; a changed link opens nothing."""

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.db import Scope, db, set_scope
from marketplace.messages.models import Message
from marketplace.slots.answer_links import answer_secret
from marketplace.slots.models import Proposal, ProposalState
from marketplace.web import Application
from tests.city import CITY, NOW, Group, add_need, found_city, proposal_of, proposed


@pytest.fixture
def link(app: Application, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path that the family of n1 was sent."""

    class Clock:
        @staticmethod
        def now(zone):
            return NOW.astimezone(zone)

    monkeypatch.setattr("marketplace.web.datetime", Clock)
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        proposed(db.session, [Group(["n1"])])
        path = f"/rispondi/{answer_secret(CITY, proposal_of(db.session, 'n1').id)}"
        bodies = [one.body for one in db.session.exec(select(Message))]
        db.session.commit()
    assert any(path in body for body in bodies)
    return path


def state(app: Application) -> ProposalState:
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        return db.session.exec(select(Proposal.state)).one()


def test_a_stranger_s_browser_accepts_what_it_has_read_and_sees_no_name(
    app: Application, client: FlaskClient, link: str
) -> None:
    page = client.get(link)
    assert page.headers["Cache-Control"] == "no-store"
    assert "Famiglia n1" not in page.text
    assert state(app) == ProposalState.PROPOSED
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        cap = proposal_of(db.session, "n1").cap_cents
    assert f'name="cap_cents" value="{cap}"' in page.text
    assert client.post(link, data={"cap_cents": cap + 1}).status_code == 409
    assert client.post(link, data={"cap_cents": cap}).status_code == 303
    assert state(app) == ProposalState.ACCEPTED
    assert "Hai accettato" in client.get(link).text
    assert client.get("/oggi").location.startswith("/entra")


def test_it_declines_too(app: Application, client: FlaskClient, link: str) -> None:
    assert client.post(link, data={"rifiuta": "1"}).status_code == 303
    assert state(app) == ProposalState.DECLINED
    assert "Hai rifiutato" in client.get(link).text


@pytest.mark.parametrize("change", [lambda link: link[:-1] + "_", lambda link: link[:-5], lambda link: "/rispondi/x"])
def test_a_changed_link_opens_nothing(client: FlaskClient, link: str, change) -> None:
    assert client.get(change(link)).status_code == 404
    assert client.post(change(link), data={"rifiuta": "1"}).status_code == 404
