"""Who has a seat in an extra session; one that nobody is left in, or that has lost its host, does not take place."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from marketplace.db import Scope, seeing
from marketplace.slots.extra_models import ExtraSeat, SeatState

_GIVE_BACK = """
update extra_seat xs set state = 'withdrawn' from extra_session x
where xs.municipality_id = :municipality and xs.membership_id = any(:memberships) and xs.state = 'taken'
  and x.municipality_id = xs.municipality_id and x.id = xs.extra_id and x.held_on >= :day
  and x.state in ('asked', 'accepted')
returning x.id
"""
_END = """
with empty as (
  update extra_session x set state = 'withdrawn' from slot s
  where x.municipality_id = :municipality and x.id = any(:extras) and x.state in ('asked', 'accepted')
    and s.municipality_id = x.municipality_id and s.id = x.slot_id
    and not exists (
      select from extra_seat xs join membership m on m.municipality_id = xs.municipality_id and m.id = xs.membership_id
      where xs.municipality_id = x.municipality_id and xs.extra_id = x.id and xs.state = 'taken'
        and (s.host_need_id is null or m.need_id = s.host_need_id))
  returning x.id),
off as (
  update meeting mt set state = 'dissolved' from empty
  where mt.municipality_id = :municipality and mt.extra_id = empty.id and mt.state = 'scheduled')
select id from empty
"""


def list_taken(session: Session, municipality_id: str, extra_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """The memberships that have a seat in each of these extra sessions."""
    taken: dict[UUID, set[UUID]] = defaultdict(set)
    if extra_ids:
        for extra_id, membership_id in session.exec(
            select(ExtraSeat.extra_id, ExtraSeat.membership_id).where(
                ExtraSeat.municipality_id == municipality_id,
                ExtraSeat.state == SeatState.TAKEN,
                col(ExtraSeat.extra_id).in_(extra_ids),
            )
        ):
            taken[extra_id].add(membership_id)
    return taken


def drop_seats(session: Session, municipality_id: str, membership_ids: Collection[UUID], on: date) -> None:
    """Whoever leaves its group on a day is in none of its extra sessions from that day on."""
    session.flush()
    with seeing(session, Scope(municipality_id)):
        values = {"municipality": municipality_id, "memberships": list(membership_ids), "day": on}
        touched = session.connection().execute(text(_GIVE_BACK), values).scalars().all()
        end_empty(session, municipality_id, touched)


def end_empty(session: Session, municipality_id: str, extra_ids: Collection[UUID]) -> set[UUID]:
    """Those of the extra sessions that nobody is left in, and their meetings, are off; which they are."""
    ended: set[UUID] = set()
    if extra_ids:
        session.flush()
        values = {"municipality": municipality_id, "extras": list(extra_ids)}
        ended = set(session.connection().execute(text(_END), values).scalars())
        session.expire_all()
    return ended
