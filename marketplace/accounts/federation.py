"""Trust between us and a provider comes from the anchor alone: its keys are ours to know, all else is signed by them.

OpenID Federation 1.0 as SPID and CIE use it: between anchor and provider nobody stands.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import requests
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from marketplace.accounts.identity_keys import ENCRYPTION, FEDERATION, SIGNATURE, Keys
from marketplace.config import IdentitySettings, Scheme
from marketplace.errors import MarketplaceError
from marketplace.words import N_

SIGNATURES: Final = ["RS256", "RS512", "ES256", "ES512", "PS256", "PS512"]
STATEMENT: Final = "entity-statement+jwt"
WELL_KNOWN: Final = "/.well-known/openid-federation"
CALLBACK: Final = "/entra/identita/ritorno"
LASTS: Final = timedelta(hours=24)
KEPT: Final = timedelta(hours=1)
CLOCK: Final = timedelta(minutes=1)  # how wrong another machine's clock may be
TIMEOUT_SECONDS: Final = 8
BYTES_MAX: Final = 500_000
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class ProviderDown(MarketplaceError):
    """Nobody answers at the provider or its federation, or not what an answer is."""

    status = 503
    default = N_(
        "Il gestore della tua identità non risponde. Riprova tra qualche minuto, o entra con un link via e-mail."
    )


class Untrusted(ProviderDown):
    """What was answered is not signed by whom it should be, or is too old: for people it is as if nobody answered."""


@dataclass(frozen=True)
class Provider:
    """A provider as its federation vouches for it: its metadata after the anchor's policy, its keys, until when."""

    way: str
    issuer: str
    name: str
    metadata: Mapping[str, Any]
    keys: KeySet
    until: datetime


class Federations:
    """What we know of providers; each is asked for again after an hour, or when its statements end."""

    def __init__(self, settings: IdentitySettings, base_url: str) -> None:
        self.settings, self.us = settings, base_url.rstrip("/")
        self._known: dict[str, Provider] = {}

    @property
    def offered(self) -> list[tuple[str, str]]:
        """(way, issuer) of each provider that people may choose."""
        return [(scheme.way, issuer) for scheme in self.settings.schemes for issuer in scheme.providers]

    def name_of(self, issuer: str) -> str:
        """What a provider calls itself, once it was asked; until then its address."""
        known = self._known.get(issuer)
        return known.name if known else urlsplit(issuer).netloc

    def provider(self, now: datetime, issuer: str, anew: bool = False) -> Provider:
        """A provider that we offer. Raises ProviderDown, Untrusted."""
        known = self._known.get(issuer)
        if known is None or anew or known.until <= now:
            scheme = next((one for one in self.settings.schemes if issuer in one.providers), None)
            if scheme is None:
                raise Untrusted
            known = self._known[issuer] = resolve(now, scheme, issuer)
        return known


def own_statement(now: datetime, settings: IdentitySettings, us: str, keys: Keys) -> str:
    """Our Entity Configuration, signed by our federation key."""
    marks = json.loads(settings.trust_marks.read_text()) if settings.trust_marks else []
    claims = {
        "iss": us,
        "sub": us,
        "iat": int(now.timestamp()),
        "exp": int((now + LASTS).timestamp()),
        "jwks": keys.published(FEDERATION),
        "authority_hints": [one.anchor for one in settings.schemes],
        "trust_marks": marks,
        "metadata": {
            "federation_entity": {
                "organization_name": settings.name,
                "homepage_uri": us,
                "policy_uri": f"{us}/privacy",
                "logo_uri": f"{us}/assets/icon.svg",
                "contacts": [settings.contact] if settings.contact else [],
            },
            "openid_relying_party": {
                "application_type": "web",
                "client_id": us,
                "client_name": settings.name,
                "client_registration_types": ["automatic"],
                "redirect_uris": [us + CALLBACK],
                "response_types": ["code"],
                "grant_types": ["authorization_code"],
                "subject_type": "pairwise",
                "token_endpoint_auth_method": "private_key_jwt",
                "id_token_signed_response_alg": "RS256",
                "userinfo_signed_response_alg": "RS256",
                "userinfo_encrypted_response_alg": "RSA-OAEP-256",
                "userinfo_encrypted_response_enc": "A256CBC-HS512",
                "jwks": keys.published(SIGNATURE, ENCRYPTION),
            },
        },
    }
    key = keys.federation
    return jwt.encode({"alg": "RS256", "kid": key.thumbprint(), "typ": STATEMENT}, claims, key, default_type=None)


def resolve(now: datetime, scheme: Scheme, issuer: str) -> Provider:
    """The chain from a provider to the anchor whose keys we hold. Raises ProviderDown, Untrusted."""
    anchors_keys = _key_set(json.loads(scheme.anchor_keys.read_text()))
    anchor = verified(now, fetch(scheme.anchor + WELL_KNOWN), anchors_keys, scheme.anchor, scheme.anchor)
    at = _object(_object(anchor, "metadata"), "federation_entity").get("federation_fetch_endpoint")
    asked = urlencode({"iss": scheme.anchor, "sub": issuer})
    vouched = verified(now, fetch(f"{at}?{asked}"), anchors_keys, scheme.anchor, issuer)
    keys = _key_set(vouched.get("jwks"))
    own = verified(now, fetch(issuer.rstrip("/") + WELL_KNOWN), keys, issuer, issuer)
    if scheme.anchor not in (own.get("authority_hints") or []):
        raise Untrusted
    policy = (vouched.get("metadata_policy") or {}).get("openid_provider") or {}
    metadata = under_policy(_object(_object(own, "metadata"), "openid_provider"), policy)
    if metadata.get("issuer") != issuer:
        raise Untrusted
    ends = min(anchor["exp"], vouched["exp"], own["exp"])
    name = _object(own, "metadata").get("federation_entity", {}).get("organization_name") or urlsplit(issuer).hostname
    until = min(now + KEPT, datetime.fromtimestamp(ends, now.tzinfo))
    return Provider(scheme.way, issuer, str(name), metadata, _own_keys(now, metadata, keys, issuer), until)


def under_policy(metadata: Mapping[str, Any], policy: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What of a subordinate's metadata its superior lets stand (OpenID Federation 1.0, 6.1). Raises Untrusted."""
    found = dict(metadata)
    for name, rules in policy.items():
        if "value" in rules:
            found[name] = rules["value"]
        if "add" in rules:
            found[name] = [*dict.fromkeys([*_list(found.get(name)), *_list(rules["add"])])]
        if "default" in rules:
            found.setdefault(name, rules["default"])
        if name in found:
            found[name] = _allowed(found[name], rules)
        elif rules.get("essential"):
            raise Untrusted
    return found


def _allowed(value: Any, rules: Mapping[str, Any]) -> Any:
    """One value, as far as the rules that only check or cut let it stand."""
    if "one_of" in rules and value not in rules["one_of"]:
        raise Untrusted
    if "subset_of" in rules:
        kept = [one for one in _list(value) if one in _list(rules["subset_of"])]
        if not kept:
            raise Untrusted
        value = kept if isinstance(value, list) else value
    if "superset_of" in rules and not all(one in _list(value) for one in _list(rules["superset_of"])):
        raise Untrusted
    return value


def verified(now: datetime, text: str, keys: KeySet, iss: str, sub: str) -> dict[str, Any]:
    """The claims of an entity statement about `sub` that `iss` signed. Raises Untrusted."""
    try:
        token = jwt.decode(text, keys, algorithms=SIGNATURES)
    except (JoseError, ValueError, TypeError):
        raise Untrusted from None
    if token.header.get("typ") != STATEMENT or "kid" not in token.header:
        raise Untrusted
    claims = token.claims
    if claims.get("iss") != iss or claims.get("sub") != sub or not is_current(now, claims):
        raise Untrusted
    return claims


def is_current(now: datetime, claims: Mapping[str, Any]) -> bool:
    """Whether signed claims have begun and not ended; those without an end do not count."""
    begun, end = claims.get("iat", 0), claims.get("exp")
    if not isinstance(begun, int | float) or not isinstance(end, int | float):
        return False
    return begun <= (now + CLOCK).timestamp() and now.timestamp() < end


def fetch(url: str, **arguments: Any) -> str:
    """What is at an address, over TLS or on this machine. Raises ProviderDown."""
    return _ask(requests.get, url, **arguments)


def post(url: str, **arguments: Any) -> str:
    """What is answered there to a form. Raises ProviderDown."""
    return _ask(requests.post, url, **arguments)


def _ask(how: Callable[..., requests.Response], url: str, **arguments: Any) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise Untrusted
    try:
        answer = how(url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **arguments)
    except requests.RequestException as problem:
        raise ProviderDown from problem
    if answer.status_code != requests.codes.ok or len(answer.content) > BYTES_MAX:
        raise ProviderDown
    return answer.text


def _own_keys(now: datetime, metadata: Mapping[str, Any], keys: KeySet, issuer: str) -> KeySet:
    """A provider's keys for tokens: in its metadata, or at an address and signed by its federation key."""
    if "jwks" in metadata:
        return _key_set(metadata["jwks"])
    try:
        signed = jws.deserialize_compact(fetch(str(metadata.get("signed_jwks_uri"))), keys, algorithms=SIGNATURES)
        found = json.loads(signed.payload)
    except (JoseError, ValueError):
        raise Untrusted from None
    if found.get("iss", issuer) != issuer or not is_current(now, {"exp": now.timestamp() + 1, **found}):
        raise Untrusted
    return _key_set(found)


def _key_set(jwks: Any) -> KeySet:
    """Keys that can verify a signature: asymmetric, named, and not for encryption."""
    try:
        usable = [one for one in jwks["keys"] if one["kty"] in ("RSA", "EC") and one.get("use") != "enc" and one["kid"]]
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, KeyError, TypeError, ValueError):
        raise Untrusted from None


def _object(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = claims.get(name)
    if not isinstance(found, dict):
        raise Untrusted
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
