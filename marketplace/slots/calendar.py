"""Dates of a municipality: no meeting falls on a holiday or a closure, and a local hour stays that hour all year round.

A term is a CalendarEntry of kind TERM; where the municipality has entered none, groups run to the next 30 June that
leaves `WEEKS_MIN` weeks. Deadlines count no hour of a Sunday, a national holiday or a closure of all services.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
from sqlalchemy.dialects.postgresql import Range
from sqlmodel import Session, col, select

from marketplace.places.models import CalendarEntry, CalendarKind

ROME = ZoneInfo("Europe/Rome")
LEAD_DAYS = 3
"""Between the deadline and the first meeting, so that everybody has read that it takes place."""
WEEKS_MIN = 4
LAST_OF_TERM = (6, 30)
A_DAY, A_WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days `first` to `last`, both included, for some services (none named: for all)."""

    first: date
    last: date
    services: frozenset[str] = frozenset()

    def concerns(self, service: str | None) -> bool:
        """Whether it counts for a service; with None, whether it counts for all."""
        return not self.services or service in self.services


@dataclass(frozen=True, slots=True)
class Calendar:
    """A municipality's terms and closures."""

    terms: tuple[Stretch, ...] = ()
    closures: tuple[Stretch, ...] = ()

    def is_closed(self, day: date, service: str | None) -> bool:
        """A national holiday, or a closure that concerns the service."""
        return day in national_holidays() or any(
            closure.first <= day <= closure.last and closure.concerns(service) for closure in self.closures
        )

    def meeting_dates(self, weekday: int, service: str, first: date, last: date) -> list[date]:
        """The days `weekday` (0 is Monday) from `first` to `last` on which a service meets, in order."""
        day = first + timedelta(days=(weekday - first.weekday()) % 7)
        dates = []
        while day <= last:
            if not self.is_closed(day, service):
                dates.append(day)
            day += A_WEEK
        return dates

    def term_dates(self, weekday: int, service: str, earliest: date) -> list[date]:
        """The dates of a weekly group that can begin on `earliest`: those of the first term that still has any."""
        terms = sorted((term for term in self.terms if term.concerns(service)), key=lambda term: term.first)
        for term in terms:
            dates = self.meeting_dates(weekday, service, max(term.first, earliest), term.last)
            if dates:
                return dates
        return self.meeting_dates(weekday, service, earliest, default_end(earliest))

    def deadline(self, now: datetime, hours: int) -> datetime:
        """`hours` after `now`, on days that count only."""
        moment, left = now, timedelta(hours=hours)
        while True:
            day = moment.astimezone(ROME).date()
            midnight = instant(day + A_DAY, 0)
            if day.weekday() != 6 and not self.is_closed(day, None):
                if moment + left <= midnight:
                    return moment + left
                left -= midnight - moment
            moment = midnight


def first_possible(deadline: datetime) -> date:
    """The first day on which a group that is settled at `deadline` can meet."""
    return local_day(deadline) + timedelta(days=LEAD_DAYS)


def default_end(earliest: date) -> date:
    """The end of a term that nobody entered."""
    end = date(earliest.year, *LAST_OF_TERM)
    return end if end - earliest >= WEEKS_MIN * A_WEEK else date(earliest.year + 1, *LAST_OF_TERM)


def instant(day: date, minute: int) -> datetime:
    """The instant (aware UTC) of a local minute (0 to 1440) of a day, whichever side of a change of clock it is."""
    if minute == 24 * 60:
        day, minute = day + A_DAY, 0
    return datetime.combine(day, time(minute // 60, minute % 60), ROME).astimezone(UTC)


def overlap(one: Range[datetime], other: Range[datetime]) -> bool:
    """Whether two bounded ranges of instants, each without its end, have a moment in common."""
    assert one.lower and one.upper and other.lower and other.upper
    return one.lower < other.upper and other.lower < one.upper


def minute_of(moment: datetime) -> int:
    """The local minute (0 to 1439) of its day at an instant."""
    there = moment.astimezone(ROME)
    return there.hour * 60 + there.minute


def local_day(moment: datetime) -> date:
    """The day in Italy at an instant."""
    return moment.astimezone(ROME).date()


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def mondays_of(days: Iterable[date]) -> list[date]:
    """The Mondays of the weeks that have one of these days, in order."""
    return sorted({monday_of(day) for day in days})


@cache
def national_holidays() -> holidays.HolidayBase:
    """Italy's public holidays of any year (filled as years are asked for)."""
    return holidays.country_holidays("IT")


def get_calendar(session: Session, municipality_id: str) -> Calendar:
    """The municipality's calendar."""
    found: dict[CalendarKind, list[Stretch]] = {CalendarKind.TERM: [], CalendarKind.CLOSURE: []}
    for entry in session.exec(
        select(CalendarEntry)
        .where(CalendarEntry.municipality_id == municipality_id)
        .order_by(col(CalendarEntry.first), col(CalendarEntry.id))
    ):
        found[entry.kind].append(Stretch(entry.first, entry.last, frozenset(entry.services)))
    return Calendar(tuple(found[CalendarKind.TERM]), tuple(found[CalendarKind.CLOSURE]))
