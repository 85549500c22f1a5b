"""Two steps for whoever sees many people's data, each code once; and every open session can be ended."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from flask_security.utils import hash_password
from passlib.totp import TOTP
from sqlmodel import Session, col, select

from marketplace.accounts import second_step
from marketplace.accounts.commands import appoint_staff, reset_second_step
from marketplace.accounts.models import AuditEntry, Authenticator, RecoveryCode, Role, SetUpCode, SignedIn, User, Way
from marketplace.accounts.sessions import begin_session, device_of, find_session, forget_old_sessions
from marketplace.accounts.set_up_codes import LASTS, make_set_up_code
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.signing import SEEN
from marketplace.accounts.throttle import TooMany
from marketplace.db import Scope, db, set_scope
from marketplace.messages.models import Message
from marketplace.web import Application
from tests.city import CITY, NOW, found_city

PASSWORD = "una frase lunga"


@pytest.fixture
def office(app: Application) -> Application:
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


def enter(app: Application, name: str = "officer") -> FlaskClient:
    client = app.test_client()
    answer = client.post("/entra/password", data={"email": f"{name}@example.org", "password": PASSWORD})
    assert answer.status_code == 303
    return client


def code(secret: str, steps: int = 0) -> str:
    """What the phone shows now, or some half minutes from now."""
    return str(TOTP(key=secret).generate(datetime.now(UTC) + timedelta(seconds=30 * steps)).token)


def set_up_code(app: Application, name: str = "officer") -> str:
    """A code as an administrator hands it over."""
    with app.app_context():
        user = db.session.exec(select(User).where(User.email == f"{name}@example.org")).one()
        made = make_set_up_code(db.session, datetime.now(UTC), user.id)
        db.session.commit()
        return made


def activate(client: FlaskClient) -> tuple[str, list[str]]:
    """The secret and the recovery codes; whoever needs a code to begin with gets it."""
    if client.get("/accesso/due-passaggi").status_code == 302:
        given = {"code": set_up_code(client.application)}  # type: ignore[arg-type]
        assert client.post("/accesso/attiva", data=given).status_code == 303
    page = client.get("/accesso/due-passaggi").text
    secret = re.search(r'name="secret"[^>]*value="([A-Z2-7]+)"', page).group(1)  # type: ignore[union-attr]
    answer = client.post("/accesso/due-passaggi", data={"secret": secret, "code": code(secret)})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return secret, re.findall(r"<code>(\w{4}-\w{4}-\w{4})</code>", answer.text)


def test_an_officer_has_no_role_before_the_second_step_is_set_up(office: Application) -> None:
    client = enter(office)
    assert client.get("/comune").location.startswith("/accesso/due-passaggi")
    assert client.post("/comune/abbinamenti").location.startswith("/accesso/due-passaggi")
    assert "/comune/registro" not in client.get("/").text
    _secret, codes = activate(client)
    assert len(set(codes)) == 10
    assert client.get("/comune").status_code == 200


def test_a_mailbox_alone_sets_up_no_second_step_of_an_officer(office: Application) -> None:
    client = enter(office)
    secret = second_step.new_secret()
    for address in ("/accesso/due-passaggi", "/accesso/passkey"):
        assert client.get(address).location.startswith("/accesso/attiva"), address
    sent = {"secret": secret, "code": code(secret)}
    assert client.post("/accesso/due-passaggi", data=sent).location.startswith("/accesso/attiva")
    assert client.post("/accesso/attiva", data={"code": "aaaa-bbbb-cccc"}).status_code == 422
    with office.app_context():
        assert db.session.exec(select(Authenticator)).all() == []


def test_the_code_to_begin_with_counts_once_and_where_it_was_given(office: Application) -> None:
    owner, thief = enter(office), enter(office)
    given = {"code": set_up_code(office).upper()}
    assert owner.post("/accesso/attiva", data=given).location == "/accesso/due-passaggi"
    assert thief.post("/accesso/attiva", data=given).status_code == 422
    assert thief.get("/accesso/due-passaggi").location.startswith("/accesso/attiva")
    activate(owner)
    assert owner.get("/comune").status_code == 200


def test_a_late_or_replaced_code_to_begin_with_opens_nothing(office: Application) -> None:
    client = enter(office)
    first, second = set_up_code(office), set_up_code(office)
    assert client.post("/accesso/attiva", data={"code": first}).status_code == 422
    with office.app_context():
        kept = db.session.exec(select(SetUpCode)).one()
        kept.ends_at -= LASTS + timedelta(seconds=5)
        db.session.commit()
    assert client.post("/accesso/attiva", data={"code": second}).status_code == 422


def test_codes_to_begin_with_may_not_be_guessed_for_long(office: Application) -> None:
    client = enter(office)
    tries = [client.post("/accesso/attiva", data={"code": f"{number:012}"}).status_code for number in range(12)]
    assert tries == [422] * 10 + [429] * 2


def test_who_needs_no_second_step_sets_one_up_without_a_code(office: Application) -> None:
    assert enter(office, "anna").get("/accesso/due-passaggi").status_code == 200


def test_from_then_on_a_link_or_password_alone_opens_nothing(office: Application) -> None:
    secret, _codes = activate(enter(office))
    client = enter(office)
    for address in ("/comune", "/accesso", "/accesso/due-passaggi", "/accesso/togli", "/benvenuto"):
        assert client.get(address).location.startswith("/accesso/codice"), address
    assert client.post("/accesso/codice", data={"code": "000000"}).status_code == 422
    right = {"code": code(secret, 1), "wanted": "/comune/registro"}
    assert client.post("/accesso/codice", data=right).location == "/comune/registro"
    assert client.get("/comune").status_code == 200


def test_a_code_counts_once_from_the_phone_and_from_paper(office: Application) -> None:
    secret, codes = activate(enter(office))
    used = code(secret, 1)
    assert enter(office).post("/accesso/codice", data={"code": used}).status_code == 303
    assert enter(office).post("/accesso/codice", data={"code": used}).status_code == 422
    assert enter(office).post("/accesso/codice", data={"code": f" {codes[3].upper()} "}).status_code == 303
    assert enter(office).post("/accesso/codice", data={"code": codes[3]}).status_code == 422
    with office.app_context():
        assert second_step.count_recovery_codes(db.session, db.session.exec(select(Authenticator.user_id)).one()) == 9


def test_codes_may_not_be_guessed_for_long(office: Application) -> None:
    activate(enter(office))
    client = enter(office)
    tries = [client.post("/accesso/codice", data={"code": f"{number:06}"}).status_code for number in range(12)]
    assert tries == [422] * 10 + [429] * 2


def test_nothing_readable_of_secret_and_codes_is_kept(office: Application) -> None:
    secret, codes = activate(enter(office))
    with office.app_context():
        raw = db.session.connection().exec_driver_sql("select secret from authenticator").scalar_one()
        hashes = db.session.exec(select(RecoveryCode.code_hash)).all()
    assert secret.encode() not in raw
    assert not any(one.replace("-", "").encode() in kept for one in codes for kept in hashes)


def test_who_must_have_it_cannot_take_it_away_and_others_can_with_a_code(office: Application) -> None:
    client = enter(office)
    activate(client)
    assert client.get("/accesso/togli").status_code == 422
    anna = enter(office, "anna")
    secret, codes = activate(anna)
    assert anna.post("/accesso/togli", data={"code": "123456"}).status_code == 422
    assert anna.post("/accesso/togli", data={"code": codes[0]}).status_code == 303
    assert enter(office, "anna").get("/benvenuto").status_code == 200
    with office.app_context():
        set_scope(db.session, Scope(CITY))
        told = db.session.exec(select(Message.recipient).order_by(col(Message.created_at))).all()
        assert told == ["officer@example.org", "officer@example.org", "anna@example.org", "anna@example.org"]
        actions = set(db.session.exec(select(AuditEntry.action)).all())
        assert {"set_up_second_step", "take_away_second_step"} <= actions
    assert secret


def test_a_standing_second_step_is_not_replaced_without_its_code(office: Application) -> None:
    client = enter(office)
    secret, _codes = activate(client)
    other = second_step.new_secret()
    assert client.post("/accesso/due-passaggi", data={"secret": other, "code": code(other)}).status_code == 303
    with office.app_context():
        assert db.session.exec(select(Authenticator)).one().secret == secret


def test_new_recovery_codes_end_the_old_ones(office: Application) -> None:
    client = enter(office)
    _secret, old = activate(client)
    answer = client.post("/accesso/codici-di-riserva", data={"code": old[0]})
    new = re.findall(r"<code>(\w{4}-\w{4}-\w{4})</code>", answer.text)
    assert len(new) == 10
    assert enter(office).post("/accesso/codice", data={"code": old[1]}).status_code == 422
    assert enter(office).post("/accesso/codice", data={"code": new[1]}).status_code == 303


def test_one_sees_where_one_is_signed_in_and_ends_it_there(office: Application) -> None:
    phone, desk = enter(office, "anna"), enter(office, "anna")
    page = desk.get("/accesso").text
    found = re.findall(r"/accesso/sessioni/([0-9a-f-]+)/chiudi", page)
    assert len(found) == 1  # its own has no button
    assert phone.get("/benvenuto").status_code == 200
    assert desk.post(f"/accesso/sessioni/{found[0]}/chiudi").status_code == 303
    assert phone.get("/benvenuto").location.startswith("/entra")
    assert desk.get("/benvenuto").status_code == 200


def test_nobody_ends_anothers_session(office: Application) -> None:
    enter(office, "anna")
    with office.app_context():
        hers = db.session.exec(select(SignedIn.id)).one()
    stranger = enter(office)
    assert stranger.post(f"/accesso/sessioni/{hers}/chiudi").status_code == 404
    with office.app_context():
        assert db.session.get_one(SignedIn, hers).ended_at is None


def test_signing_out_everywhere_leaves_only_this_browser(office: Application) -> None:
    others = [enter(office, "anna") for _ in range(3)]
    here = enter(office, "anna")
    assert here.post("/accesso/sessioni/chiudi-tutte").status_code == 303
    assert [one.get("/benvenuto").status_code for one in others] == [302] * 3
    assert here.get("/benvenuto").status_code == 200


def test_a_cookie_copied_before_signing_out_opens_nothing_after(office: Application) -> None:
    client = enter(office, "anna")
    copied = client.get_cookie("session").value  # type: ignore[union-attr]
    client.post("/esci")
    thief = office.test_client()
    thief.set_cookie("session", copied)
    assert thief.get("/benvenuto").location.startswith("/entra")


def test_staff_are_asked_again_after_an_hour_without_a_request(office: Application) -> None:
    client = enter(office)
    activate(client)
    with client.session_transaction() as cookie:
        cookie[SEEN] -= 3700
    assert client.get("/comune").location.startswith("/entra")


def test_a_session_ends_by_itself_sooner_for_staff(session: Session) -> None:
    found_city(session)
    anna, officer = (add_user(session, NOW, f"{name}@example.org", name) for name in ("anna", "officer"))
    appoint(session, NOW, officer.id, CITY, Role.OFFICER)
    for user, hours in ((anna, 30 * 24), (officer, 12)):
        _row, token = begin_session(session, NOW, user, Way.LINK)
        assert find_session(session, NOW + timedelta(hours=hours, seconds=-1), token) is not None
        assert find_session(session, NOW + timedelta(hours=hours), token) is None
        assert find_session(session, NOW, token[:-1]) is None
    forget_old_sessions(session, NOW + timedelta(days=31))
    assert [one.user_id for one in session.exec(select(SignedIn))] == [anna.id]


def test_devices_are_named_as_people_know_them() -> None:
    android = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
    assert device_of(android) == "Chrome, Android"
    assert device_of("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0") == "Firefox, Linux"
    assert device_of(android + " Edg/126.0") == "Edge, Android"
    assert device_of("curl/8.0") == ""


def test_the_machines_keeper_appoints_the_first_officer_and_helps_who_lost_the_phone(session: Session) -> None:
    found_city(session)
    said: list[str] = []
    appoint_staff(session, NOW, CITY, "Prima@example.org", "Prima", Role.OFFICER, said.append)
    assert re.search(r"\w{4}-\w{4}-\w{4}", said[-1])
    user = session.exec(select(User).where(User.email == "prima@example.org")).one()
    secret = second_step.new_secret()
    second_step.set_up(session, NOW, user.id, secret, str(TOTP(key=secret).generate(NOW).token))
    reset_second_step(session, NOW, CITY, "prima@example.org", "identity card", said.append)
    assert len([one for one in said if re.search(r"\w{4}-\w{4}-\w{4}", one)]) == 2
    assert second_step.find_authenticator(session, user.id) is None
    entry = session.exec(select(AuditEntry).where(AuditEntry.action == "reset_second_step")).one()
    assert entry.reason == "identity card"


def test_a_secret_that_is_none_is_refused(session: Session) -> None:
    found_city(session)
    user = add_user(session, NOW, "a@example.org", "a")
    for secret in ("", "short", "!" * 32):
        with pytest.raises((second_step.WrongCode, TooMany)):
            second_step.set_up(session, NOW, user.id, secret, "123456")
