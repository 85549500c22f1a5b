"""A passkey gets in by itself, in both steps, where it was made for, once; a copy, a replay or a lie gets nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_security.utils import hash_password
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from marketplace.accounts import passkeys
from marketplace.accounts.commands import reset_second_step
from marketplace.accounts.jobs import forget
from marketplace.accounts.models import AuditEntry, Challenge, Municipality, Passkey, Role, SignedIn, User, Way
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.installation import Installation
from marketplace.jobs import defer, run_waiting
from marketplace.messages.models import Message
from marketplace.web import Application
from tests.city import CITY, NOW, found_city
from tests.passkeys import PRESENT, VERIFIED, Device, bytes_of, text_of
from tests.signing import give_set_up_code

PASSWORD = "una frase lunga"
RP, ORIGIN = "localhost", "http://localhost:8000"


@pytest.fixture
def city(app: Application) -> Application:
    """A municipality, with an officer and somebody without any role, both with a password."""
    with app.app_context():
        found_city(db.session)
        for name in ("officer", "anna"):
            user = add_user(db.session, datetime.now(UTC), f"{name}@example.org", name)
            user.password = hash_password(PASSWORD)
            if name == "officer":
                appoint(db.session, datetime.now(UTC), user.id, CITY, Role.OFFICER)
        db.session.commit()
    return app


def by_password(app: Application, name: str) -> FlaskClient:
    client = app.test_client()
    answer = client.post("/entra/password", data={"email": f"{name}@example.org", "password": PASSWORD})
    assert answer.status_code == 303
    return client


def device(**told: Any) -> Device:
    return Device(**{"origin": ORIGIN, "rp_id": RP} | told)


def options(client: FlaskClient, address: str = "/entra/passkey/domanda") -> dict[str, Any]:
    answer = client.post(address)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def add(client: FlaskClient, phone: Device, name: str = "telefono") -> int:
    if "/accesso/attiva" in (client.get("/accesso/passkey").location or ""):
        give_set_up_code(client, "officer@example.org")
    made = phone.make(options(client, "/accesso/passkey/domanda"))
    return client.post("/accesso/passkey", data={"name": name, "credential": made}).status_code


def enter(app: Application, phone: Device) -> FlaskClient | None:
    client = app.test_client()
    answer = client.post("/entra/passkey", data={"credential": phone.sign(options(client))})
    assert answer.status_code in (303, 422)
    return client if answer.status_code == 303 else None


@pytest.fixture
def annas(city: Application) -> Iterator[Device]:
    """A phone with anna's passkey."""
    phone = device()
    assert add(by_password(city, "anna"), phone) == 303
    yield phone


def test_a_passkey_gets_in_and_remembers_when(city: Application, annas: Device) -> None:
    client = city.test_client()
    wanted = {"credential": annas.sign(options(client)), "wanted": "/accesso"}
    assert client.post("/entra/passkey", data=wanted).location == "/accesso"
    page = client.get("/accesso").text
    assert "telefono" in page
    assert "con una passkey" in page
    with city.app_context():
        passkey = db.session.exec(select(Passkey)).one()
        assert passkey.used_at is not None
        assert passkey.sign_count == annas.count == 1
        assert db.session.exec(select(SignedIn).where(SignedIn.way == Way.PASSKEY)).one().is_strong


def test_it_never_leads_to_another_site(city: Application, annas: Device) -> None:
    client = city.test_client()
    sent = {"credential": annas.sign(options(client)), "wanted": "//evil.example"}
    assert client.post("/entra/passkey", data=sent).location == "/"


def test_an_officer_needs_no_code_besides(city: Application) -> None:
    client, phone = by_password(city, "officer"), device()
    assert client.get("/comune").location.startswith("/accesso/due-passaggi")
    assert add(client, phone) == 303
    assert client.get("/comune").status_code == 200
    again = enter(city, phone)
    assert again is not None
    assert again.get("/comune").status_code == 200


def test_an_officers_password_alone_then_opens_nothing(city: Application) -> None:
    phone = device()
    add(by_password(city, "officer"), phone)
    client = by_password(city, "officer")
    for address in ("/comune", "/accesso", "/accesso/due-passaggi", "/accesso/passkey", "/benvenuto"):
        assert client.get(address).location.startswith("/accesso/codice"), address
    assert client.post("/accesso/passkey/domanda").location.startswith("/accesso/codice")
    sent = {"credential": phone.sign(options(client)), "wanted": "/comune/registro"}
    assert client.post("/accesso/passkey/conferma", data=sent).location == "/comune/registro"
    assert client.get("/comune").status_code == 200


def test_somebody_elses_passkey_is_no_second_step(city: Application, annas: Device) -> None:
    add(by_password(city, "officer"), device())
    client = by_password(city, "officer")
    answer = client.post("/accesso/passkey/conferma", data={"credential": annas.sign(options(client))})
    assert answer.status_code == 422
    assert "Questa passkey qui non vale" in answer.text
    assert client.get("/comune").location.startswith("/accesso/codice")


def test_what_a_passkey_signed_counts_once(city: Application, annas: Device) -> None:
    client = city.test_client()
    sent = {"credential": annas.sign(options(client))}
    assert client.post("/entra/passkey", data=sent).status_code == 303
    client.post("/esci")
    again = client.post("/entra/passkey", data=sent)
    assert again.status_code == 422
    assert "già stata usata" in again.text


def test_a_refused_answer_spends_its_challenge_too(city: Application, annas: Device) -> None:
    client = city.test_client()
    asked = options(client)
    forged = device(handle=annas.handle, credential_id=annas.credential_id)
    assert client.post("/entra/passkey", data={"credential": forged.sign(asked)}).status_code == 422
    assert client.post("/entra/passkey", data={"credential": annas.sign(asked)}).status_code == 422
    assert enter(city, annas) is not None


def test_another_browsers_challenge_does_not_count(city: Application, annas: Device) -> None:
    asked = options(city.test_client())
    other = city.test_client()
    options(other)
    assert other.post("/entra/passkey", data={"credential": annas.sign(asked)}).status_code == 422


def test_a_challenge_for_adding_signs_nobody_in_and_the_other_way_round(city: Application, annas: Device) -> None:
    client = by_password(city, "anna")
    for_new = options(client, "/accesso/passkey/domanda")
    sent = {"credential": annas.sign(for_new | {"userVerification": "required"})}
    assert client.post("/entra/passkey", data=sent).status_code == 422
    for_entering = options(client) | {k: for_new[k] for k in ("user", "authenticatorSelection")}
    sent = {"name": "x", "credential": device().make(for_entering)}
    assert client.post("/accesso/passkey", data=sent).status_code == 422


def test_a_challenge_ends(session: Session) -> None:
    found_city(session)
    user, phone = add_user(session, NOW, "a@example.org", "a"), device()
    site = passkeys.site_of(session, ORIGIN)
    assert site is not None
    made = phone.make(json.loads(passkeys.ask_for_new(session, NOW, site, "b", user)))
    late = NOW + passkeys.LASTS
    assert isinstance(passkeys.add_passkey(session, late, site, "b", user, "x", made), passkeys.TooLate)
    last = late - timedelta(seconds=1)
    assert isinstance(passkeys.add_passkey(session, last, site, "b", user, "x", made), Passkey)
    signed = phone.sign(json.loads(passkeys.ask(session, NOW, site, "b")))
    assert isinstance(passkeys.recognise(session, late, site, "b", signed), passkeys.TooLate)


LIES = {
    "another origin": {"origin": "http://localhost:8000.evil.example"},
    "another port": {"origin": "http://localhost:8001"},
    "another domain": {"rp_id": "evil.example"},
    "an owner who was not recognised": {"flags": PRESENT},
    "nobody there": {"flags": VERIFIED},
    "a user who is not the owner": {"handle": b"0123456789abcdef"},
    "no user": {"handle": b""},
    "a counter that went back": {"count": -1},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_told_like_an_unknown_passkey(city: Application, annas: Device, lie: str) -> None:
    if lie == "a counter that went back":
        enter(city, annas)
    for name, value in LIES[lie].items():
        setattr(annas, name, value)
    texts = []
    for phone in (annas, device(handle=annas.handle)):
        client = city.test_client()
        answer = client.post("/entra/passkey", data={"credential": phone.sign(options(client))})
        assert answer.status_code == 422
        assert client.get("/accesso").location.startswith("/entra")
        texts.append(answer.text[answer.text.index("<main") : answer.text.index("<form")])
    assert texts[0] == texts[1]
    assert "Entra con un link via e-mail, poi aggiungila di nuovo" in texts[0]


@pytest.mark.parametrize("lie", list(LIES)[:5])
def test_no_passkey_is_added_by_a_lie(city: Application, lie: str) -> None:
    assert add(by_password(city, "anna"), device(**LIES[lie])) == 422
    with city.app_context():
        assert db.session.exec(select(Passkey)).all() == []


def test_a_copy_of_a_device_is_noticed_by_its_counter(city: Application, annas: Device) -> None:
    copy = device(handle=annas.handle, credential_id=annas.credential_id, key=annas.key)
    assert enter(city, annas) is not None
    assert enter(city, annas) is not None
    assert enter(city, copy) is None
    assert enter(city, annas) is not None


def test_devices_that_keep_no_count_get_in_again_and_again(city: Application, annas: Device) -> None:
    for _ in range(2):
        annas.count = -1  # it signs 0
        assert enter(city, annas) is not None


def test_a_closed_account_has_no_way_in(city: Application, annas: Device) -> None:
    with city.app_context():
        db.session.exec(select(User).where(User.email == "anna@example.org")).one().active = False
        db.session.commit()
    assert enter(city, annas) is None


def test_the_challenge_is_the_same_for_everybody_and_names_nobody(city: Application, annas: Device) -> None:
    asked = options(city.test_client())
    assert asked.get("allowCredentials", []) == []
    assert len(bytes_of(asked["challenge"])) == 32
    assert asked["challenge"] != options(city.test_client())["challenge"]
    with city.app_context():
        kept = db.session.exec(select(Challenge)).all()
        assert all(bytes_of(asked["challenge"]) != one.challenge_hash for one in kept)


def test_one_has_several_named_and_removes_one(city: Application, annas: Device) -> None:
    client, key = by_password(city, "anna"), device()
    assert add(client, key, "") == 422
    assert add(client, key, "chiave <blu>") == 303
    assert add(client, annas, "di nuovo") == 422  # it is there already
    page = client.get("/accesso").text
    assert "chiave &lt;blu&gt;" in page
    assert "telefono" in page
    with city.app_context():
        first = db.session.exec(select(Passkey.id).order_by(col(Passkey.created_at))).first()
    assert client.get(f"/accesso/passkey/{first}/togli").status_code == 200
    assert client.post(f"/accesso/passkey/{first}/togli").status_code == 303
    assert enter(city, annas) is None
    assert enter(city, key) is not None


def test_nobody_removes_anothers(city: Application, annas: Device) -> None:
    officer = by_password(city, "officer")
    add(officer, device())
    with city.app_context():
        annas_id = db.session.exec(select(Passkey.id).where(Passkey.credential_id == annas.credential_id)).one()
    assert officer.get(f"/accesso/passkey/{annas_id}/togli").status_code == 404
    assert officer.post(f"/accesso/passkey/{annas_id}/togli").status_code == 404
    assert enter(city, annas) is not None


def test_who_must_have_two_steps_keeps_one(city: Application) -> None:
    client, phone = by_password(city, "officer"), device()
    add(client, phone)
    with city.app_context():
        mine = db.session.exec(select(Passkey.id)).one()
    refused = client.post(f"/accesso/passkey/{mine}/togli")
    assert refused.status_code == 422
    assert "prima aggiungine un'altra" in refused.text or "prima aggiungine un&#39;altra" in refused.text
    add(client, device(), "chiave")
    assert client.post(f"/accesso/passkey/{mine}/togli").status_code == 303
    assert enter(city, phone) is None


def test_ways_in_are_changed_soon_after_signing_in_only(city: Application, annas: Device) -> None:
    client = by_password(city, "anna")
    made = device().make(options(client, "/accesso/passkey/domanda"))
    with city.app_context():
        mine = db.session.exec(select(Passkey.id)).one()
        for row in db.session.exec(select(SignedIn)):
            row.started_at -= timedelta(minutes=16)
        db.session.commit()
    assert "per sicurezza" in client.get("/accesso/passkey").text
    assert client.post("/accesso/passkey/domanda").status_code == 422
    client.post("/accesso/passkey", data={"name": "x", "credential": made})
    client.post(f"/accesso/passkey/{mine}/togli")
    with city.app_context():
        assert db.session.exec(select(Passkey.id)).one() == mine


def test_adding_and_removing_are_on_record_and_told(city: Application, annas: Device) -> None:
    client = by_password(city, "anna")
    with city.app_context():
        mine = db.session.exec(select(Passkey.id)).one()
    client.post(f"/accesso/passkey/{mine}/togli")
    with city.app_context():
        set_scope(db.session, Scope(CITY))
        told = db.session.exec(select(Message.recipient)).all()
        assert told == ["anna@example.org"] * 2
        actions = db.session.exec(select(AuditEntry.action).order_by(col(AuditEntry.at))).all()
        assert actions == ["add_passkey", "remove_passkey"]


def test_there_are_at_most_ten(city: Application) -> None:
    client = by_password(city, "anna")
    for number in range(passkeys.PASSKEYS_MAX):
        assert add(client, device(), f"{number}") == 303
    assert client.post("/accesso/passkey/domanda").status_code == 409


def test_passkeys_may_not_be_tried_for_long(city: Application) -> None:
    client = city.test_client()
    from_one = {"REMOTE_ADDR": "192.0.2.7"}
    tries = [
        client.post("/entra/passkey", data={"credential": "{}"}, environ_overrides=from_one).status_code
        for _ in range(102)
    ]
    assert tries == [422] * 100 + [429] * 2


def test_who_lost_everything_starts_again(city: Application) -> None:
    phone = device()
    add(by_password(city, "officer"), phone)
    with city.app_context():
        reset_second_step(
            db.session, datetime.now(UTC), CITY, "officer@example.org", "identity card", lambda line: None
        )
    assert enter(city, phone) is None
    assert by_password(city, "officer").get("/comune").location.startswith("/accesso/due-passaggi")


def test_challenges_that_nobody_signed_are_forgotten(city: Application, installation: Installation) -> None:
    with city.app_context():
        site = passkeys.site_of(db.session, ORIGIN)
        assert site is not None
        for when in (datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC)):
            passkeys.ask(db.session, when, site, "b")
        set_scope(db.session, Scope(CITY))
        defer(db.session, forget, CITY)
        db.session.commit()
    run_waiting(city, installation.app_url)
    with city.app_context():
        assert len(db.session.exec(select(Challenge)).all()) == 1


def test_the_domain_is_that_of_the_public_address(session: Session) -> None:
    found_city(session)
    for host in ("reggio.condiviso.example", "altro.example", "xcondiviso.example"):
        code = {"reggio.condiviso.example": "035034", "altro.example": "035035"}.get(host, "035036")
        session.add(Municipality(id=code, name=host, host=host, lat=44.7, lon=10.6, created_at=NOW))
    session.flush()
    site = passkeys.site_of(session, "https://condiviso.example")
    assert site == passkeys.Site("condiviso.example", ("https://condiviso.example", "https://reggio.condiviso.example"))
    assert site.serves("reggio.condiviso.example")
    assert not site.serves("altro.example")
    assert passkeys.site_of(session, "http://127.0.0.1:8000") == passkeys.Site(RP, (ORIGIN,))
    assert passkeys.site_of(session, "http://192.0.2.7") is None


def test_pages_offer_passkeys_only_where_they_work(city: Application) -> None:
    client = by_password(city, "anna")
    for host, works in (("localhost:8000", True), ("127.0.0.1:8000", False)):
        here = {"base_url": f"http://{host}"}
        assert ("Entra con una passkey" in city.test_client().get("/entra", **here).text) == works
    assert ORIGIN in client.get("/accesso/passkey").text  # the address where they do


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary().map(text_of),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "userHandle"]), inner)
    ),
    max_leaves=8,
)


@given(sent=ANYTHING.map(json.dumps) | st.text())
def test_nonsense_is_refused_and_breaks_nothing(engine: Any, sent: str) -> None:
    with Session(engine) as session:
        site = passkeys.Site(RP, (ORIGIN,))
        assert isinstance(passkeys.recognise(session, NOW, site, "b", sent), passkeys.TooLate)
        session.rollback()


@given(parts=st.dictionaries(st.sampled_from(["attestationObject", "transports", "id", "rawId", "type"]), ANYTHING))
def test_nonsense_around_a_right_challenge_is_refused(engine: Any, parts: dict[str, Any]) -> None:
    with Session(engine) as session:
        user = add_user(session, NOW, "a@example.org", "a")
        site, phone = passkeys.Site(RP, (ORIGIN,)), device()
        made = json.loads(phone.make(json.loads(passkeys.ask_for_new(session, NOW, site, "b", user))))
        made["response"] |= {k: v for k, v in parts.items() if k in ("attestationObject", "transports")}
        made |= {k: v for k, v in parts.items() if k not in ("attestationObject", "transports")}
        found = passkeys.add_passkey(session, NOW, site, "b", user, "x", json.dumps(made))
        assert isinstance(found, (passkeys.NotAdded, Passkey))
        session.rollback()
