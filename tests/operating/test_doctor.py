"""The doctor finds each fault that is made, and nothing on a sound installation."""

import smtplib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from marketplace.config import Settings
from marketplace.installation import Installation
from marketplace.operating.doctor import examine

SOUND = """
insert into procrastinate_workers (last_heartbeat) values (now());
"""
Examine = Callable[..., dict[str, str]]


@pytest.fixture
def owner(installation: Installation):
    engine = create_engine(installation.owner_url, poolclass=NullPool)

    def do(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    do(SOUND)
    return do


@pytest.fixture
def faults(installation: Installation, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Examine:
    settings.var.mkdir(mode=0o750, exist_ok=True)

    class Mail:
        def __init__(self, *_args, **_options) -> None: ...
        def __enter__(self):
            return self

        def __exit__(self, *_args) -> None: ...
        def noop(self):
            return 250, b"ok"

    monkeypatch.setattr(smtplib, "SMTP_SSL", Mail)
    sound = replace(
        settings, database_url=installation.owner_url, production=True, base_url="https://condiviso.example", proxies=1,
        smtp_url="smtps://mail.example", stripe_secret_key="sk_live_x", stripe_webhook_secret="whsec_x",
        keys=("k" * 40,),
    )  # fmt: skip

    def run(**changes: object) -> dict[str, str]:
        said: list[str] = []
        changed = replace(sound, **changes)
        status = examine(changed, installation.owner_url, installation.app_url, datetime.now(UTC), said.append)
        found = {line[4:].split(":")[0]: line for line in said if line.startswith("!!")}
        assert status == (1 if found else 0)
        return found

    return run


def test_a_sound_installation_has_no_fault(faults: Examine, owner) -> None:
    assert faults() == {}


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("update procrastinate_workers set last_heartbeat = now() - interval '2 minutes'", "worker"),
        (
            "insert into procrastinate_jobs (task_name, queue_name, status, args) values ('x', 'q', 'failed', '{}')",
            "lavori non riusciti",
        ),
        (
            "insert into procrastinate_jobs (task_name, queue_name, scheduled_at, args)"
            " values ('x', 'q', now() - interval '1 h', '{}')",
            "attesa dei lavori",
        ),
        ("alter table need no force row level security", "isolamento tra Comuni"),
        ("update alembic_version set version_num = '0020'", "schema"),
    ],
)
def test_a_fault_of_the_database_is_found(faults: Examine, owner, statement: str, name: str) -> None:
    owner(statement)
    assert set(faults()) == {name}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"base_url": "http://condiviso.example"}, "indirizzo"),
        ({"keys": ("short",)}, "chiavi"),
        ({"proxies": 0}, "proxy"),
        ({"smtp_url": None}, "posta"),
        ({"stripe_webhook_secret": None}, "pagamenti"),
    ],
)
def test_a_fault_of_the_settings_is_found(faults: Examine, owner, changes: dict[str, object], name: str) -> None:
    assert set(faults(**changes)) == {name}


def test_a_site_above_the_rules_is_found(
    faults: Examine, owner, installation: Installation, settings: Settings
) -> None:
    said: list[str] = []
    examine(settings, installation.owner_url, installation.owner_url, datetime.now(UTC), said.append)
    assert any(line.startswith("!!  ruolo del sito: owner") for line in said)


def test_differences_in_the_books_and_a_night_without_audit_are_found(faults: Examine, owner) -> None:
    owner(
        "insert into municipality (id, name, lat, lon, created_at, is_demo) values ('006003', 'A', 1, 1, now(), false)"
    )
    columns = "municipality_id, id, at, count, differences, with_stripe"
    add = f"insert into books_check ({columns}) values ('006003', uuidv7(), "
    owner(f"{add} now() - interval '2 days', 0, '[]', true)")
    assert "non è passata" in faults()["conti di 006003"]
    owner(f"{add} now(), 3, '[]', true)")
    assert "marketplace audit --municipality 006003" in faults()["conti di 006003"]
    owner(f"{add} now() + interval '1 second', 0, '[]', true)")
    assert faults() == {}


def test_a_mail_server_that_does_not_answer_is_found(faults: Examine, owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args, **_options):
        raise ConnectionRefusedError

    monkeypatch.setattr(smtplib, "SMTP_SSL", refuse)
    assert set(faults()) == {"server di posta"}


def test_a_value_that_needs_an_older_key_is_said(owner, faults: Examine) -> None:
    owner("insert into lasting_secret (name, secret) values ('pepper', 'gAAAA')")
    assert "lasting_secret.secret 1" in faults()["valori cifrati"]
    assert "rotate-keys" in faults()["valori cifrati"]
