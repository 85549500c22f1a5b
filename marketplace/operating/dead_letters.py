"""A job that has failed for good waits here until somebody has it done again; a job looks at the state before it acts,
so that doing it again is safe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.errors import Conflict
from marketplace.words import N_

NOT_DEAD = N_("Questo lavoro non è più tra quelli non riusciti: ricarica la pagina.")
LISTED_MAX = 200

# A job of no municipality (an event of Stripe's before it is read) is everybody's business.
FOUND = """
select j.id, j.task_name, j.attempts, j.args ->> 'municipality_id',
  (select max(e.at) from procrastinate_events e where e.job_id = j.id and e.type = 'failed'),
  (select f.error from job_failure f where f.job_id = j.id order by f.at desc limit 1)
from procrastinate_jobs j
where j.status = 'failed' and (:city = '' or coalesce(j.args ->> 'municipality_id', '') in (:city, ''))
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that failed for good: when last, how often it was tried, and where it went wrong."""

    id: int
    task: str
    attempts: int
    municipality_id: str
    failed_at: datetime | None
    error: str


def list_dead_letters(session: Session, municipality_id: str) -> Sequence[DeadLetter]:
    """Those of a municipality and of none ('': of all), the newest first, at most 200."""
    found = session.connection().execute(
        text(f"{FOUND} order by j.id desc limit {LISTED_MAX}"), {"city": municipality_id}
    )
    return [
        DeadLetter(job, task, attempts, city or "", at, error or "") for job, task, attempts, city, at, error in found
    ]


def retry_dead_letter(session: Session, by: Actor, now: datetime, job_id: int) -> None:
    """Put a dead job of the actor's municipality back in the queue. Raises Conflict for one that is not dead."""
    dead = (
        session.connection()
        .execute(text(f"{FOUND} and j.id = :job for update"), {"city": by.municipality_id, "job": job_id})
        .first()
    )
    if dead is None:
        raise Conflict(NOT_DEAD)
    session.connection().execute(
        text("select procrastinate_retry_job_v2(:job, :now, null, null, null)"), {"job": job_id, "now": now}
    )
    if by.municipality_id:
        record(session, by, now, "retry_job", "job", None, job=job_id, task=dead[1])


def retry_all(session: Session, by: Actor, now: datetime) -> int:
    """Put all of them back; how many they were."""
    dead = list_dead_letters(session, by.municipality_id)
    for one in dead:
        retry_dead_letter(session, by, now, one.id)
    return len(dead)
