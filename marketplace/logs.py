"""A line of the log says what happened, where and how long it took; never who somebody is nor what anybody wrote.

So an exception is told by its class and place, a failed statement by its code and constraint (their messages repeat
values), and a request by its rule (an address may hold a secret).
"""

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from flask import Flask, Response, g, has_request_context, request
from gunicorn.glogging import Logger as GunicornLogger
from uuid_utils.compat import uuid7

from marketplace.errors import MarketplaceError

requests = logging.getLogger("marketplace.requests")
ROOT: Final = Path(__file__).parents[1]
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
QUIET: Final = ("assets", "health")
FRAMES_MAX: Final = 12


def log_to_stderr(as_json: bool) -> None:
    """From now on this process writes its log on standard error: lines for people, or JSON for a collector."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else PlainLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("procrastinate").setLevel(logging.INFO)
    for noisy in ("alembic", "procrastinate.periodic", "stripe", "urllib3", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class PlainLine(logging.Formatter):
    """`2026-11-27T09:30:00.123Z WARNING marketplace.rounds.solving: text (name=value ...)`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = facts_of(record)
        head = f"{fields.pop('at')} {fields.pop('level')} {fields.pop('logger')}: {fields.pop('event')}"
        return " ".join([head, *(f"{name}={value}" for name, value in fields.items())])


class JsonLine(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts_of(record), ensure_ascii=False, default=str)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a line holds: at, level, logger, event; `facts` of the record; the request's id; an exception's place."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found = {"at": at, "level": record.levelname, "logger": record.name, "event": _event_of(record)}
    found |= getattr(record, "facts", {})
    if record.name.startswith("procrastinate"):
        found |= _facts_of_job(record)
    if has_request_context() and "request_id" in g:
        found["request"] = g.request_id
    if record.exc_info and record.exc_info[1] is not None:
        found["error"] = describe(record.exc_info[1])
    return found


def _event_of(record: logging.LogRecord) -> str:
    """The message; of a job and of a malformed request only what happened, as the message repeats what was sent."""
    if record.name.startswith("procrastinate"):
        return str(getattr(record, "action", "job"))
    if record.name.startswith("gunicorn") and record.getMessage().startswith("Invalid request"):
        return "invalid request"  # gunicorn repeats it, and whose it was
    return record.getMessage().replace("\n", " ")


def _facts_of_job(record: logging.LogRecord) -> dict[str, Any]:
    job = getattr(record, "job", None) or {}
    known = {"job": job.get("id"), "task": job.get("task_name"), "attempts": job.get("attempts")}
    return {name: value for name, value in known.items() if value is not None}


def describe(error: BaseException) -> str:
    """An exception's class, what the database says of it but values, and the calls that led to it, ours first."""
    diagnosis = getattr(getattr(error, "orig", error), "diag", None)
    code, constraint = getattr(diagnosis, "sqlstate", None), getattr(diagnosis, "constraint_name", None)
    named = [str(error)] if isinstance(error, MarketplaceError) else []
    detail = " ".join([type(error).__name__, *named, *(one for one in (code, constraint) if one)])
    places = list(_places(error.__traceback__))[-FRAMES_MAX:]
    return " < ".join([detail, *reversed(places)])


def _places(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace):
        path = Path(frame.filename)
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        parts = shown.parts[shown.parts.index("site-packages") + 1 :] if "site-packages" in shown.parts else shown.parts
        yield f"{Path(*parts)}:{frame.lineno} {frame.name}"


class SiteLogger(GunicornLogger):  # type: ignore[misc]  # gunicorn is not typed
    """Gunicorn's own lines go where all others do."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True


def init_request_log(app: Flask) -> None:
    """Give each request an id (the proxy's, else a new one), sent back in X-Request-Id, and write a line at its end."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid7())
        g.began = time.perf_counter()

    @app.after_request
    def end(answer: Response) -> Response:
        if "request_id" not in g:
            return answer
        answer.headers["X-Request-Id"] = g.request_id
        if request.blueprint not in QUIET:
            who = g.get("actor")
            facts = {
                "method": request.method,
                "rule": request.url_rule.rule if request.url_rule else None,
                "status": answer.status_code,
                "ms": round((time.perf_counter() - g.began) * 1000, 1),
                "municipality": who.municipality_id if who else None,
                "role": str(who.role) if who and who.role else None,
            }
            requests.info("request", extra={"facts": {name: value for name, value in facts.items() if value}})
        return answer
