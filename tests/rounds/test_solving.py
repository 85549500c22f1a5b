"""A round goes on from the state in which it is found, and holds no transaction while the solver runs."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, create_engine, select

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, db, set_scope
from marketplace.errors import Conflict, Forbidden, Rejected
from marketplace.installation import Installation
from marketplace.needs.models import Need, NeedState
from marketplace.providers.models import Accreditation, Provider
from marketplace.rounds.commands import run_round
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.operations import discard_round, get_round, list_rounds, start_round
from marketplace.rounds.proposing import propose
from marketplace.rounds.solving import Listener, abandon, prepare, run, unpacked
from marketplace.web import Application
from matching.formats import instance_from_json
from matching.instance import Instance
from matching.objective import objective_cents
from matching.plan import Plan, Unserved
from matching.progress import Progress
from tests.city import CITY, NOW, OFFICER, add_need, found_city


def serve_nobody(instance: Instance, **_: object) -> Plan:
    """A valid plan for a city in which nobody can be served."""
    unserved = tuple(Unserved(one, "outcompeted") for one in instance.needs)
    cents = objective_cents(instance, ())
    return Plan(instance.digest, "FEASIBLE", (), unserved, cents, None, None, 0.1, 0)


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def city(session: Session) -> Session:
    found_city(session)
    add_need(session, "n1")
    return session


def test_a_round_is_prepared_solved_and_kept_with_its_hashes(city: Session) -> None:
    found = start_round(city, OFFICER, NOW, 5, 7)
    assert (found.state, found.seconds_limit, found.seed) == (RoundState.PREPARING, 5, 7)
    run(city, CITY, NOW, found.id, serve_nobody)
    found = get_round(city, CITY, found.id)
    assert found.state == RoundState.SOLVED
    assert found.instance_sha256 == instance_from_json(unpacked(found.instance_gz)).digest
    assert unpacked(found.plan_gz)["instance"] == found.instance_sha256
    assert (found.summary["needs"], found.summary["served"]) == (1, 0)
    assert "ortools" in found.solver
    assert list_rounds(city, CITY)[0].id == found.id


def test_killed_between_any_two_steps_and_run_again_it_ends_the_same(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)

    def dies(instance: Instance, **_: object) -> Plan:
        raise Killed

    prepare(city, NOW, (CITY, found.id))
    digest = get_round(city, CITY, found.id).instance_sha256
    with pytest.raises(Killed):
        run(city, CITY, NOW, found.id, dies)
    assert get_round(city, CITY, found.id).state == RoundState.SOLVING
    run(city, CITY, NOW, found.id, serve_nobody)
    run(city, CITY, NOW, found.id, dies)
    found = get_round(city, CITY, found.id)
    assert (found.state, found.instance_sha256) == (RoundState.SOLVED, digest)


def test_a_need_withdrawn_while_solving_is_not_proposed(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)

    def withdraws(instance: Instance, **_: object) -> Plan:
        city.exec(select(Need)).one().state = NeedState.WITHDRAWN
        city.commit()
        return serve_nobody(instance)

    run(city, CITY, NOW, found.id, withdraws)
    propose(city, OFFICER, NOW, found.id)
    assert city.exec(select(Need)).one().state == NeedState.WITHDRAWN


def test_an_invalid_plan_or_a_failing_solver_fails_the_round(city: Session) -> None:
    def lies(instance: Instance, **_: object) -> Plan:
        return Plan(instance.digest, "OPTIMAL", (), (), 0, 0, 0.0, 0.1, 0)

    def breaks(instance: Instance, **_: object) -> Plan:
        raise RuntimeError("no memory")

    for solver in (lies, breaks):
        found = start_round(city, OFFICER, NOW)
        run(city, CITY, NOW, found.id, solver)
        assert get_round(city, CITY, found.id).state == RoundState.FAILED
        assert get_round(city, CITY, found.id).failure


def test_progress_is_kept_once_a_second_while_the_round_is_solving(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)
    prepare(city, NOW, (CITY, found.id))
    city.commit()
    listener = Listener(city, (CITY, found.id))
    for seconds in (0.0, 0.5, 1.2, 1.9, 2.3):
        listener(Progress(seconds, 1, 100, 90, 0.1))
    events = city.exec(select(Round).execution_options(populate_existing=True)).one().progress
    assert [event["seconds"] for event in events] == [0.0, 1.2, 2.3]


def test_a_round_given_up_while_it_is_solved_stays_given_up(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)
    prepare(city, NOW, (CITY, found.id))
    discard_round(city, OFFICER, NOW, found.id)
    run(city, CITY, NOW, found.id, serve_nobody)
    assert get_round(city, CITY, found.id).state == RoundState.FAILED
    assert start_round(city, OFFICER, NOW).id != found.id


def test_a_round_whose_job_is_lost_is_given_up(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)
    abandon(city, CITY)
    assert get_round(city, CITY, found.id, lock=True).state == RoundState.PREPARING
    city.connection().execute(text("update procrastinate_jobs set status = 'failed'"))
    abandon(city, CITY)
    assert get_round(city, CITY, found.id, lock=True).state == RoundState.FAILED


def test_a_round_without_needs_or_providers_is_refused_and_nothing_changes(city: Session) -> None:
    city.exec(select(Provider)).one().accreditation = Accreditation.SUSPENDED
    with pytest.raises(Rejected, match="professionista accreditato"):
        start_round(city, OFFICER, NOW)
    city.exec(select(Need)).one().state = NeedState.WITHDRAWN
    with pytest.raises(Rejected, match="nessuna esigenza"):
        start_round(city, OFFICER, NOW)
    assert city.exec(select(Round)).all() == []
    with pytest.raises(Forbidden):
        start_round(city, Actor(CITY, Role.FAMILY), NOW)


def test_while_one_is_at_work_another_is_refused(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)
    with pytest.raises(Conflict, match="in corso"):
        start_round(city, OFFICER, NOW)
    run(city, CITY, NOW, found.id, serve_nobody)
    with pytest.raises(Conflict, match="proponilo o scartalo"):
        start_round(city, OFFICER, NOW)


def test_from_the_command_line_a_round_that_is_ready_is_proposed_and_not_solved_again(city: Session) -> None:
    found = start_round(city, OFFICER, NOW)
    run(city, CITY, NOW, found.id, serve_nobody)
    said: list[str] = []
    assert run_round(city, NOW, CITY, None, 0, True, said.append) == 0
    assert get_round(city, CITY, found.id).state == RoundState.PROPOSED
    assert list_rounds(city, CITY) == [found]
    assert "lo propongo" in said[0]


@pytest.fixture
def own_city(app: Application) -> Iterator[Application]:
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        db.session.commit()
    yield app


def test_of_two_officers_who_start_at_once_one_gets_a_round(own_city: Application, installation: Installation) -> None:
    engine = create_engine(installation.app_url)
    at_once = threading.Barrier(2)
    outcomes: list[str] = []

    def start() -> None:
        with Session(engine) as session:
            set_scope(session, Scope(CITY))
            at_once.wait()
            try:
                start_round(session, OFFICER, NOW)
                session.commit()
                outcomes.append("started")
            except (Conflict, IntegrityError) as problem:
                session.rollback()
                outcomes.append("refused")
                assert "one_active_round" in str(problem) or "in corso" in str(problem)

    officers = [threading.Thread(target=start) for _ in range(2)]
    for officer in officers:
        officer.start()
    for officer in officers:
        officer.join()
    engine.dispose()
    assert sorted(outcomes) == ["refused", "started"]


def test_no_transaction_is_open_while_the_solver_runs(own_city: Application, installation: Installation) -> None:
    watching = create_engine(installation.owner_url)
    seen: list[int] = []

    def looks(instance: Instance, **_: object) -> Plan:
        with watching.connect() as connection:
            query = """select count(*) from pg_stat_activity
                where datname = current_database() and usename = 'app' and state = 'idle in transaction'"""
            seen.append(connection.execute(text(query)).scalar_one())
        return serve_nobody(instance)

    with own_city.app_context():
        set_scope(db.session, Scope(CITY))
        found = start_round(db.session, OFFICER, NOW)
        db.session.commit()
        run(db.session, CITY, NOW, found.id, looks)
    watching.dispose()
    assert seen == [0]
