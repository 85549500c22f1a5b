"""A key is changed with data in every sealed column, under kill -9, beside what runs; then the old one goes."""

import base64
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Boolean, Date, DateTime, Engine, Enum, Float, Integer, LargeBinary, Uuid, create_engine, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel
from uuid_utils.compat import uuid7

from marketplace.accounts.models import User
from marketplace.accounts.pepper import peppered
from marketplace.accounts.second_step import make_recovery_codes
from marketplace.installation import Installation
from marketplace.messages.choices import choose_mail, find_choice, stop_optional, stop_secret
from marketplace.operating import rotation
from marketplace.operating.rotation import count_old, rotate, sealed_tables
from marketplace.sealed import CannotOpen, IndexOf, Keyring, SealedBytes, keyring, mark_of, unfolded
from marketplace.slots.answer_links import answer_code, answer_secret, is_answer_code
from tests.database import KEYS

OLD, NEW, CITY = "the old key, of no use elsewhere", "the new key, of no use elsewhere", "035033"
ROWS = 3
PLAIN = "RSSMRA80A01H223X {}"
HISTORY = ("danger_report", "danger_answer", "document", "isee_answer")
VALUES: tuple[tuple[type, Any], ...] = (
    (Uuid, uuid7),
    (DateTime, lambda: datetime(2026, 11, 27, tzinfo=UTC)),
    (Date, lambda: date(2026, 11, 27)),
    (Boolean, lambda: True),
    (JSONB, lambda: []),
)


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    """Whatever a test unlocks, the others find their own."""
    keyring.unlock([OLD])
    yield
    keyring.unlock(list(KEYS))


@pytest.fixture
def owner(installation: Installation) -> Iterator[Engine]:
    """The owner's engine, on a database with three rows in each table that has a sealed column."""
    engine = create_engine(installation.owner_url, poolclass=NullPool)
    tables = {one.table: one for one in sealed_tables()}
    with engine.begin() as connection:
        connection.execute(text("set session_replication_role = replica"))
        connection.execute(SQLModel.metadata.tables["municipality"].insert().values(
            {column.name: a_value(column, 0) for column in SQLModel.metadata.tables["municipality"].columns}
        ))  # fmt: skip
        for name in tables:
            table = SQLModel.metadata.tables[name]
            query = "select conname from pg_constraint where contype = 'c' and conrelid = cast(:table as regclass)"
            for (check,) in connection.execute(text(query), {"table": name}).all():  # rows without sense will do
                connection.execute(text(f"alter table {name} drop constraint {check}"))
            for number in range(ROWS):
                connection.execute(table.insert().values({one.name: a_value(one, number) for one in table.columns}))
    with engine.begin() as connection:  # one row of each table in the form of before there were envelopes
        connection.execute(text("set session_replication_role = replica"))
        fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"seal:{OLD}".encode()).digest()))
        for one in tables.values():
            key = ", ".join(one.keys)
            sets = ", ".join(f"{name} = :old" for name in one.columns)
            connection.execute(
                text(f"update {one.table} set {sets} where ({key}) = (select {key} from {one.table} order by {key} limit 1)"),  # noqa: E501
                {"old": fernet.encrypt(PLAIN.format(0).encode())},
            )  # fmt: skip
    yield engine
    engine.dispose()


def a_value(column: Any, number: int) -> Any:
    """Something that the column takes."""
    if isinstance(column.type, SealedBytes):
        return PLAIN.format(number).encode()
    if isinstance(column.type, IndexOf):
        return column.type.index(PLAIN.format(number))
    if column.name in ("municipality_id", "id") and not isinstance(column.type, Uuid):
        return CITY
    if isinstance(column.type, LargeBinary):
        return bytes([number])
    if isinstance(column.type, (Integer, Float)):
        return number
    if isinstance(column.type, Enum):
        return column.type.enum_class(column.type.enums[0])
    plain = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    for kind, value in VALUES:
        if isinstance(plain, kind):
            return value()
    return PLAIN.format(number)[: getattr(column.type, "length", None)]


def contents(owner: Engine) -> list[tuple[str, str, str]]:
    """What the keyring opens: each sealed value, and whether its index is that of the newest key."""
    found = []
    with owner.connect() as connection:
        for one in sealed_tables():
            table = SQLModel.metadata.tables[one.table]
            for row in connection.execute(table.select()).mappings():
                for name in one.columns:
                    plain = row[name] if isinstance(row[name], str) else row[name].decode()
                    found.append((one.table, name, plain))
                    if name in one.indexes:
                        index, kind = one.indexes[name]
                        assert keyring.is_index(row[index], plain if kind.is_folded else unfolded(plain))
    return sorted(found)


def left(owner: Engine) -> dict[str, int]:
    with owner.connect() as connection:
        return count_old(connection, mark_of(NEW))


def test_every_sealed_column_is_read_with_the_new_key_alone(owner: Engine, installation: Installation) -> None:
    before, said = contents(owner), []
    assert {(one.table, name) for one in sealed_tables() for name in one.columns} == {row[:2] for row in before}
    assert set(left(owner).values()) == {ROWS}
    keyring.unlock([NEW, OLD])
    assert contents(owner) == before
    assert rotate(installation.owner_url, said.append) == 0
    assert said == sorted(f"{one.table}.{name}: {ROWS}" for one in sealed_tables() for name in one.columns)
    assert left(owner) == {}
    keyring.unlock([NEW])
    assert contents(owner) == before
    said.clear()
    assert rotate(installation.owner_url, said.append) == 0
    assert said == []  # a second time does nothing
    keyring.unlock([OLD])
    with pytest.raises(CannotOpen):
        contents(owner)


KILLED = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from marketplace.messages.choices import choose_mail, find_choice, stop_optional, stop_secret
from marketplace.operating import rotation
from marketplace.sealed import keyring
commits, most = [], int(sys.argv[2])
@event.listens_for(Engine, "before_cursor_execute")
def strike(connection, cursor, statement, *rest):
    if statement.startswith("update"):
        commits.append(1)
        if len(commits) == most:
            os.kill(os.getpid(), signal.SIGKILL)
rotation.BATCH = rotation.FILES_A_BATCH = 1
keyring.unlock(sys.argv[3:])
sys.exit(rotation.rotate(sys.argv[1], print))
"""


def test_what_was_killed_in_the_middle_goes_on_and_all_is_readable_meanwhile(
    owner: Engine, installation: Installation
) -> None:
    before, most = contents(owner), sum(left(owner).values())
    for steps in (7, 19):
        done = subprocess.run([sys.executable, "-c", KILLED, installation.owner_url, str(steps), NEW, OLD], check=False)
        assert done.returncode == -signal.SIGKILL
        keyring.unlock([OLD, NEW])  # a worker that still seals with the old one
        assert contents(owner) == before
        still = sum(left(owner).values())
        assert 0 < still < most
        most = still
    keyring.unlock([NEW, OLD])
    assert rotate(installation.owner_url, lambda line: None) == 0
    keyring.unlock([NEW])
    assert (contents(owner), left(owner)) == (before, {})


def test_a_row_in_use_is_left_for_the_next_pass_and_said_if_it_stays(
    owner: Engine, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "PASSES", 2)
    monkeypatch.setattr(rotation, "PAUSE_SECONDS", 0)
    keyring.unlock([NEW, OLD])
    with owner.begin() as busy:
        busy.execute(text("select 1 from household limit 1 for update"))
        said: list[str] = []
        assert rotate(installation.owner_url, said.append) == 1
        assert [line for line in said if line.startswith("!!")] == [said[-1]]
        assert "household.tax_code: 1" in said[-1]
    assert rotate(installation.owner_url, said.append) == 0


def test_a_value_whose_key_is_gone_stays_and_is_said(owner: Engine, installation: Installation, monkeypatch) -> None:
    monkeypatch.setattr(rotation, "PASSES", 1)
    before = contents(owner)
    keyring.unlock([NEW])
    assert rotate(installation.owner_url, lambda line: None) == 1
    assert set(left(owner).values()) == {ROWS}
    keyring.unlock([OLD])
    assert contents(owner) == before


@pytest.mark.parametrize("table", HISTORY)
def test_of_history_the_owner_changes_the_head_alone_and_the_site_nothing(
    owner: Engine, installation: Installation, table: str
) -> None:
    one = next(found for found in sealed_tables() if found.table == table)
    name, last = one.columns[0], f"id = (select max(id::text)::uuid from {table})"
    refused = "rows of .* are never changed"
    for change in (
        f"{name} = {name} || 'x'",
        f"{name} = substring({name}, 1, 69) || 'other'",
        f"{name} = 'plain'",
        f"{name} = '\\x01'",
        "id = uuidv7()",
    ):
        with pytest.raises(IntegrityError, match=refused), owner.begin() as connection:
            connection.execute(text(f"update {table} set {change} where {last}"))
    with owner.begin() as connection:
        connection.execute(text(f"update {table} set {name} = '\\x01'::bytea || substring({name}, 2) where {last}"))
    for statement in (f"delete from {table}", f"truncate {table} cascade"):
        with pytest.raises(IntegrityError, match=refused), owner.begin() as connection:
            connection.execute(text(statement))
    site = create_engine(installation.app_url, poolclass=NullPool)
    with pytest.raises(IntegrityError, match=refused), site.begin() as connection:
        connection.execute(text(f"update {table} set {name} = '\\x01'::bytea || substring({name}, 2)"))


def test_every_table_of_history_with_a_sealed_column_can_be_resealed(owner: Engine) -> None:
    """A new one gets the trigger too."""
    query = "select tgrelid::regclass::text, tgname from pg_trigger where tgname in ('never_changed', 'only_reseals')"
    with owner.connect() as connection:
        triggers = {tuple(row) for row in connection.execute(text(query))}
    sealed = {one.table for one in sealed_tables()}
    never = {table for table, trigger in triggers if trigger == "never_changed"} & sealed
    assert never == {table for table, trigger in triggers if trigger == "only_reseals"} == set(HISTORY)


def test_every_blind_index_says_of_which_column_it_is() -> None:
    """Else it would be left behind; the addresses of mail are carried over by name."""
    indexes = [(t.name, c) for t in SQLModel.metadata.sorted_tables for c in t.columns if c.name.endswith("_index")]
    others = {(table, c.name) for table, c in indexes if not isinstance(c.type, IndexOf)}
    assert others == {("mail_choice", "address_index")}


def test_what_cannot_be_made_anew_hangs_on_no_key(owner: Engine, installation: Installation) -> None:
    with Session(owner) as session:
        made = peppered(session, "recovery:x")
        session.commit()
    keyring.unlock([NEW, OLD])
    assert rotate(installation.owner_url, lambda line: None) == 0
    keyring.unlock([NEW])
    with Session(owner) as session:
        assert peppered(session, "recovery:x") == made


def test_recovery_codes_of_before_there_was_a_pepper_still_count(installation: Installation) -> None:
    ring = Keyring()
    ring.unlock([OLD])
    with Session(create_engine(installation.owner_url, poolclass=NullPool)) as session:
        user = User(email="a@example.org", active=True, fs_uniquifier="x", create_datetime=datetime.now(UTC))
        session.add(user)
        session.flush()
        known = text("insert into recovery_code (user_id, code_hash) values (:user, :hash)")
        session.connection().execute(known, {"user": user.id, "hash": ring.index(f"recovery:{user.id}:abc")})
        keyring.unlock([NEW, OLD])
        assert peppered(session, f"recovery:{user.id}:abc") == ring.index(f"recovery:{user.id}:abc")
        assert len(make_recovery_codes(session, user.id)) == 10


def test_whoever_wants_no_optional_mail_gets_none_under_another_key_either(
    owner: Engine, installation: Installation
) -> None:
    now, emails = datetime.now(UTC), ("anna@example.org", "bruno@example.org")
    with owner.begin() as connection:
        connection.execute(text("set session_replication_role = replica"))
        for number, email in enumerate(emails):
            query = text(
                f"update household set email = :email where id = (select id from household offset {number} limit 1)"
            )
            connection.execute(query, {"email": email})
    link = stop_secret(CITY, emails[1])
    with Session(owner) as session:
        choose_mail(session, CITY, now, emails[0], no_optional=True)
        session.commit()
    keyring.unlock([NEW, OLD])
    with Session(owner) as session:
        choose_mail(session, CITY, now, emails[0], is_daily=True)
        choose_mail(session, CITY, now, emails[1], is_daily=True)
        stop_optional(session, now, link)
        session.commit()
    for _ in range(2):
        assert rotate(installation.owner_url, lambda line: None) == 0
    keyring.unlock([NEW])
    with Session(owner) as session:
        for email in emails:
            found = find_choice(session, CITY, email)
            assert found is not None and found.is_daily and found.no_optional


def test_links_and_codes_that_were_sent_before_the_change_still_answer() -> None:
    proposal = UUID(int=7)
    sent, code = answer_secret(CITY, proposal), answer_code(CITY, proposal)
    keyring.unlock([NEW, OLD])
    assert is_answer_code(CITY, proposal, code)
    assert answer_secret(CITY, proposal) != sent
    keyring.unlock([OLD, NEW])
    assert answer_secret(CITY, proposal) == sent
    keyring.unlock([NEW])
    assert not is_answer_code(CITY, proposal, code) or answer_code(CITY, proposal) == code


def test_a_value_that_was_touched_or_cut_is_not_opened() -> None:
    sealed = keyring.seal(b"plain")
    assert keyring.open(sealed) == b"plain"
    assert b"plain" not in sealed
    for at in (1, 20, 60, len(sealed) - 1):
        wrong = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(CannotOpen):
            keyring.open(wrong)
    for wrong in (b"", sealed[:40], b"g" * 50, os.urandom(120)):
        with pytest.raises(CannotOpen):
            keyring.open(wrong)
