"""A rule is tried by a job: asked twice while it runs it is one trial, killed it starts again, and its outcome stays.

Whether one runs, has to wait or has failed is read from the queue, so that no trial is said to run that nobody runs.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlalchemy import text
from sqlmodel import Session, col, select

from billing.rules import Rule
from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, Forbidden, NotFound
from marketplace.jobs import defer, job
from marketplace.slots.calendar import local_day
from marketplace.statements.simulation import Simulation, simulate
from marketplace.vouchers.models import RuleTrial
from marketplace.vouchers.programmes import get_programme
from marketplace.words import N_

AGAIN = RetryStrategy(max_attempts=3, exponential_wait=3)
LISTED_MAX = 10
NOT_FAILED = N_("Questa prova non è fallita: ricarica la pagina e guarda a che punto è.")


class Standing(StrEnum):
    """Where a trial stands; AGAIN: it went wrong once or twice and is tried again by itself."""

    RUNNING = "running"
    AGAIN = "again"
    FAILED = "failed"
    DONE = "done"


def ask_trial(session: Session, by: Actor, now: datetime, programme_id: UUID, rule: Rule) -> RuleTrial:
    """Have a rule tried on the year up to yesterday; one that is being tried already is not tried twice over."""
    if by.role != Role.OFFICER:
        raise Forbidden
    programme = get_programme(session, by.municipality_id, programme_id, lock=True)
    written = rule.model_dump(mode="json", exclude_none=True)
    for other in list_trials(session, by, programme.id):
        if other.rule == written and other.outcome is None and standing(session, other) is not Standing.FAILED:
            return other
    trial = RuleTrial(
        municipality_id=by.municipality_id, programme_id=programme.id, rule=written, asked_at=now, asked_by=by.user_id
    )
    session.add(trial)
    session.flush()
    record(session, by, now, "try_rule", "programme", programme.id, trial=str(trial.id))
    defer(session, try_rule, by.municipality_id, trial_id=str(trial.id))
    return trial


def repeat_trial(session: Session, by: Actor, trial_id: UUID) -> None:
    """Have a trial that failed done again. Raises Conflict for one that did not fail."""
    if by.role != Role.OFFICER:
        raise Forbidden
    trial = get_trial(session, by, trial_id, lock=True)
    if standing(session, trial) is not Standing.FAILED:
        raise Conflict(NOT_FAILED)
    defer(session, try_rule, by.municipality_id, trial_id=str(trial.id))


@job("statements.try_rule", retry=AGAIN)
def try_rule(session: Session, municipality_id: str, now: datetime, trial_id: str = "", **_: Any) -> None:
    """See `run_trial`; all in one transaction, so that a job that is killed leaves the trial to be run."""
    run_trial(session, now, municipality_id, UUID(trial_id))


def run_trial(session: Session, now: datetime, municipality_id: str, trial_id: UUID) -> None:
    """Find what a rule would have cost in the year before the day it was asked; a finished one is left alone."""
    trial = session.get_one(
        RuleTrial, (municipality_id, trial_id), with_for_update={"key_share": True}, populate_existing=True
    )
    if trial.outcome is not None:
        return
    programme = get_programme(session, municipality_id, trial.programme_id)
    trial.outcome = simulate(session, programme, trial.as_rule, local_day(trial.asked_at)).as_data()
    trial.finished_at = now
    session.flush()


def get_trial(session: Session, by: Actor, trial_id: UUID, lock: bool = False) -> RuleTrial:
    """A trial of the municipality. Raises NotFound."""
    found = session.get(RuleTrial, (by.municipality_id, trial_id), with_for_update=lock or None)
    if found is None:
        raise NotFound
    return found


def list_trials(session: Session, by: Actor, programme_id: UUID) -> Sequence[RuleTrial]:
    """A programme's last trials, the newest first."""
    return session.exec(
        select(RuleTrial)
        .where(RuleTrial.municipality_id == by.municipality_id, RuleTrial.programme_id == programme_id)
        .order_by(col(RuleTrial.asked_at).desc(), col(RuleTrial.id).desc())
        .limit(LISTED_MAX)
    ).all()


def find_outcome(session: Session, by: Actor, programme_id: UUID, rule: Rule) -> Simulation | None:
    """What the last trial of this very rule found."""
    written = rule.model_dump(mode="json", exclude_none=True)
    trials = (one for one in list_trials(session, by, programme_id) if one.rule == written and one.outcome is not None)
    return next((outcome_of(one) for one in trials), None)


def outcome_of(trial: RuleTrial) -> Simulation | None:
    """What a trial found, if it is done."""
    return None if trial.outcome is None else Simulation.of(trial.outcome)


def standing(session: Session, trial: RuleTrial) -> Standing:
    """Where a trial stands, as the queue has its newest job."""
    if trial.outcome is not None:
        return Standing.DONE
    job = session.connection().execute(
        text("""
            select status::text, attempts from procrastinate_jobs
            where task_name = :task and args ->> 'trial_id' = :trial order by id desc limit 1"""),
        {"task": try_rule.name, "trial": str(trial.id)},
    )
    found = job.first()
    if found is None or found.status not in ("todo", "doing"):
        return Standing.FAILED
    return Standing.AGAIN if found.status == "todo" and found.attempts else Standing.RUNNING
