"""A declared ISEE is looked up at INPS by a job: what agrees is verified, what differs waits for the officer."""

from datetime import datetime
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Forbidden, NotFound, Rejected
from marketplace.households.inps import InpsUnavailable, can_ask, door
from marketplace.households.models import ROME, Household, IseeAnswer, IseeOutcome, MeansTest, MeansTestState
from marketplace.jobs import defer, job
from marketplace.words import N_

TRIES = RetryStrategy(max_attempts=6, exponential_wait=4, retry_exceptions=[InpsUnavailable])
NOT_CONNECTED = N_("Questo Comune non è collegato all'INPS: verifica l'attestazione su carta.")


def request_lookup(session: Session, by: Actor, now: datetime, means_test_id: UUID) -> None:
    """Ask INPS for a declared means test, by a job; asking again while it waits is asking once."""
    if by.role != Role.OFFICER:
        raise Forbidden
    if session.get(MeansTest, (by.municipality_id, means_test_id)) is None:
        raise NotFound
    if not can_ask():
        raise Rejected(NOT_CONNECTED)
    record(session, by, now, "ask_inps", "means_test", means_test_id)
    name = f"inps {means_test_id}"
    defer(session, ask_inps, by.municipality_id, lock=name, once=name, means_test_id=str(means_test_id))


@job("households.ask_inps", retry=TRIES)
def ask_inps(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Keep INPS's answer; where it agrees to the cent, the means test is verified by it."""
    test = session.get(MeansTest, (municipality_id, UUID(arguments["means_test_id"])), with_for_update=True)
    if test is None or test.state != MeansTestState.DECLARED or not _is_newest(session, test):
        return
    household = session.get_one(Household, (municipality_id, test.household_id))
    found = (
        door().find_isee(household.tax_code, now.astimezone(ROME).date(), str(test.id)) if household.tax_code else None
    )
    outcome = IseeOutcome.MISSING
    if found is not None:
        outcome = IseeOutcome.AGREES if found.isee_cents == int(test.isee_cents) else IseeOutcome.DIFFERS
    session.add(
        IseeAnswer(
            municipality_id=municipality_id,
            means_test_id=test.id,
            household_id=test.household_id,
            outcome=outcome,
            isee_cents=None if found is None else str(found.isee_cents),
            attestation="" if found is None else found.attestation,
            asked_at=now,
        )
    )
    if found is not None and outcome is IseeOutcome.AGREES:
        verified = MeansTest(
            municipality_id=municipality_id,
            household_id=test.household_id,
            isee_cents=test.isee_cents,
            state=MeansTestState.VERIFIED,
            valid_until=test.valid_until,
            is_resident=test.is_resident,
            disability=test.disability,
            attestation=found.attestation,
            created_at=now,
        )
        session.add(verified)
        session.flush()
        record(session, Actor(municipality_id), now, "means_test_verified", "means_test", verified.id, source="INPS")
    session.flush()


def _is_newest(session: Session, test: MeansTest) -> bool:
    newest = session.exec(
        select(MeansTest.id)
        .where(MeansTest.municipality_id == test.municipality_id, MeansTest.household_id == test.household_id)
        .order_by(col(MeansTest.created_at).desc(), col(MeansTest.id).desc())
        .limit(1)
    ).one()
    return newest == test.id
