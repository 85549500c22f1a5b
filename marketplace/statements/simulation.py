"""What a rule would have cost on the meetings that were billed in the last year: read, never written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from billing.decisions import Use, run
from billing.rules import Rule
from marketplace.households.means_tests import counting_on, list_means_tests
from marketplace.households.models import MeansTest
from marketplace.vouchers.models import Programme

DAYS = 365


@dataclass(frozen=True, slots=True)
class BandCost:
    """A band of ISEE (from 1; None: without one) in the year: what was shared, paid by the programme, and would be."""

    band: int | None
    households: int
    meetings: int
    share_cents: int
    paid_cents: int
    would_pay_cents: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """A rule on last year's meetings of its programme's service, those of other programmes left out."""

    since: date
    until: date
    households: int
    bands: tuple[BandCost, ...]

    def total(self, name: str) -> int:
        """The sum of a figure over the bands."""
        return sum(getattr(band, name) for band in self.bands)

    def as_data(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self) | {"since": self.since.isoformat(), "until": self.until.isoformat()}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Simulation":
        """From what was kept."""
        return cls(
            date.fromisoformat(data["since"]),
            date.fromisoformat(data["until"]),
            data["households"],
            tuple(BandCost(**band) for band in data["bands"]),
        )


def simulate(session: Session, programme: Programme, rule: Rule, today: date) -> Simulation:
    """The rule as if it had counted for a year to yesterday: it only lowers prices, so never below what was paid."""
    since = today - timedelta(days=DAYS)
    rows = _billed(session, programme, since, today)
    tests = list_means_tests(session, programme.municipality_id, {row.household_id for row in rows})
    uses = [_use(row, tests) for row in rows]
    limit = None if programme.isee_max_cents is None else Decimal(programme.isee_max_cents) / 100
    bounded = rule.model_copy(
        update={"isee_max": min((one for one in (limit, rule.isee_max) if one is not None), default=None)}
    )
    decisions = [mine[0] for mine in run([bounded], uses)]
    bands: list[int | None] = [*range(1, len(rule.edges) + 1), None]
    costs = []
    for band in bands:
        mine = [index for index, use in enumerate(uses) if rule.band_of(use.isee) == band]
        costs.append(
            BandCost(
                band,
                len({uses[index].household for index in mine}),
                len(mine),
                sum(uses[index].share_cents for index in mine),
                sum(rows[index].subsidy_cents for index in mine),
                sum(max(rows[index].subsidy_cents, decisions[index].grant_cents) for index in mine),
            )
        )
    return Simulation(since, today - timedelta(days=1), len({use.household for use in uses}), tuple(costs))


def _billed(session: Session, programme: Programme, since: date, until: date) -> Sequence[Any]:
    """One row for each member's meeting, its corrections added up."""
    return (
        session.connection()
        .execute(
            text("""
                select l.household_id, n.person_id, n.age, mt.held_on, m.seats,
                       m.end_minute - m.start_minute as minutes,
                       sum(l.share_cents)::bigint as share_cents, sum(l.subsidy_cents)::bigint as subsidy_cents
                from statement_line l
                join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
                join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
                join need n on n.municipality_id = m.municipality_id and n.id = m.need_id
                where l.municipality_id = :municipality and mt.held_on >= :since and mt.held_on < :until
                  and mt.extra_id is null
                  and n.service = :service and (m.programme_id is null or m.programme_id = :programme)
                group by l.household_id, n.person_id, n.age, mt.id, mt.held_on, m.id, m.seats, m.start_minute,
                         m.end_minute
                having sum(l.share_cents) > 0
                order by mt.held_on, mt.id, m.id"""),
            {
                "municipality": programme.municipality_id,
                "since": since,
                "until": until,
                "service": programme.service,
                "programme": programme.id,
            },
        )
        .all()
    )


def _use(row: Any, tests: Mapping[UUID, Sequence[MeansTest]]) -> Use:
    mine = tests.get(row.household_id, ())
    test = counting_on(mine, row.held_on) or counting_on(
        mine, max((one.valid_from for one in mine), default=row.held_on)
    )
    return Use(
        household=str(row.household_id),
        person=str(row.person_id),
        on=row.held_on,
        minutes=row.minutes,
        share_cents=row.share_cents,
        isee=None if test is None else Decimal(test.isee_cents) / 100,
        seats=row.seats,
        age=row.age,
        is_resident=None if test is None else test.is_resident,
        has_disability=test is not None and test.has_disability,
    )
