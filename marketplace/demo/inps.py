"""INPS and PDND's stand-in: loopback only, as strict about vouchers and fields as the real ones say that they are.

It knows the demo's families: most have the ISEE that they declared, some another, some none.
"""

import base64
import json
import random
import secrets
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, Response, jsonify, request
from sqlmodel import Session, select
from werkzeug.serving import make_server

from marketplace.config import InpsSettings
from marketplace.households.inps import ASSERTION_TYPE
from marketplace.households.means_tests import list_means_tests
from marketplace.households.models import Household

LOOPBACK = {"127.0.0.1", "::1"}
FIELDS = {
    "codiceFiscale", "tipoIndicatore", "dataValidita", "codicePrestazione", "protocolloDomanda", "statoDomanda",
}  # fmt: skip
VOUCHER_SECONDS = 600
DATA_FILE, KEY_FILE = "inps.json", "pdnd.pem"
CLIENT_ID, KEY_ID, PURPOSE_ID = "condiviso-demo", "demo-key", "verifica-isee"


def settings_of(var: Path, port: int) -> InpsSettings:
    """The stand-in at a port, with the demo's own key, made once."""
    path = var / KEY_FILE
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    base = f"http://127.0.0.1:{port}"
    return InpsSettings(f"{base}/token.oauth2", f"{base}/isee/consultazione", CLIENT_ID, KEY_ID, PURPOSE_ID, path)


def write_known(session: Session, var: Path, municipality_id: str) -> None:
    """What the stand-in knows of a city's families, drawn by tax code: the same city, the same answers."""
    tests = list_means_tests(session, municipality_id)
    known = {}
    for household in session.exec(select(Household).where(Household.municipality_id == municipality_id)):
        mine, chance = tests.get(household.id), random.Random(household.tax_code).random()  # noqa: S311 - made up
        if mine and household.tax_code and chance < 0.9:
            isee = int(mine[-1].isee_cents) + (0 if chance < 0.75 else 350_000)
            known[household.tax_code] = f"{isee // 100}.{isee % 100:02d}"
    (var / DATA_FILE).write_text(json.dumps(known))


def create_app(known: Mapping[str, str], settings: InpsSettings) -> Flask:
    """PDND's token page and INPS's lookup over `known` (tax code -> euro)."""
    app = Flask(__name__)
    key = serialization.load_pem_private_key(settings.key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    vouchers: dict[str, float] = {}
    seen: set[str] = set()

    @app.before_request
    def refuse_strangers() -> Response | None:
        return None if request.remote_addr in LOOPBACK else Response("loopback only", 403)

    @app.post("/token.oauth2")
    def token() -> tuple[Response, int]:
        fault = _fault_of(request.form, settings, key.public_key(), seen)
        if fault:
            return jsonify(error="invalid_client", error_description=fault), 400
        voucher = secrets.token_urlsafe(24)
        vouchers[voucher] = time.time() + VOUCHER_SECONDS
        return jsonify(access_token=voucher, token_type="Bearer", expires_in=VOUCHER_SECONDS), 200  # noqa: S106

    @app.post("/isee/consultazione")
    def look_up() -> tuple[Response, int]:
        voucher = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if vouchers.get(voucher, 0) < time.time():
            return jsonify(detail="voucher"), 401
        asked = request.get_json(silent=True)
        if not isinstance(asked, dict) or set(asked) != FIELDS or not all(asked.values()):
            return jsonify(detail="campi"), 400
        isee = known.get(asked["codiceFiscale"])
        if isee is None:
            return jsonify(esito="NON_PRESENTE"), 200
        number = f"INPS-ISEE-{asked['dataValidita'][:4]}-{zlib.crc32(asked['codiceFiscale'].encode()):010d}-00"
        return jsonify(esito="OK", isee=isee, protocolloDSU=number), 200

    return app


def _fault_of(form: Mapping[str, str], settings: InpsSettings, key: rsa.RSAPublicKey, seen: set[str]) -> str:
    """What is wrong with a request for a voucher; empty for nothing."""
    if form.get("client_assertion_type") != ASSERTION_TYPE or form.get("grant_type") != "client_credentials":
        return "type"
    try:
        text, _, signature = form["client_assertion"].rpartition(".")
        key.verify(_decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        head, claims = (json.loads(_decoded(part)) for part in text.split("."))
    except (KeyError, ValueError, InvalidSignature):
        return "signature"
    return _fault_of_claims(head, claims, settings, seen)


def _fault_of_claims(head: Any, claims: Any, settings: InpsSettings, seen: set[str]) -> str:
    right = {
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": settings.token_url,
        "purposeId": settings.purpose_id,
    }
    if (head.get("alg"), head.get("kid")) != ("RS256", settings.key_id):
        return "head"
    wrong = [name for name, value in right.items() if claims.get(name) != value]
    if wrong or not claims.get("iat", 0) - 60 <= time.time() <= claims.get("exp", 0):
        return wrong[0] if wrong else "time"
    if claims.get("jti") in seen or not claims.get("jti"):
        return "jti"
    seen.add(claims["jti"])
    return ""


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def serve(settings: InpsSettings) -> None:
    """Answer until the process ends."""
    path = settings.key_file.parent / DATA_FILE
    known = json.loads(path.read_text()) if path.exists() else {}
    port = int(settings.isee_url.rpartition(":")[2].partition("/")[0])
    make_server("127.0.0.1", port, create_app(known, settings), threaded=True).serve_forever()
