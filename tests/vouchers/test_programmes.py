"""A programme's rule changes for the future only; a means test is verified by a new row."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from flask.testing import FlaskClient
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, Appointment, Municipality, Role
from marketplace.accounts.sign_in import add_user
from marketplace.db import Scope, db, set_scope
from marketplace.errors import Conflict, Forbidden, Rejected
from marketplace.households.models import Household, MeansTest, MeansTestState
from marketplace.vouchers import programmes
from marketplace.vouchers.models import Programme, ProgrammeWeek
from marketplace.vouchers.programmes import Rule
from marketplace.web import Application

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TODAY = NOW.date()
CITY = "035033"
RULE = Rule("P9", "Buono prova", "tutoring", 100_000, 1_500_000, "60", 600)


@pytest.fixture
def officer(session: Session) -> Actor:
    set_scope(session, Scope())
    session.add(Municipality(id=CITY, name="Reggio Emilia", lat=44.7, lon=10.6, created_at=NOW))
    session.flush()
    set_scope(session, Scope(CITY))
    return Actor(CITY, Role.OFFICER, add_user(session, NOW, "ufficio@example.org", "").id)


def test_a_code_is_used_once(session: Session, officer: Actor) -> None:
    programmes.add_programme(session, officer, NOW, RULE)
    with pytest.raises(Conflict):
        programmes.add_programme(session, officer, NOW, RULE)
    with pytest.raises(Forbidden):
        programmes.add_programme(session, Actor(CITY, Role.OPERATOR), NOW, replace(RULE, code="P10"))


def test_a_budget_changes_coming_weeks_and_never_below_what_is_in_use(session: Session, officer: Actor) -> None:
    programme = programmes.add_programme(session, officer, NOW, RULE)
    for week, used in ((date(2026, 11, 23), 90_000), (date(2026, 11, 30), 40_000)):
        session.add(
            ProgrammeWeek(
                municipality_id=CITY, programme_id=programme.id, week=week, budget_cents=100_000, used_cents=used
            )
        )
    session.flush()
    with pytest.raises(Rejected):
        programmes.change_programme(
            session, officer, NOW, TODAY, programme.id, replace(RULE, weekly_budget_cents=39_999)
        )
    programmes.change_programme(session, officer, NOW, TODAY, programme.id, replace(RULE, weekly_budget_cents=50_000))
    session.expire_all()
    weeks = programmes.list_weeks(session, programme, date(2026, 11, 23))
    assert [week.budget_cents for week in weeks] == [100_000, 50_000]


def test_verifying_a_means_test_adds_a_row_and_keeps_the_declaration(session: Session, officer: Actor) -> None:
    household = Household(
        municipality_id=CITY,
        family_name="Rossi",
        given_name="Maria",
        address="Via Roma 1",
        lat=44.7,
        lon=10.6,
        created_at=NOW,
    )
    session.add(household)
    session.flush()
    declared = MeansTest(
        municipality_id=CITY,
        household_id=household.id,
        isee_cents="1200000",
        state=MeansTestState.DECLARED,
        valid_until=date(2026, 12, 31),
        created_at=NOW,
    )
    session.add(declared)
    session.flush()
    assert [one.isee_cents for one in programmes.list_declared(session, CITY)] == [1_200_000]
    assert programmes.count_declared(session, CITY) == 1
    for _ in range(2):
        assert programmes.decide_means_test(session, officer, NOW, declared.id, True).state == MeansTestState.VERIFIED
    assert programmes.list_declared(session, CITY) == []
    assert programmes.count_declared(session, CITY) == 0
    assert [one.state for one in session.exec(select(MeansTest).order_by(MeansTest.id))] == ["declared", "verified"]


def test_the_officer_makes_changes_and_ends_a_programme(app: Application, client: FlaskClient) -> None:
    with app.app_context():
        set_scope(db.session, Scope())
        db.session.add(Municipality(id=CITY, name="Reggio Emilia", lat=44.7, lon=10.6, created_at=NOW))
        user = add_user(db.session, NOW, "ufficio@example.org", "Ufficio")
        db.session.add(Appointment(user_id=user.id, municipality_id=CITY, role=Role.OFFICER, created_at=NOW))
        db.session.commit()
        with client.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = user.fs_uniquifier, True
    data = {
        "code": "P9",
        "name": "Buono",
        "service": "tutoring",
        "budget": "1.000",
        "isee_max": "15000",
        "percent": "60",
    }
    for wrong in ({"percent": "101"}, {"percent": "metà"}, {"budget": ""}, {"name": ""}):
        assert client.post("/comune/programmi/nuovo", data={**data, **wrong}).status_code == 422
    assert client.post("/comune/programmi/nuovo", data=data).status_code == 303
    assert client.post("/comune/programmi/nuovo", data=data).status_code == 422
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        made = db.session.exec(select(Programme)).one()
        assert (made.weekly_budget_cents, made.isee_max_cents, made.percent) == (100_000, 1_500_000, "60")
        assert made.cap_cents_per_hour is None
    page = f"/comune/programmi/{made.id}"
    assert "Buono" in client.get(page).text
    assert client.post(page, data={**data, "cap": "6,50", "percent": "62,5"}).status_code == 303
    assert client.post(f"{page}/chiudi").status_code == 303
    assert "Chiuso" in client.get("/comune/programmi").text
    assert "Tutto verificato" in client.get("/comune/isee").text
