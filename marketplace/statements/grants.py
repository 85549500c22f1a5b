"""A programme's rule, beyond what was promised, lowers a line as far as its week has left, and never raises it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlmodel import Session

from billing.absence import AbsenceRule, Bill, Line, is_subsidised, with_more_subsidy
from billing.decisions import Decision, History, Use, decide
from billing.rules import Rule
from marketplace.households.means_tests import counting_on, list_means_tests
from marketplace.households.models import MeansTest
from marketplace.slots.calendar import monday_of
from marketplace.vouchers.models import ProgrammeRule
from marketplace.vouchers.operations import lock_weeks
from marketplace.vouchers.rules import list_rules

# What programmes with a rule have paid before: lines of months closed before :as_of, and for corrections the new
# lines of the month that is being closed then. A meeting that is corrected does not count against itself.
_PAST = """
select m.programme_id, l.household_id, n.person_id, mt.held_on, m.end_minute - m.start_minute as minutes, m.seats,
       sum(l.subsidy_cents)::bigint as subsidy_cents,
       (array_agg(l.explanation -> 'decision' -> 'charged' order by s.month desc, l.kind desc))[1] as charged
from statement_line l
join statement s on s.municipality_id = l.municipality_id and s.id = l.statement_id
join membership m on m.municipality_id = l.municipality_id and m.id = l.membership_id
join need n on n.municipality_id = m.municipality_id and n.id = m.need_id
join meeting mt on mt.municipality_id = l.municipality_id and mt.id = l.meeting_id
left join month_closing c on c.municipality_id = s.municipality_id and c.month = s.month
where l.municipality_id = :municipality and m.programme_id = any(:programmes) and mt.held_on >= :since
  and mt.extra_id is null
  and (coalesce(c.closed_at, :as_of) < :as_of
       or :corrects and coalesce(c.closed_at, :as_of) = :as_of and l.kind = 'meeting')
  and (cast(:but_for as uuid) is null or l.meeting_id <> :but_for and l.household_id = any(:households))
group by m.programme_id, l.household_id, n.person_id, mt.held_on, mt.id, m.id, m.start_minute, m.end_minute, m.seats
order by mt.held_on, mt.id
"""


class Mode(StrEnum):
    """Whether meetings are billed for the first time, or corrected."""

    FIRST = "first"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Granted:
    """What a version of a rule decided of a line, with the means test that it looked at; `extra_cents` was paid."""

    rule: ProgrammeRule
    means_test: MeansTest | None
    decision: Decision
    extra_cents: int

    def facts(self) -> dict[str, Any]:
        """What is kept with the line: everything but the ISEE itself, which stays sealed in its means test."""
        return {
            "rule_id": str(self.rule.id),
            "number": self.rule.number,
            "kind": self.rule.rule["kind"],
            "means_test_id": None if self.means_test is None else str(self.means_test.id),
            "grant_cents": self.decision.grant_cents,
            "extra_cents": self.extra_cents,
            "band": self.decision.band,
            "charged": list(self.decision.charged_cents),
            "steps": [asdict(step) for step in self.decision.steps],
        }


class Grants:
    """The rules of a municipality's programmes on the meetings of a closing, in the order in which they are billed.

    `replayed` is the SQL of what was paid beyond the promise, where a closing is derived again; else it is bounded
    by what the programme's week has left, which stays locked.
    """

    def __init__(
        self, session: Session, municipality_id: str, as_of: datetime, mode: Mode, replayed: str | None = None
    ) -> None:
        self._session, self._city, self._as_of, self._mode = session, municipality_id, as_of, mode
        self.extra_then = replayed or "cast(null as bigint)"
        self._rules: dict[UUID, list[ProgrammeRule]] = defaultdict(list)
        self._parsed: dict[UUID, Rule] = {}
        for version in list_rules(session, municipality_id):
            if version.published_at <= as_of and not version.during.isempty:
                self._rules[version.programme_id].append(version)
                self._parsed[version.id] = version.as_rule
        self._left: dict[tuple[UUID, date], int] = {}

    @property
    def has_rules(self) -> bool:
        """Whether there is anything to apply."""
        return bool(self._rules)

    def applied(
        self, bill: Bill, members: Sequence[Row[Any]], absences: AbsenceRule
    ) -> tuple[Bill, Mapping[UUID, Granted]]:
        """The bill with what the rules grant above what was promised, and each decision by its membership."""
        granted: dict[UUID, Granted] = {}
        for member, line in zip(members, bill.lines, strict=True):
            asked = member.programme_id and member.is_entitled
            rule = self._rule_on(member.programme_id, member.held_on) if asked else None
            if rule is not None and line.share_cents and is_subsidised(line.attendee, absences):
                granted[member.membership_id] = self._decided(rule, member, line)
        if not granted:
            return bill, granted
        extra = [granted[one.membership_id].extra_cents if one.membership_id in granted else 0 for one in members]
        return with_more_subsidy(bill, extra), granted

    def _rule_on(self, programme_id: UUID, day: date) -> ProgrammeRule | None:
        return next((one for one in self._rules.get(programme_id, ()) if day in one.during), None)

    def _decided(self, version: ProgrammeRule, member: Row[Any], line: Line) -> Granted:
        test = counting_on(self._means_tests.get(member.household_id, ()), member.held_on, self._as_of)
        use = Use(
            household=str(member.household_id),
            person=str(member.person_id),
            on=member.held_on,
            minutes=member.end_minute - member.start_minute,
            share_cents=line.share_cents,
            isee=None if test is None else Decimal(test.isee_cents) / 100,
            seats=member.seats,
            service=member.service,
            age=member.age,
            is_resident=None if test is None else test.is_resident,
            has_disability=test is not None and test.has_disability,
        )
        history = self._history(member)
        decision = decide(self._parsed[version.id], use, history)
        extra = self._take(member, line, decision.grant_cents - line.subsidy_cents)
        history.add(use, line.subsidy_cents + extra, decision.charged_cents)
        return Granted(version, test, decision, extra)

    def _take(self, member: Row[Any], line: Line, wanted: int) -> int:
        """As much of what the rule grants beyond the promise as there is money for."""
        wanted = max(0, min(wanted, line.net_cents))
        if member.extra_cents is not None:
            return min(wanted, int(member.extra_cents))
        if not wanted:
            return 0
        spare = max(0, line.attendee.held_cents - line.subsidy_cents)
        key = (member.programme_id, monday_of(member.held_on))
        if key not in self._left:
            self._left |= lock_weeks(self._session, self._city, [key[0]], [key[1]])
        extra = min(wanted, spare + max(0, self._left[key]))
        self._left[key] -= max(0, extra - spare)
        return extra

    @cached_property
    def _means_tests(self) -> Mapping[UUID, list[MeansTest]]:
        return list_means_tests(self._session, self._city)

    def _history(self, member: Row[Any]) -> History:
        """What the programme granted the household so far; of a correction, but for the meeting itself."""
        if self._mode is Mode.CORRECTION:
            return self._read_past(member.meeting_id, member.household_id)[member.programme_id, member.household_id]
        return self._past[member.programme_id, member.household_id]

    @cached_property
    def _past(self) -> "_Histories":
        return self._read_past()

    def _read_past(self, but_for: UUID | None = None, household_id: UUID | None = None) -> "_Histories":
        found = _Histories(self._rules)
        rows = self._session.connection().execute(
            text(_PAST),
            {
                "municipality": self._city,
                "programmes": list(self._rules),
                "since": date(self._as_of.year - 1, 1, 1),
                "as_of": self._as_of,
                "corrects": self._mode is Mode.CORRECTION,
                "but_for": but_for,
                "households": [household_id],
            },
        )
        for row in rows:
            use = Use(str(row.household_id), str(row.person_id), row.held_on, row.minutes, 0, seats=row.seats)
            found[row.programme_id, row.household_id].add(use, row.subsidy_cents, row.charged or ())
        return found


class _Histories(dict[tuple[UUID, UUID], History]):
    """Of each programme and household, made when it is first asked for."""

    def __init__(self, rules: Mapping[UUID, list[ProgrammeRule]]) -> None:
        super().__init__()
        self._rules = {programme_id: [one.as_rule for one in versions] for programme_id, versions in rules.items()}

    def __missing__(self, key: tuple[UUID, UUID]) -> History:
        self[key] = History(*self._rules[key[0]])
        return self[key]
