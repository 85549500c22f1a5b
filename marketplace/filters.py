"""Money, dates, hours and distances as people read them: each function takes its unit, nothing is rounded twice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import wraps
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, get_day_names
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit
from flask import Flask
from flask_babel import gettext

from marketplace import hours, pictures
from marketplace.i18n import language
from marketplace.school import class_words, school_words
from marketplace.states import state_tone, state_word
from marketplace.words import N_

CITY: Final = ZoneInfo("Europe/Rome")
NO_BREAK: Final = "\u00a0"
FEW: Final = 5
FEW_WORDS: Final = N_("meno di 5")
DATE_PATTERNS: Final = {
    "it": {"full": "EEEE d MMMM y", "day": "EEEE d MMMM", "brief": "EEE d MMM", "month": "MMMM y"},
    "en": {"full": "EEEE d MMMM y", "day": "EEEE d MMMM", "brief": "EEE d MMM", "month": "MMMM y"},
}


def local(value: datetime) -> datetime:
    """An aware instant at the city's clock; a naive one is refused."""
    if value.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return value.astimezone(CITY)


def euros(cents: int, locale: str = "it") -> str:
    """650 -> `6,50 €`; integer cents only, so that nothing is rounded here."""
    if isinstance(cents, bool) or not isinstance(cents, int):
        raise TypeError(f"cents must be an integer, not {cents!r}")
    return str(format_currency(Decimal(cents) / 100, "EUR", locale=locale))


def _dated(value: date | datetime, form: str, locale: str) -> str:
    return str(
        format_date(local(value) if isinstance(value, datetime) else value, DATE_PATTERNS[locale][form], locale=locale)
    )


def day(value: date | datetime, locale: str = "it", year: bool = True) -> str:
    """`lunedì 25 gennaio 2027`; without the year where `year` is false."""
    return _dated(value, "full" if year else "day", locale)


def day_brief(value: date | datetime, locale: str = "it") -> str:
    """`lun 25 gen`, for narrow columns."""
    return _dated(value, "brief", locale)


def month(value: date | datetime, locale: str = "it") -> str:
    """`Novembre 2026`, as a heading."""
    words = _dated(value, "month", locale)
    return words[:1].upper() + words[1:]


def iso_month(value: str, locale: str = "it") -> str:
    """`2026-11-01` -> `Novembre 2026`: a month as kept documents write it."""
    return month(date.fromisoformat(value), locale)


def clock(value: datetime | time | int) -> str:
    """`16:00` of an instant, a local time or minutes since midnight."""
    if isinstance(value, int):
        return hours.clock(value)
    if isinstance(value, datetime):
        value = local(value).time()
    return hours.clock(value.hour * 60 + value.minute)


def moment(value: datetime, locale: str = "it", year: bool = False) -> str:
    """`giovedì 26 novembre, 18:00`: a deadline."""
    return f"{day(value, locale, year)}, {clock(value)}"


def machine_time(value: date | datetime) -> str:
    """ISO 8601 for `<time datetime>`."""
    return (local(value) if isinstance(value, datetime) else value).isoformat()


def weekday(number: int, locale: str = "it") -> str:
    """0 -> `lunedì`."""
    return str(get_day_names("wide", locale=locale)[number])


def duration(minutes: int, locale: str = "it") -> str:
    """90 -> `1 ora e 30`; 45 -> `45 minuti`."""
    whole, rest = divmod(minutes, 60)
    if not whole:
        return str(format_unit(rest, "duration-minute", length="long", locale=locale))
    words = str(format_unit(whole, "duration-hour", length="long", locale=locale))
    if not rest:
        return words
    tail = str(rest) if locale == "it" else str(format_unit(rest, "duration-minute", length="long", locale=locale))
    return str(format_list([words, tail], locale=locale))


def distance(km: float | Decimal, locale: str = "it") -> str:
    """0.85 -> `850 m`; 1.24 -> `1,2 km`: to 50 m under a kilometre, as a neighbour would say it."""
    metres = float(km) * 1000
    if metres < 975:
        return f"{max(50, round(metres / 50) * 50)}{NO_BREAK}m"
    return f"{format_decimal(round(float(km), 1), locale=locale)}{NO_BREAK}km"


def percent(share: float | Decimal, locale: str = "it", digits: int = 2) -> str:
    """0.0045 -> `0,45 %` (English `0.45%`)."""
    number = format_decimal(round(float(share) * 100, digits), locale=locale)
    return f"{number}{NO_BREAK}%" if locale == "it" else f"{number}%"


def number(value: float | Decimal, locale: str = "it") -> str:
    """12345 -> `12.345`."""
    return str(format_decimal(value, locale=locale))


def listing(words: Iterable[str], locale: str = "it") -> str:
    """`a, b e c`."""
    return str(format_list(list(words), locale=locale))


def windows(value: Iterable[hours.Windowed], locale: str = "it") -> str:
    """Windows as a sentence: `lunedì e mercoledì, 16:00-19:00; sabato, 9:00-12:00`."""
    return hours.sentences(value, locale)


def rule(value: hours.Rule, locale: str = "it") -> str:
    """One rule of hours: `lunedì e mercoledì, 16:00-19:00`."""
    return hours.sentence(value, locale)


def few(count: int) -> str:
    """A count of neighbours: under 5 it is not told."""
    return str(gettext(FEW_WORDS)) if 0 < count < FEW else str(count)


def state(value: str, kind: str) -> str:
    """The word for a state: `{{ need.state | state("need") }}`."""
    return str(gettext(state_word(kind, value)))


def school_class(level: int) -> str:
    """7 -> `2ª media`."""
    words, year = class_words(level)
    return str(gettext(words, year=year))


def subject_words(subjects: Mapping[str, str]) -> dict[str, str]:
    """A policy's subjects (word -> code) as pages need them: code -> `Matematica`."""
    return {code: str(gettext(word)).capitalize() for word, code in subjects.items()}


def language_names(codes: Iterable[str], locale: str = "it") -> list[str]:
    """`["it", "ar"]` -> `["italiano", "arabo"]`."""
    names = Locale(locale).languages
    return [str(names.get(code, code)) for code in codes]


def band(kind: str, low: int, high: int) -> str:
    """What neighbours may know of somebody: `scuola media`, `da 6 a 10 anni`, `80 anni o più`."""
    if kind == "level":
        return str(gettext(school_words(low)))
    if high >= 110:
        return str(gettext("%(low)s anni o più", low=low))
    return str(gettext("da %(low)s a %(high)s anni", low=low, high=high))


def flat_errors(errors: Any) -> list[str]:
    """WTForms' errors of a field as one list: fields of fields nest them in lists and dictionaries."""
    if not isinstance(errors, Mapping | list | tuple):
        return [str(errors)]
    parts = errors.values() if isinstance(errors, Mapping) else errors
    return [message for part in parts for message in flat_errors(part)]


def _in_language(function: Callable[..., str | list[str]]) -> Callable[..., str | list[str]]:
    @wraps(function)
    def filtered(value: Any, *args: Any, **options: Any) -> str | list[str]:
        return function(value, *args, locale=language(), **options)

    return filtered


LOCALISED: Final[Sequence[tuple[str, Callable[..., str | list[str]]]]] = (
    ("euros", euros),
    ("day", day),
    ("day_brief", day_brief),
    ("month", month),
    ("iso_month", iso_month),
    ("moment", moment),
    ("weekday", weekday),
    ("duration", duration),
    ("distance", distance),
    ("percent", percent),
    ("number", number),
    ("listing", listing),
    ("windows", windows),
    ("rule", rule),
    ("language_names", language_names),
)


def init_filters(app: Flask) -> None:
    """Give templates every filter in the language of the page."""
    for name, function in LOCALISED:
        app.add_template_filter(_in_language(function), name)
    app.add_template_filter(clock, "clock")
    app.add_template_filter(machine_time, "machine_time")
    app.add_template_filter(flat_errors, "flat_errors")
    app.add_template_filter(few, "few")
    app.jinja_env.globals["band"] = band
    app.add_template_filter(school_class, "school_class")
    app.add_template_filter(state, "state")
    app.add_template_filter(state_tone, "tone")
    app.jinja_env.globals.update(
        hours_presets=hours.PRESETS,
        draw_week=pictures.week,
        draw_bars=pictures.bars,
        draw_lines=pictures.lines,
    )
