"""Means-tested rules reproduce what cities publish, and a rule that cannot be is refused."""

from decimal import Decimal as D
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.subsidy import Band, RuleError, Step, check_bands, grade, limited, percent_of, stepped_cost, top_up

RAVENNA_MONTH = [
    Band(D(4500), D(0), D(0)),
    Band(D(30000), D(30), D(280)),
    Band(D(35000), D(280), D(415)),
    Band(None, None, None),
]
RAVENNA_DAY = [
    Band(D(4500), D(0), D(0)),
    Band(D(30000), D("0.90"), D("3.50")),
    Band(D(35000), D("3.50"), D("4.00")),
    Band(None, None, None),
]
TERAMO_HOUR = [
    Band(D(7500), D(0), D(0)),
    Band(D(9000), D("1.50"), D("1.50")),
    Band(D(30000), D("1.5"), D(5)),
    Band(None, None, None),
]
LIGURIA_WEEK = [Band(D(15000), D(90), D(90)), Band(D(30000), D(70), D(70)), Band(None, D(0), D(0))]
WALLONIA = [Step(175, D("10.20")), Step(400, D("11.20")), Step(500, D("12.20"))]


@pytest.mark.parametrize(
    ("isee", "month", "day"),
    [(4500, "0", "0"), (15000, "132.94", "1.97"), (32500, "347.50", "3.75"), (35000, "415", "4")],
)
def test_ravennas_nursery(isee: int, month: str, day: str) -> None:
    assert grade(RAVENNA_MONTH, D(isee)).amount == D(month)
    assert grade(RAVENNA_DAY, D(isee)).amount == D(day)


@pytest.mark.parametrize(
    ("isee", "hour"), [(7500, "0"), (8000, "1.50"), (15000, "2.50"), (20000, "3.33"), (30000, "5")]
)
def test_teramos_home_help(isee: int, hour: str) -> None:
    assert grade(TERAMO_HOUR, D(isee)).amount == D(hour)


def test_above_the_last_band_it_is_the_full_price_and_the_band_is_named() -> None:
    graded = grade(TERAMO_HOUR, D("30000.01"))
    assert (graded.number, graded.below, graded.amount) == (4, D(30000), None)


@pytest.mark.parametrize(("isee", "cents"), [(26000, 10000), (20000, 8000)])
def test_emilia_romagnas_camps_pay_to_a_week_and_to_a_child(isee: int, cents: int) -> None:
    cost = 12000 if isee == 26000 else 8000
    assert limited(cost, per_unit_cents=10000, left_cents=30000) == cents
    assert limited(12000, per_unit_cents=10000, left_cents=4000) == 4000
    assert limited(12000, per_unit_cents=10000, left_cents=-1) == 0


@pytest.mark.parametrize(("isee", "week"), [(15000, 90), (15001, 70), (30001, 0)])
def test_ligurias_flat_bands(isee: int, week: int) -> None:
    assert grade(LIGURIA_WEEK, D(isee)).amount == week


@pytest.mark.parametrize(
    ("vouchers", "cost"), [(175, "1785.00"), (176, "1796.20"), (400, "4305.00"), (500, "5525.00"), (0, "0")]
)
def test_wallonias_vouchers_rise_by_steps(vouchers: int, cost: str) -> None:
    assert stepped_cost(WALLONIA, vouchers) == D(cost)


def test_above_the_last_step_there_is_no_price() -> None:
    with pytest.raises(RuleError):
        stepped_cost(WALLONIA, 501)


def test_a_top_up_is_a_share_of_what_is_paid_to_a_limit() -> None:
    assert top_up(10000, Fraction(25), 50000) == 2500
    assert top_up(1_000_000, Fraction(25), 50000) == 50000


@pytest.mark.parametrize(
    "bands",
    [
        [],
        [Band(D(100), D(1), D(1)), Band(D(50), D(2), D(2))],
        [Band(D(100), D(1), D(1)), Band(D(100), D(2), D(2))],
        [Band(None, D(1), D(1)), Band(D(50), D(2), D(2))],
        [Band(None, D(1), D(2))],
        [Band(D(100), D(-1), D(1))],
        [Band(D(100), None, D(1))],
    ],
)
def test_bands_that_overlap_leave_a_gap_or_go_below_zero_are_refused(bands: list[Band]) -> None:
    with pytest.raises(RuleError):
        check_bands(bands)


@pytest.mark.parametrize("percent", [Fraction(-1), Fraction(10001, 100)])
def test_a_percentage_outside_0_to_100_is_refused(percent: Fraction) -> None:
    with pytest.raises(RuleError):
        percent_of(percent, 100)


@given(st.fractions(0, 100, max_denominator=100), st.integers(0, 10**7), st.none() | st.integers(0, 10**6))
def test_a_percentage_stays_within_the_cost_and_the_cap(percent: Fraction, cents: int, cap: int | None) -> None:
    part = percent_of(percent, cents, cap)
    assert 0 <= part <= cents and (cap is None or part <= cap)


@given(st.decimals(0, 35000, places=2), st.decimals(0, 35000, places=2))
def test_a_higher_isee_never_pays_less(one: D, other: D) -> None:
    low, high = sorted((one, other))
    paid = [grade(RAVENNA_MONTH, isee).amount for isee in (low, high)]
    assert paid[0] is not None and paid[1] is not None and paid[0] <= paid[1]
