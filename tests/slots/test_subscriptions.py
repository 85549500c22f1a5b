"""A phone reads the calendar at a secret address, until it is revoked or its owner is out of the household."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar
from sqlmodel import select

from marketplace.accounts.models import Actor, Appointment, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.slots.models import CalendarFeed, Slot
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from marketplace.web import Application
from tests.city import CITY, NOW, Group, add_need, family_of, found_city, proposal_of, proposed, provider_of
from tests.families import sign_in


@pytest.fixture
def parent(app: Application, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A parent's browser, on the day of the tests; the family's group is confirmed."""

    class Clock:
        @staticmethod
        def now(zone):
            return NOW.astimezone(zone)

    monkeypatch.setattr("marketplace.web.datetime", Clock)
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        proposed(db.session, [Group(["n1"])])
        slot = db.session.exec(select(Slot)).one()
        answer_slot(db.session, provider_of(slot), NOW, slot.id, True)
        mine = proposal_of(db.session, "n1")
        accept_proposal(db.session, family_of(mine), NOW, mine.id, mine.cap_cents)
        settle(db.session, NOW, CITY, slot.id)
        user = add_user(db.session, NOW, "n1@example.org", "Anna")
        user.locale = "en"
        appoint(db.session, NOW, user.id, CITY, Role.FAMILY, household_id=mine.household_id)
        db.session.commit()
        who = Actor(CITY, Role.FAMILY, user.id)
    sign_in(client, who)
    return client


def address(app: Application) -> str:
    """The path of the address that stands."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        feed = db.session.exec(select(CalendarFeed).where(CalendarFeed.revoked_at == None)).one()  # noqa: E711
        return f"/calendario/{CITY}/{feed.secret}.ics"


def test_whoever_has_the_address_reads_the_dates_without_names_in_the_owners_language(
    app: Application, parent: FlaskClient
) -> None:
    for _tap in range(2):
        page = parent.post("/calendario/indirizzo", follow_redirects=True).text
    path = address(app)
    assert f"webcal://localhost{path}" in page
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    events = Calendar.from_ical(answer.data).walk("VEVENT")
    assert len(events) > 20
    assert events[0]["summary"] == "Help with studying"
    assert events[0].decoded("dtstart").tzinfo.key == "Europe/Rome"
    assert not any(name in answer.text for name in ("Figlion1", "Anna", "Neri", "Via Milano"))


def test_a_revoked_address_shows_nothing_and_the_next_one_is_another(app: Application, parent: FlaskClient) -> None:
    parent.post("/calendario/indirizzo")
    path = address(app)
    parent.post("/calendario/indirizzo/annulla")
    assert app.test_client().get(path).status_code == 404
    parent.post("/calendario/indirizzo")
    assert address(app) != path


def test_an_address_ends_with_its_owners_place_in_the_household(app: Application, parent: FlaskClient) -> None:
    parent.post("/calendario/indirizzo")
    path = address(app)
    with app.app_context():
        db.session.exec(select(Appointment)).one().ended_at = NOW + timedelta(minutes=1)
        db.session.commit()
    assert app.test_client().get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"/calendario/{CITY}/x.ics", 404), ("/calendario/051002/x.ics", 404), ("/calendario/x/%00.ics", 422)],
)
def test_a_guessed_address_shows_nothing(parent: FlaskClient, path: str, status: int) -> None:
    parent.post("/calendario/indirizzo")
    assert parent.get(path).status_code == status


def test_the_secret_lies_sealed(app: Application, parent: FlaskClient) -> None:
    parent.post("/calendario/indirizzo")
    secret = address(app).rsplit("/", 1)[1].removesuffix(".ics")
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        row = db.session.connection().exec_driver_sql("select secret, secret_index from calendar_feed").one()
    assert not any(secret.encode() in bytes(value) for value in row)
