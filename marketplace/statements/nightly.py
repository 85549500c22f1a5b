"""Every night the books are audited, the result is kept, and whoever answers for them is told of any difference."""

from datetime import datetime
from typing import Any

from procrastinate import RetryStrategy
from sqlmodel import Session, col, select

from billing.answers import BalanceLine, GatewayUnavailableError
from marketplace.accounts.models import Role
from marketplace.accounts.operations import list_staff
from marketplace.jobs import every, job
from marketplace.messages.operations import Recipient, tell
from marketplace.slots.calendar import local_day
from marketplace.statements.audit import LEARNT_WITHIN, audit
from marketplace.statements.gateways import gateway
from marketplace.statements.models import BooksCheck
from marketplace.words import N_

KEPT = 200
TRIES = RetryStrategy(max_attempts=3, exponential_wait=5)
ANSWERABLE = (Role.OFFICER, Role.ADMINISTRATOR)


def at_stripe(since: datetime | None = None) -> list[BalanceLine] | None:
    """Stripe's movements, all or those that `audit` needs with `since`; None where it does not answer."""
    try:
        return list(gateway().iter_balance(since and since - LEARNT_WITHIN))
    except GatewayUnavailableError:
        return None


@job("statements.audit_nightly", retry=TRIES)
def audit_nightly(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Audit a municipality's books, Stripe's since they last agreed; where it is silent that is kept, no difference."""
    since = agreed_until(session, municipality_id)
    check_books(session, municipality_id, now, at_stripe(since), since)


every("41 1 * * *", audit_nightly)


def agreed_until(session: Session, municipality_id: str) -> datetime | None:
    """When ledger and Stripe last agreed with nothing left over; None where they never did."""
    return session.exec(
        select(BooksCheck.at)
        .where(
            BooksCheck.municipality_id == municipality_id, BooksCheck.count == 0, col(BooksCheck.with_stripe).is_(True)
        )
        .order_by(col(BooksCheck.at).desc())
    ).first()


def check_books(
    session: Session,
    municipality_id: str,
    now: datetime,
    movements: list[BalanceLine] | None,
    since: datetime | None = None,
) -> BooksCheck:
    """Audit, keep what was found, and tell officers and administrators of it, once a day."""
    found = list(audit(session, municipality_id, movements, since))
    check = BooksCheck(
        municipality_id=municipality_id,
        at=now,
        count=len(found),
        differences=[{"check": one.check, "row": one.row, "detail": one.detail} for one in found[:KEPT]],
        with_stripe=movements is not None,
    )
    session.add(check)
    session.flush()
    if found:
        _tell(session, check)
    return check


def last_check(session: Session, municipality_id: str) -> BooksCheck | None:
    """The newest audit that was kept."""
    return session.exec(
        select(BooksCheck).where(BooksCheck.municipality_id == municipality_id).order_by(col(BooksCheck.at).desc())
    ).first()


def _tell(session: Session, check: BooksCheck) -> None:
    for person in list_staff(session, check.municipality_id, ANSWERABLE):
        tell(
            session,
            check.municipality_id,
            check.at,
            Recipient(person.email, person.locale),
            f"audit-{local_day(check.at)}-{person.id}",
            N_("I conti non tornano"),
            N_("Differenze trovate nei conti dal controllo di questa notte: %(count)s. Sono elencate nel Registro."),
            {"count": check.count},
        )
