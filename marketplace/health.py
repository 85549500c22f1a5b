"""Whether this installation works (database, worker, jobs), and whether this process can serve."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from marketplace.db import db
from marketplace.schema import older_revisions
from marketplace.web import now, public

blueprint = Blueprint("health", __name__)
WORKER_SILENT_AFTER = timedelta(seconds=60)


@blueprint.get("/health")
@public
def health() -> ResponseReturnValue:
    """The state of database and worker: 200 while pages can be served, 503 otherwise."""
    state = state_of(now())
    return jsonify(state), 200 if state["database"] == "ok" else 503


@blueprint.get("/ready")
@public
def ready() -> ResponseReturnValue:
    """Whether to send people here: 200 when the database answers and has at least this program's schema, else 503."""
    try:
        [found] = db.session.connection().execute(text("select version_num from alembic_version")).one()
    except (OperationalError, ProgrammingError):
        return jsonify(ready=False, reason="database"), 503
    if found in older_revisions():
        return jsonify(ready=False, reason="schema"), 503
    return jsonify(ready=True), 200


def state_of(instant: datetime) -> dict[str, Any]:
    """`database` and `worker` ("ok" or what is wrong), and how many jobs wait or have failed."""
    try:
        beat, waiting, failed = db.session.execute(
            text(
                "select (select max(last_heartbeat) from procrastinate_workers),"
                " (select count(*) from procrastinate_jobs where status = 'todo'"
                "   and (scheduled_at is null or scheduled_at <= :now)),"
                " (select count(*) from procrastinate_jobs where status = 'failed')"
            ),
            {"now": instant},
        ).one()
    except OperationalError:
        return {"status": "failing", "database": "unreachable", "worker": "unknown"}
    alive = beat is not None and instant - beat < WORKER_SILENT_AFTER
    return {
        "status": "ok" if alive else "degraded",
        "database": "ok",
        "worker": "ok" if alive else "silent",
        "jobs": {"waiting": waiting, "failed": failed},
    }
