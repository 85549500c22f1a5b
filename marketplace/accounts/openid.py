"""One question to a provider and its answer: only what it signed for us, now, for this question, at level 2, counts."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from joserfc import jwe, jwt
from joserfc.errors import JoseError
from stdnum.exceptions import ValidationError
from stdnum.it import codicefiscale

from marketplace.accounts.federation import CALLBACK, SIGNATURES, Provider, ProviderDown, fetch, is_current, post
from marketplace.accounts.identity_keys import Keys
from marketplace.errors import Rejected
from marketplace.words import N_

ENCRYPTIONS: Final = ["RSA-OAEP", "RSA-OAEP-256", "A128CBC-HS256", "A256CBC-HS512"]
LEVEL: Final = "https://www.spid.gov.it/SpidL2"
LEVELS: Final = (LEVEL, "https://www.spid.gov.it/SpidL3")
FISCAL_NUMBER: Final = "https://attributes.eid.gov.it/fiscal_number"
OF_ITALY: Final = "TINIT-"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REQUEST_LASTS: Final = timedelta(minutes=5)
HASHES: Final = {"256": hashlib.sha256, "512": hashlib.sha512}


class NotProved(Rejected):
    """The answer is not for this question, or not signed as it must be, or of too low a level: all told alike."""

    default = N_("Non abbiamo potuto riconoscerti: prova di nuovo da qui, o entra con un link via e-mail.")


@dataclass(frozen=True)
class Question:
    """What goes to a provider with somebody's browser: all three texts are random, `verifier` stays here."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Person:
    """Who a provider says that somebody is; `email` only where it was verified."""

    tax_code: str
    given_name: str
    family_name: str
    email: str


def new_question() -> Question:
    """Random texts of 256 bits and more."""
    return Question(secrets.token_hex(32), secrets.token_hex(32), secrets.token_urlsafe(48))


def address_of(now: datetime, provider: Provider, us: str, keys: Keys, question: Question, language: str) -> str:
    """Where the browser goes, with our signed question."""
    challenge = _encoded(hashlib.sha256(question.verifier.encode()).digest())
    outside = {
        "client_id": us,
        "response_type": "code",
        "scope": "openid",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    wanted: dict[str, Any] = {name: {"essential": True} for name in (FISCAL_NUMBER, "given_name", "family_name")}
    wanted |= {"email": None, "email_verified": None} if provider.way == "cie" else {"email": None}
    inside = {
        **outside,
        "iss": us,
        "aud": [provider.issuer],
        "redirect_uri": us + CALLBACK,
        "state": question.state,
        "nonce": question.nonce,
        "prompt": "consent login",
        "acr_values": LEVEL,
        "claims": {"userinfo": wanted},
        "ui_locales": language,
        **_times(now),
    }
    return (
        f"{provider.metadata['authorization_endpoint']}?{urlencode({**outside, 'request': _signed(now, keys, inside)})}"
    )


def ask_who(now: datetime, provider: Provider, us: str, keys: Keys, code: str, nonce: str, verifier: str) -> Person:
    """Change a code for what the provider knows of its owner. Raises NotProved, ProviderDown."""
    endpoint = str(provider.metadata["token_endpoint"])
    assertion = {"iss": us, "sub": us, "aud": [endpoint], "jti": secrets.token_hex(16), **_times(now)}
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": us + CALLBACK,
        "client_id": us,
        "client_assertion": _signed(now, keys, assertion),
        "client_assertion_type": ASSERTION,
    }
    tokens = _read(post(endpoint, data=asked))
    access = tokens.get("access_token")
    if not isinstance(access, str) or str(tokens.get("token_type")).lower() != "bearer":
        raise NotProved
    proved = _proved(now, provider, us, tokens.get("id_token"), nonce, access)
    found = fetch(str(provider.metadata["userinfo_endpoint"]), headers={"Authorization": f"Bearer {access}"})
    told = _opened(provider, keys, found)
    is_ours = told.get("iss") == provider.issuer and _is_for(us, told.get("aud")) and told.get("sub") == proved["sub"]
    if not is_ours or ("exp" in told and not is_current(now, told)):
        raise NotProved
    return _person(provider.way, told)


def _proved(now: datetime, provider: Provider, us: str, text: Any, nonce: str, access: str) -> dict[str, Any]:
    """The claims of an ID token, after every check of OpenID Connect Core 3.1.3.7."""
    header, claims = _verified(provider, text)
    right = {"iss": provider.issuer, "nonce": nonce, "at_hash": _half_hash(header["alg"], access)}
    is_right = all(secrets.compare_digest(str(claims.get(name)), value) for name, value in right.items())
    is_right = is_right and _is_for(us, claims.get("aud")) and claims.get("azp", us) == us
    if not is_right or not is_current(now, claims) or claims.get("acr") not in LEVELS or not claims.get("sub"):
        raise NotProved
    return claims


def _opened(provider: Provider, keys: Keys, text: str) -> dict[str, Any]:
    """What was encrypted for us and signed within; anything less is refused: our metadata asked for both."""
    for key in keys.openers:
        try:
            inner = jwe.decrypt_compact(text, key, algorithms=ENCRYPTIONS).plaintext
        except (JoseError, ValueError, TypeError):
            continue
        return _verified(provider, (inner or b"").decode("ascii", "replace"))[1]
    raise NotProved


def _verified(provider: Provider, text: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        token = jwt.decode(str(text), provider.keys, algorithms=SIGNATURES)
    except (JoseError, ValueError, TypeError):
        raise NotProved from None
    if "kid" not in token.header:
        raise NotProved
    return token.header, token.claims


def _person(way: str, told: dict[str, Any]) -> Person:
    number = str(told.get(FISCAL_NUMBER, ""))
    try:
        tax_code = codicefiscale.validate(number.removeprefix(OF_ITALY))
    except ValidationError:
        raise NotProved from None
    if not number.startswith(OF_ITALY):
        raise NotProved
    is_verified = told.get("email_verified") is True if way == "cie" else told.get("email_verified", True) is not False
    email = str(told.get("email") or "") if is_verified else ""
    return Person(tax_code, str(told.get("given_name", ""))[:60], str(told.get("family_name", ""))[:60], email[:255])


def _is_for(us: str, audience: Any) -> bool:
    return bool(audience in (us, [us]))


def _half_hash(algorithm: str, access: str) -> str:
    digest = HASHES[algorithm[-3:]](access.encode()).digest()
    return _encoded(digest[: len(digest) // 2])


def _signed(now: datetime, keys: Keys, claims: dict[str, Any]) -> str:
    key = keys.signer(now)
    return jwt.encode({"alg": "RS256", "kid": key.thumbprint()}, claims, key)


def _times(now: datetime) -> dict[str, int]:
    return {"iat": int(now.timestamp()), "exp": int((now + REQUEST_LASTS).timestamp())}


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise ProviderDown from None
    if not isinstance(found, dict):
        raise ProviderDown
    return found


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
