"""A program does what its key, its owner's role and its owner's rows allow, and leaves no cookie."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select

from marketplace.accounts import tokens
from marketplace.accounts.models import Actor, ApiToken, Appointment, AuditEntry, Role, User
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.tokens import make_token
from marketplace.db import NOBODY, Scope, db, set_scope
from marketplace.errors import Forbidden
from marketplace.households.details import Applicant
from marketplace.messages.models import Message
from marketplace.needs.models import Need, NeedState, Service
from marketplace.web import Application
from tests.families import CITY, child, city, family, sign_in

ALL = ("needs:read", "needs:write")
NEED_FIELDS = {"service": Service.TUTORING, "minutes": 60, "windows": [{"day": 1, "start": 960, "end": 1080}]}
OTHERS = Applicant("Anna", "Bianchi", "BNCNNA80A41A794T", "anna@example.org", None)


@pytest.fixture
def owner(app: Application) -> Actor:
    """A family with three needs."""
    with app.app_context():
        city(db.session)
        by = family(db.session)
        appoint(db.session, datetime.now(UTC), by.user_id, CITY, Role.FAMILY, household_id=by.household_id)
        person = child(db.session, by)
        for number in range(3):
            post(by, person.id, f"e-{number}")
        db.session.commit()
    return by


def post(by: Actor, person_id: object, code: str) -> None:
    made = datetime.now(UTC)
    row = Need(
        municipality_id=CITY,
        code=code,
        household_id=by.household_id,
        person_id=person_id,
        created_at=made,
        **NEED_FIELDS,
    )
    db.session.add(row)
    db.session.flush()


def key(app: Application, by: Actor, scopes: tuple[str, ...] = ALL) -> dict[str, str]:
    """The header with a new key of `by`."""
    with app.app_context():
        set_scope(db.session, Scope(CITY, by.household_id, NOBODY))
        text = make_token(db.session, by, datetime.now(UTC), "calendar", scopes, 30)[1]
        db.session.commit()
    return {"Authorization": f"Bearer {text}"}


def test_a_key_is_shown_once_and_ended_by_its_owner(app: Application, client: FlaskClient, owner: Actor) -> None:
    sign_in(client, owner)
    made = client.post("/accesso/chiavi", data={"name": "casa", "scopes": ["needs:read"], "days": "30"})
    assert (made.status_code, made.location) == (303, "/accesso/chiavi/nuova")
    page = client.get(made.location)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert str((datetime.now(UTC) + timedelta(days=30)).year) in page.text
    text = re.search(r"condiviso_[\w-]{43}", page.text).group()  # type: ignore[union-attr]
    again = client.get(made.location)
    assert (again.status_code, again.location) == (303, "/accesso/chiavi")
    listed = client.get("/accesso/chiavi").text
    assert listed.count("/chiudi") == 1
    assert "casa" in listed
    assert text not in listed
    program = app.test_client()
    header = {"Authorization": f"Bearer {text}"}
    assert program.get("/api/v1/needs", headers=header).status_code == 200
    path = re.search(r"/accesso/chiavi/[\w-]+/chiudi", listed).group()  # type: ignore[union-attr]
    assert client.post(path).status_code == 303
    assert program.get("/api/v1/needs", headers=header).status_code == 401
    with app.app_context():
        row = db.session.exec(select(ApiToken)).one()
        assert text.encode() not in row.token_hash
        set_scope(db.session, Scope(CITY))
        (told,) = db.session.exec(select(Message).where(col(Message.key).startswith("new-key:")))
        assert told.recipient == "maria@example.org"
        assert text not in told.body
        assert {"make_token", "end_token"} <= set(db.session.exec(select(AuditEntry.action)))


def test_a_form_without_a_scope_is_shown_again(client: FlaskClient, owner: Actor) -> None:
    sign_in(client, owner)
    assert client.post("/accesso/chiavi", data={"name": "casa", "days": "30"}).status_code == 422
    bad = {"name": "casa", "scopes": ["all"], "days": "30"}
    assert client.post("/accesso/chiavi", data=bad).status_code == 422


def test_an_operator_makes_no_key_for_a_family(app: Application, owner: Actor) -> None:
    acting = Actor(CITY, Role.FAMILY, owner.user_id, owner.household_id, on_behalf_of=owner.household_id, reason="desk")
    with app.app_context(), pytest.raises(Forbidden):
        make_token(db.session, acting, datetime.now(UTC), "casa", ALL, 30)


def test_another_family_neither_sees_nor_withdraws_nor_ends(
    app: Application, client: FlaskClient, owner: Actor
) -> None:
    mine = key(app, owner)
    need_id = client.get("/api/v1/needs", headers=mine).json["items"][0]["id"]
    with app.app_context():
        other = family(db.session, OTHERS, "anna@example.org")
        appoint(db.session, datetime.now(UTC), other.user_id, CITY, Role.FAMILY, household_id=other.household_id)
        token_id = db.session.exec(select(ApiToken.id)).one()
        db.session.commit()
    theirs = key(app, other)
    assert client.get("/api/v1/needs", headers=theirs).json["items"] == []
    assert client.get(f"/api/v1/needs/{need_id}", headers=theirs).status_code == 404
    assert client.post(f"/api/v1/needs/{need_id}/withdraw", headers=theirs).status_code == 404
    sign_in(client, other)
    assert client.post(f"/accesso/chiavi/{token_id}/chiudi").status_code == 404
    assert client.get("/api/v1/needs", headers=mine).status_code == 200


def test_a_key_does_only_what_its_scopes_name(app: Application, client: FlaskClient, owner: Actor) -> None:
    header = key(app, owner, ("needs:read",))
    need_id = client.get("/api/v1/needs", headers=header).json["items"][0]["id"]
    answer = client.post(f"/api/v1/needs/{need_id}/withdraw", headers=header)
    assert answer.status_code == 403
    assert answer.mimetype == "application/problem+json"
    assert client.get(f"/api/v1/needs/{need_id}", headers=header).json["state"] == "open"


@pytest.mark.parametrize("what", ["key over", "role over", "account closed"])
def test_a_key_ends_with_its_time_its_role_or_its_account(
    app: Application, client: FlaskClient, owner: Actor, what: str
) -> None:
    header = key(app, owner)
    assert client.get("/api/v1/needs", headers=header).status_code == 200
    with app.app_context():
        if what == "key over":
            db.session.exec(select(ApiToken)).one().ends_at = datetime.now(UTC) - timedelta(seconds=1)
        elif what == "role over":
            for one in db.session.exec(select(Appointment).where(Appointment.user_id == owner.user_id)):
                one.ended_at = datetime.now(UTC)
        else:
            db.session.get_one(User, owner.user_id).active = False
        db.session.commit()
    assert client.get("/api/v1/needs", headers=header).status_code == 401


def test_a_cookie_opens_nothing_and_none_is_set(app: Application, client: FlaskClient, owner: Actor) -> None:
    sign_in(client, owner)
    answer = client.get("/api/v1/needs")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Set-Cookie" not in answer.headers
    answer = client.get("/api/v1/needs", headers=key(app, owner))
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_program_withdraws_only_what_it_saw(app: Application, client: FlaskClient, owner: Actor) -> None:
    header = key(app, owner)
    need_id = client.get("/api/v1/needs", headers=header).json["items"][0]["id"]
    path = f"/api/v1/needs/{need_id}"
    tag = client.get(path, headers=header).headers["ETag"]
    assert client.get(path, headers={**header, "If-None-Match": tag}).status_code == 304
    outdated = client.post(f"{path}/withdraw", headers={**header, "If-Match": '"another"'})
    assert (outdated.status_code, outdated.json["status"]) == (412, 412)
    done = client.post(f"{path}/withdraw", headers={**header, "If-Match": tag})
    assert done.json["state"] == "withdrawn"
    assert client.get(path, headers={**header, "If-None-Match": tag}).status_code == 200
    assert client.post(f"{path}/withdraw", headers=header).status_code == 200


def test_a_need_with_a_place_is_not_withdrawn(app: Application, client: FlaskClient, owner: Actor) -> None:
    header = key(app, owner)
    with app.app_context():
        set_scope(db.session, Scope(CITY, owner.household_id, NOBODY))
        need = db.session.exec(select(Need)).first()
        need.state, need_id = NeedState.SERVED, need.id
        db.session.get_one(User, owner.user_id).locale = "en"
        db.session.commit()
    answer = client.post(f"/api/v1/needs/{need_id}/withdraw", headers=header)
    assert answer.status_code == 409
    assert "already has a" in answer.json["detail"]  # in the owner's language
    assert "Rossi" not in answer.text


def test_pages_follow_each_other_without_gap(app: Application, client: FlaskClient, owner: Actor) -> None:
    header = key(app, owner)
    whole = client.get("/api/v1/needs", headers=header).json
    assert (len(whole["items"]), whole["next"]) == (3, None)
    first = client.get("/api/v1/needs?limit=2", headers=header).json
    second = client.get(f"/api/v1/needs?limit=2&after={first['next']}", headers=header).json
    assert first["items"] + second["items"] == whole["items"]
    assert second["next"] is None
    for wrong in ("limit=0", "limit=201", "limit=x", "limit=²", "after=x", "limt=2", "limit=1&limit=2"):
        assert client.get(f"/api/v1/needs?{wrong}", headers=header).status_code == 422


def test_what_is_not_there_is_a_problem_too(client: FlaskClient, owner: Actor) -> None:
    for answer in (client.get("/api/v1/nothing"), client.delete("/api/v1/needs")):
        assert answer.mimetype == "application/problem+json"
        assert answer.json["status"] == answer.status_code


def test_the_description_says_what_is_served(app: Application, client: FlaskClient, owner: Actor) -> None:
    described = client.get("/api/v1/openapi.json").json
    assert described["openapi"] == "3.1.0"
    found = {(method, f"/api/v1{path}") for path, one in described["paths"].items() for method in one}
    served = {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.description"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert found == served
    named = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert named <= set(described["components"]["schemas"])


def test_whoever_asks_too_often_is_told_when_to_come_back(
    app: Application, client: FlaskClient, owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "REQUESTS_MAX", 3)
    header, other = key(app, owner), key(app, owner)
    wrong = {"limit": "0"}  # a request that fails counts too
    answers = [client.get("/api/v1/needs", headers=header, query_string=wrong) for _ in range(5)]
    assert [one.status_code for one in answers] == [422] * 3 + [429] * 2
    assert answers[-1].mimetype == "application/problem+json"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert client.get("/api/v1/needs", headers=other).status_code == 200


def test_whoever_tries_keys_is_stopped_by_address(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "UNKNOWN_MAX", 2)
    guess = {"Authorization": "Bearer condiviso_guess"}

    def ask(address: str) -> int:
        return client.get("/api/v1/needs", headers=guess, environ_base={"REMOTE_ADDR": address}).status_code

    assert [ask("203.0.113.9") for _ in range(4)] == [401, 401, 429, 429]
    assert ask("203.0.113.10") == 401


@pytest.mark.parametrize(
    ("accepted", "language"), [("en-GB,en;q=0.9", "en"), ("it", "it"), ("de", "it"), ("de,en;q=0.1", "en"), ("*", "it")]
)
def test_a_problem_is_told_in_the_language_that_the_program_accepts(
    app: Application, client: FlaskClient, owner: Actor, accepted: str, language: str
) -> None:
    answer = client.get("/api/v1/needs?limit=0", headers={**key(app, owner), "Accept-Language": accepted})
    said = {"it": "«limit» va da 1 a 200.", "en": "“limit” goes from 1 to 200."}
    assert answer.json["detail"] == said[language]
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]


def test_an_officer_finds_its_keys_and_is_offered_an_officers_scopes_alone(
    app: Application, client: FlaskClient, owner: Actor
) -> None:
    with app.app_context():
        user = add_user(db.session, datetime.now(UTC), "olga@example.org", "Olga")
        appoint(db.session, datetime.now(UTC), user.id, CITY, Role.OFFICER)
        by = Actor(CITY, Role.OFFICER, user.id)
        db.session.commit()
    sign_in(client, by)
    assert "/accesso/chiavi" in client.get("/accesso").text
    page = client.get("/accesso/chiavi").text
    assert set(re.findall(r'value="(\w+:\w+)"', page)) == set(tokens.scopes_of(Role.OFFICER))
    form = {"name": "accounts", "days": "30"}
    assert client.post("/accesso/chiavi", data={**form, "scopes": ["needs:write"]}).status_code == 422
    assert client.post("/accesso/chiavi", data={**form, "scopes": ["months:read"]}).status_code == 303
