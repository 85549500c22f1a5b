"""Leaving with all one's data: first the groups, the month and the money; then nothing names the family any more."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, select

from marketplace.accounts.models import Actor, ApiToken, Appointment, Role, User
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Row, Scope, seeing
from marketplace.errors import Forbidden
from marketplace.home.farewell import Waiting, erase_settled, find_farewell, say_farewell, take_back, waits_for
from marketplace.households.models import Farewell
from marketplace.messages.operations import Recipient, tell
from marketplace.needs.models import Need, NeedState
from marketplace.slots.models import ProposalState
from marketplace.statements.models import MonthClosing, Statement, StatementState
from marketplace.talk import operations as talk
from tests.city import CITY, NOW, Group, add_need, family_of, proposal_of, proposed, the_slot
from tests.slots.conftest import Confirm


@pytest.fixture
def family(city: Session) -> tuple[Session, Actor]:
    """n1's family with an account, an open need, and nothing else."""
    need = add_need(city, "n1", notes="allergica alle noci")
    user = add_user(city, NOW, "anna@example.org", "Anna Verdi")
    appoint(city, NOW, user.id, CITY, Role.FAMILY, household_id=need.household_id)
    city.flush()
    return city, Actor(CITY, Role.FAMILY, user.id, household_id=need.household_id)


def everything(session: Session) -> str:
    """All rows of all tables, as one text."""
    tables = [*Row.__subclasses__(), User]
    return repr([one.model_dump() for table in tables for one in session.exec(select(table))])


def own_statement(session: Session, by: Actor, state: StatementState, paid_at: datetime | None = None) -> Statement:
    made = Statement(
        municipality_id=CITY, household_id=by.household_id, month=date(2026, 11, 1), year=2026, number=1, state=state,
        total_cents=4550, due_on=date(2026, 12, 7), closed_at=NOW, paid_at=paid_at,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def test_with_nothing_open_a_night_erases_everything_that_names_the_family(family: tuple[Session, Actor]) -> None:
    session, by = family
    tell(session, CITY, NOW, Recipient("anna@example.org"), "one", "Ciao", "Ciao")
    tell(session, CITY, NOW, Recipient("other@example.org"), "other", "Ciao", "Ciao")
    for word in ("anna@example.org", "Anna", "Famiglia n1", "Via Milano n1", "Figlion1", "noci"):
        assert word in everything(session), word
    say_farewell(session, by, NOW)
    assert waits_for(session, CITY, by.household_id, NOW) == []
    erase_settled(session, CITY, NOW)
    left = everything(session)
    for word in ("anna@example.org", "Anna", "Famiglia n1", "Via Milano n1", "Figlion1", "noci", "n1@example.org"):
        assert word not in left, word
    assert "other@example.org" in left
    assert session.exec(select(Need)).one().state == NeedState.WITHDRAWN
    user = session.exec(select(User)).one()
    assert (user.active, user.password) == (False, None)
    assert session.exec(select(Appointment)).one().ended_at == NOW
    assert session.exec(select(Farewell)).one().erased_at == NOW
    erase_settled(session, CITY, NOW + timedelta(days=1))
    assert session.exec(select(Farewell)).one().erased_at == NOW


def test_others_stay_untouched(family: tuple[Session, Actor]) -> None:
    session, by = family
    add_need(session, "n2")
    say_farewell(session, by, NOW)
    erase_settled(session, CITY, NOW)
    left = everything(session)
    assert all(word in left for word in ("Famiglia n2", "Via Milano n2", "Figlion2"))


def test_an_account_with_another_role_stays(family: tuple[Session, Actor]) -> None:
    session, by = family
    assert by.user_id is not None
    appoint(session, NOW, by.user_id, CITY, Role.OFFICER)
    say_farewell(session, by, NOW)
    erase_settled(session, CITY, NOW)
    user = session.exec(select(User)).one()
    assert (user.active, user.email) == (True, "anna@example.org")


def test_a_group_is_left_with_its_notice_and_the_month_waited_for(
    city: Session,
    confirm: Confirm,
) -> None:
    add_need(city, "n1")
    add_need(city, "n2")
    confirm(Group(["n1", "n2"]))
    by = replace(family_of(proposal_of(city, "n1")), user_id=uuid4())
    talk.write(city, by, NOW, the_slot(city).id, uuid4(), "sono Anna di via Milano")
    say_farewell(city, by, NOW)
    left_on = proposal_of(city, "n1").left_on
    assert left_on is not None
    assert waits_for(city, CITY, by.household_id, NOW) == [Waiting.GROUPS]
    after = datetime.combine(left_on, NOW.timetz())
    assert waits_for(city, CITY, by.household_id, after) == [Waiting.MONTH]
    erase_settled(city, CITY, after)
    assert "Figlion1" in everything(city)
    city.add(MonthClosing(municipality_id=CITY, month=(left_on - timedelta(days=1)).replace(day=1), closed_at=after))
    city.flush()
    erase_settled(city, CITY, after)
    found = everything(city)
    assert "Figlion1" not in found
    assert "sono Anna" not in found
    assert "Figlion2" in found


def test_a_proposal_is_declined(city: Session) -> None:
    add_need(city, "n1")
    proposed(city, [Group(["n1"])])
    say_farewell(city, family_of(proposal_of(city, "n1")), NOW)
    assert proposal_of(city, "n1").state == ProposalState.DECLINED


def test_money_is_waited_for_and_then_the_certificate(family: tuple[Session, Actor]) -> None:
    session, by = family
    say_farewell(session, by, NOW)
    statement = own_statement(session, by, StatementState.CLOSED)
    assert waits_for(session, CITY, by.household_id, NOW) == [Waiting.PAYMENTS]
    statement.state, statement.paid_at = StatementState.PAID, NOW
    session.flush()
    assert waits_for(session, CITY, by.household_id, NOW) == [Waiting.CERTIFICATE]
    assert waits_for(session, CITY, by.household_id, datetime(2027, 2, 28, 12, tzinfo=UTC)) == [Waiting.CERTIFICATE]
    assert waits_for(session, CITY, by.household_id, datetime(2027, 3, 1, 12, tzinfo=UTC)) == []


def test_a_need_posted_after_the_farewell_keeps_the_family_s_data(family: tuple[Session, Actor]) -> None:
    session, by = family
    say_farewell(session, by, NOW)
    need = session.exec(select(Need)).one()
    for state in (NeedState.OPEN, NeedState.PROPOSED):
        need.state = state
        session.flush()
        assert waits_for(session, CITY, by.household_id, NOW) == [Waiting.NEEDS]
        erase_settled(session, CITY, NOW)
        assert "Figlion1" in everything(session)
    need.state = NeedState.WITHDRAWN
    session.flush()
    erase_settled(session, CITY, NOW)
    assert "Figlion1" not in everything(session)


def test_keys_of_programs_go_with_the_family(family: tuple[Session, Actor]) -> None:
    session, by = family
    held = session.exec(select(Appointment)).one()
    key = ApiToken(
        token_hash=b"hash", appointment_id=held.id, name="Agenda di Anna", created_at=NOW, ends_at=NOW + timedelta(30)
    )
    session.add(key)
    session.flush()
    say_farewell(session, by, NOW)
    erase_settled(session, CITY, NOW)
    assert session.exec(select(ApiToken)).all() == []


def test_saying_it_twice_is_once_and_it_can_be_taken_back(family: tuple[Session, Actor]) -> None:
    session, by = family
    assert say_farewell(session, by, NOW).id == say_farewell(session, by, NOW).id
    take_back(session, by, NOW)
    take_back(session, by, NOW)
    assert by.household_id is not None
    assert find_farewell(session, CITY, by.household_id) is None
    erase_settled(session, CITY, NOW)
    assert "Figlion1" in everything(session)


def test_nobody_leaves_for_a_family_but_itself(family: tuple[Session, Actor]) -> None:
    session, by = family
    with pytest.raises(Forbidden):
        say_farewell(session, Actor(CITY, Role.OFFICER, by.user_id), NOW)


def test_another_family_does_not_even_see_that_one_leaves(family: tuple[Session, Actor]) -> None:
    session, by = family
    say_farewell(session, by, NOW)
    other = add_need(session, "n2").household_id
    with seeing(session, Scope(CITY, other, "nobody")):
        assert session.exec(select(Farewell)).all() == []
