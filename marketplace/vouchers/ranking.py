"""Who gets a voucher is decided before the round by a published ranking, ISEE first, then date: never by the optimiser.

From the top, each need is held at the most that its voucher can be in a week, as long as the programme's budget lasts;
the first that no longer fits waits, and all behind it, in this order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import Session, col, select

from marketplace.households.means_tests import counting_on, list_means_tests
from marketplace.households.models import Household, MeansTest
from marketplace.jobs import defer, job
from marketplace.needs.models import Need, NeedState, Service
from marketplace.providers.models import Offer
from marketplace.vouchers.models import HoldState, Programme, ProgrammeWeek, VoucherHold, VoucherRank
from marketplace.vouchers.notices import tell_entitled

MINUTES_PER_HOUR = 60


def entitlement(programmes: Iterable[Programme], service: Service, isee_cents: int | None) -> Programme | None:
    """The service's programme with the lowest `isee_max` that still covers the ISEE; none without a declared ISEE."""
    if isee_cents is None:
        return None
    fitting = [
        programme
        for programme in programmes
        if programme.service == service.value
        and (programme.isee_max_cents is None or isee_cents <= programme.isee_max_cents)
    ]
    unlimited = 1 << 62
    return min(
        fitting,
        key=lambda programme: (
            unlimited if programme.isee_max_cents is None else programme.isee_max_cents,
            programme.code,
        ),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A need that a programme covers, with the most that its voucher can be in a week."""

    need: Need
    test: MeansTest
    weekly_cents: int

    @property
    def order(self) -> tuple[int, datetime, datetime, UUID]:
        """ISEE, then the dates of its declaration and of the need."""
        return int(self.test.isee_cents), self.test.created_at, self.need.created_at, self.need.id


def rank_needs(session: Session, municipality_id: str, now: datetime, today: date) -> list[VoucherRank]:
    """Rank the open needs of every running programme and keep the ranking; those who need not wait any more are told.

    The session must see the whole municipality.
    """
    before = newest_ranks(session, municipality_id)
    ranked: list[VoucherRank] = []
    for programme, candidates in _candidates(session, municipality_id, today):
        left, families = _left(session, programme, today)
        waits = False
        for place, one in enumerate(sorted(candidates, key=lambda one: one.order), 1):
            is_new = one.need.household_id not in families
            full = programme.families_max is not None and is_new and len(families) >= programme.families_max
            waits = waits or full or one.weekly_cents > left
            if not waits:
                left -= one.weekly_cents
                families.add(one.need.household_id)
            ranked.append(
                VoucherRank(
                    municipality_id=municipality_id,
                    programme_id=programme.id,
                    need_id=one.need.id,
                    household_id=one.need.household_id,
                    place=place,
                    is_entitled=not waits,
                    weekly_cents=one.weekly_cents,
                    ranked_at=now,
                )
            )
    session.add_all(ranked)
    session.flush()
    waited = {need_id for need_id, rank in before.items() if not rank.is_entitled}
    tell_entitled(session, now, [one for one in ranked if one.is_entitled and one.need_id in waited])
    return ranked


def newest_ranks(
    session: Session, municipality_id: str, household_id: UUID | None = None
) -> Mapping[UUID, VoucherRank]:
    """The newest rank of each need that was ever ranked and is still open."""
    newest = select(VoucherRank.id).where(VoucherRank.municipality_id == municipality_id)
    if household_id is not None:
        newest = newest.where(VoucherRank.household_id == household_id)
    newest = newest.ext(distinct_on(col(VoucherRank.need_id))).order_by(
        col(VoucherRank.need_id), col(VoucherRank.ranked_at).desc(), col(VoucherRank.id).desc()
    )
    same_need = (col(Need.municipality_id) == VoucherRank.municipality_id) & (col(Need.id) == VoucherRank.need_id)
    found = session.exec(
        select(VoucherRank)
        .join(Need, same_need)
        .where(
            VoucherRank.municipality_id == municipality_id,
            col(VoucherRank.id).in_(newest),
            Need.state == NeedState.OPEN,
        )
    )
    return {rank.need_id: rank for rank in found}


def list_ranking(session: Session, programme: Programme) -> Sequence[tuple[VoucherRank, Household]]:
    """The programme's newest ranking, in order."""
    newest = select(func.max(VoucherRank.ranked_at)).where(
        VoucherRank.municipality_id == programme.municipality_id, VoucherRank.programme_id == programme.id
    )
    same = (col(Household.municipality_id) == VoucherRank.municipality_id) & (
        col(Household.id) == VoucherRank.household_id
    )
    found = session.exec(
        select(VoucherRank, Household)
        .join(Household, same)
        .where(
            VoucherRank.municipality_id == programme.municipality_id,
            VoucherRank.programme_id == programme.id,
            VoucherRank.ranked_at == newest.scalar_subquery(),
        )
        .order_by(col(VoucherRank.id))
    )
    of_each = {rank.need_id: (rank, household) for rank, household in found}
    return sorted(of_each.values(), key=lambda one: one[0].place)


def list_waiting(session: Session, municipality_id: str) -> set[UUID]:
    """The needs that wait for a voucher: in a round they have none."""
    return {need_id for need_id, rank in newest_ranks(session, municipality_id).items() if not rank.is_entitled}


def rank_again(session: Session, municipality_id: str) -> None:
    """Have the ranking made again, by a job, where somebody waits: something was given back, or a budget raised."""
    if list_waiting(session, municipality_id):
        defer(session, rank_job, municipality_id, once=f"ranking {municipality_id}")


@job("vouchers.rank")
def rank_job(session: Session, municipality_id: str, now: datetime, **_arguments: object) -> None:
    """Release the waiting list, in its order."""
    rank_needs(session, municipality_id, now, now.date())


def _candidates(session: Session, municipality_id: str, today: date) -> list[tuple[Programme, list[Candidate]]]:
    programmes = session.exec(
        select(Programme)
        .where(Programme.municipality_id == municipality_id, col(Programme.ended_at).is_(None))
        .order_by(Programme.code)
    ).all()
    needs = session.exec(
        select(Need).where(Need.municipality_id == municipality_id, Need.state == NeedState.OPEN)
    ).all()
    tests = list_means_tests(session, municipality_id, {need.household_id for need in needs})
    prices = dict(
        session.exec(
            select(Offer.service, func.max(Offer.rate_cents_per_hour))
            .where(Offer.municipality_id == municipality_id)
            .group_by(Offer.service)
        ).all()
    )
    found: dict[UUID, list[Candidate]] = defaultdict(list)
    for need in needs:
        test = counting_on(tests.get(need.household_id, ()), today)
        programme = entitlement(programmes, need.service, int(test.isee_cents)) if test else None
        if test is not None and programme is not None:
            most = weekly_most_cents(programme, need, prices.get(need.service.value, 0))
            found[programme.id].append(Candidate(need, test, most))
    return [(programme, found[programme.id]) for programme in programmes if programme.id in found]


def weekly_most_cents(programme: Programme, need: Need, price_cents_per_hour: int) -> int:
    """The most that a programme can pay of a need in a week: its percentage of the dearest price alone, and its cap."""
    seat_minutes = need.minutes * need.sessions * need.seats
    part = Fraction(programme.percent) / 100 * price_cents_per_hour
    if programme.cap_cents_per_hour is not None:
        part = min(part, Fraction(programme.cap_cents_per_hour))
    return int(part * seat_minutes / MINUTES_PER_HOUR)


def _left(session: Session, programme: Programme, today: date) -> tuple[int, set[UUID]]:
    """What the fullest week to come has left, nothing once the total is spent; and the families that have a voucher."""
    monday = today - timedelta(days=today.weekday())
    mine = (ProgrammeWeek.municipality_id == programme.municipality_id, ProgrammeWeek.programme_id == programme.id)
    fullest = session.exec(
        select(func.min(ProgrammeWeek.budget_cents - ProgrammeWeek.used_cents)).where(
            *mine, ProgrammeWeek.week > monday
        )
    ).one()
    left = programme.weekly_budget_cents if fullest is None else min(programme.weekly_budget_cents, int(fullest))
    if programme.total_budget_cents is not None:
        used = session.exec(select(func.coalesce(func.sum(ProgrammeWeek.used_cents), 0)).where(*mine)).one()
        left = min(left, max(0, programme.total_budget_cents - int(used)))
    families = session.exec(
        select(Need.household_id)
        .join(
            VoucherHold,
            (col(VoucherHold.municipality_id) == Need.municipality_id) & (col(VoucherHold.need_id) == Need.id),
        )
        .where(
            VoucherHold.municipality_id == programme.municipality_id,
            VoucherHold.programme_id == programme.id,
            VoucherHold.state != HoldState.RELEASED,
        )
        .distinct()
    ).all()
    return left, set(families)
