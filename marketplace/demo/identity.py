"""SPID and CIE's stand-in: loopback only, one anchor and two providers, as strict as the federation's rules.

A provider believes only what we signed with keys that the anchor vouches for; a code is changed once, with its
verifier, and the answer is signed, and encrypted for us. `Twist` bends one answer, so that tests can attack with it.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask, Response, abort, jsonify, redirect, render_template_string, request
from flask.typing import ResponseReturnValue
from joserfc import jwe, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from sqlmodel import Session, col, select
from werkzeug.serving import make_server

from marketplace.accounts.federation import SIGNATURES, STATEMENT, WELL_KNOWN, fetch
from marketplace.accounts.models import Appointment, User
from marketplace.accounts.openid import ASSERTION, FISCAL_NUMBER, LEVEL
from marketplace.config import IdentitySettings, Scheme
from marketplace.households.models import Household

LOOPBACK: Final = {"127.0.0.1", "::1"}
PEOPLE_FILE, ANCHOR_FILE = "identities.json", "anchor.json"
NEWCOMER: Final = {
    "given_name": "Nuova", "family_name": "Arrivata", "tax_code": "RRVNVU80A41H223T", "email": "nuova@demo.invalid",
}  # fmt: skip
PAGE: Final = """<!doctype html><html lang="it"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Gestore di prova</title><h1>Gestore di prova</h1><p>Qui nessuno è vero. Chi sei?</p>
{% for number, one in people %}<form method="post"><input type="hidden" name="request" value="{{ sent }}">
<p><button name="who" value="{{ number }}">{{ one.given_name }} {{ one.family_name }}</button></p></form>{% endfor %}
<form method="post"><input type="hidden" name="request" value="{{ sent }}">
<p><button name="who" value="no">Non voglio</button></p></form></html>"""

Claims = dict[str, Any]


@dataclass
class Twist:
    """How answers are bent; each gets what would be sent, and says what is."""

    id_token: Callable[[Claims], Claims] = lambda claims: claims
    userinfo: Callable[[Claims], Claims] = lambda claims: claims
    signed: Callable[[str], str] = lambda text: text
    encrypted: Callable[[str, str], str] = lambda text, inner: text
    statement: Callable[[Claims], Claims] = lambda claims: claims
    back: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda answer: answer


@dataclass
class Stand:
    """The stand-in's keys, the people whom it knows, the codes and tokens that it gave."""

    base: str
    people: list[dict[str, str]]
    read: Callable[[str], str] = fetch
    anchor: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))
    entity: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))
    core: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048))
    twist: Twist = field(default_factory=Twist)
    codes: dict[str, Claims] = field(default_factory=dict)
    tokens: dict[str, Claims] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def at(self, way: str) -> str:
        """The identifier of an entity: anchor, spid or cie."""
        return f"{self.base}/{way}"


def settings_of(var: Path, base: str) -> IdentitySettings:
    """Ourselves in the stand-in's federation."""
    keys = var / ANCHOR_FILE
    schemes = tuple(Scheme(way, f"{base}/anchor", keys, (f"{base}/{way}",)) for way in ("spid", "cie"))
    return IdentitySettings("Condiviso", "condiviso@pec.invalid", var / "identity", None, schemes)


def anchor_key(var: Path) -> RSAKey:
    """The anchor's key, made once, whose public half we hold."""
    private = var / "anchor.private.json"
    if not private.exists():
        var.mkdir(parents=True, exist_ok=True)
        private.touch(mode=0o600)
        private.write_text(json.dumps(RSAKey.generate_key(2048).as_dict(private=True)))
    key = RSAKey.import_key(json.loads(private.read_text()))
    (var / ANCHOR_FILE).write_text(json.dumps(_published(key)))
    return key


def write_known(session: Session, var: Path, municipality_id: str) -> None:
    """Whom the stand-in knows: the demo's own families, two that never signed in, and somebody quite new."""
    acting = select(Appointment.household_id, User.email).join(User, col(User.id) == Appointment.user_id)
    emails = {household_id: email for household_id, email in session.exec(acting).all() if household_id}
    held = select(Household).where(Household.municipality_id == municipality_id).order_by(col(Household.id))
    families = [one for one in session.exec(held) if one.tax_code]
    known = [one for one in families if one.id in emails][:3] + [one for one in families if one.id not in emails][:2]
    people = [
        {
            "given_name": one.given_name,
            "family_name": one.family_name,
            "tax_code": str(one.tax_code),
            "email": emails.get(one.id) or one.email or f"{one.id.hex}@demo.invalid",
        }
        for one in known
    ]
    (var / PEOPLE_FILE).write_text(json.dumps([*people, NEWCOMER]))


def create_app(stand: Stand) -> Flask:
    """The anchor at /anchor, a provider at /spid and one at /cie."""
    app = Flask(__name__)

    @app.before_request
    def refuse_strangers() -> Response | None:
        return None if request.remote_addr in LOOPBACK else Response("loopback only", 403)

    @app.get(f"/anchor{WELL_KNOWN}")
    def anchor() -> Response:
        metadata = {"federation_entity": {"federation_fetch_endpoint": f"{stand.base}/anchor/fetch"}}
        claims = {"iss": stand.at("anchor"), "sub": stand.at("anchor"), "metadata": metadata}
        return _statement(stand.anchor, {**claims, "jwks": _published(stand.anchor)})

    @app.get("/anchor/fetch")
    def vouch() -> Response:
        policy = {"openid_provider": {"token_endpoint_auth_methods_supported": {"subset_of": ["private_key_jwt"]}}}
        claims = {"iss": stand.at("anchor"), "sub": request.args["sub"], "metadata_policy": policy}
        return _statement(stand.anchor, {**claims, "jwks": _published(stand.entity)})

    @app.get(f"/<way>{WELL_KNOWN}")
    def provider(way: str) -> Response:
        return _statement(stand.entity, _provider(stand, way))

    @app.route("/<way>/authorize", methods=["GET", "POST"])
    def authorize(way: str) -> ResponseReturnValue:
        return _authorize(stand, way)

    @app.post("/<way>/token")
    def token(way: str) -> tuple[Response, int]:
        return _token(stand, way)

    @app.get("/<way>/userinfo")
    def userinfo(way: str) -> Response:
        given = stand.tokens.pop(request.headers.get("Authorization", "").removeprefix("Bearer "), None)
        if given is None or given["way"] != way:
            abort(401)
        return Response(_about(stand, given), mimetype="application/jose")

    return app


def _authorize(stand: Stand, way: str) -> ResponseReturnValue:
    """Show who one may be; then go back with a code."""
    sent = request.values.get("request", "")
    asked = _asked(stand, way, sent)
    if request.method == "GET":
        return render_template_string(PAGE, people=list(enumerate(stand.people)), sent=sent)
    answer = {"state": asked["state"], "iss": stand.at(way)}
    if request.form["who"] == "no":
        return _back(asked, stand.twist.back({**answer, "error": "access_denied"}))
    code = secrets.token_urlsafe(24)
    stand.codes[code] = {**asked, "way": way, "person": stand.people[int(request.form["who"])]}
    return _back(asked, stand.twist.back({**answer, "code": code}))


def _token(stand: Stand, way: str) -> tuple[Response, int]:
    """Change a code, once."""
    given = stand.codes.pop(request.form.get("code", ""), None)
    if given is None or given["way"] != way or not _is_client(stand, way, given):
        return jsonify(error="invalid_grant"), 400
    access = secrets.token_urlsafe(32)
    stand.tokens[access] = given
    found = {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": _id(stand, given, access)}
    return jsonify(found), 200


def _provider(stand: Stand, way: str) -> Claims:
    us = stand.at(way)
    metadata = {
        "issuer": us,
        "authorization_endpoint": f"{us}/authorize",
        "token_endpoint": f"{us}/token",
        "userinfo_endpoint": f"{us}/userinfo",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "authorization_response_iss_parameter_supported": way == "cie",
        "jwks": _published(stand.core),
    }
    entities = {"federation_entity": {"organization_name": "Gestore di prova"}, "openid_provider": metadata}
    hints = [stand.at("anchor")]
    claims = {"iss": us, "sub": us, "jwks": _published(stand.entity), "authority_hints": hints, "metadata": entities}
    return stand.twist.statement(claims)


def _asked(stand: Stand, way: str, sent: str) -> Claims:
    """A question that we signed, by keys of our statement, for this provider, with all that the rules want of it."""
    client = request.args.get("client_id") or _unverified(sent).get("iss", "")
    metadata = _relying_party(stand, client)
    try:
        asked = jwt.decode(sent, _usable(metadata["jwks"]), algorithms=SIGNATURES).claims
    except JoseError:
        abort(400)
    right = {
        "iss": client, "client_id": client, "aud": [stand.at(way)], "response_type": "code", "scope": "openid",
        "code_challenge_method": "S256", "acr_values": LEVEL, "prompt": "consent login",
    }  # fmt: skip
    is_right = all(asked.get(name) == value for name, value in right.items())
    is_long = min(len(asked.get("state", "")), len(asked.get("nonce", ""))) >= 32
    if not is_right or not is_long or asked["redirect_uri"] not in metadata["redirect_uris"]:
        abort(400)
    if asked["exp"] < time.time() or FISCAL_NUMBER not in asked["claims"]["userinfo"]:
        abort(400)
    return asked


def _relying_party(stand: Stand, client: str) -> Claims:
    text = stand.read(client + WELL_KNOWN)
    keys = KeySet.import_key_set(_unverified(text)["jwks"])  # the demo's anchor vouches for whoever is on this machine
    token = jwt.decode(text, keys, algorithms=SIGNATURES)
    if token.header.get("typ") != STATEMENT or stand.at("anchor") not in token.claims["authority_hints"]:
        abort(400)
    found: Claims = token.claims["metadata"]["openid_relying_party"]
    return found


def _is_client(stand: Stand, way: str, given: Claims) -> bool:
    """private_key_jwt, once; and the verifier of the challenge."""
    form = request.form
    if form.get("client_assertion_type") != ASSERTION or form.get("redirect_uri") != given["redirect_uri"]:
        return False
    try:
        keys = _usable(_relying_party(stand, given["client_id"])["jwks"])
        claims = jwt.decode(form.get("client_assertion", ""), keys, algorithms=SIGNATURES).claims
    except JoseError:
        return False
    right = (given["client_id"], given["client_id"], [stand.at(way) + "/token"])
    if (claims["iss"], claims["sub"], claims["aud"]) != right or claims["jti"] in stand.seen:
        return False
    stand.seen.add(claims["jti"])
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return bool(claims["exp"] > time.time() and _encoded(digest) == given["code_challenge"])


def _id(stand: Stand, given: Claims, access: str) -> str:
    half = _encoded(hashlib.sha256(access.encode()).digest()[:16])
    claims = {
        **_common(stand, given), "nonce": given["nonce"], "acr": LEVEL, "at_hash": half, "jti": secrets.token_hex(16),
    }  # fmt: skip
    return stand.twist.signed(_signed(stand.core, stand.twist.id_token(claims)))


def _about(stand: Stand, given: Claims) -> str:
    person = given["person"]
    claims = {
        **_common(stand, given),
        FISCAL_NUMBER: f"TINIT-{person['tax_code']}",
        **{name: person[name] for name in ("given_name", "family_name", "email")},
        **({"email_verified": True} if given["way"] == "cie" else {}),
    }
    inner = _signed(stand.core, stand.twist.userinfo(claims))
    jwks = _relying_party(stand, given["client_id"])["jwks"]["keys"]
    key = RSAKey.import_key(next(one for one in jwks if one.get("use") == "enc"))
    head = {"alg": "RSA-OAEP-256", "enc": "A256CBC-HS512", "cty": "JWT"}
    text = jwe.encrypt_compact(head, inner, key, algorithms=["RSA-OAEP-256", "A256CBC-HS512"])
    return stand.twist.encrypted(text, inner)


def _common(stand: Stand, given: Claims) -> Claims:
    subject = hashlib.sha256(f"{given['client_id']}:{given['person']['tax_code']}".encode()).hexdigest()
    begun = int(time.time())
    us = stand.at(given["way"])
    return {"iss": us, "aud": given["client_id"], "sub": subject, "iat": begun, "nbf": begun, "exp": begun + 180}


def _statement(key: RSAKey, claims: Claims) -> Response:
    begun = int(datetime.now(UTC).timestamp())
    text = _signed(key, {"iat": begun, "exp": begun + 3600, **claims}, STATEMENT)
    return Response(text, mimetype="application/entity-statement+jwt")


def _back(asked: Claims, answer: Mapping[str, str]) -> ResponseReturnValue:
    return redirect(f"{asked['redirect_uri']}?{urlencode(answer)}", code=302)


def _signed(key: RSAKey, claims: Claims, kind: str = "JWT") -> str:
    return jwt.encode({"alg": "RS256", "kid": key.thumbprint(), "typ": kind}, claims, key)


def _published(key: RSAKey) -> Claims:
    return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint()}]}


def _usable(jwks: Claims) -> KeySet:
    return KeySet.import_key_set({"keys": [one for one in jwks["keys"] if one.get("use") == "sig"]})


def _unverified(text: str) -> Claims:
    try:
        part = text.split(".")[1]
        found: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        abort(400)
    return found


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def serve(settings: IdentitySettings, var: Path) -> None:
    """Answer until the process ends."""
    path = var / PEOPLE_FILE
    people = json.loads(path.read_text()) if path.exists() else [NEWCOMER]
    base = settings.schemes[0].anchor.removesuffix("/anchor")
    stand = Stand(base, people, anchor=anchor_key(var))
    make_server("127.0.0.1", int(base.rpartition(":")[2]), create_app(stand), threaded=True).serve_forever()
