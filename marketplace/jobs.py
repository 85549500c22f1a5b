"""Work that outlives a request is deferred in the transaction that wants it, and may run any number of times."""

import functools
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import procrastinate
from flask import Flask
from procrastinate.jobs import JobDeferrer
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task
from procrastinate.types import JSONDict
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from marketplace.db import Scope, db, set_author, set_scope
from marketplace.logs import describe, log_to_stderr

ROOMS = (
    "marketplace.accounts.jobs",
    "marketplace.accounts.looks",
    "marketplace.messages.operations",
    "marketplace.messages.digests",
    "marketplace.households.jobs",
    "marketplace.vouchers.ranking",
    "marketplace.slots.jobs",
    "marketplace.talk.jobs",
    "marketplace.safety.operations",
    "marketplace.home.farewell",
    "marketplace.rounds.jobs",
    "marketplace.rounds.waiting",
    "marketplace.statements.operations",
    "marketplace.statements.events",
    "marketplace.statements.nightly",
    "marketplace.statements.reminders",
    "marketplace.statements.give_backs",
    "marketplace.statements.trials",
    "marketplace.documents.operations",
    "marketplace.intake.uploads",
    "marketplace.api.jobs",
    "marketplace.api.webhooks",
)
queue = procrastinate.App(connector=procrastinate.PsycopgConnector(), import_paths=ROOMS)
_on_given_connection = JobManager(procrastinate.SyncPsycopgConnector())


class Work(Protocol):
    """What a job does: in a session that sees one municipality, at an instant, with JSON arguments."""

    def __call__(self, session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None: ...


_application: list[Flask] = []


def bind(app: Flask) -> None:
    """Jobs of this process run inside `app`."""
    _application[:] = [app]


Task = procrastinate.tasks.Task[Any, Any, Any]


def job(name: str, retry: procrastinate.BaseRetryStrategy | bool = False) -> Callable[[Work], Task]:
    """Make a function a job called `name`: it gets a session bound to its municipality and commits at its end.

    `retry` is procrastinate's. A job can be killed and run again at any point: it looks at the state before it acts.
    """

    def register(work: Work) -> Task:
        @functools.wraps(work)
        def run(context: procrastinate.JobContext, /, municipality_id: str, **arguments: Any) -> None:
            with _application[0].app_context():
                set_scope(db.session, Scope(municipality_id))
                set_author(db.session, name)
                try:
                    work(db.session, municipality_id, datetime.now(UTC), **arguments)
                    db.session.commit()
                except Exception as problem:
                    _note_failure(context.job.id, problem)
                    raise

        task: Task = queue.task(name=name, retry=retry, pass_context=True)(run)
        return task

    return register


def _note_failure(job_id: int | None, problem: Exception) -> None:
    """Keep where a job went wrong, as long as it is in the queue; a database that is away cannot be told."""
    db.session.rollback()
    with suppress(DBAPIError):
        db.session.connection().execute(
            text(
                "delete from job_failure f where not exists (select 1 from procrastinate_jobs j where j.id = f.job_id)"
            )
        )
        db.session.connection().execute(
            text("insert into job_failure (job_id, at, error) values (:job, now(), :error)"),
            {"job": job_id, "error": describe(problem)[:500]},
        )
        db.session.commit()


def defer(
    session: Session,
    task: Task,
    municipality_id: str,
    *,
    at: datetime | None = None,
    lock: str | None = None,
    once: str | None = None,
    **arguments: Any,
) -> None:
    """Put a job in the queue within the session's transaction.

    `at`: not before; `lock`: one at a time with that name; `once`: no second one waits with that name.
    """
    if once and _is_waiting(session, once):
        return
    _sender(session, task, at, lock, once).defer(municipality_id=municipality_id, **arguments)


def defer_each(
    session: Session, task: Task, municipality_id: str, each: Iterable[JSONDict], *, at: datetime | None = None
) -> None:
    """Put one job in the queue for each set of arguments, all in one query, within the session's transaction."""
    payloads: list[JSONDict] = [{"municipality_id": municipality_id, **arguments} for arguments in each]
    if payloads:
        _sender(session, task, at).batch_defer(*payloads)


def _sender(
    session: Session, task: Task, at: datetime | None, lock: str | None = None, once: str | None = None
) -> JobDeferrer:
    """Deferring on the session's connection: never through the queue's own connector, which in a worker is async."""
    connection = session.connection().connection.driver_connection
    return configure_task(
        name=task.name,
        job_manager=_on_given_connection,
        connection=connection,
        schedule_at=at,
        lock=lock,
        queueing_lock=once,
    )


def every(cron: str, task: Task) -> None:
    """Have a job done for each municipality at these times (UTC), as long as a worker runs."""
    name = f"{task.name} everywhere"

    @queue.periodic(cron=cron, periodic_id=name)
    @queue.task(name=name, queueing_lock=name)
    def spread(timestamp: int) -> None:
        with _application[0].app_context():
            everywhere = db.session.connection().exec_driver_sql("select id from municipality order by id").all()
            for (municipality_id,) in everywhere:
                defer(db.session, task, municipality_id, once=f"{task.name} {municipality_id}")
            db.session.commit()


@queue.periodic(cron="* * * * *")
@queue.task(name="jobs.retry_stalled", queueing_lock="jobs.retry_stalled", pass_context=True)
async def retry_stalled(context: procrastinate.JobContext, timestamp: int) -> None:
    """Give the jobs of workers that have died (no heartbeat for 30 s) to those that live: jobs may run twice."""
    manager = context.app.job_manager
    for stalled in await manager.get_stalled_jobs():
        await manager.retry_job(stalled)


def _is_waiting(session: Session, name: str) -> bool:
    """Whether a job with this queueing lock waits already (asked first: a violated lock would end the transaction)."""
    found = session.connection().exec_driver_sql(
        "select 1 from procrastinate_jobs where queueing_lock = %s and status = 'todo'", (name,)
    )
    return found.first() is not None


def run_waiting(app: Flask, url: str) -> None:
    """Run all that is due, in this process, until nothing is left (tests, the demo's making)."""
    bind(app)
    with queue.replace_connector(procrastinate.PsycopgConnector(conninfo=plain(url))) as bound:
        bound.run_worker(wait=False, install_signal_handlers=False, listen_notify=False, delete_jobs="never")


def work_for_ever(app: Flask, url: str) -> None:
    """The worker: runs jobs until it is told to stop, then finishes those at hand."""
    bind(app)
    log_to_stderr(app.config["SETTINGS"].log_json)
    with queue.replace_connector(procrastinate.PsycopgConnector(conninfo=plain(url))) as bound:
        bound.run_worker(
            concurrency=2, delete_jobs="successful", update_heartbeat_interval=5, stalled_worker_timeout=30
        )


def plain(url: str) -> str:
    """A libpq address of SQLAlchemy's."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
