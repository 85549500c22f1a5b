"""Rules 8 to 10: a slot's cost, its shares and the subsidy on a share."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.split import exact_cost, split_slot, subsidy_cents


def presences():
    """One to six members on a 15-minute grid, one to four seats each."""
    member = st.tuples(st.integers(0, 12), st.integers(1, 8), st.integers(1, 4))
    return st.lists(member, min_size=1, max_size=6).map(
        lambda members: [(15 * start, 15 * (start + length), seats) for start, length, seats in members]
    )


def split_minute_by_minute(rate, extra, venue, minutes_min, members):
    """Rules 8 and 9 as they are written, one minute after the other, in fractions."""
    start, end = min(m[0] for m in members), max(m[1] for m in members)
    shares = [Fraction(0)] * len(members)
    for minute in range(start, end):
        present = [i for i, (since, until, _) in enumerate(members) if since <= minute < until]
        seats = sum(members[i][2] for i in present)
        for i in present:
            shares[i] += Fraction(rate + extra * (seats - 1) + venue, 60) * members[i][2] / seats
    missing = Fraction(rate * max(0, minutes_min - (end - start)), 60)
    seat_minutes = [(until - since) * seats for since, until, seats in members]
    return [share + missing * own / sum(seat_minutes) for share, own in zip(shares, seat_minutes, strict=True)]


def test_the_contract_s_example_is_shared_in_two():
    assert split_slot(1800, 300, 200, 60, [(960, 1050, 1), (960, 1050, 1)]) == (3450, [1725, 1725])


def test_the_walk_of_a_round_is_free_but_counts_towards_the_minimum():
    assert split_slot(2000, 0, 0, 60, [(480, 510, 1), (525, 555, 1)]) == (2000, [1000, 1000])
    assert split_slot(2000, 0, 0, 90, [(480, 510, 1), (525, 555, 1)]) == (2500, [1250, 1250])


def test_a_moment_alone_is_paid_alone():
    assert split_slot(1200, 0, 0, 0, [(900, 1020, 1), (960, 1020, 1)]) == (2400, [1800, 600])


def test_missing_time_costs_the_rate_without_venue_and_goes_by_seat_minutes():
    assert split_slot(1200, 600, 300, 120, [(900, 960, 2), (900, 930, 1)]) == (
        1050 + 1350 + 1200,
        [1050 + 900 + 960, 450 + 240],
    )


def test_seats_weigh():
    assert split_slot(1000, 500, 0, 0, [(0, 60, 3), (0, 60, 1)]) == (2500, [1875, 625])


def test_the_odd_cent_goes_to_the_earlier_member():
    assert split_slot(100, 0, 1, 0, [(0, 60, 1), (0, 60, 1)]) == (101, [51, 50])


@given(presences(), st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 500), st.integers(0, 240))
def test_shares_sum_to_the_cost_and_are_the_exact_ones_within_a_cent(members, rate, extra, venue, minutes_min):
    cost, shares = split_slot(rate, min(extra, rate), venue, minutes_min, members)
    exact = split_minute_by_minute(rate, min(extra, rate), venue, minutes_min, members)
    assert sum(shares) == cost
    assert exact_cost(rate, min(extra, rate), venue, minutes_min, members) == sum(exact)
    assert cost == int(sum(exact) + Fraction(1, 2))
    assert all(abs(share - part) < 1 for share, part in zip(shares, exact, strict=True))


def test_a_subsidy_is_rounded_down_and_capped_by_hour_and_seat():
    assert subsidy_cents(1651, 50, None, 90, 1) == 825
    assert subsidy_cents(1650, 50, 400, 90, 1) == 600
    assert subsidy_cents(1650, 50, 400, 90, 2) == 825
    assert subsidy_cents(999, Fraction("33.3"), None, 60, 1) == 332
