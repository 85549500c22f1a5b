"""Every change of state is on record with who, for whom and why; nobody, the owner included, changes the record."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor, Role, StateChange
from marketplace.accounts.operations import sign_as
from marketplace.db import Scope, db, set_scope
from marketplace.installation import Installation
from marketplace.needs.operations import withdraw_need
from marketplace.rounds.operations import start_round
from marketplace.web import Application
from tests.city import CITY, NOW, OFFICER, add_need, found_city


def changes(session: Session, subject_id: UUID | None = None) -> list[StateChange]:
    found = select(StateChange).order_by(col(StateChange.id))
    return list(session.exec(found.where(col(StateChange.subject_id) == subject_id) if subject_id else found).all())


def test_a_change_names_its_author_for_whom_and_why(session: Session) -> None:
    found_city(session)
    need = add_need(session, "n1")
    by = Actor(CITY, Role.FAMILY, uuid7(), need.household_id, on_behalf_of=need.household_id, reason="at the desk")
    sign_as(session, by)
    withdraw_need(session, by, NOW, need.id)
    [change] = changes(session, need.id)
    assert (change.subject, change.before, change.after) == ("need", "open", "withdrawn")
    assert (change.user_id, change.role, change.on_behalf_of, change.reason) == (
        *(by.user_id, "family", need.household_id),
        "at the desk",
    )


def test_a_statement_that_goes_round_every_operation_is_on_record_too(session: Session) -> None:
    found_city(session)
    needs = [add_need(session, f"n{number}") for number in range(3)]
    session.flush()
    session.connection().execute(text("update need set state = 'expired'"))
    session.connection().execute(text("update need set state = 'expired'"))
    assert {(one.subject_id, one.before, one.after) for one in changes(session)} == {
        (need.id, "open", "expired") for need in needs
    }
    assert len(changes(session)) == 3


def test_a_job_signs_with_its_name(app: Application, work: Callable[[], None]) -> None:
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        start_round(db.session, OFFICER, NOW, 5)
        db.session.commit()
    work()
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert {one.reason for one in changes(db.session)} == {"rounds.solve"}


@pytest.mark.parametrize("table", ["audit_entry", "state_change"])
@pytest.mark.parametrize("role", ["owner_url", "app_url"])
@pytest.mark.parametrize("change", ["update {} set reason = 'another'", "delete from {}", "truncate {}"])
def test_nobody_rewrites_the_record(
    app: Application, installation: Installation, table: str, role: str, change: str
) -> None:
    with app.app_context():
        found_city(db.session)
        need = add_need(db.session, "n1")
        withdraw_need(db.session, Actor(CITY, Role.FAMILY, household_id=need.household_id), NOW, need.id)
        db.session.commit()
    engine = create_engine(getattr(installation, role))
    with engine.connect() as connection, pytest.raises(DBAPIError, match=r"never changed|permission denied"):
        connection.execute(text(f"select set_config('app.municipality', '{CITY}', false)"))
        connection.execute(text(change.format(table)))
    engine.dispose()
