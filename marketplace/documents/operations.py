"""A provider says how it stands with tax; from then on its documents are issued, once what they are about is paid."""

from datetime import datetime
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlmodel import Session

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.documents.issuing import issue_certificates, issue_for_statements, issue_payout_notes
from marketplace.documents.models import TaxProfile
from marketplace.errors import Forbidden
from marketplace.jobs import defer, every, job

TRIES = RetryStrategy(max_attempts=5, exponential_wait=3)


def save_tax_profile(session: Session, by: Actor, now: datetime, **said: Any) -> TaxProfile:
    """Keep what a provider says of its tax, and issue what waited for it; `said` are TaxProfile's fields."""
    if by.provider_id is None:
        raise Forbidden
    profile = TaxProfile(municipality_id=by.municipality_id, provider_id=by.provider_id, created_at=now, **said)
    session.add(profile)
    session.flush()
    record(session, by, now, "save_tax_profile", "tax_profile", profile.id, regime=profile.regime.value)
    issue_soon(session, by.municipality_id)
    return profile


def issue_all(session: Session, municipality_id: str, now: datetime) -> dict[str, int]:
    """Every document that is due and was not issued; how many of which."""
    return {
        "statements": issue_for_statements(session, municipality_id, now),
        "payouts": issue_payout_notes(session, municipality_id, now),
        "certificates": issue_certificates(session, municipality_id, now),
    }


def issue_soon(session: Session, municipality_id: str, statement_id: UUID | None = None) -> None:
    """Issue in a job of its own what is due; of one statement, when it is the one that was paid."""
    if statement_id is None:
        defer(session, issue_job, municipality_id, once=f"documents.issue {municipality_id}")
    else:
        defer(session, issue_paid, municipality_id, statement_id=str(statement_id))


@job("documents.issue", retry=TRIES)
def issue_job(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Issue everything that is due."""
    issue_all(session, municipality_id, now)


@job("documents.issue_paid", retry=TRIES)
def issue_paid(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Issue the receipts of a statement that was paid."""
    issue_for_statements(session, municipality_id, now, UUID(arguments["statement_id"]))


every("17 * * * *", issue_job)
