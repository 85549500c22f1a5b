"""Rounding is exact and parts sum to their total."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import largest_remainder, round_half_up


def test_a_half_cent_goes_up():
    assert [round_half_up(n, 60) for n in (29, 30, 31, 89, 90, 0)] == [0, 1, 1, 1, 2, 0]


def test_the_cent_left_over_goes_to_the_largest_remainder_and_in_a_tie_to_the_earlier():
    assert largest_remainder(10, [33, 33, 34], 10) == [3, 3, 4]
    assert largest_remainder(10, [25, 25, 50], 10) == [3, 2, 5]


def test_a_total_that_is_not_the_sum_is_refused():
    for total in (9, 12):
        with pytest.raises(ValueError, match="not the rounded sum"):
            largest_remainder(total, [50, 50], 10)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.integers(1, 5000))
def test_whole_parts_sum_to_the_total_and_stay_within_a_cent(parts, denominator):
    total = round_half_up(sum(parts), denominator)
    whole = largest_remainder(total, parts, denominator)
    assert sum(whole) == total
    assert all(abs(cents * denominator - part) < denominator for cents, part in zip(whole, parts, strict=True))
