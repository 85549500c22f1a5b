"""Whether this installation works: the database answers, a worker is alive, no job has been waiting for long."""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from marketplace.db import db
from marketplace.web import now, public

blueprint = Blueprint("health", __name__)
WORKER_SILENT_AFTER = timedelta(seconds=60)


@blueprint.get("/health")
@public
def health() -> ResponseReturnValue:
    """The state of database and worker: 200 while pages can be served, 503 otherwise."""
    state = state_of(now())
    return jsonify(state), 200 if state["database"] == "ok" else 503


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
