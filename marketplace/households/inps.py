"""The door to INPS: an ISEE is asked for with a PDND voucher that our key signed, one declared means test at a time.

PDND gives the voucher for a signed client assertion (RFC 7523, RS256); the request carries tax code, type, date,
benefit code, protocol and status. The field names of INPS's answer are to be confirmed with its technical annex.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from marketplace.config import InpsSettings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
TIMEOUT_SECONDS = 20
BENEFIT_CODE, REQUEST_STATUS, ISEE_TYPE = "A1.21", "In corso", "Ordinario"


class InpsUnavailable(Exception):
    """Nobody answered, or not what an answer is: the same question may be asked again."""


@dataclass(frozen=True, slots=True)
class Attested:
    """What INPS holds of a household: the ISEE in cents and its attestation's number."""

    isee_cents: int
    attestation: str


class Inps:
    """INPS's lookup as one municipality, for the purpose that PDND granted."""

    def __init__(self, settings: InpsSettings) -> None:
        self._settings = settings

    def find_isee(self, tax_code: str, on: date, protocol: str) -> Attested | None:
        """The ISEE that counts on a day for the household of a tax code; None without one. Raises InpsUnavailable."""
        asked = {
            "codiceFiscale": tax_code,
            "tipoIndicatore": ISEE_TYPE,
            "dataValidita": on.isoformat(),
            "codicePrestazione": BENEFIT_CODE,
            "protocolloDomanda": protocol,
            "statoDomanda": REQUEST_STATUS,
        }
        answer = self._post(self._settings.isee_url, json=asked, headers={"Authorization": f"Bearer {self._voucher()}"})
        if answer.get("esito") == "NON_PRESENTE":
            return None
        try:
            isee = Decimal(str(answer["isee"]))
            attestation = str(answer["protocolloDSU"])
        except (KeyError, InvalidOperation):
            raise InpsUnavailable("not an answer") from None
        if not isee.is_finite() or isee < 0 or isee != isee.quantize(Decimal("0.01")):
            raise InpsUnavailable("not an ISEE")
        return Attested(int(isee * 100), attestation[:60])

    def _voucher(self) -> str:
        """A fresh access token for the purpose."""
        settings = self._settings
        asked = {
            "client_id": settings.client_id,
            "client_assertion": self._assertion(datetime.now(UTC)),
            "client_assertion_type": ASSERTION_TYPE,
            "grant_type": "client_credentials",
        }
        token = self._post(settings.token_url, data=asked).get("access_token")
        if not isinstance(token, str) or not token:
            raise InpsUnavailable("no voucher")
        return token

    def _assertion(self, now: datetime) -> str:
        settings = self._settings
        claims = {
            "iss": settings.client_id,
            "sub": settings.client_id,
            "aud": settings.token_url,
            "purposeId": settings.purpose_id,
            "jti": str(uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(seconds=ASSERTION_SECONDS)).timestamp()),
        }
        return signed(claims, settings.key_id, settings.key_file.read_bytes())

    def _post(self, url: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = requests.post(url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **arguments)
            found = answer.json() if answer.status_code == requests.codes.ok else None
        except (requests.RequestException, ValueError) as error:
            raise InpsUnavailable(type(error).__name__) from error
        if not isinstance(found, dict):
            raise InpsUnavailable(f"status {answer.status_code}")
        return found


def signed(claims: dict[str, Any], key_id: str, pem: bytes) -> str:
    """Claims as a JSON Web Signature (RFC 7515), RS256 by a private key in PEM."""
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    head = {"alg": "RS256", "typ": "JWT", "kid": key_id}
    text = b".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return b".".join((text, encoded(key.sign(text, padding.PKCS1v15(), hashes.SHA256())))).decode()


def encoded(data: bytes) -> bytes:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_door: list[Inps] = []


def ask_through(inps: Inps | None) -> None:
    """From now on this process asks INPS through `inps`; None: there is no way to ask."""
    _door[:] = [inps] if inps else []


def can_ask() -> bool:
    """Whether this installation is connected to INPS."""
    return bool(_door)


def door() -> Inps:
    """The way to INPS; raises InpsUnavailable without one."""
    if not _door:
        raise InpsUnavailable("not connected")
    return _door[0]
