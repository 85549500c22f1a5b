"""Holds on the weeks of a programme: one row for each membership and week, never above what the week has left."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from marketplace.vouchers.alerts import watch_budgets
from marketplace.vouchers.models import HoldState, Programme, ProgrammeWeek, VoucherHold
from marketplace.vouchers.ranking import rank_again


def lock_weeks(
    session: Session, municipality_id: str, programme_ids: Collection[UUID], weeks: Collection[date]
) -> dict[tuple[UUID, date], int]:
    """What each programme has left in each week (its Monday), in cents, with nobody else able to take it meanwhile.

    Weeks that nobody asked for before get the programme's budget of today. Locks go in key order: no two can block
    each other.
    """
    programmes = session.exec(
        select(Programme)
        .where(Programme.municipality_id == municipality_id, col(Programme.id).in_(programme_ids))
        .order_by(col(Programme.id))
    ).all()
    _lock_bounded(session, municipality_id, programme_ids)
    rows = [
        {
            "municipality_id": municipality_id,
            "programme_id": programme.id,
            "week": week,
            "budget_cents": programme.weekly_budget_cents,
            "used_cents": 0,
        }
        for programme in programmes
        for week in sorted(weeks)
    ]
    if not rows:
        return {}
    session.connection().execute(
        insert(ProgrammeWeek).on_conflict_do_nothing(constraint="programme_week_once"),
        rows,
    )
    locked = session.exec(
        select(
            col(ProgrammeWeek.programme_id),
            col(ProgrammeWeek.week),
            col(ProgrammeWeek.budget_cents),
            col(ProgrammeWeek.used_cents),
        )
        .where(
            ProgrammeWeek.municipality_id == municipality_id,
            col(ProgrammeWeek.programme_id).in_(programme_ids),
            col(ProgrammeWeek.week).in_(weeks),
        )
        .order_by(col(ProgrammeWeek.programme_id), col(ProgrammeWeek.week))
        .with_for_update()
    )
    return {(programme_id, week): budget - used for programme_id, week, budget, used in locked}


@dataclass(frozen=True, slots=True)
class Hold:
    """What a membership wants of a programme's week (its Monday)."""

    programme_id: UUID
    need_id: UUID
    membership_id: UUID
    week: date
    cents: int


def hold(session: Session, now: datetime, municipality_id: str, wanted: Collection[Hold]) -> None:
    """Reserve amounts; the database refuses what a week has not left (`budget_not_exceeded`).

    It refuses as well what is above a programme's total or its number of families; officers are told at 80 and 95 %.
    """
    session.add_all(
        VoucherHold(
            municipality_id=municipality_id,
            programme_id=one.programme_id,
            membership_id=one.membership_id,
            need_id=one.need_id,
            week=one.week,
            held_cents=one.cents,
            created_at=now,
        )
        for one in sorted(wanted, key=lambda one: (one.programme_id, one.week, one.membership_id))
    )
    session.flush()
    watch_budgets(session, municipality_id, now, {one.programme_id for one in wanted})


def release(
    session: Session,
    municipality_id: str,
    membership_ids: Iterable[UUID],
    *,
    from_week: date | None = None,
    but_for: Collection[date] = (),
) -> int:
    """Give back what is still held for these memberships; how many holds it was.

    `from_week`: only from that week (its Monday) on; `but_for`: weeks that stay held.
    """
    mine = [
        col(VoucherHold.municipality_id) == municipality_id,
        col(VoucherHold.membership_id).in_(list(membership_ids)),
        col(VoucherHold.state) == HoldState.HELD,
    ]
    if from_week is not None:
        mine.append(col(VoucherHold.week) >= from_week)
    if but_for:
        mine.append(col(VoucherHold.week).not_in(but_for))
    session.flush()
    _lock_weeks_of(session, municipality_id, mine)
    statement = update(VoucherHold).where(*mine).values(state=HoldState.RELEASED)
    given_back = cast(CursorResult[None], session.connection().execute(statement)).rowcount
    if given_back:
        rank_again(session, municipality_id)
    return given_back


def _lock_weeks_of(session: Session, municipality_id: str, holds: list[ColumnElement[bool]]) -> None:
    """Take the locks that the trigger will need, in the order in which everybody takes them."""
    weeks = select(col(VoucherHold.programme_id), col(VoucherHold.week)).where(*holds)
    session.exec(
        select(ProgrammeWeek.id)
        .where(
            ProgrammeWeek.municipality_id == municipality_id,
            tuple_(col(ProgrammeWeek.programme_id), col(ProgrammeWeek.week)).in_(weeks),
        )
        .order_by(col(ProgrammeWeek.programme_id), col(ProgrammeWeek.week))
        .with_for_update()
    ).all()


def _lock_bounded(session: Session, municipality_id: str, programme_ids: Collection[UUID]) -> None:
    """Programmes with a total or a number of families are taken one after the other, before their weeks."""
    bounded = col(Programme.total_budget_cents).is_not(None) | col(Programme.families_max).is_not(None)
    session.exec(
        select(Programme.id)
        .where(Programme.municipality_id == municipality_id, col(Programme.id).in_(programme_ids), bounded)
        .order_by(col(Programme.id))
        .with_for_update(key_share=True)
    ).all()
