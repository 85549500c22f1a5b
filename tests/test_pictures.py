"""The geometry of pictures stays inside its view box and says what the numbers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import pictures
from matching.instance import Window


def test_a_week_shows_each_window_in_its_column() -> None:
    drawn = pictures.week([[Window(0, 960, 1140), Window(6, 300, 420)], [Window(0, 960, 1050)]])
    first, early, group = drawn.blocks
    assert first.x < drawn.days[1].at - drawn.column / 2
    assert early.y < first.y
    assert group.width < first.width
    assert max(block.y + block.height for block in drawn.blocks) <= drawn.height
    assert drawn.hours[0].value == 300


def test_an_empty_week_is_still_a_week() -> None:
    assert pictures.week([[]]).blocks == ()
    assert len(pictures.week([]).days) == 7


def test_bars_are_as_long_as_their_values() -> None:
    drawn = pictures.bars([("a", 40, "40"), ("b", 10, "10"), ("c", 0, "0")])
    assert [block.width for _, _, block in drawn.rows] == [340, 85, 0]
    assert pictures.bars([]).rows == ()
    assert pictures.bars([("a", 0, "0")]).rows[0][2].width == 0


numbers = st.floats(min_value=0, max_value=1e9, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20), st.booleans())
def test_curves_stay_inside_and_ticks_span_them(curve: list[tuple[float, float]], steps: bool) -> None:
    drawn = pictures.lines([("one", sorted(curve))], steps)
    for point in drawn.curves[0][1].split():
        x, y = map(float, point.split(","))
        assert drawn.left - 0.1 <= x <= drawn.width
        assert 0 <= y <= drawn.bottom + 0.1
    assert drawn.up[0].value <= min(y for _, y in curve) + 1e-6
    assert drawn.up[-1].value >= max(y for _, y in curve) * (1 - 1e-9)
    assert 2 <= len(drawn.up) <= 8


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([0.0, 60.0], [0, 20, 40, 60]), ([4.1e6, 5.6e6], [4e6, 4.5e6, 5e6, 5.5e6, 6e6]), ([7.0], [0, 2, 4, 6, 8])],
)
def test_ticks_are_round_numbers(values: list[float], ticks: list[float]) -> None:
    drawn = pictures.lines([("one", [(value, value) for value in values])])
    assert [tick.value for tick in drawn.up] == ticks


def test_steps_hold_a_value_until_the_next_point() -> None:
    drawn = pictures.lines([("one", [(0, 1), (10, 2)])], steps=True)
    _, corner, last = drawn.curves[0][1].split()
    assert corner.split(",")[0] == last.split(",")[0]
