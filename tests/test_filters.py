"""Money, dates and distances as they stand on screens, in both languages."""

from datetime import UTC, date, datetime, time

import pytest

from marketplace import filters
from marketplace.states import STATES
from matching.instance import Window

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("cents", "italian", "english"),
    [
        (0, f"0,00{NBSP}€", "€0.00"),
        (863, f"8,63{NBSP}€", "€8.63"),
        (-650, f"-6,50{NBSP}€", "-€6.50"),
        (123456789, f"1.234.567,89{NBSP}€", "€1,234,567.89"),
    ],
)
def test_cents_become_euros(cents: int, italian: str, english: str) -> None:
    assert filters.euros(cents) == italian
    assert filters.euros(cents, "en") == english


@pytest.mark.parametrize("value", [8.63, True, "8"])
def test_only_whole_cents_are_money(value: object) -> None:
    with pytest.raises(TypeError):
        filters.euros(value)  # type: ignore[arg-type]


def test_dates_are_words() -> None:
    assert filters.day(date(2027, 1, 25)) == "lunedì 25 gennaio 2027"
    assert filters.day(date(2027, 1, 25), "en") == "Monday 25 January 2027"
    assert filters.day(date(2027, 1, 25), year=False) == "lunedì 25 gennaio"
    assert filters.day_brief(date(2027, 1, 25)) == "lun 25 gen"
    assert filters.month(date(2026, 11, 1)) == "Novembre 2026"


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (datetime(2026, 11, 26, 17, 0, tzinfo=UTC), "giovedì 26 novembre, 18:00"),
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), "giovedì 2 luglio, 0:30"),
        (datetime(2026, 10, 25, 0, 59, tzinfo=UTC), "domenica 25 ottobre, 2:59"),
        (datetime(2026, 10, 25, 1, 59, tzinfo=UTC), "domenica 25 ottobre, 2:59"),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "domenica 29 marzo, 3:00"),
    ],
)
def test_instants_are_told_at_the_city_s_clock_in_summer_too(instant: datetime, words: str) -> None:
    assert filters.moment(instant) == words


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        filters.moment(datetime(2026, 11, 26, 17, 0))  # noqa: DTZ001


def test_hours_of_any_kind() -> None:
    assert filters.clock(960) == "16:00"
    assert filters.clock(time(9, 5)) == "9:05"
    assert filters.clock(datetime(2026, 1, 1, 8, 0, tzinfo=UTC)) == "9:00"


@pytest.mark.parametrize(
    ("minutes", "italian", "english"),
    [
        (45, "45 minuti", "45 minutes"),
        (60, "1 ora", "1 hour"),
        (90, "1 ora e 30", "1 hour and 30 minutes"),
        (540, "9 ore", "9 hours"),
    ],
)
def test_lengths_of_time(minutes: int, italian: str, english: str) -> None:
    assert filters.duration(minutes) == italian
    assert filters.duration(minutes, "en") == english


@pytest.mark.parametrize(
    ("km", "words"), [(0.0, f"50{NBSP}m"), (0.848, f"850{NBSP}m"), (0.98, f"1{NBSP}km"), (1.24, f"1,2{NBSP}km")]
)
def test_distances_are_as_rough_as_a_neighbour_says_them(km: float, words: str) -> None:
    assert filters.distance(km) == words


def test_percent_and_numbers() -> None:
    assert filters.percent(0.0045) == f"0,45{NBSP}%"
    assert filters.percent(0.0045, "en") == "0.45%"
    assert filters.percent(0.5) == f"50{NBSP}%"
    assert filters.number(12345) == "12.345"
    assert filters.listing(["a", "b", "c"]) == "a, b e c"
    assert filters.windows([Window(0, 540, 720)]) == "lunedì, 9:00-12:00"


def test_errors_of_any_depth_become_one_list() -> None:
    assert filters.flat_errors(["a", ["b", {"c": ["d"]}], "e"]) == ["a", "b", "d", "e"]


def test_every_state_has_a_word_and_unknown_ones_fail() -> None:
    for kind, words in STATES.items():
        for value in words:
            assert filters.state_word(kind, value)
    with pytest.raises(KeyError):
        filters.state_word("need", "lost")
