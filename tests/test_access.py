"""Every route says who may use it: walked as every role, as a stranger and as an officer of another municipality."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlmodel import select
from werkzeug.routing import Rule

from marketplace.accounts.models import Actor, Appointment, Municipality, Role, User
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.tokens import SCOPES, make_token
from marketplace.db import Row, Scope, db, set_scope
from marketplace.demo.city import REGGIO_EMILIA, make_city
from marketplace.households.models import Household
from marketplace.providers.models import Provider
from marketplace.web import FIRST_STEP, LIBRARY_ENDPOINTS, PUBLIC, SIGNED_IN, Application, access_of

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ELSEWHERE = "006003"
WRITES = ("insert", "update", "delete", "truncate")
ON_RECORD = ("INSERT INTO attempts", "INSERT INTO look ")  # that somebody asked, that the staff saw a family's data


@pytest.fixture
def people(app: Application) -> dict[str, str]:
    """Session identifiers of one person in each role, and of an officer of another municipality."""
    with app.app_context():
        session = db.session
        set_scope(session, Scope())
        make_city(session, NOW, families=6)
        session.add(Municipality(id=ELSEWHERE, name="Alessandria", lat=44.9, lon=8.6, created_at=NOW))
        session.flush()
        household = session.exec(select(Household).limit(1)).one()
        provider = session.exec(select(Provider).limit(1)).one()
        found = {}
        for role in Role:
            user = add_user(session, NOW, f"{role.value}@example.org", role.value)
            appoint(
                session,
                NOW,
                user.id,
                REGGIO_EMILIA,
                role,
                household_id=household.id if role == Role.FAMILY else None,
                provider_id=provider.id if role == Role.PROVIDER else None,
            )
            found[role.value] = user.fs_uniquifier
        user = add_user(session, NOW, "elsewhere@example.org", "elsewhere")
        appoint(session, NOW, user.id, ELSEWHERE, Role.OFFICER)
        found["elsewhere"] = user.fs_uniquifier
        user = add_user(session, NOW, "new@example.org", "new")
        found["new"] = user.fs_uniquifier
        session.commit()
        return found


def signed_in_client(app: Application, uniquifier: str | None) -> FlaskClient:
    client = app.test_client()
    if uniquifier:
        with client.session_transaction() as cookie:
            cookie["_user_id"] = uniquifier
            cookie["_fresh"] = True
    return client


def program(app: Application, uniquifier: str | None) -> dict[str, str]:
    """The header of a program with a new key, of every scope, in that person's first role; none for nobody."""
    with app.app_context():
        query = select(Appointment).join(User, User.id == Appointment.user_id).where(User.fs_uniquifier == uniquifier)
        found = db.session.exec(query).first()
        if found is None:
            return {}
        by = Actor(found.municipality_id, found.role, found.user_id, found.household_id, provider_id=found.provider_id)
        set_scope(db.session, Scope(found.municipality_id))
        text = make_token(db.session, by, datetime.now(UTC), "test", list(SCOPES), 30)[1]
        db.session.commit()
    return {"Authorization": f"Bearer {text}"}


def our_rules(app: Application) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith(LIBRARY_ENDPOINTS)]


def address(rule: Rule, value: str) -> str:
    """The rule's address with `value` in every place."""
    values = {}
    for name in rule.arguments:
        converter = rule._converters[name]
        any_of = sorted(getattr(converter, "items", ()))
        kinds = {"IntegerConverter": 1, "FloatConverter": 1.0}
        values[name] = any_of[0] if any_of else kinds.get(type(converter).__name__, value)
    return rule.build(values, append_unknown=False)[1]


def test_every_route_says_who_may_use_it(app: Application) -> None:
    silent = [rule.rule for rule in our_rules(app) if not access_of(app, rule.endpoint)]
    assert not silent


def test_the_table_of_who_may_do_what_is_the_codes() -> None:
    written = Path(__file__).parents[1] / "docs" / "permissions.md"
    told = subprocess.run([sys.executable, "-m", "marketplace.permissions"], capture_output=True, text=True, check=True)
    assert written.read_text() == told.stdout, "run `make permissions`"


def test_only_those_named_pass(app: Application, people: dict[str, str]) -> None:
    wrong = []
    for who in [*(role.value for role in Role), "new", "nobody"]:
        key = program(app, people.get(who))
        for rule in our_rules(app):
            access = access_of(app, rule.endpoint)
            allowed = access == PUBLIC or (who != "nobody" and (access in (SIGNED_IN, FIRST_STEP) or who in access))
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                client = signed_in_client(app, people.get(who))
                is_api = rule.endpoint.startswith("api.")
                answer = client.open(address(rule, str(uuid4())), method=method, headers=key if is_api else {})
                to_sign_in = answer.status_code == 302 and answer.location.startswith("/entra")
                refused = to_sign_in if who == "nobody" else answer.status_code == 403
                if is_api and not key:
                    refused = answer.status_code == 401
                if answer.status_code == 500 or refused == allowed:
                    wrong.append((who, method, rule.rule, answer.status_code))
    assert not wrong


@pytest.fixture
def writes(app: Application, people: dict[str, str]) -> Iterator[list[str]]:
    """Statements that write, as they are sent."""
    seen: list[str] = []

    def watch(connection: object, cursor: object, statement: str, *others: object) -> None:
        if statement.lstrip().lower().startswith(WRITES) and not statement.startswith(ON_RECORD):
            seen.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", watch)
    yield seen
    event.remove(engine, "before_cursor_execute", watch)


def test_a_get_never_writes(app: Application, people: dict[str, str], writes: list[str]) -> None:
    for role in Role:
        key = program(app, people[role.value])
        for rule in our_rules(app):
            if "GET" in rule.methods:
                client = signed_in_client(app, people[role.value])
                writes.clear()
                client.get(address(rule, str(uuid4())), headers=key)
                assert not writes, rule.rule


def test_an_officer_of_another_municipality_finds_nothing_of_this_one(app: Application, people: dict[str, str]) -> None:
    with app.app_context():
        set_scope(db.session, Scope(REGGIO_EMILIA))
        first_rows = [db.session.exec(select(table).limit(1)).first() for table in Row.__subclasses__()]
        ids = [row.id for row in first_rows if row is not None]
        codes = list(db.session.exec(select(Household.tax_code).where(Household.tax_code != None)))  # noqa: E711
        names = list(db.session.exec(select(Household.family_name)))
    assert len(ids) > 5
    assert codes
    client = signed_in_client(app, people["elsewhere"])
    key = program(app, people["elsewhere"])
    for rule in our_rules(app):
        if "GET" not in rule.methods or access_of(app, rule.endpoint) == PUBLIC:
            continue
        for row_id in ids if rule.arguments else [uuid4()]:
            answer = client.get(address(rule, str(row_id)), headers=key)
            assert answer.status_code < 500
            if rule.arguments:
                assert answer.status_code != 200, (rule.rule, row_id)
            assert not any(code in answer.text for code in codes)
            assert not any(f"{name} " in answer.text for name in names), rule.rule
