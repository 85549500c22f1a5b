"""Each cell reads as import.md says, and nothing that people type raises anything but a Fault."""

import datetime as dt
import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.intake import cells
from marketplace.intake.hours import read_hours
from marketplace.intake.report import Code, Fault
from marketplace.intake.rows import DEMO_SUBJECTS
from matching.instance import Window

subject = cells.subject(DEMO_SUBJECTS)
READERS: list[Callable[[str], Any]] = [
    cells.price, cells.rate, cells.amount, cells.percent, cells.kilometres, cells.age, cells.duration, cells.level,
    cells.languages, cells.services, cells.service, subject, cells.words, cells.yes_no, cells.tax_code, cells.email,
    cells.date, cells.venue_codes({"S1"}), cells.whole(1, 6), cells.code, cells.short_text, read_hours,
]  # fmt: skip


def code_of(read: Callable[[str], Any], text: str) -> Code:
    with pytest.raises(Fault) as raised:
        read(text)
    assert raised.value.msgid % raised.value.params
    return raised.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 1200), ("12,50", 1250), ("€ 12.50", 1250), ("12,50 €", 1250), ("12.5", 1250), ("12 euro", 1200),
        ("EUR 12,5", 1250), ("€12", 1200), ("0,01", 1), ("200", 20000), ("12 €/h", 1200), ("12,00 euro/ora", 1200),
    ],
)  # fmt: skip
def test_a_price_is_euros_however_they_are_written(text: str, expected: int) -> None:
    assert cells.price(text) == expected


@pytest.mark.parametrize("text", ["poco", "12,5,0", "1.2.3", "12,505", "12.345", "1e3", "€", "12 13", "--5", "１２"])
def test_a_price_that_cannot_be_read_is_an_invalid_number(text: str) -> None:
    assert code_of(cells.price, text) is Code.INVALID_NUMBER


@pytest.mark.parametrize("text", ["-5", "0", "0,00", "200,01", "1.234,56", "€ -5", "-€5", "−5"])
def test_a_price_outside_its_limits_is_out_of_range(text: str) -> None:
    assert code_of(cells.price, text) is Code.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14.500", 1_450_000), ("14500", 1_450_000), ("14.500,00", 1_450_000), ("14500,5", 1_450_050),
        ("€ 14.500", 1_450_000), ("1.234.567", 123_456_700), ("14,500.25", 1_450_025), ("14 500", 1_450_000),
        ("14'500", 1_450_000), ("600,00", 60_000), ("0", 0), ("14.5", 1_450), ("12.50", 1_250), ("31000,00", 3_100_000),
        ("1234.567,00", None), ("12.00.000", None), ("0.500", 50), ("-1", None), ("99999999999", None),
    ],
)  # fmt: skip
def test_yearly_and_weekly_amounts_part_thousands(text: str, expected: int | None) -> None:
    if expected is None:
        assert code_of(cells.amount, text) in (Code.INVALID_NUMBER, Code.OUT_OF_RANGE)
    else:
        assert cells.amount(text) == expected


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90), ("90 min", 90), ("90 minuti", 90), ("1h30", 90), ("1 h 30", 90), ("1,5 h", 90), ("1.5h", 90),
        ("1:30", 90), ("2h", 120), ("2 ore", 120), ("1 ora", 60), ("1 ora e 30", 90), ("1,25 h", 75), ("0,5 h", 30),
        ("12h", 720), ("1H30", 90), ("90,0", 90), ("1h30m", 90),
    ],
)  # fmt: skip
def test_a_duration_is_minutes_or_hours(text: str, minutes: int) -> None:
    assert cells.duration(text) == minutes


def test_a_duration_off_the_grid_is_invalid_and_one_outside_the_limits_out_of_range() -> None:
    assert code_of(cells.duration, "100") is Code.INVALID_NUMBER
    assert code_of(cells.duration, "0,33 h") is Code.OUT_OF_RANGE
    assert code_of(cells.duration, "0,7 h") is Code.INVALID_NUMBER
    assert code_of(cells.duration, "un'ora") is Code.INVALID_NUMBER
    assert code_of(cells.duration, "1h75") is Code.INVALID_NUMBER
    for text in ("15", "735", "-90", "0", "13h"):
        assert code_of(cells.duration, text) is Code.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("text", "level"),
    [("3 primaria", 3), ("2 media", 7), ("4 superiore", 12), ("5^ superiore", 13), ("1ª media", 6), ("3° Primaria", 3),
     ("terza media", 8), ("1a superiore", 9)],
)  # fmt: skip
def test_a_class_is_a_level_from_1_to_13(text: str, level: int) -> None:
    assert cells.level(text) == level


@pytest.mark.parametrize("text", ["6 primaria", "4 media", "0 superiore", "superiore", "3", "asilo", "3 liceo"])
def test_a_class_that_cannot_be_read_is_an_invalid_number(text: str) -> None:
    assert code_of(cells.level, text) is Code.INVALID_NUMBER


def test_languages_are_iso_codes() -> None:
    assert cells.languages("it|ar") == ("it", "ar")
    assert cells.languages("IT, ro,it") == ("it", "ro")
    for text in ("italiano", "xx", ",", "it-IT"):
        assert code_of(cells.languages, text) is Code.INVALID_NUMBER


def test_services_and_subjects_are_words_of_a_list() -> None:
    assert cells.services("Ripetizioni, babysitter|assistenza") == ("tutoring", "babysitting", "home_care")
    assert code_of(cells.services, "ripetizioni, dog sitter") is Code.UNKNOWN_SERVICE
    assert code_of(cells.service, "ripetizioni|babysitter") is Code.UNKNOWN_SERVICE
    assert subject("MATEMATICA") == "maths"
    assert code_of(subject, "musica") is Code.UNKNOWN_SUBJECT
    assert code_of(subject, "matematica, fisica") is Code.UNKNOWN_SUBJECT


def test_tax_codes_keep_their_check_character_omocodes_too() -> None:
    assert cells.tax_code("rssmra85d41a794y") == "RSSMRA85D41A794Y"
    assert cells.tax_code("RSSMRA85D41A79QV") == "RSSMRA85D41A79QV"
    for text in ("RSSMRA85D41A794X", "RSSMRA85D41A79", "ABC", "RSSMRA85D41A79QY"):
        assert code_of(cells.tax_code, text) is Code.INVALID_TAX_CODE


def test_dates_are_italian_or_iso() -> None:
    for text in ("15/03/2027", "15/3/2027", "2027-03-15", "15-03-2027", "15.03.2027", "2027-03-15 00:00:00"):
        assert cells.date(text) == dt.date(2027, 3, 15)
    for text in ("31/02/2027", "2027/03/15", "15/03/27", "marzo", "46096", "0015-01-01", "15/13/2027"):
        assert code_of(cells.date, text) is Code.INVALID_DATE


def test_small_cells() -> None:
    assert [cells.yes_no(text) for text in ("si", "SÌ", "sì", "no", "No")] == [True, True, True, False, False]
    assert code_of(cells.yes_no, "forse") is Code.INVALID_NUMBER
    assert code_of(cells.email, "nome@") is Code.INVALID_EMAIL
    assert cells.email("b0@example.org") == "b0@example.org"
    assert cells.kilometres("1,5") == cells.kilometres("1.5 km") == Decimal("1.5")
    assert code_of(cells.kilometres, "50,1") is Code.OUT_OF_RANGE
    assert cells.percent("60 %") == 60
    assert cells.age("7 anni") == 7
    assert code_of(cells.age, "7,5") is Code.INVALID_NUMBER
    assert code_of(cells.venue_codes({"S1"}), "S1, S9") is Code.UNKNOWN_VENUE
    assert cells.whole(1, 6)("2,0") == 2


def hours(text: str) -> list[tuple[int, int, int]]:
    return [(window.day, window.start, window.end) for window in read_hours(text)[0]]


AFTERNOON = (0, 900, 1080)


@pytest.mark.parametrize(
    "text",
    [
        "lun 15:00-18:00", "lun 15-18", "lun 15.00 - 18.00", "lun dalle 15 alle 18", "LUN dalle ore 15 alle ore 18",
        "lunedì 15:00–18:00", "lunedi 15—18", "lun. 15-18", "lun: 15-18", "lun15-18", "lun 15-18 |", "lun 15 - 18",
        "lun 15-16:30 | lun 16-18", "lun ore 15-18", "lun 14:50-18:10", "lunedì: dalle 15.00 alle 18.00",
    ],
)  # fmt: skip
def test_hours_are_read_however_they_are_written(text: str) -> None:
    assert hours(text) == [AFTERNOON]


def test_days_come_in_lists_and_ranges() -> None:
    assert [day for day, _, _ in hours("lun,mer 15-18")] == [0, 2]
    assert [day for day, _, _ in hours("lun-ven 15-18")] == [0, 1, 2, 3, 4]
    assert [day for day, _, _ in hours("lun–mer, sab 15-18")] == [0, 1, 2, 5]
    assert [day for day, _, _ in hours("lun e mer 15-18")] == [0, 2]
    assert [day for day, _, _ in hours("dal lun al mer 15-18")] == [0, 1, 2]
    assert hours("lun 9-12, 15-18 | dom 20-24:00") == [(0, 540, 720), AFTERNOON, (6, 1200, 1440)]
    assert hours("lun 15-18, mar 9-12") == [AFTERNOON, (1, 540, 720)]
    assert hours("lun 15-18\nmar 9-12") == [AFTERNOON, (1, 540, 720)]


def test_adjoining_windows_stay_two_and_overlapping_ones_are_one() -> None:
    assert hours("lun 9-12 | lun 12-15") == [(0, 540, 720), (0, 720, 900)]
    assert hours("lun 9-12 | lun 10-11 | lun 11-13") == [(0, 540, 780)]


def test_a_window_that_rounding_empties_is_dropped_and_told() -> None:
    assert read_hours("lun 15:05-15:10 | mar 15-18") == ((Window(1, 900, 1080),), True)


@pytest.mark.parametrize(
    "text",
    ["lun 18:00-15:00", "lun 15-15", "lun", "15-18", "lun 15", "lun 25-26", "lun 15:70-18", "luned 15-18",
     "marzo 15-18", "lun 15-18 boh", "ven-lun 15-18", "lun 15-18-20", "|", "lun 24:15-24:30", "lun 15-24:30", "sempre",
     "lun 15:0-18"],
)  # fmt: skip
def test_hours_that_cannot_be_read_are_an_invalid_time(text: str) -> None:
    assert code_of(read_hours, text) is Code.INVALID_TIME


@given(st.sampled_from(READERS), st.text(max_size=60) | st.text("0123456789.,:-|€ hlunmarit/@aàª", max_size=60))
def test_no_cell_raises_anything_but_a_fault(read: Callable[[str], Any], text: str) -> None:
    try:
        read(text)
    except Fault as fault:
        assert fault.msgid % fault.params


@given(st.text("lunmarmegiovsabdom 0123456789:.-|,", max_size=2100))
def test_windows_are_sorted_on_the_grid_and_never_overlap(text: str) -> None:
    try:
        windows, _ = read_hours(text)
    except Fault:
        return
    for window in windows:
        assert 0 <= window.start < window.end <= 1440
        assert window.start % 15 == window.end % 15 == 0
    for one, other in itertools.pairwise(windows):
        assert (one.day, one.end) <= (other.day, other.start)
