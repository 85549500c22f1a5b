"""Dates skip holidays and closures, local hours stay, and deadlines count only days that count."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.slots.calendar import ROME, Calendar, Stretch, instant, mondays_of

CLOSED = Calendar(closures=(Stretch(date(2026, 12, 23), date(2027, 1, 6)),))


def test_a_weekly_group_skips_holidays_and_closures() -> None:
    dates = CLOSED.meeting_dates(1, "tutoring", date(2026, 12, 1), date(2027, 1, 12))
    assert dates == [date(2026, 12, 1), date(2026, 12, 15), date(2026, 12, 22), date(2027, 1, 12)]
    assert mondays_of(dates[:2]) == [date(2026, 11, 30), date(2026, 12, 14)]


def test_a_closure_may_concern_some_services_only() -> None:
    calendar = Calendar(closures=(Stretch(date(2026, 12, 1), date(2026, 12, 1), frozenset({"tutoring"})),))
    assert calendar.is_closed(date(2026, 12, 1), "tutoring")
    assert not calendar.is_closed(date(2026, 12, 1), "home_care")
    assert not calendar.is_closed(date(2026, 12, 1), None)


def test_a_term_is_the_municipalitys_or_ends_on_30_june() -> None:
    terms = (
        Stretch(date(2026, 9, 14), date(2026, 12, 22)),
        Stretch(date(2027, 1, 7), date(2027, 6, 5), frozenset({"tutoring"})),
    )
    calendar = Calendar(terms=terms)
    assert calendar.term_dates(1, "tutoring", date(2026, 11, 28))[-1] == date(2026, 12, 22)
    assert calendar.term_dates(1, "tutoring", date(2026, 12, 23))[0] == date(2027, 1, 12)
    assert Calendar().term_dates(1, "tutoring", date(2026, 11, 28))[-1] == date(2027, 6, 29)
    assert Calendar().term_dates(1, "tutoring", date(2027, 6, 10))[-1] == date(2028, 6, 27)


@pytest.mark.parametrize(
    ("sent", "due"),
    [
        (datetime(2026, 11, 24, 17, 0, tzinfo=UTC), datetime(2026, 11, 26, 17, 0, tzinfo=UTC)),
        (datetime(2026, 11, 27, 17, 0, tzinfo=UTC), datetime(2026, 11, 30, 17, 0, tzinfo=UTC)),  # over a Sunday
        (datetime(2026, 12, 22, 17, 0, tzinfo=UTC), datetime(2027, 1, 8, 17, 0, tzinfo=UTC)),  # over the closure
    ],
)
def test_a_deadline_counts_no_hour_of_a_holiday(sent: datetime, due: datetime) -> None:
    assert CLOSED.deadline(sent, 48) == due


def test_a_deadline_keeps_its_hour_over_easter_and_the_change_of_clock() -> None:
    saturday = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
    assert Calendar().deadline(saturday, 48) == datetime(2027, 3, 31, 11, 0, tzinfo=UTC)


def test_local_hours_stay_what_they_are() -> None:
    assert instant(date(2027, 3, 27), 960) == datetime(2027, 3, 27, 15, 0, tzinfo=UTC)
    assert instant(date(2027, 3, 28), 960) == datetime(2027, 3, 28, 14, 0, tzinfo=UTC)
    assert instant(date(2026, 10, 25), 960) == datetime(2026, 10, 25, 15, 0, tzinfo=UTC)
    assert instant(date(2026, 10, 24), 1440) == datetime(2026, 10, 24, 22, 0, tzinfo=UTC)


@settings(deadline=None)
@given(st.integers(0, 2 * 365 * 24 * 60), st.integers(1, 200))
def test_a_deadline_never_falls_on_a_day_that_does_not_count(minutes: int, hours: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    due = CLOSED.deadline(now, hours)
    day = (due - timedelta(seconds=1)).astimezone(ROME).date()
    assert due >= now + timedelta(hours=hours)
    assert day.weekday() != 6
    assert not CLOSED.is_closed(day, None)
