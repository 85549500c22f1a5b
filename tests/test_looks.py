"""Whoever of the staff is shown a family's data leaves a row that the family reads and nobody changes or takes away."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel, col, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from marketplace import create_app
from marketplace.accounts.looks import WHAT, WHY, forget_looks, list_looks, note_looks
from marketplace.accounts.models import Actor, Look, Role, Shown
from marketplace.accounts.sessions import STAFF
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.config import Settings
from marketplace.db import NOBODY, Scope, db, seeing, set_scope
from marketplace.demo.city import REGGIO_EMILIA
from marketplace.documents.issuing import certificate_so_far
from marketplace.documents.models import Document, DocumentKind
from marketplace.households.models import Household
from marketplace.postgres import Server
from marketplace.statements.models import Contest, StatementLine
from marketplace.talk.models import Complaint, GroupMessage, Standing
from marketplace.web import Application, access_of
from tests import database
from tests.city import CITY, NOW, add_need, found_city
from tests.signing import Browser
from tests.test_access import address, our_rules, program, signed_in_client

NAME = re.compile(r"Casata[0-9a-f]{32}")
# Where a place in an address is not `<table>_id`; the walk fails at one that it cannot fill.
TABLES = {
    "message": "group_message",
    "flow": "pagopa_flow",
    "report": "danger_report",
    "line": "bank_line",
    "delivery": "webhook_delivery",
    "trial": "rule_trial",
}
# Places that are no table of ours, or whose rows name no family.
NONE_THERE = {"batch", "import", "job", "webhook", "delivery"}


@pytest.fixture
def lived(server: Server, settings: Settings) -> Iterator[Application]:
    """A city with a past, in which each family's name, home and address tell whose they are."""
    with database.copied(server, database.city_template(server)) as mine:
        app = create_app(settings, mine.app_url)
        app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
        app.test_client_class = Browser
        with app.app_context():
            set_scope(db.session, Scope(REGGIO_EMILIA))
            give_telling_names(db.session)
            say_and_contest(db.session)
            db.session.commit()
        yield app
        with app.app_context():
            for one in db.engines.values():
                one.dispose()


def give_telling_names(session: Session) -> None:
    name = "'Casata' || replace(id::text, '-', '')"
    session.connection().execute(
        text(f"update household set family_name = {name}, given_name = {name}, address = {name}, email = {name}")
    )
    session.connection().execute(text("update person set name = 'Casata' || replace(household_id::text, '-', '')"))


def say_and_contest(session: Session) -> None:
    """A message that somebody complained of, and a contested line."""
    now = datetime.now(UTC)
    row = session.connection().execute(
        text("""
            select m.slot_id, p.household_id from membership m
            join proposal p on p.municipality_id = m.municipality_id and p.id = m.proposal_id
            where m.state = 'confirmed' limit 1""")
    )
    slot_id, household_id = row.one()
    said = GroupMessage(
        municipality_id=REGGIO_EMILIA, slot_id=slot_id, household_id=household_id, by_user_id=uuid4(), words="no",
        sent_at=now, standing=Standing.REPORTED,
    )  # fmt: skip
    session.add(said)
    session.flush()
    session.add(
        Complaint(municipality_id=REGGIO_EMILIA, message_id=said.id, by_user_id=uuid4(), why="brutto", made_at=now)
    )
    line = session.exec(select(StatementLine).where(col(StatementLine.meeting_id).is_not(None)).limit(1)).one()
    session.add(
        Contest(
            municipality_id=REGGIO_EMILIA, line_id=line.id, statement_id=line.statement_id, reason="no", opened_at=now,
            household_id=line.household_id, meeting_id=line.meeting_id, membership_id=line.membership_id,
        )
    )  # fmt: skip
    payer = session.get_one(Household, (REGGIO_EMILIA, line.household_id))
    content = json.dumps(certificate_so_far(session, payer, now), default=str)
    session.add(
        Document(
            municipality_id=REGGIO_EMILIA, kind=DocumentKind.CERTIFICATE, issuer="municipality", year=now.year,
            number=1, subject="walk", issued_on=now.date(), issued_at=now, household_id=payer.id, total_cents=100,
            content=content,
        )
    )  # fmt: skip
    session.flush()


def staff(app: Application) -> dict[Role, tuple[str, UUID]]:
    """One of each role of the staff: how it is signed in, and its id."""
    with app.app_context():
        set_scope(db.session, Scope())
        found = {}
        for role in STAFF:
            user = add_user(db.session, datetime.now(UTC), f"{role.value}@walk.example.org", role.value)
            appoint(db.session, datetime.now(UTC), user.id, REGGIO_EMILIA, role)
            found[role] = (user.fs_uniquifier, user.id)
        db.session.commit()
        return found


def values_for(app: Application, rule: Rule) -> list[str]:
    """What to fill a rule's one place of a row with: the newest rows of its table, or the closed months."""
    given = (name for name in rule.arguments if name.endswith("_id") or name == "month")
    places = sorted(given, key=rule.rule.index)  # a rule's arguments are a set
    if not places:
        return [""]
    with app.app_context():
        set_scope(db.session, Scope(REGGIO_EMILIA))
        if places == ["month"]:
            found = db.session.connection().execute(text("select to_char(month, 'YYYY-MM') from month_closing limit 1"))
            return list(found.scalars())
        kind = places[-1].removesuffix("_id")
        table = TABLES.get(kind, kind)
        assert table in SQLModel.metadata.tables or kind in NONE_THERE, f"{rule.rule}: which rows are these?"
        if table not in SQLModel.metadata.tables:
            return []
        query = text(f'select id from "{table}" order by id desc limit 2')
        return [str(one) for one in db.session.connection().execute(query).scalars()]


def words_of(page: TestResponse) -> str:
    body = page.get_data()
    body = gzip.decompress(body) if page.headers.get("Content-Encoding") == "gzip" else body
    return body.decode(errors="replace")


def shown_in(page: str) -> set[UUID]:
    return {UUID(name.removeprefix("Casata")) for name in NAME.findall(page)}


def looked_at(app: Application, user_id: UUID, since: int) -> set[UUID]:
    with app.app_context():
        set_scope(db.session, Scope(REGGIO_EMILIA))
        looks = db.session.exec(select(Look.household_id).where(Look.user_id == user_id).order_by(col(Look.id))).all()
        return set(looks[since:])


def count_looks(app: Application, user_id: UUID) -> int:
    with app.app_context():
        set_scope(db.session, Scope(REGGIO_EMILIA))
        return len(db.session.exec(select(Look.id).where(Look.user_id == user_id)).all())


def test_no_page_shows_the_staff_a_family_that_it_leaves_no_row_for(lived: Application) -> None:
    unrecorded, showing = [], set()
    for role, (uniquifier, user_id) in staff(lived).items():
        client, key = signed_in_client(lived, uniquifier), program(lived, uniquifier)
        for rule in our_rules(lived):
            if "GET" not in rule.methods or role.value not in access_of(lived, rule.endpoint):
                continue
            for value in values_for(lived, rule):
                since = count_looks(lived, user_id)
                headers = key if rule.endpoint.startswith("api.") else {}
                page = client.get(address(rule, value) + "?famiglia=Casata", headers=headers)
                seen = shown_in(words_of(page))
                if seen - looked_at(lived, user_id, since):
                    unrecorded.append(rule.rule)
                if seen:
                    showing.add(rule.endpoint)
    assert not unrecorded
    assert {
        "vouchers.means_tests", "means.correct", "documents.of_the_city", "statements.month_csv", "talk.check",
        "console.contest", "console.payments",
    } <= showing  # fmt: skip


def test_a_search_at_the_desk_leaves_a_row_for_each_family_found(lived: Application) -> None:
    people = staff(lived)
    uniquifier, user_id = people[Role.OPERATOR]
    page = signed_in_client(lived, uniquifier).post("/sportello", data={"cerca": "Casata"}).text
    assert shown_in(page)
    assert looked_at(lived, user_id, 0) == shown_in(page)


def test_whoever_acts_for_a_family_is_on_its_list_with_the_reason_given(lived: Application) -> None:
    uniquifier, _user_id = staff(lived)[Role.OPERATOR]
    with lived.app_context():
        set_scope(db.session, Scope(REGGIO_EMILIA))
        household_id = db.session.exec(select(Household.id).limit(1)).one()
    client = signed_in_client(lived, uniquifier)
    client.post(f"/sportello/{household_id}", data={"come": "telefono"})
    client.get("/profilo")
    page = client.get("/profilo/chi-ha-visto").text
    assert "Assistenza: al telefono" in page and "Sportello" in page
    client.get("/lingua/en")
    english = client.get("/profilo/chi-ha-visto").text
    assert "Who has seen your data" in english and "on the phone" in english


@pytest.fixture
def family(session: Session) -> UUID:
    found_city(session)
    return add_need(session, "n1").household_id


def test_looks_of_a_day_are_one_line_and_only_the_staff_leaves_any(session: Session, family: UUID) -> None:
    officer = Actor(CITY, Role.OFFICER, uuid4())
    for minutes in (0, 5):
        note_looks(session, officer, NOW + timedelta(minutes=minutes), Shown.MEANS_TEST, [family, family, None])
    for other in (Actor(CITY, Role.FAMILY, household_id=family), Actor(CITY, Role.PROVIDER, provider_id=uuid4())):
        note_looks(session, other, NOW, Shown.PAGES, [family])
    (line,) = list_looks(session, CITY, family)
    assert (line.who, line.what, line.why, line.times) == (
        "Ufficio del Comune", WHAT[Shown.MEANS_TEST], WHY[Shown.MEANS_TEST], 2,
    )  # fmt: skip
    assert line.last_at == NOW + timedelta(minutes=5)


def test_each_thing_that_can_be_shown_has_its_words_and_its_reason() -> None:
    assert set(WHAT) == set(WHY) == set(Shown)


def test_a_family_reads_its_own_looks_alone(session: Session, family: UUID) -> None:
    note_looks(session, Actor(CITY, Role.OFFICER), NOW, Shown.MEANS_TEST, [family])
    for scope, count in ((Scope(CITY, family, NOBODY), 1), (Scope(CITY, uuid4(), NOBODY), 0), (Scope("000000"), 0)):
        with seeing(session, scope):
            assert len(session.exec(select(Look)).all()) == count


def test_a_look_is_never_changed_and_goes_only_when_it_is_old(session: Session, family: UUID) -> None:
    now = datetime.now(UTC)
    for days in (1, 400, 800):
        note_looks(session, Actor(CITY, Role.OFFICER), now - timedelta(days=days), Shown.PAYMENTS, [family])
    for statement in ("update look set reason = 'x'", "delete from look"):
        with pytest.raises(DBAPIError), session.begin_nested():
            session.connection().execute(text(statement))
    forget_looks(session, CITY, now)
    ages = sorted((now - look.at).days for look in session.exec(select(Look)))
    assert ages == [1, 400]
