"""Hours as rules, windows and sentences, and what each button of the editor does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.hours import (
    END_BEFORE_START,
    NO_DAY,
    NO_TIME,
    NOTHING_YET,
    Editor,
    Rule,
    days_that_fit,
    editor_of,
    merge,
    read_editor,
    rules_of,
    sentence,
    sentences,
    total_minutes,
    windows_of,
)
from matching.instance import Window

AFTER_SCHOOL = Rule((0, 2, 4), 960, 1140)


@st.composite
def many_windows(draw: st.DrawFn) -> list[Window]:
    found = []
    for _ in range(draw(st.integers(0, 12))):
        start = draw(st.integers(0, 94))
        end = draw(st.integers(start + 1, 96))
        found.append(Window(draw(st.integers(0, 6)), start * 15, end * 15))
    return found


@given(many_windows())
def test_rules_say_the_same_quarter_hours_as_the_windows(windows: list[Window]) -> None:
    def quarters(some: list[Window] | tuple[Window, ...]) -> set[tuple[int, int]]:
        return {(one.day, at) for one in some for at in range(one.start, one.end, 15)}

    assert quarters(windows_of(rules_of(windows))) == quarters(windows)
    assert total_minutes(windows) == 15 * len(quarters(windows))
    assert merge(merge(windows)) == merge(windows)


def test_touching_and_overlapping_hours_become_one() -> None:
    assert merge([Window(0, 600, 660), Window(0, 540, 600), Window(0, 650, 720)]) == (Window(0, 540, 720),)


def test_days_with_the_same_times_stand_in_one_rule() -> None:
    windows = [Window(day, 960, 1140) for day in (0, 2)] + [Window(5, 540, 720)]
    assert rules_of(windows) == (Rule((0, 2), 960, 1140), Rule((5,), 540, 720))


@pytest.mark.parametrize(
    ("rule", "italian", "english"),
    [
        (Rule((0, 2), 960, 1140), "lunedì e mercoledì, 16:00-19:00", "Monday and Wednesday, 16:00-19:00"),
        (Rule((0, 1, 2, 3, 4), 540, 1080), "da lunedì a venerdì, 9:00-18:00", "Monday to Friday, 9:00-18:00"),
        (AFTER_SCHOOL, "lunedì, mercoledì e venerdì, 16:00-19:00", "Monday, Wednesday, and Friday, 16:00-19:00"),
        (Rule((6,), 0, 1440), "domenica, 0:00-24:00", "Sunday, 0:00-24:00"),
    ],
)
def test_a_rule_is_a_sentence(rule: Rule, italian: str, english: str) -> None:
    assert sentence(rule) == italian
    assert sentence(rule, "en") == english


def test_all_hours_are_one_line() -> None:
    windows = [Window(5, 540, 720), Window(0, 960, 1140), Window(2, 960, 1140)]
    assert sentences(windows) == "lunedì e mercoledì, 16:00-19:00; sabato, 9:00-12:00"


def test_a_session_fits_on_the_days_with_one_long_stretch() -> None:
    windows = [Window(0, 960, 1050), Window(1, 960, 1035), Window(1, 1080, 1155), Window(2, 900, 1200)]
    assert days_that_fit(windows, 90) == 2


@pytest.mark.parametrize(
    ("days", "start", "end"),
    [((), 0, 60), ((1, 0), 0, 60), ((0, 0), 0, 60), ((7,), 0, 60), ((0,), 7, 60), ((0,), 60, 60)],
)
def test_impossible_rules_cannot_be_made(days: tuple[int, ...], start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no such hours"):
        Rule(days, start, end)


def test_adding_a_filled_rule_keeps_the_page_and_says_what_was_added() -> None:
    editor = read_editor({"ore_giorni": ["0", "2", "4"], "ore_fascia": ["960-1140"], "ore_aggiungi": ["1"]})
    assert editor.stays
    assert editor.rules == (AFTER_SCHOOL,)
    assert (editor.outcome, editor.changed) == ("added", AFTER_SCHOOL)
    assert editor.days == ()


def test_going_on_takes_a_filled_rule_too() -> None:
    editor = read_editor({"ore_giorni": ["0", "2", "4"], "ore_fascia": ["960-1140"]})
    assert not editor.stays
    assert not editor.errors
    assert editor.windows == windows_of([AFTER_SCHOOL])


def test_other_times_come_from_the_two_lists() -> None:
    data = {"ore_giorni": ["5"], "ore_fascia": ["altro"], "ore_dalle": ["570"], "ore_alle": ["735"]}
    assert read_editor(data).rules == (Rule((5,), 570, 735),)


def test_rules_travel_in_the_form_and_overlaps_merge() -> None:
    data = {
        "ore_regola": [AFTER_SCHOOL.code],
        "ore_giorni": ["2"],
        "ore_fascia": ["altro"],
        "ore_dalle": ["1080"],
        "ore_alle": ["1200"],
        "ore_aggiungi": ["1"],
    }
    assert read_editor(data).rules == (Rule((0, 4), 960, 1140), Rule((2,), 960, 1200))


def test_a_rule_can_be_taken_out_or_taken_back_into_the_fields() -> None:
    held = {"ore_regola": [AFTER_SCHOOL.code, "5;540;735"]}
    removed = read_editor(held | {"ore_togli": ["0"]})
    assert (removed.stays, removed.outcome, removed.rules) == (True, "removed", (Rule((5,), 540, 735),))
    editing = read_editor(held | {"ore_modifica": ["1"]})
    assert (editing.rules, editing.days, editing.preset) == ((AFTER_SCHOOL,), (5,), "altro")
    assert (editing.start, editing.end) == (540, 735)
    assert read_editor(held | {"ore_modifica": ["0"]}).preset == "960-1140"


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        ({}, "regole", NOTHING_YET),
        ({"ore_fascia": ["960-1140"]}, "giorni", NO_DAY),
        ({"ore_giorni": ["0"]}, "orario", NO_TIME),
        ({"ore_giorni": ["0"], "ore_fascia": ["altro"], "ore_dalle": ["600"]}, "orario", NO_TIME),
        (
            {"ore_giorni": ["0"], "ore_fascia": ["altro"], "ore_dalle": ["600"], "ore_alle": ["540"]},
            "orario",
            END_BEFORE_START,
        ),
        ({"ore_giorni": ["0"], "ore_fascia": ["0-9999"]}, "orario", NO_TIME),
        ({"ore_aggiungi": ["1"]}, "giorni", NO_DAY),
    ],
)
def test_what_is_missing_is_said_beside_its_field(data: dict[str, list[str]], field: str, message: str) -> None:
    assert read_editor(data).error(field) == message


@pytest.mark.parametrize("code", ["", "x", "0;1", "9;0;60", "0;0;7", "0;;", "0,0;0;60"])
def test_a_damaged_hidden_field_is_left_out(code: str) -> None:
    assert read_editor({"ore_regola": [code, AFTER_SCHOOL.code]}).rules == (AFTER_SCHOOL,)


def test_the_editor_opens_on_known_hours_and_offers_their_quarters() -> None:
    editor = editor_of([Window(0, 300, 480)])
    assert editor.rules == (Rule((0,), 300, 480),)
    assert 300 in editor.times
    assert list(Editor().times)[:2] == [360, 375]
