"""A provider applies with documents, an officer decides, and every decision stays on record."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Appointment, Municipality, Role
from marketplace.accounts.sign_in import add_user
from marketplace.db import Scope, db, set_scope
from marketplace.errors import Conflict, Forbidden, Rejected
from marketplace.providers import operations as providers
from marketplace.providers.details import Profile, Terms
from marketplace.providers.models import Accreditation, DocumentKind, Provider
from marketplace.web import Application

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TODAY = NOW.date()
CITY = "035033"
PDF = b"%PDF-1.7 ..."
PROFILE = Profile(
    name="Laura Neri",
    tax_code="RSSMRA85D41A794Y",
    email="laura@example.org",
    phone="347 1234567",
    address="Via Emilia 1",
    lat=44.7,
    lon=10.63,
    travel_km_max="5",
    languages=("it",),
    qualifications=("insegnante",),
    visits_homes=False,
    venue_ids=(),
)
TERMS = Terms("tutoring", ("maths",), 6, 13, 0, 99, 1, 5, 1800, 250, 60)


@pytest.fixture
def provider(session: Session) -> Actor:
    """The actor of a provider that has just begun its application."""
    set_scope(session, Scope())
    session.add(Municipality(id=CITY, name="Reggio Emilia", lat=44.7, lon=10.6, created_at=NOW))
    session.flush()
    set_scope(session, Scope(CITY))
    user = add_user(session, NOW, "laura@example.org", "Laura Neri")
    began = providers.apply_as_provider(session, Actor(CITY, user_id=user.id), NOW, PROFILE)
    return Actor(CITY, Role.PROVIDER, user.id, provider_id=began.id)


def officer(session: Session) -> Actor:
    return Actor(CITY, Role.OFFICER, add_user(session, NOW, "ufficio@example.org", "").id)


def complete(session: Session, by: Actor) -> None:
    providers.add_offer(session, by, NOW, TERMS, TODAY)
    providers.set_hours(session, by, NOW, [{"day": 0, "start": 900, "end": 1140}])
    for kind in providers.REQUIRED_DOCUMENTS:
        providers.add_document(session, by, NOW, kind, "a.pdf", PDF, date(2027, 5, 1))


def test_an_application_is_sent_only_when_complete_and_only_once(session: Session, provider: Actor) -> None:
    with pytest.raises(Rejected):
        providers.submit_application(session, provider, NOW, TODAY)
    complete(session, provider)
    for _ in range(2):
        assert providers.submit_application(session, provider, NOW, TODAY).accreditation == Accreditation.APPLIED
    states = [one.state for one in providers.list_decisions(session, providers.get_own(session, provider))]
    assert sorted(states) == ["applied", "draft"]


def test_an_expired_certificate_does_not_complete_an_application(session: Session, provider: Actor) -> None:
    with pytest.raises(Rejected) as refused:
        yesterday = TODAY - timedelta(days=1)
        providers.add_document(session, provider, NOW, DocumentKind.CRIMINAL_RECORD, "a.pdf", PDF, yesterday)
    assert refused.value.field == "expires"
    providers.add_document(session, provider, NOW, DocumentKind.CRIMINAL_RECORD, "a.pdf", PDF, TODAY)
    own = providers.get_own(session, provider)
    for day, done in ((TODAY, True), (TODAY + timedelta(days=1), False)):
        tasks = providers.tasks_of(session, own, day)
        assert [task.done for task in tasks if "casellario" in task.label] == [done]


def test_an_officer_accredits_with_a_valid_certificate_and_says_why_when_not(session: Session, provider: Actor) -> None:
    complete(session, provider)
    providers.submit_application(session, provider, NOW, TODAY)
    by, own = officer(session), provider.provider_id
    assert own is not None
    with pytest.raises(Forbidden):
        providers.decide(session, provider, NOW, own, Accreditation.ACCREDITED)
    for expires in (None, date(2026, 11, 22)):
        with pytest.raises(Rejected):
            providers.decide(session, by, NOW, own, Accreditation.ACCREDITED, certificate_expires=expires)
    with pytest.raises(Rejected):
        providers.decide(session, by, NOW, own, Accreditation.REFUSED, reason="  ")
    decided = providers.decide(session, by, NOW, own, Accreditation.ACCREDITED, certificate_expires=date(2027, 5, 1))
    assert decided.is_accredited(TODAY)
    with pytest.raises(Conflict):
        providers.decide(session, by, NOW, own, Accreditation.REFUSED, reason="troppo tardi")
    assert providers.expire_certificates(session, by, NOW, date(2027, 5, 1)) == 0
    assert providers.expire_certificates(session, by, NOW, date(2027, 5, 2)) == 1
    assert not decided.is_accredited(date(2027, 5, 2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra": {"extra_seat_cents_per_hour": 1801}},
        {"seats_max": {"seats_min": 6}},
        {"level_max": {"level_min": 13, "level_max": 1}},
        {"age_max": {"age_min": 20, "age_max": 10}},
    ],
)
def test_an_impossible_offer_is_refused(session: Session, provider: Actor, wrong: dict[str, dict[str, int]]) -> None:
    [(field, terms)] = wrong.items()
    with pytest.raises(Rejected) as refused:
        providers.add_offer(session, provider, NOW, replace(TERMS, **terms), TODAY)
    assert refused.value.field == field
    assert providers.list_offers(session, providers.get_own(session, provider)) == []


@pytest.mark.parametrize("content", [b"<html>", b"MZ\x90", b""])
def test_only_pdf_and_photos_are_taken(session: Session, provider: Actor, content: bytes) -> None:
    with pytest.raises(Rejected):
        providers.add_document(session, provider, NOW, DocumentKind.IDENTITY, "x.pdf", content, None)


def test_name_and_tax_code_stay_after_the_application_is_sent(session: Session, provider: Actor) -> None:
    complete(session, provider)
    providers.submit_application(session, provider, NOW, TODAY)
    providers.change_profile(session, provider, NOW, replace(PROFILE, phone="347 7654321"))
    with pytest.raises(Conflict):
        providers.change_profile(session, provider, NOW, replace(PROFILE, name="Un altro"))


def sign_in(app: Application, client: FlaskClient, email: str, role: Role | None = None) -> None:
    with app.app_context():
        set_scope(db.session, Scope())
        if db.session.get(Municipality, CITY) is None:
            db.session.add(Municipality(id=CITY, name="Reggio Emilia", lat=44.7, lon=10.6, created_at=NOW))
        user = add_user(db.session, NOW, email, "Laura Neri")
        if role:
            db.session.add(Appointment(user_id=user.id, municipality_id=CITY, role=role, created_at=NOW))
        db.session.commit()
        with client.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = user.fs_uniquifier, True


def test_the_whole_application_in_the_browser(app: Application, client: FlaskClient) -> None:
    sign_in(app, client, "laura@example.org")
    answer = client.post(
        "/lavoro/accreditamento/dati",
        data={
            "name": "Laura Neri",
            "tax_code": "rssmra85d41a794y",
            "email": "laura@example.org",
            "phone": "347 1234567",
            "address": "Via Emilia 1",
            "travel_km_max": "5",
            "languages": ["it"],
        },
    )
    assert answer.location == "/lavoro/accreditamento"
    offer = {
        **{"service": "tutoring", "topics": ["maths"], "level_min": "6", "level_max": "13", "age_min": "0"},
        **{"age_max": "99", "seats_min": "1", "seats_max": "5", "rate": "18", "extra": "2,50", "minutes_min": "60"},
    }
    assert client.post("/lavoro/offerte", data=offer).status_code == 303
    assert client.post("/lavoro/offerte", data={**offer, "rate": "gratis"}).status_code == 422
    turned = client.post("/lavoro/offerte", data={**offer, "age_min": "20", "age_max": "10"})
    assert "Età, fino a: L&#39;età minima non può superare la massima." in turned.text
    hours = {"ore_giorni": ["0", "2"], "ore_fascia": "960-1140"}
    assert client.post("/lavoro/orari", data=hours).status_code == 303
    for kind in providers.REQUIRED_DOCUMENTS:
        data = {"kind": kind.value, "file": (BytesIO(PDF), "a.pdf"), "expires": "2099-05-01"}
        assert client.post("/lavoro/accreditamento/documenti", data=data).status_code == 303
    assert client.post("/lavoro/accreditamento/invia").status_code == 303
    assert "Domanda inviata" in client.get("/lavoro/accreditamento").text

    desk = app.test_client()
    sign_in(app, desk, "ufficio@example.org", Role.OFFICER)
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        own = db.session.exec(select(Provider.id)).one()
    assert "Laura Neri" in desk.get("/comune/accreditamenti").text
    page = desk.get(f"/comune/accreditamenti/{own}")
    assert "RSSMRA85D41A794Y" in page.text
    refused = desk.post(f"/comune/accreditamenti/{own}", data={"decisione": "refused", "reason": ""})
    assert refused.status_code == 422
    decided = desk.post(
        f"/comune/accreditamenti/{own}", data={"decisione": "accredited", "certificate_expires": "2099-05-01"}
    )
    assert decided.status_code == 303
    assert "Sei tra i professionisti accreditati" in client.get("/lavoro/accreditamento").text
