"""Settings come from the environment, once, at the edge; everything else is handed them."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from marketplace.errors import CannotRun
from marketplace.postgres import unwritable
from marketplace.words import N_

PAYMENTS_ADDRESS_FILE = "payments.address"


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs between machines. `var` holds all data of a local installation; `keys` are newest first.

    `proxies`: how many stand before the site and say in X-Forwarded-* whom they speak for; with 0 nobody is believed.
    """

    var: Path
    port: int
    database_url: str | None
    keys: tuple[str, ...]
    production: bool
    demo: bool
    stripe_secret_key: str | None
    stripe_webhook_secret: str | None
    stripe_base_address: str | None
    base_url: str
    smtp_url: str | None
    email_sender: str
    proxies: int = 0
    inps: "InpsSettings | None" = None
    sms: "SmsSettings | None" = None
    log_json: bool = False
    metrics_token: str | None = None
    local_webhooks: bool = False
    identity: "IdentitySettings | None" = None


@dataclass(frozen=True)
class SmsSettings:
    """How SMS leave (POST to `url` with a bearer `token`), and the `secret` that signs those that come in."""

    url: str
    token: str
    secret: str


@dataclass(frozen=True)
class InpsSettings:
    """How a municipality asks INPS for an ISEE over PDND: where, as whom, for what, signed by the key in a file."""

    token_url: str
    isee_url: str
    client_id: str
    key_id: str
    purpose_id: str
    key_file: Path


@dataclass(frozen=True)
class Scheme:
    """One federation (`way`: spid or cie): who vouches in it, by which keys (a file), and whose providers we offer."""

    way: str
    anchor: str
    anchor_keys: Path
    providers: tuple[str, ...]


@dataclass(frozen=True)
class IdentitySettings:
    """Ourselves in the federations: name, certified e-mail, the folder of our keys, the file of our trust marks."""

    name: str
    contact: str
    keys: Path
    trust_marks: Path | None
    schemes: tuple[Scheme, ...]


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read VAR, PORT, DATABASE_URL, SECRET_KEYS, PRODUCTION, DEMO, STRIPE_*, BASE_URL, SMTP_URL, EMAIL_SENDER, PROXIES,
    PDND_*, INPS_ISEE_URL, LOG_FORMAT, METRICS_TOKEN, IDENTITY_*, SPID_*, CIE_*, LOCAL_WEBHOOKS (never in production).

    A value that cannot be raises CannotRun.
    """
    var = Path(environment.get("VAR") or "var").absolute()
    port = _port(environment.get("PORT") or "8000")
    production = environment.get("PRODUCTION", "") not in ("", "0")
    keys = tuple(key for key in environment.get("SECRET_KEYS", "").split(",") if key)
    if not keys:
        if production:
            raise SystemExit("SECRET_KEYS must be set in production: one or more random texts, comma separated.")
        keys = (_local_key(var),)
    return Settings(
        var=var,
        port=port,
        database_url=_database_url(environment.get("DATABASE_URL", "")),
        keys=keys,
        production=production,
        demo=environment.get("DEMO", "") not in ("", "0") and not production,
        stripe_secret_key=environment.get("STRIPE_SECRET_KEY") or None,
        stripe_webhook_secret=environment.get("STRIPE_WEBHOOK_SECRET") or None,
        stripe_base_address=environment.get("STRIPE_BASE_ADDRESS") or _stand_in(var, environment),
        base_url=environment.get("BASE_URL") or f"http://127.0.0.1:{port}",
        smtp_url=environment.get("SMTP_URL") or None,
        email_sender=environment.get("EMAIL_SENDER") or "Condiviso <condiviso@localhost.invalid>",
        proxies=_count("PROXIES", environment.get("PROXIES") or "0"),
        inps=_inps(environment),
        sms=_sms(environment),
        log_json=environment.get("LOG_FORMAT") == "json",
        metrics_token=environment.get("METRICS_TOKEN") or None,
        local_webhooks=environment.get("LOCAL_WEBHOOKS", "") not in ("", "0") and not production,
        identity=_identity(environment, var),
    )


def _sms(environment: Mapping[str, str]) -> SmsSettings | None:
    """SMS_URL, SMS_TOKEN, SMS_SECRET: all, or nothing."""
    url, token, secret = (environment.get(name, "") for name in ("SMS_URL", "SMS_TOKEN", "SMS_SECRET"))
    return SmsSettings(url, token, secret) if url and token and secret else None


def _inps(environment: Mapping[str, str]) -> InpsSettings | None:
    """PDND_TOKEN_URL, INPS_ISEE_URL, PDND_CLIENT_ID, PDND_KEY_ID, PDND_PURPOSE_ID, PDND_KEY_FILE: all, or nothing."""
    names = ("PDND_TOKEN_URL", "INPS_ISEE_URL", "PDND_CLIENT_ID", "PDND_KEY_ID", "PDND_PURPOSE_ID", "PDND_KEY_FILE")
    token_url, isee_url, client_id, key_id, purpose_id, key_file = (environment.get(name, "") for name in names)
    if not all((token_url, isee_url, client_id, key_id, purpose_id, key_file)):
        return None
    return InpsSettings(token_url, isee_url, client_id, key_id, purpose_id, Path(key_file))


def _identity(environment: Mapping[str, str], var: Path) -> IdentitySettings | None:
    """IDENTITY_NAME, _CONTACT, _KEYS, _TRUST_MARKS, and of SPID or CIE _ANCHOR, _ANCHOR_KEYS, _PROVIDERS."""
    schemes = []
    for way in ("spid", "cie"):
        anchor, keys, providers = (
            environment.get(f"{way.upper()}_{name}", "") for name in ("ANCHOR", "ANCHOR_KEYS", "PROVIDERS")
        )
        if anchor and keys and providers:
            listed = tuple(one.strip() for one in providers.split(",") if one.strip())
            schemes.append(Scheme(way, anchor, Path(keys), listed))
    if not schemes:
        return None
    marks = environment.get("IDENTITY_TRUST_MARKS")
    return IdentitySettings(
        name=environment.get("IDENTITY_NAME") or "Condiviso",
        contact=environment.get("IDENTITY_CONTACT", ""),
        keys=Path(environment.get("IDENTITY_KEYS") or var / "identity"),
        trust_marks=Path(marks) if marks else None,
        schemes=tuple(schemes),
    )


def _stand_in(var: Path, environment: Mapping[str, str]) -> str | None:
    """Where the local stand-in for Stripe says that it is; nowhere once there is a key."""
    path = var / PAYMENTS_ADDRESS_FILE
    if environment.get("STRIPE_SECRET_KEY") or not path.exists():
        return None
    return path.read_text().strip() or None


def _database_url(text: str) -> str | None:
    """PostgreSQL's address as SQLAlchemy and libpq both read it; a refusal does not repeat it: it holds a password."""
    if not text:
        return None
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise CannotRun(N_("DATABASE_URL dev'essere come postgresql://utente:password@server/database."))
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CannotRun(N_("PORT dev'essere un numero da 1 a 65535, non %(text)s."), text=text)
    return int(text)


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) > 9:
        raise CannotRun(N_("%(name)s dev'essere un numero da 0 a 9, non %(text)s."), name=name, text=text)
    return int(text)


def _local_key(var: Path) -> str:
    """A key made once for this folder; two commands that start at once agree on it."""
    path = var / "secret.key"
    try:
        return _made_once(path)
    except OSError as problem:
        raise unwritable(var, problem) from problem


def _made_once(path: Path) -> str:
    var = path.parent
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        draft = var / f"secret.key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
