"""Offer within reach, against figures worked out by hand and what must hold for any city."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.rounds.accessibility import accessibility

amounts = st.floats(0.1, 1000)
places = st.lists(st.tuples(amounts, st.floats(0, 10)), min_size=1, max_size=6)


def apart(homes: list[tuple[float, float]], works: list[tuple[float, float]]) -> list[list[float]]:
    return [[abs(x - y) for _, y in works] for _, x in homes]


def test_three_places_and_two_supplies_on_a_line() -> None:
    km = [[abs(x - y) for y in (0, 2)] for x in (0, 1, 2)]
    found = accessibility([100, 100, 100], [10, 10], km, 1, 10)
    assert found == pytest.approx([0.065179, 0.069641, 0.065179], abs=5e-7)


@given(places, places)
def test_what_all_have_is_what_is_offered_and_reached(
    homes: list[tuple[float, float]], works: list[tuple[float, float]]
) -> None:
    found = accessibility([p for p, _ in homes], [s for s, _ in works], apart(homes, works), 2, 20)
    assert sum(each * people for each, (people, _) in zip(found, homes, strict=True)) == pytest.approx(
        sum(offered for offered, _ in works)
    )


def test_beyond_the_catchment_there_is_nothing() -> None:
    assert accessibility([5], [10], [[3.1]], 1, 3) == [0.0]
    assert accessibility([5], [10], [[3.0]], 1, 3) == pytest.approx([2.0])
    assert accessibility([], [10], [], 1, 3) == []
