"""What a round was asked and what it answered are kept as canonical JSON: anyone entitled can check it again.

Each step is one short transaction that first looks at the round's state; while the solver runs there is none.
"""

import gzip
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import UUID

from sqlalchemy import text as sql
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from marketplace.rounds.instances import build_instance
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.standing import Json
from marketplace.rounds.summary import summarise
from marketplace.slots.calendar import local_day
from marketplace.words import N_
from matching.check import check
from matching.fields import InstanceFaults
from matching.formats import canonical, instance_from_json
from matching.plan import Plan
from matching.plan_format import plan_to_json
from matching.progress import Progress

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_EVENTS = 1.0
EVENTS_MAX = 600
WORKERS = 2
BROKEN_INSTANCE = N_(
    "I dati della città non formano un problema valido: chi amministra la piattaforma ne trova il perché nel registro."
)
BROKEN_PLAN = N_("Il calcolo ha dato un piano non valido, che non è stato usato. Avvia un altro abbinamento.")
INTERRUPTED = N_("Il calcolo si è interrotto. Avvia un altro abbinamento.")

Solver = Callable[..., Plan]
"""`matching.solve.solve`, or what stands in for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of solving: a valid plan with its summary, or why there is none (a msgid)."""

    plan: Plan | None = None
    summary: Json = field(default_factory=dict)
    failure: str = ""


@dataclass
class Listener:
    """Keeps what the solver tells of itself with the round, at most one event a second, each in its own transaction."""

    session: Session
    key: tuple[str, UUID]
    told: float = -SECONDS_BETWEEN_EVENTS

    def __call__(self, progress: Progress) -> None:
        if progress.seconds - self.told < SECONDS_BETWEEN_EVENTS:
            return
        self.told = progress.seconds
        event = {
            "seconds": round(progress.seconds, 1),
            "served": progress.served,
            "objective_cents": progress.objective_cents,
            "bound_cents": progress.bound_cents,
            "gap": progress.gap,
        }
        self.session.connection().execute(
            sql(
                "update round set progress = progress || cast(:event as jsonb)"
                " where municipality_id = :municipality and id = :id and state = 'solving'"
                " and jsonb_array_length(progress) < :most"
            ),
            {"event": json.dumps([event]), "municipality": self.key[0], "id": self.key[1], "most": EVENTS_MAX},
        )
        self.session.commit()


def the_solver() -> Solver:
    """The matcher, imported only where it runs: it takes a second and much memory."""
    from matching.solve import solve

    return solve


def run(session: Session, municipality_id: str, now: datetime, round_id: UUID, solver: Solver) -> None:
    """Bring a round from `preparing` over `solving` to `solved` or `failed`, from wherever it stands. Commits."""
    key = (municipality_id, round_id)
    prepare(session, now, key)
    session.commit()
    found = session.get(Round, key, populate_existing=True)
    if found is None or found.state != RoundState.SOLVING or found.instance_gz is None:
        session.commit()
        return
    text, seconds, seed = gzip.decompress(found.instance_gz), found.seconds_limit, found.seed
    session.commit()
    outcome = _solve(text, seconds, seed, solver, Listener(session, key))
    finish(session, key, outcome)
    session.commit()


def prepare(session: Session, now: datetime, key: tuple[str, UUID]) -> None:
    """Keep the instance of a round that is being prepared; from then on it is `solving`."""
    found = session.get(Round, key, with_for_update=True, populate_existing=True)
    if found is None or found.state != RoundState.PREPARING:
        return
    text = canonical(build_instance(session, found.municipality_id, local_day(now)))
    found.instance_gz, found.instance_sha256 = packed(text), hashlib.sha256(text).hexdigest()
    found.state = RoundState.SOLVING


def finish(session: Session, key: tuple[str, UUID], outcome: Outcome) -> None:
    """Write what the solver found, unless somebody has given the round up meanwhile."""
    found = session.get(Round, key, with_for_update=True, populate_existing=True)
    if found is None or found.state != RoundState.SOLVING:
        return
    if outcome.plan is None:
        found.state, found.failure = RoundState.FAILED, outcome.failure[:500]
        return
    text = canonical(plan_to_json(outcome.plan))
    found.plan_gz, found.plan_sha256 = packed(text), hashlib.sha256(text).hexdigest()
    found.solver, found.summary = solver_version(), outcome.summary
    found.state, found.solved_at = RoundState.SOLVED, datetime.now(UTC)


def abandon(session: Session, municipality_id: str) -> None:
    """A round at work for which no job waits or runs any more (its attempts are used up) has failed."""
    session.connection().execute(
        sql(
            "update round set state = 'failed', failure = :why where municipality_id = :municipality"
            " and state in ('preparing', 'solving') and not exists (select 1 from procrastinate_jobs j"
            " where j.task_name = 'rounds.solve' and j.status in ('todo', 'doing')"
            " and j.args->>'round_id' = round.id::text)"
        ),
        {"why": INTERRUPTED, "municipality": municipality_id},
    )


def solver_version() -> str:
    """What found the plan."""
    return f"condiviso {version('condiviso')}, ortools {version('ortools')}"


def packed(text: bytes) -> bytes:
    """Gzipped, the same bytes for the same text."""
    return gzip.compress(text, mtime=0)


def unpacked(stored: bytes) -> Json:
    """The JSON of what `packed` has packed."""
    found: Json = json.loads(gzip.decompress(stored))
    return found


def _solve(text: bytes, seconds: int, seed: int, solver: Solver, listener: Listener) -> Outcome:
    """Ask the solver, and believe it only after its plan has been checked; its failures become the round's."""
    try:
        instance = instance_from_json(json.loads(text))
    except InstanceFaults as problem:
        logger.warning("round %s: %s", listener.key[1], problem)
        return Outcome(failure=BROKEN_INSTANCE)
    try:
        plan = solver(instance, seconds=seconds, seed=seed, workers=WORKERS, progress=listener)
        faults = check(instance, plan)
    except SQLAlchemyError:  # telling of progress has failed: the job is tried again
        raise
    except Exception:
        logger.exception("round %s: the solver has failed", listener.key[1])
        return Outcome(failure=INTERRUPTED)
    if faults:
        logger.error("round %s: an invalid plan: %s", listener.key[1], "; ".join(faults[:20]))
        return Outcome(failure=BROKEN_PLAN)
    return Outcome(plan, summarise(instance, plan))
