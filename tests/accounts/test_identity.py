"""SPID and CIE against a provider that runs beside: who was proved gets in, and whatever is bent opens nothing."""

import base64
import dataclasses
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from sqlmodel import select
from werkzeug.serving import BaseWSGIServer, make_server

from marketplace import create_app
from marketplace.accounts import identity_keys as keys
from marketplace.accounts.federation import SIGNATURES, Untrusted, under_policy
from marketplace.accounts.models import Appointment, Identity, IdentityRequest, Role, SignedIn, User, Way
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.config import Settings, settings_from
from marketplace.db import Scope, db, set_scope
from marketplace.demo import identity as stand_in
from marketplace.households.models import Household
from marketplace.installation import Installation
from marketplace.messages.models import Message
from marketplace.sealed import keyring
from marketplace.web import Application
from tests.city import CITY, found_city
from tests.signing import Browser

TAX_CODE = "RSSMRA80A41H223Z"
MARIA = {"given_name": "Maria", "family_name": "Rossi", "tax_code": TAX_CODE, "email": "maria@example.org"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, stand_in.Stand]:
    """Keys of all, made once: it takes a second."""
    folder = tmp_path_factory.mktemp("keys")
    keys.make_keys(folder / "identity", datetime.now(UTC))
    return folder, stand_in.Stand("", [], anchor=stand_in.anchor_key(folder))


@pytest.fixture
def stand(made: tuple[Path, stand_in.Stand], tmp_path: Path) -> Iterator[stand_in.Stand]:
    """The provider, on a port of its own."""
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    of = made[1]
    found = stand_in.Stand("", [dict(MARIA)], anchor=of.anchor, entity=of.entity, core=of.core)
    server: BaseWSGIServer = make_server("127.0.0.1", 0, stand_in.create_app(found), threaded=True)
    found.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(
    installation: Installation, settings: Settings, stand: stand_in.Stand, tmp_path: Path
) -> Iterator[Application]:
    """A municipality whose people may come by SPID or CIE."""
    ours = stand_in.settings_of(tmp_path, stand.base)
    made = create_app(dataclasses.replace(settings, identity=ours), installation.app_url)
    made.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    made.test_client_class = Browser
    stand.read = lambda url: made.test_client().get(urlsplit(url).path).text
    with made.app_context():
        found_city(db.session)
        db.session.commit()
    yield made
    with made.app_context():
        for one in db.engines.values():
            one.dispose()


def add_family(app: Application, email: str | None = None) -> None:
    """A family of Maria's tax code, as a desk registers it; with somebody who acts for it, if `email` is given."""
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        now = datetime.now(UTC)
        family = Household(
            municipality_id=CITY, family_name="Rossi", given_name="Maria", tax_code=TAX_CODE, lat=44.9, lon=8.6,
            tax_code_index=keyring.index(TAX_CODE), address="Via Roma 1", created_at=now,
        )  # fmt: skip
        db.session.add(family)
        db.session.flush()
        if email:
            user = add_user(db.session, now, email, "Maria")
            appoint(db.session, now, user.id, CITY, Role.FAMILY, household_id=family.id)
        db.session.commit()


def leave(client: FlaskClient, path: str = "/entra/identita/0", wanted: str = "") -> str:
    """Where the browser is sent."""
    page = client.post(path, data={"wanted": wanted})
    assert page.status_code == 200, page.text
    found = re.search(r'url=([^"]+)"', page.text)
    assert found is not None
    return found.group(1).replace("&amp;", "&")


def answer(address: str, who: str = "0") -> str:
    """What the provider sends the browser back with."""
    assert requests.get(address, timeout=9).status_code == 200
    sent = parse_qs(urlsplit(address).query)["request"][0]
    back = requests.post(address, data={"request": sent, "who": who}, allow_redirects=False, timeout=9)
    assert back.status_code == 302, back.text
    parts = urlsplit(back.headers["Location"])
    return f"{parts.path}?{parts.query}"


def come(app: Application, way: int = 0) -> tuple[FlaskClient, int]:
    client = app.test_client()
    return client, client.get(answer(leave(client, f"/entra/identita/{way}"))).status_code


def sessions(app: Application) -> list[SignedIn]:
    with app.app_context():
        return list(db.session.exec(select(SignedIn)))


def test_somebody_new_gets_an_account_and_both_steps(site: Application) -> None:
    client = site.test_client()
    back = client.get(answer(leave(client, wanted="/accesso")))
    assert back.location == "/accesso"
    assert client.get("/accesso").status_code == 200
    assert [(one.way, one.is_strong) for one in sessions(site)] == [(Way.SPID, True)]
    _again, status = come(site, 1)
    assert status == 303
    assert [one.way for one in sessions(site)] == [Way.SPID, Way.CIE]
    with site.app_context():
        assert db.session.exec(select(User.email)).all() == ["maria@example.org"]
        raw = db.session.connection().exec_driver_sql("select tax_code from identity").scalar_one()
        assert TAX_CODE.encode() not in bytes(raw)


def test_the_family_that_a_desk_registered_is_taken_up(site: Application) -> None:
    add_family(site)
    client, status = come(site)
    assert status == 303
    assert client.get("/inizio").location == "/oggi"


def test_who_acts_for_the_family_already_is_known_by_tax_code_and_email_together(site: Application) -> None:
    add_family(site, "maria@example.org")
    assert come(site)[1] == 303
    with site.app_context():
        assert len(db.session.exec(select(User)).all()) == 1


def test_another_who_acts_for_the_family_stays_another_and_is_told_once(site: Application) -> None:
    add_family(site, "giorgio@example.org")
    assert [come(site)[1] for _ in range(2)] == [303, 303]
    with site.app_context():
        set_scope(db.session, Scope(CITY))
        assert len(db.session.exec(select(User)).all()) == 2
        assert len(db.session.exec(select(Appointment)).all()) == 2
        assert db.session.exec(select(Message.recipient)).all() == ["giorgio@example.org"]


def test_an_email_alone_never_joins_two_people(site: Application) -> None:
    with site.app_context():
        add_user(db.session, datetime.now(UTC), "maria@example.org", "Maria")
        db.session.commit()
    client, status = come(site)
    assert status == 409
    assert client.get("/inizio").location.startswith("/entra")


def test_an_unverified_email_makes_no_account(site: Application, stand: stand_in.Stand) -> None:
    stand.twist.userinfo = lambda claims: {**claims, "email_verified": False}
    assert come(site, 1)[1] == 422
    assert sessions(site) == []


def test_an_account_of_ones_own_is_tied_and_then_opened_by_it(site: Application) -> None:
    with site.app_context():
        user = add_user(db.session, datetime.now(UTC), "ufficio@example.org", "Ufficio")
        appoint(db.session, datetime.now(UTC), user.id, CITY, Role.OFFICER)
        uniquifier = user.fs_uniquifier
        db.session.commit()
    client = site.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = uniquifier
    assert client.get(answer(leave(client, "/accesso/identita/0"))).location == "/accesso"
    assert "Collegati" in client.get("/accesso").text
    officer, status = come(site)
    assert status == 303
    assert officer.get("/comune").status_code == 200  # level 2 is both steps


def test_an_officer_without_a_second_step_ties_nothing(site: Application) -> None:
    with site.app_context():
        user = add_user(db.session, datetime.now(UTC), "ufficio@example.org", "Ufficio")
        appoint(db.session, datetime.now(UTC), user.id, CITY, Role.OFFICER)
        uniquifier = user.fs_uniquifier
        db.session.commit()
    client = site.test_client()
    client.is_strong = False  # type: ignore[attr-defined]
    with client.session_transaction() as cookie:
        cookie["_user_id"] = uniquifier
    assert "url=" not in client.post("/accesso/identita/0").text
    with site.app_context():
        assert db.session.exec(select(IdentityRequest)).all() == []


BENT = {
    "nonce": lambda claims: {**claims, "nonce": "0" * 64},
    "aud": lambda claims: {**claims, "aud": "https://another.example"},
    "two audiences": lambda claims: {**claims, "aud": [claims["aud"], "https://another.example"]},
    "issuer": lambda claims: {**claims, "iss": "https://another.example"},
    "expired": lambda claims: {**claims, "exp": int(time.time()) - 600},
    "of tomorrow": lambda claims: {**claims, "iat": int(time.time()) + 90_000, "exp": int(time.time()) + 99_000},
    "without end": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "level 1": lambda claims: {**claims, "acr": "https://www.spid.gov.it/SpidL1"},
    "another's access token": lambda claims: {**claims, "at_hash": "x" * 22},
    "another's subject": lambda claims: {**claims, "sub": "somebody else"},
}


@pytest.mark.parametrize("what", BENT)
def test_a_bent_id_token_opens_nothing(site: Application, stand: stand_in.Stand, what: str) -> None:
    stand.twist.id_token = BENT[what]
    client, status = come(site)
    assert status == 422
    assert sessions(site) == []
    assert client.get("/inizio").location.startswith("/entra")


def unsigned(text: str) -> str:
    """The same claims under alg none."""
    return "eyJhbGciOiJub25lIn0." + text.split(".")[1] + "."


def by_another_key(text: str) -> str:
    """The same claims under the right key's name, signed by another."""
    head = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
    return jwt.encode(head, stand_in._unverified(text), RSAKey.generate_key(2048))


def by_the_public_key(text: str) -> str:
    """The public key taken for a shared secret (HS256)."""
    head = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
    secret = OctKey.import_key("the public key of the provider, as everybody reads it")
    return jwt.encode({**head, "alg": "HS256"}, stand_in._unverified(text), secret)


BROKEN = (unsigned, by_another_key, by_the_public_key, lambda text: text[:-8] + "AAAAAAAA", lambda text: "no token")


@pytest.mark.parametrize("bend", BROKEN)
def test_a_wrong_signature_opens_nothing(site: Application, stand: stand_in.Stand, bend: object) -> None:
    stand.twist.signed = bend  # type: ignore[assignment]
    assert come(site)[1] == 422
    assert sessions(site) == []


def test_userinfo_that_is_not_encrypted_for_us_opens_nothing(site: Application, stand: stand_in.Stand) -> None:
    stand.twist.encrypted = lambda _text, inner: inner
    assert come(site)[1] == 422
    assert sessions(site) == []


def test_userinfo_without_an_italian_tax_code_opens_nothing(site: Application, stand: stand_in.Stand) -> None:
    for number in ("TINIT-RSSMRA80A41H223X", TAX_CODE, "TINDE-123"):
        stand.twist.userinfo = lambda claims, number=number: {**claims, stand_in.FISCAL_NUMBER: number}
        assert come(site)[1] == 422
    assert sessions(site) == []


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(site: Application) -> None:
    client, thief = site.test_client(), site.test_client()
    back = answer(leave(client))
    thief.post("/entra/identita/0")
    assert thief.get(back).status_code == 422
    assert client.get(back.replace("state=", "state=0")).status_code == 422
    assert client.get(back).status_code == 303
    client.post("/esci")
    assert client.get(back).status_code == 422
    assert client.get("/inizio").location.startswith("/entra")


def test_a_code_of_another_question_opens_nothing(site: Application) -> None:
    victim, attacker = site.test_client(), site.test_client()
    theirs = parse_qs(urlsplit(answer(leave(attacker))).query)["code"][0]
    mine = answer(leave(victim))
    assert victim.get(re.sub(r"code=[^&]+", f"code={theirs}", mine)).status_code == 503  # the verifier is another
    assert sessions(site) == []


def test_another_providers_answer_is_refused(site: Application, stand: stand_in.Stand) -> None:
    stand.twist.back = lambda sent: {**sent, "iss": stand.at("spid")}
    assert come(site, 1)[1] == 422
    stand.twist.back = lambda sent: {name: value for name, value in sent.items() if name != "iss"}
    assert come(site, 1)[1] == 422
    assert sessions(site) == []


def test_who_says_no_is_back_where_they_began(site: Application) -> None:
    client = site.test_client()
    page = client.get(answer(leave(client, wanted="/oggi"), "no"))
    assert page.status_code == 422
    assert 'value="/oggi"' in page.text


def test_a_late_answer_opens_nothing(site: Application) -> None:
    client = site.test_client()
    back = answer(leave(client))
    with site.app_context():
        db.session.exec(select(IdentityRequest)).one().expires_at = datetime.now(UTC) - timedelta(seconds=1)
        db.session.commit()
    assert client.get(back).status_code == 422


def test_a_provider_that_is_down_is_said_so(site: Application, stand: stand_in.Stand) -> None:
    client = site.test_client()
    back = answer(leave(client))
    stand.codes.clear()
    assert client.get(back).status_code == 503
    site.extensions["identity federations"]._known.clear()
    stand.twist.statement = lambda claims: {**claims, "exp": 1}
    refused = site.test_client().post("/entra/identita/0")
    assert refused.status_code == 503
    assert "non risponde" in refused.text


@pytest.mark.parametrize(
    "bend",
    [
        lambda claims: {**claims, "authority_hints": ["https://another.example"]},
        lambda claims: {**claims, "iss": "https://another.example"},
        lambda claims: {**claims, "metadata": {}},
    ],
)
def test_a_provider_for_whom_the_anchor_does_not_vouch_is_not_asked(
    site: Application, stand: stand_in.Stand, bend: object
) -> None:
    stand.twist.statement = bend  # type: ignore[assignment]
    assert site.test_client().post("/entra/identita/0").status_code == 503


def test_a_false_anchor_is_not_believed(site: Application, stand: stand_in.Stand) -> None:
    stand.anchor = RSAKey.generate_key(2048)
    assert site.test_client().post("/entra/identita/0").status_code == 503


def test_our_statement_is_signed_and_says_who_we_are(site: Application, tmp_path: Path) -> None:
    sent = site.test_client().get("/.well-known/openid-federation")
    assert sent.mimetype == "application/entity-statement+jwt"
    ours = keys.read_keys(tmp_path / "identity")
    token = jwt.decode(sent.text, KeySet.import_key_set(ours.published(keys.FEDERATION)), algorithms=SIGNATURES)
    assert token.header["typ"] == "entity-statement+jwt"
    party = token.claims["metadata"]["openid_relying_party"]
    assert party["client_id"] == token.claims["iss"] == token.claims["sub"]
    assert {one["use"] for one in party["jwks"]["keys"]} == {"sig", "enc"}
    assert "d" not in str([sorted(one) for one in party["jwks"]["keys"] + token.claims["jwks"]["keys"]]).split("'")


def test_without_federations_nothing_is_offered(app: Application) -> None:
    with app.app_context():
        found_city(db.session)
        db.session.commit()
    client = app.test_client()
    assert "SPID" not in client.get("/entra").text
    assert client.get("/.well-known/openid-federation").status_code == 404
    assert client.post("/entra/identita/0").status_code == 404


def test_a_new_key_is_published_before_it_signs(tmp_path: Path) -> None:
    made = datetime(2026, 11, 1, tzinfo=UTC)
    first = keys.make_keys(tmp_path, made)
    assert (tmp_path / keys.FILE).stat().st_mode & 0o077 == 0
    later = made + timedelta(days=90)
    both = keys.rotate(tmp_path, later, keys.SIGNATURE)
    assert len(both.published(keys.SIGNATURE)["keys"]) == 2
    assert both.signer(later).thumbprint() == first.signer(made).thumbprint()
    assert both.signer(later + timedelta(hours=48)).thumbprint() != first.signer(made).thumbprint()
    federation = keys.rotate(tmp_path, later, keys.FEDERATION)
    assert federation.federation.thumbprint() == first.federation.thumbprint()
    assert keys.retire(tmp_path, keys.FEDERATION).federation.thumbprint() != first.federation.thumbprint()
    sealed = keys.rotate(tmp_path, later, keys.ENCRYPTION)
    assert (len(sealed.openers), len(sealed.published(keys.ENCRYPTION)["keys"])) == (2, 1)


def test_the_anchors_policy_cuts_and_refuses() -> None:
    metadata = {"algs": ["RS256", "none"], "method": "private_key_jwt"}
    rules = {"algs": {"subset_of": ["RS256"]}, "method": {"one_of": ["private_key_jwt"]}, "more": {"default": 1}}
    assert under_policy(metadata, rules) == {"algs": ["RS256"], "method": "private_key_jwt", "more": 1}
    assert under_policy(metadata, {"method": {"value": "x"}})["method"] == "x"
    for wrong in ({"method": {"one_of": ["x"]}}, {"absent": {"essential": True}}, {"algs": {"superset_of": ["ES256"]}}):
        with pytest.raises(Untrusted):
            under_policy(metadata, wrong)


def test_federations_come_from_the_environment(tmp_path: Path) -> None:
    environment = {
        "VAR": str(tmp_path),
        "SPID_ANCHOR": "https://a",
        "SPID_ANCHOR_KEYS": "/k",
        "SPID_PROVIDERS": "https://b, https://c",
    }
    found = settings_from(environment).identity
    assert found is not None
    assert found.schemes[0].providers == ("https://b", "https://c")
    assert settings_from({"VAR": str(tmp_path)}).identity is None


def test_an_identity_is_of_one_account(site: Application) -> None:
    assert come(site)[1] == 303
    with site.app_context():
        other = add_user(db.session, datetime.now(UTC), "altra@example.org", "Altra")
        uniquifier = other.fs_uniquifier
        db.session.commit()
    client = site.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = uniquifier
    assert client.get(answer(leave(client, "/accesso/identita/0"))).status_code == 409
    with site.app_context():
        assert len(db.session.exec(select(Identity)).all()) == 1
