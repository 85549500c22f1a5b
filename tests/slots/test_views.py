"""A family reads its proposal with the cap, answers once, and sees names and addresses only when all have confirmed."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from marketplace.accounts.models import Actor, Role, User
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.needs.models import Need, NeedState
from marketplace.slots.models import Attendance, Meeting, Presence, Proposal, ProposalState
from marketplace.slots.operations import accept_proposal, answer_slot
from marketplace.slots.settlement import settle
from tests.city import (
    CITY,
    NOW,
    Group,
    add_need,
    add_programme,
    add_provider,
    family_of,
    found_city,
    membership_of,
    proposal_of,
    proposed,
    provider_of,
    the_slot,
)
from tests.families import sign_in

CODES = ("n1", "n2", "n3")


class Clock:
    """The hour of the web in these tests."""

    at = NOW

    @classmethod
    def now(cls, zone):
        return cls.at.astimezone(zone)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Stop the clock; `clock.at` moves it."""
    monkeypatch.setattr("marketplace.web.datetime", Clock)
    monkeypatch.setattr(Clock, "at", NOW)
    return Clock


@pytest.fixture
def group(app, client):
    """A proposal to three families; the browser is the first one's. Gives the proposal's path."""
    with app.app_context():
        found_city(db.session)
        add_programme(db.session, 1_000_000)
        for code in CODES:
            add_need(db.session, code, isee_cents=900_000 if code == "n1" else None)
        proposed(db.session, [Group(CODES)])
        mine = proposal_of(db.session, "n1")
        user = add_user(db.session, NOW, "n1@example.org", "Anna")
        appoint(db.session, NOW, user.id, CITY, Role.FAMILY, household_id=mine.household_id)
        db.session.commit()
        path, who = f"/proposte/{mine.id}", Actor(CITY, Role.FAMILY, user.id)
    sign_in(client, who)
    return path


def in_city(app, work):
    """Do something in the whole city's session, and commit."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        db.session.expire_on_commit = False
        found = work(db.session)
        db.session.commit()
        return found


def state(app, code="n1"):
    return in_city(app, lambda session: proposal_of(session, code).state)


def confirm(app):
    """All others and the provider say yes, and the group is settled."""

    def work(session):
        for code in CODES:
            other = proposal_of(session, code)
            accept_proposal(session, family_of(other), NOW, other.id, other.cap_cents)
        slot = the_slot(session)
        answer_slot(session, provider_of(slot), NOW, slot.id, True)
        assert settle(session, NOW, CITY, slot.id)
        return slot.id

    return in_city(app, work)


def cap(app):
    return in_city(app, lambda session: proposal_of(session, "n1").cap_cents)


def test_a_proposal_says_first_until_when_and_what_it_costs_at_most(app, client, group):
    page = client.get(group).text.replace("\xa0", " ").replace("&#39;", "'")
    deadline, title = page.index("Rispondi entro mercoledì 25 novembre"), page.index("con Laura Neri</h1>")
    assert deadline < title
    for words in (
        "30,00 €",  # alone: (18 + 2) for an hour and a half
        "In 3, la tua quota",
        "13,00 €",  # (18 + 2 * 3 + 2) * 1.5 : 3
        "-6,50 €",
        "Paghi tu",
        "Tetto: ",
        "Accetta e paga, al massimo",
        "Non fa per me",
        "Siete in 3",
        "scuola superiore",
        "Scuola Vochieri",
        "Come si calcola",
        "39,00 €",
        "Prima data",
        "Ultima data",
    ):
        assert words in page, words


def test_no_neighbour_has_a_name_or_an_address_before_the_confirmation(app, client, group):
    page = client.get(group).text
    for words in ("Figlion2", "Figlion3", "Via Milano n2", "Famiglia n2"):
        assert words not in page
    confirm(app)
    slot_id = in_city(app, lambda session: the_slot(session).id)
    page = client.get(f"/gruppi/{slot_id}").text
    assert "Figlion2" in page
    for words in ("Via Milano n2", "Famiglia n2", "Secondo"):
        assert words not in page


def test_accepting_twice_is_accepting_once_and_the_page_waits_for_the_others(app, client, group):
    for _ in range(2):
        assert client.post(f"{group}/accetta", data={"cap_cents": cap(app)}).status_code == 303
    assert state(app) == ProposalState.ACCEPTED
    page = client.get(group).text
    assert "1 su 3 sì" in page
    assert "Accetta e paga" not in page
    assert "Aspettiamo gli altri" in client.get("/oggi").text


@pytest.mark.parametrize("figure", ["1", "", "abc", "-1"])
def test_consent_to_another_cap_is_none(app, client, group, figure):
    assert client.post(f"{group}/accetta", data={"cap_cents": figure}).status_code == 409
    assert state(app) == ProposalState.PROPOSED


def test_declining_is_free_and_the_need_waits_again(app, client, group):
    answer = client.post(f"{group}/rifiuta", data={"why": "orario", "words": "Ha calcio"})
    assert answer.location.startswith("/esigenze/")
    proposal = in_city(app, lambda session: proposal_of(session, "n1"))
    assert (proposal.state, proposal.reason) == (ProposalState.DECLINED, "orario: Ha calcio")
    need = in_city(app, lambda session: session.exec(select(Need).where(Need.code == "n1")).one())
    assert need.state == NeedState.OPEN
    assert client.post(f"{group}/rifiuta", data={}).status_code == 303
    assert "Hai rifiutato questa proposta" in client.get(group).text


def test_after_the_deadline_nothing_is_accepted(app, client, group, clock):
    clock.at = NOW + timedelta(days=9)
    assert client.post(f"{group}/accetta", data={"cap_cents": cap(app)}).status_code == 409
    assert state(app) == ProposalState.PROPOSED
    page = client.get(group).text
    assert "Il tempo per rispondere è scaduto" in page
    assert "Accetta e paga" not in page


def test_another_familys_proposal_is_not_there(app, client, group):
    others = in_city(app, lambda session: proposal_of(session, "n2").id)
    assert client.get(f"/proposte/{others}").status_code == 404
    assert client.post(f"/proposte/{others}/accetta", data={"cap_cents": "1"}).status_code == 404
    assert client.post(f"/proposte/{others}/rifiuta").status_code == 404
    assert client.get(f"/proposte/{others}/luogo.geojson").status_code == 404
    assert client.get("/proposte/none").status_code == 404


def test_the_map_shows_home_and_the_place(client, group):
    answer = client.get(f"{group}/luogo.geojson")
    assert answer.mimetype == "application/geo+json"
    labels = [one["properties"]["label"] for one in answer.json["features"]]
    assert labels == ["Casa tua", "Scuola Vochieri"]


def test_a_confirmed_group_has_dates_and_absences_are_reported_once(app, client, group):
    slot_id = confirm(app)
    page = client.get(f"/gruppi/{slot_id}").text
    assert "martedì 1 dicembre 2026, 16:00-17:30" in page
    first = in_city(app, lambda session: session.exec(select(Meeting).order_by(Meeting.held_on)).first())
    member = in_city(app, lambda session: membership_of(session, "n1").id)
    path = f"/calendario/{first.id}/{member}/assenza"
    assert "questo incontro non lo paghi" in client.get(path).text
    for _ in range(2):
        assert client.post(path, data={}).status_code == 303
    rows = in_city(app, lambda session: session.exec(select(Attendance)).all())
    assert [one.presence for one in rows] == [Presence.ABSENT_NOTIFIED]
    assert "Assente con avviso" in client.get(f"/gruppi/{slot_id}").text


def test_the_calendar_on_paper_and_on_the_phone_names_nobody(app, client, group):
    confirm(app)
    assert "martedì 1 dicembre 2026" in client.get("/calendario").text
    feed = client.get("/calendario.ics").text
    assert "BEGIN:VEVENT" in feed
    assert "DTSTART;TZID=Europe/Rome:20261201T160000" in feed
    for words in ("Figlio", "Anna", "Via Milano"):
        assert words not in feed


def test_leaving_says_from_when_and_is_done_once(app, client, group):
    slot_id = confirm(app)
    page = client.get(f"/gruppi/{slot_id}/lascia").text
    assert "Se lasci adesso, esci dal" in page
    for _ in range(2):
        assert client.post(f"/gruppi/{slot_id}/lascia", data={}).status_code == 303
    left = in_city(app, lambda session: session.get_one(Proposal, (CITY, proposal_of(session, "n1").id)).left_on)
    assert left == datetime(2026, 11, 24, tzinfo=UTC).date()


def test_the_start_page_puts_the_proposal_first_and_the_voucher_is_shown(app, client, group):
    page = client.get("/oggi").text
    assert "Guarda e decidi" in page
    page = client.get("/buoni").text
    assert "Il Comune paga il 50 % della tua quota" in page.replace("\xa0", " ")


@pytest.fixture
def register(app, client, group, clock):
    """The attendance page of a meeting that has just begun; the browser is the provider's from now on."""
    slot_id = confirm(app)
    meeting = in_city(app, lambda session: session.exec(select(Meeting).where(Meeting.slot_id == slot_id)).first())

    def provider(session):
        user = add_user(session, NOW, "laura@example.org", "Laura")
        own = provider_of(the_slot(session)).provider_id
        appoint(session, NOW, user.id, CITY, Role.PROVIDER, provider_id=own)
        return Actor(CITY, Role.PROVIDER, user.id)

    sign_in(client, in_city(app, provider))
    clock.at = meeting.starts_at + timedelta(minutes=5)
    return f"/lavoro/presenze/{meeting.id}"


def test_attendance_with_somebody_missing_says_so(app, client, register):
    members = in_city(app, lambda session: [membership_of(session, code).id for code in CODES])
    turned = client.post(register, follow_redirects=True)
    assert "Manca qualcuno" in turned.text and turned.request.path == register
    first = {f"presenza-{members[0]}": "absent_notified"}
    assert "Manca qualcuno" in client.post(register, data=first, follow_redirects=True).text
    done = client.post(register, data={"tutti": "1"}, follow_redirects=True)
    assert "Presenze segnate" in done.text and done.request.path == "/lavoro"
    kinds = in_city(app, lambda session: sorted(one.presence for one in session.exec(select(Attendance))))
    assert kinds == [Presence.ABSENT_NOTIFIED, Presence.PRESENT, Presence.PRESENT]
    assert "La famiglia ha avvisato" not in client.get(register).text  # the provider said so, after the beginning


@pytest.mark.parametrize("value", ["-1", "-90", "PRESENT", "presente"])
def test_an_attendance_that_is_none_of_the_answers_is_asked_again_and_not_recorded(app, client, register, value):
    members = in_city(app, lambda session: [membership_of(session, code).id for code in CODES])
    said = {f"presenza-{one}": "present" for one in members} | {f"presenza-{members[0]}": value}
    assert "Manca qualcuno" in client.post(register, data=said, follow_redirects=True).text
    recorded = in_city(app, lambda session: {one.membership_id for one in session.exec(select(Attendance))})
    assert recorded == set(members[1:])


def test_what_the_family_wrote_for_whoever_does_the_service_is_on_its_sheet(app, client, register):
    def write(session):
        session.get_one(Need, (CITY, membership_of(session, "n1").need_id)).notes = "Allergia alle noci"
        session.commit()

    assert "Da sapere" not in client.get(register).text
    in_city(app, write)
    assert "Allergia alle noci" in client.get(register).text


def test_a_provider_who_is_ill_seeks_and_a_colleague_takes_it(app, client, register, clock):
    clock.at -= timedelta(days=1)
    meeting_id = register.rsplit("/", 1)[1]

    def colleague(session):
        user = add_user(session, NOW, "marco@example.org", "Marco")
        appoint(session, NOW, user.id, CITY, Role.PROVIDER, provider_id=add_provider(session, "q2").id)
        session.commit()
        return Actor(CITY, Role.PROVIDER, user.id)

    who = in_city(app, colleague)
    assert f"{register}/annulla" in client.get(register).text
    assert "Cerca chi ti sostituisce" in client.get(f"{register}/annulla").text
    wrong = client.post("/lavoro/assenza", data={"first": "2026-12-05", "last": "2026-12-01"})
    assert (wrong.status_code, "ultimo giorno viene dopo" in wrong.text) == (422, True)
    day = clock.at.date() + timedelta(days=1)
    done = client.post("/lavoro/assenza", data={"first": str(day), "last": str(day)}, follow_redirects=True)
    assert "Cerchiamo chi tenga 1 incontro" in done.text
    assert "Cerchiamo chi lo tenga al tuo posto" in client.get(register).text
    other = app.test_client()
    sign_in(other, who)
    assert "1 incontro cerca chi lo tenga" in other.get("/lavoro").text
    page = other.get("/lavoro/sostituzioni").text
    assert "Lo tengo io" in page and "Figlio" not in page
    assert "è tuo" in other.post(f"/lavoro/sostituzioni/{meeting_id}", follow_redirects=True).text
    assert other.get(register).status_code == 200 and client.get(register).status_code == 404
    second = other.post(f"/lavoro/sostituzioni/{meeting_id}", follow_redirects=True)
    assert second.status_code == 200


def test_a_provider_moves_a_meeting_from_its_page_and_the_family_reads_it(app, client, register, clock, group):
    clock.at -= timedelta(days=1)
    page = client.get(f"{register}/annulla").text
    assert "Oppure spostalo" in page
    day = re.search(r'name="giorno" value="([0-9-]+)"', page).group(1)
    assert client.post(f"{register}/sposta", data={"giorno": "domani"}).status_code == 422
    done = client.post(f"{register}/sposta", data={"giorno": day}, follow_redirects=True)
    assert "Spostato. Le famiglie" in done.text

    def mother(session):
        return session.exec(select(User).where(User.email == "n1@example.org")).one()

    family = app.test_client()
    sign_in(family, Actor(CITY, Role.FAMILY, in_city(app, lambda session: mother(session).id)))
    slot_id = in_city(app, lambda session: the_slot(session).id)
    assert "Spostato in questo giorno" in family.get(f"/gruppi/{slot_id}").text
