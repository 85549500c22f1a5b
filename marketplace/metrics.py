"""What Prometheus reads at /metrics: how long pages take, and how the queue stands; shown to whoever has the token."""

import hmac
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.web import public

blueprint = Blueprint("metrics", __name__)
BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks for it when it is imported: that comes late
QUEUE = """
select (select count(*) from procrastinate_jobs where status = 'todo' and coalesce(scheduled_at, now()) <= now()),
  (select count(*) from procrastinate_jobs where status = 'todo' and scheduled_at > now()),
  (select count(*) from procrastinate_jobs where status = 'doing'),
  (select count(*) from procrastinate_jobs where status = 'failed'),
  (select coalesce(extract(epoch from now() - min(coalesce(j.scheduled_at, (
     select max(e.at) from procrastinate_events e where e.job_id = j.id and e.type = 'deferred')))), 0)::float
   from procrastinate_jobs j where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()),
  (select last_value from procrastinate_jobs_id_seq),
  (select count(*) from procrastinate_workers where last_heartbeat > now() - interval '60 seconds'),
  (select count(*) from pg_stat_activity where datname = current_database())
"""
_pages: list[Any] = []


@contextmanager
def counting() -> Iterator[None]:
    """Within, this process and those that it forks count pages together, in a folder that goes when this one ends."""
    folder, owner = tempfile.mkdtemp(prefix="condiviso-metrics-"), os.getpid()
    os.environ[FOLDER] = folder
    from prometheus_client import Histogram, values

    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # if it was imported before
    labels = ("method", "rule", "status")
    found = Histogram("condiviso_request_seconds", "Time of an answer.", labels, buckets=BUCKETS, registry=None)
    _pages[:] = [found]
    try:
        yield
    finally:
        _pages.clear()
        if os.getpid() == owner:  # a forked one ends here too, while others still count
            shutil.rmtree(folder, ignore_errors=True)


def forget_process(pid: int) -> None:
    """A process that counted has ended."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def init_metrics(app: Flask) -> None:
    """Count every answer by its rule, where this process counts."""

    @app.before_request
    def begin() -> None:
        g.counted_from = time.perf_counter()

    @app.after_request
    def count(answer: Response) -> Response:
        if _pages and "counted_from" in g:
            rule = request.url_rule.rule if request.url_rule else "none"
            labelled = _pages[0].labels(request.method, rule, str(answer.status_code))
            labelled.observe(time.perf_counter() - g.counted_from)
        return answer


@blueprint.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """All that is measured; without METRICS_TOKEN, or to whoever does not send it, there is no such page."""
    token = current_app.config["SETTINGS"].metrics_token
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise NotFound
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

    registry = CollectorRegistry()
    if _pages:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(Queue())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Queue:
    """The state of the database's queue, asked for at each reading."""

    def collect(self) -> Iterator[Any]:
        """Gauges and one counter; `condiviso_database_up` alone where the database does not answer."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        try:
            found = db.session.connection().execute(text(QUEUE)).one()
        except OperationalError:
            yield GaugeMetricFamily("condiviso_database_up", "Whether the database answers.", 0)
            return
        waiting, later, doing, failed, oldest, deferred, workers, connections = found
        yield GaugeMetricFamily("condiviso_database_up", "Whether the database answers.", 1)
        jobs = GaugeMetricFamily("condiviso_jobs", "Jobs by what they do.", labels=["state"])
        for state, count in (("waiting", waiting), ("later", later), ("doing", doing), ("failed", failed)):
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily("condiviso_job_oldest_seconds", "How long the oldest due job has waited.", oldest)
        yield CounterMetricFamily("condiviso_jobs_deferred", "Jobs ever put in the queue.", deferred)
        yield GaugeMetricFamily("condiviso_workers", "Workers with a heartbeat in the last minute.", workers)
        yield GaugeMetricFamily("condiviso_database_connections", "Connections to the database.", connections)
