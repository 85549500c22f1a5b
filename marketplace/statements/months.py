"""A month is known by its first day; a day is the day in Italy."""

from datetime import date, datetime, timedelta

from marketplace.slots.calendar import instant

CHARGE_MINUTE = 9 * 60


def morning_of(day: date) -> datetime:
    """When a day's charges start: 9:00 in Italy, as an instant."""
    return instant(day, CHARGE_MINUTE)


def first_day(day: date) -> date:
    """The month of a day."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The month after."""
    return first_day(month + timedelta(days=31))


def last_day(month: date) -> date:
    """The last day of a month."""
    return next_month(month) - timedelta(days=1)
