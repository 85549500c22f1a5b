"""A budget that is nearly spent is told to the officers once at 80 and once at 95 per cent, before it is too late."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from marketplace.households.models import ROME
from marketplace.vouchers.models import BudgetAlert, Programme, ProgrammeWeek
from marketplace.vouchers.notices import tell_budget

PERCENTS = (80, 95)


def watch_budgets(session: Session, municipality_id: str, now: datetime, programme_ids: Collection[UUID]) -> None:
    """Raise the alerts of the first week, from today's on, in which a programme has reached a threshold.

    Only one alert of each threshold stands for the weeks to come of a programme.
    """
    today = now.astimezone(ROME).date()
    weeks = session.exec(
        select(ProgrammeWeek, Programme)
        .join(
            Programme,
            (col(Programme.municipality_id) == ProgrammeWeek.municipality_id)
            & (col(Programme.id) == ProgrammeWeek.programme_id),
        )
        .where(
            ProgrammeWeek.municipality_id == municipality_id,
            col(ProgrammeWeek.programme_id).in_(programme_ids),
            ProgrammeWeek.week >= today,
            ProgrammeWeek.budget_cents > 0,
            ProgrammeWeek.used_cents * 100 >= ProgrammeWeek.budget_cents * PERCENTS[0],
        )
        .order_by(col(ProgrammeWeek.programme_id), col(ProgrammeWeek.week))
        .execution_options(populate_existing=True)
    ).all()
    if not weeks:
        return
    standing = {(alert.programme_id, alert.percent) for alert in list_alerts(session, municipality_id, now)}
    for week, programme in weeks:
        for percent in PERCENTS:
            reached = 100 * week.used_cents >= percent * week.budget_cents
            if reached and (programme.id, percent) not in standing and _raise(session, now, week, percent):
                standing.add((programme.id, percent))
                tell_budget(session, now, programme, week.week, percent)


def list_alerts(
    session: Session, municipality_id: str, now: datetime, programme_id: UUID | None = None
) -> Sequence[BudgetAlert]:
    """Alerts about weeks to come, the highest first."""
    wanted = select(BudgetAlert).where(
        BudgetAlert.municipality_id == municipality_id, BudgetAlert.week >= now.astimezone(ROME).date()
    )
    if programme_id is not None:
        wanted = wanted.where(BudgetAlert.programme_id == programme_id)
    return session.exec(wanted.order_by(col(BudgetAlert.percent).desc(), col(BudgetAlert.week))).all()


def _raise(session: Session, now: datetime, week: ProgrammeWeek, percent: int) -> bool:
    """Keep the alert, unless somebody else has just done so."""
    row = {
        "municipality_id": week.municipality_id,
        "id": uuid7(),
        "programme_id": week.programme_id,
        "percent": percent,
        "week": week.week,
        "used_cents": week.used_cents,
        "budget_cents": week.budget_cents,
        "raised_at": now,
    }
    written = session.connection().execute(
        insert(BudgetAlert).values(row).on_conflict_do_nothing(constraint="alert_once").returning(col(BudgetAlert.id))
    )
    return written.scalar() is not None
