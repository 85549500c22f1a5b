"""A job outlives the worker that ran it, and what recurs is asked for once a municipality."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from marketplace.db import Scope, db, set_scope
from marketplace.installation import Installation
from marketplace.jobs import queue, retry_stalled
from marketplace.rounds.models import RoundState
from marketplace.rounds.operations import list_rounds, start_round
from marketplace.web import Application
from tests.city import CITY, NOW, OFFICER, add_need, found_city

DIES = """
with dead as (insert into procrastinate_workers (last_heartbeat) values (now() - interval '5 minutes') returning id)
update procrastinate_jobs set status = 'doing', worker_id = (select id from dead) where task_name = 'rounds.solve'
"""


@pytest.mark.slow
def test_the_round_of_a_worker_that_was_killed_is_solved_by_another(
    app: Application, installation: Installation, work: Callable[[], None]
) -> None:
    with app.app_context():
        found_city(db.session)
        add_need(db.session, "n1")
        start_round(db.session, OFFICER, NOW, 5)
        db.session.commit()
    owner = create_engine(installation.owner_url)
    with owner.begin() as connection:
        connection.execute(text(DIES))
        retry_stalled.configure(connection=connection.connection.driver_connection).defer(timestamp=0)
    owner.dispose()
    work()
    work()
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert [one.state for one in list_rounds(db.session, CITY)] == [RoundState.SOLVED]


def test_what_recurs_is_known_to_the_queue() -> None:
    queue.perform_import_paths()
    names = {task.task.name for task in queue.periodic_registry.periodic_tasks.values()}
    assert {"slots.advance everywhere", "rounds.abandon everywhere", "jobs.retry_stalled"} <= names
