"""What is wrong with an installation, each with what to do: it looks, and changes nothing."""

import os
import shutil
import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from marketplace.config import Settings
from marketplace.operating.rotation import count_old
from marketplace.schema import known_revisions
from marketplace.sealed import mark_of

FREE_BYTES_MIN: Final = 2 * 1024**3
SILENT_AFTER: Final = timedelta(seconds=60)
WAITED_MAX: Final = timedelta(minutes=5)
BACKUP_MAX: Final = timedelta(hours=26)
AUDIT_MAX: Final = timedelta(hours=26)
CLOCK_MAX: Final = timedelta(seconds=2)
UNGUARDED = """
select relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'municipality_id'
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and a.attnotnull
  and relname <> 'appointment' and not (c.relrowsecurity and c.relforcerowsecurity) order by 1
"""
QUEUE = """
select (select max(last_heartbeat) from procrastinate_workers),
  (select count(*) from procrastinate_jobs where status = 'failed'),
  (select min(coalesce(j.scheduled_at, e.at)) from procrastinate_jobs j
   left join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
   where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now())
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` is empty where it is well."""

    name: str
    found: str
    advice: str = ""


def examine(settings: Settings, owner_url: str, app_url: str, now: datetime, say: Callable[[str], None]) -> int:
    """Say each finding in a line; 1 if anything is to be done."""
    findings = [*_of_settings(settings), *_of_machine(settings)]
    with create_engine(owner_url, poolclass=NullPool).connect() as owner:
        findings += [*_of_schema(owner), *_of_queue(owner), *_of_books(owner, now), *_of_clock(owner)]
        findings += _of_seals(settings, owner)
        if not settings.database_url:
            findings += _of_backup(owner)
    with create_engine(app_url, poolclass=NullPool).connect() as app:
        findings += _of_rights(app)
    findings += _of_mail(settings)
    for one in findings:
        say(f"{'!!' if one.advice else 'ok'}  {one.name}: {one.found}{'. ' + one.advice if one.advice else ''}")
    return 1 if any(one.advice for one in findings) else 0


def _judged(name: str, found: object, is_well: object, advice: str) -> Finding:
    return Finding(name, str(found), "" if is_well else advice)


def _of_settings(settings: Settings) -> Iterator[Finding]:
    if not settings.production:
        yield Finding("produzione", "no: per provare. Qui non si controllano indirizzo, posta e pagamenti")
        return
    url = urlsplit(settings.base_url)
    is_public = url.scheme == "https" and url.hostname not in ("127.0.0.1", "localhost")
    yield _judged("indirizzo", settings.base_url, is_public, "BASE_URL dev'essere l'indirizzo https del sito")
    yield _judged("chiavi", len(settings.keys), min(map(len, settings.keys)) >= 32, "SECRET_KEYS: almeno 32 caratteri")
    yield _judged("proxy", settings.proxies, settings.proxies, "PROXIES=1 se davanti c'è un proxy che finisce TLS")
    yield _judged(
        "posta", "SMTP_URL" if settings.smtp_url else "-", settings.smtp_url, "senza SMTP_URL non parte posta"
    )
    signed = settings.stripe_secret_key and settings.stripe_webhook_secret
    yield _judged("pagamenti", "Stripe" if signed else "-", signed, "mancano STRIPE_SECRET_KEY o STRIPE_WEBHOOK_SECRET")


def _of_machine(settings: Settings) -> Iterator[Finding]:
    mode = settings.var.stat().st_mode & 0o777 if settings.var.exists() else 0
    is_own = not mode & 0o007 or not settings.production
    yield _judged(
        "cartella dei dati", f"{settings.var} {mode:o}", is_own, f"altri la leggono: chmod 750 {settings.var}"
    )
    yield _judged("scrittura", settings.var, os.access(settings.var, os.W_OK), "il servizio non può scriverci")
    free = shutil.disk_usage(settings.var).free
    advice = "libera spazio: senza, il database non scrive più"
    yield _judged("spazio libero", f"{free / 1024**3:.1f} GB", free >= FREE_BYTES_MIN, advice)


def _of_schema(owner: Connection) -> Iterator[Finding]:
    version = str(owner.execute(text("show server_version")).scalar_one())
    yield _judged("PostgreSQL", version, int(version.split(".", maxsplit=1)[0]) >= 18, "serve la 18 o una più recente")
    revision = owner.execute(text("select version_num from alembic_version")).scalar_one()
    yield _judged("schema", revision, revision == known_revisions()[0], "è di un'altra versione del programma")
    open_tables = [name for (name,) in owner.execute(text(UNGUARDED))]
    advice = "tabelle senza isolamento tra Comuni: non usare il sito finché non è chiaro perché"
    yield _judged("isolamento tra Comuni", ", ".join(open_tables) or "tutte le tabelle", not open_tables, advice)


def _of_rights(app: Connection) -> Iterator[Finding]:
    query = "select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user"
    role, is_above = app.execute(text(query)).one()
    yield _judged(
        "ruolo del sito", role, not is_above, "è sopra le regole: create role app login nosuperuser nobypassrls"
    )


def _of_queue(owner: Connection) -> Iterator[Finding]:
    beat, failed, oldest = owner.execute(text(QUEUE)).one()
    now = datetime.now(UTC)
    is_alive = beat is not None and now - beat < SILENT_AFTER
    yield _judged("worker", beat or "mai visto", is_alive, "avvia marketplace worker: i lavori aspettano")
    waited = now - oldest if oldest else timedelta(0)
    advice = "i lavori non vengono presi in tempo: un worker in più, o uno bloccato (il registro)"
    yield _judged("attesa dei lavori", f"{waited.total_seconds():.0f} s", waited < WAITED_MAX, advice)
    yield _judged("lavori non riusciti", failed, not failed, "marketplace jobs dice quali, --retry li fa riprovare")


def _of_books(owner: Connection, now: datetime) -> Iterator[Finding]:
    query = "select distinct on (municipality_id) municipality_id, at, count from books_check order by 1, 2 desc"
    for city, at, count in owner.execute(text(query)):
        is_well = not count and now - at < AUDIT_MAX
        advice = f"marketplace audit --municipality {city}" if count else "la verifica di ogni notte non è passata"
        yield _judged(f"conti di {city}", f"{count} differenze, {at:%Y-%m-%d %H:%M}", is_well, advice)


def _of_clock(owner: Connection) -> Iterator[Finding]:
    before = datetime.now(UTC)
    there = owner.execute(text("select clock_timestamp()")).scalar_one()
    apart = max(before - there, there - datetime.now(UTC), timedelta(0))
    yield _judged(
        "orologi", f"{apart.total_seconds():.1f} s", apart < CLOCK_MAX, "regola l'ora (chrony) qui e sul database"
    )


def _of_backup(owner: Connection) -> Iterator[Finding]:
    """Whether copies are made at all, and whether what is written arrives there."""
    timeout = owner.execute(text("show archive_timeout")).scalar_one()
    at, failed = owner.execute(text("select last_archived_time, last_failed_time from pg_stat_archiver")).one()
    if timeout == "0":
        yield Finding("copie", "mai fatte", "marketplace backup CARTELLA, ogni notte")
        return
    is_stuck = failed is not None and (at is None or failed > at)
    is_late = at is None or datetime.now(UTC) - at > BACKUP_MAX
    advice = "il registro del database non arriva alla copia: postgres/server.log dice perché"
    yield _judged("copie", at or "mai arrivate", not is_stuck and not is_late, advice)


def _of_seals(settings: Settings, owner: Connection) -> Iterator[Finding]:
    """Whether anything still needs a key but the first."""
    owner.rollback()
    old = count_old(owner, mark_of(settings.keys[0]))
    advice = "marketplace rotate-keys li chiude con la prima di SECRET_KEYS; fino ad allora non togliere le altre"
    found = ", ".join(f"{name} {count}" for name, count in old.items()) or "tutti con la prima chiave"
    yield _judged("valori cifrati", found, not old, advice)


def _of_mail(settings: Settings) -> Iterator[Finding]:
    if settings.smtp_url is None:
        return
    url = urlsplit(settings.smtp_url)
    kind: Any = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    try:
        with kind(url.hostname or "", url.port or (465 if url.scheme == "smtps" else 25), timeout=10) as server:
            code = server.noop()[0]
    except (OSError, smtplib.SMTPException) as problem:
        yield Finding("server di posta", type(problem).__name__, "non risponde: SMTP_URL, rete, certificato")
        return
    yield _judged("server di posta", code, code == 250, "non accetta comandi")
