"""A connection that acts for one household or provider reads nobody else's rows, whatever SQL it sends."""

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session

from marketplace.db import NOBODY, Scope, seeing
from marketplace.migrations import guards
from marketplace.talk import operations
from tests.city import CITY, NOW, Group, add_need, family_of, proposal_of, provider_of, the_slot
from tests.slots.conftest import Confirm, city, confirm

__all__ = ["city", "confirm"]

HOUSEHOLD_OWN = {**guards.HOUSEHOLD_GUARDED, **guards.HOUSEHOLD_GUARDED_LATER}
PROVIDER_OWN = {**guards.PROVIDER_GUARDED, **guards.PROVIDER_GUARDED_LATER}


@pytest.mark.parametrize(("setting", "own"), [("app.household", HOUSEHOLD_OWN), ("app.provider", PROVIDER_OWN)])
def test_each_tables_own_rows_are_those_of_whom_the_connection_acts_for(
    session: Session, setting: str, own: dict[str, str]
) -> None:
    query = text(
        "select permissive, cmd, qual, with_check from pg_policies where tablename = :table and policyname = 'own_rows'"
    )
    for table, column in own.items():
        kind, command, reads, writes = session.connection().execute(query, {"table": table}).one()
        assert (kind, command) == ("RESTRICTIVE", "ALL"), table
        for clause in (reads, writes):
            assert setting in clause and f"({column})::text" in clause, table


def count(session: Session, scope: Scope, table: str) -> int:
    with seeing(session, scope):
        return session.connection().execute(text(f"select count(*) from {table}")).scalar_one()


def test_a_household_reads_its_own_rows_alone_whatever_it_selects(city: Session) -> None:
    anna, bruno = (add_need(city, code, isee_cents=900_000).household_id for code in ("n1", "n2"))
    for table, column in (("household", "id"), ("person", "household_id"), ("means_test", "household_id")):
        assert count(city, Scope(CITY), table) == 2
        assert count(city, Scope(CITY, NOBODY, NOBODY), table) == count(city, Scope("000000"), table) == 0
        assert count(city, Scope(CITY, NOBODY, uuid4()), table) == 0
        for mine in (anna, bruno):
            with seeing(city, Scope(CITY, mine, NOBODY)):
                found = city.connection().execute(text(f"select {column} from {table}")).scalars().all()
                assert found == [mine]
                others = text(f"select 1 from {table} where {column} <> :mine")
                assert city.connection().execute(others, {"mine": mine}).all() == []


def test_uploads_and_bank_lines_are_staffs_alone(city: Session) -> None:
    made = text("insert into upload (municipality_id, state, outcome, created_at) values (:city, 'checked', '', now())")
    city.connection().execute(made, {"city": CITY})
    assert count(city, Scope(CITY), "upload") == 1
    for scope in (Scope(CITY, uuid4(), NOBODY), Scope(CITY, NOBODY, uuid4()), Scope(CITY, NOBODY, NOBODY)):
        assert [count(city, scope, table) for table in guards.STAFF_ALONE] == [0] * len(guards.STAFF_ALONE)
        with seeing(city, scope), pytest.raises(ProgrammingError, match="row-level security"), city.begin_nested():
            city.connection().execute(made, {"city": CITY})


def test_words_are_read_by_their_group_alone_even_past_the_code(city: Session, confirm: Confirm) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    confirm(Group(["n1", "n2"]))
    anna = replace(family_of(proposal_of(city, "n1")), user_id=uuid4())
    bruno, stranger = family_of(proposal_of(city, "n2")), add_need(city, "n3").household_id
    teacher, slot_id = provider_of(the_slot(city)), the_slot(city).id
    operations.write(city, anna, NOW, slot_id, uuid4(), "tra noi")
    for scope, seen in (
        (Scope(CITY), 1),
        (Scope(CITY, anna.household_id, NOBODY), 1),
        (Scope(CITY, bruno.household_id, NOBODY), 1),
        (Scope(CITY, NOBODY, teacher.provider_id), 1),
        (Scope(CITY, stranger, NOBODY), 0),
        (Scope(CITY, NOBODY, uuid4()), 0),
        (Scope(CITY, NOBODY, NOBODY), 0),
    ):
        assert count(city, scope, "group_message") == seen, scope
    with seeing(city, Scope(CITY, bruno.household_id, NOBODY)):
        city.connection().execute(text("delete from group_message"))
    assert count(city, Scope(CITY), "group_message") == 1


def test_what_was_said_is_never_said_otherwise_whoever_asks(city: Session, confirm: Confirm) -> None:
    add_need(city, "n1")
    confirm(Group(["n1"]))
    anna = replace(family_of(proposal_of(city, "n1")), user_id=uuid4())
    operations.write(city, anna, NOW, the_slot(city).id, uuid4(), "tra noi")
    for scope in (Scope(CITY), Scope(CITY, anna.household_id, NOBODY)):
        with pytest.raises(ProgrammingError, match="permission denied"), seeing(city, scope), city.begin_nested():
            city.connection().execute(text("update group_message set words = 'altro'"))
    city.connection().execute(text("update group_message set standing = 'removed'"))


def test_nobody_writes_in_anothers_name_even_past_the_code(city: Session, confirm: Confirm) -> None:
    for code in ("n1", "n2"):
        add_need(city, code)
    confirm(Group(["n1", "n2"]))
    anna, bruno = family_of(proposal_of(city, "n1")), family_of(proposal_of(city, "n2"))
    slot_id = the_slot(city).id
    with seeing(city, Scope(CITY, bruno.household_id, NOBODY)):
        with pytest.raises(ProgrammingError, match="row-level security"), city.begin_nested():
            operations.write(city, anna, NOW, slot_id, uuid4(), "firmato da un altro")
        operations.write(city, bruno, NOW, slot_id, uuid4(), "firmato da me")
