"""Rules 8 to 10: a slot's cost, its shares and the subsidy on a share."""

from fractions import Fraction
from itertools import permutations
from math import factorial

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.split import (
    Price,
    Split,
    exact_cost,
    groups_better_off_alone,
    share_among_families,
    split_among_families,
    split_slot,
    subsidy_cents,
)


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


HOURS = 60
TWO_CHILDREN_AND_ONE = [[(0, 40 * HOURS, 1), (0, 15 * HOURS, 1)], [(0, 40 * HOURS, 1)]]
"""Two children for 40 and 15 hours, against one child for 40."""


TEN_EUROS = Price(1000, 0, 0, 0)


def shares_of(split, price=TEN_EUROS, families=TWO_CHILDREN_AND_ONE):
    return split_among_families(split, price, families)


def test_the_french_rule_splits_by_child_hours():
    assert shares_of(Split.SEAT_HOURS) == [23158, 16842], "57.89 % and 42.11 % of 400 euros"


def test_other_splits_go_moment_by_moment():
    assert shares_of(Split.BY_SEAT) == [10000 + 12500, 5000 + 12500]
    assert shares_of(Split.BY_FAMILY) == [20000, 20000]


def test_each_pays_on_the_average_what_it_adds():
    families = [[(0, 60, 1)], [(0, 120, 1)]]
    assert shares_of(Split.SHAPLEY, Price(1000, 200, 0, 0), families) == [600, 1600]
    assert shares_of(Split.BY_SEAT, Price(1000, 200, 0, 0), families) == [600, 1600]


def test_a_family_that_would_pay_less_alone_is_found():
    families = [[(0, 60, 1)], [(0, 600, 1)]]
    shares = shares_of(Split.BY_SEAT, families=families)
    assert shares == [500, 9500]
    assert groups_better_off_alone(TEN_EUROS, families, shares) == []
    assert groups_better_off_alone(TEN_EUROS, families, [1500, 8500]) == [(0,)]


@given(
    st.lists(presences(), min_size=1, max_size=4), st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(Split)
)
def test_every_split_sums_to_the_cost(families, rate, extra, split):
    price = Price(rate, min(extra, rate), 100, 90)
    whole = [presence for family in families for presence in family]
    cost, by_member = split_slot(rate, min(extra, rate), 100, 90, whole)
    shares = split_among_families(split, price, families)
    assert sum(shares) == cost
    assert all(share >= 0 for share in shares)
    if split == Split.BY_SEAT and all(len(family) == 1 for family in families):
        assert shares == by_member


def prices():
    """An extra seat costs no more than the first, as the contract of the matcher has it."""
    return st.tuples(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 500), st.integers(0, 240)).map(
        lambda terms: Price(terms[0], min(terms[1], terms[0]), terms[2], terms[3])
    )


def families_of(most):
    return st.lists(presences(), min_size=1, max_size=most)


@given(prices(), families_of(6))
def test_by_seat_nobody_pays_more_than_alone_at_the_same_place(price, families):
    for family, cents in zip(families, shares_of(Split.BY_SEAT, price, families), strict=True):
        assert cents <= price.cost(family) + 1, "a cent may be the rounding's"


@given(prices(), families_of(5), st.sampled_from(Split), st.randoms(use_true_random=False))
def test_the_order_of_the_families_moves_no_more_than_the_odd_cent(price, families, split, random):
    order = random.sample(range(len(families)), len(families))
    one = share_among_families(split, price, families)
    other = share_among_families(split, price, [families[index] for index in order])
    assert other.cost_cents == one.cost_cents
    assert [atom.cost for atom in other.atoms] == [atom.cost for atom in one.atoms]
    for place, index in enumerate(order):
        assert [atom.parts[place] for atom in other.atoms] == [atom.parts[index] for atom in one.atoms]
        assert other.missing_parts[place] == one.missing_parts[index]
        assert abs(other.shares_cents[place] - one.shares_cents[index]) <= 1


@given(prices(), families_of(5), st.sampled_from(Split))
def test_atoms_and_missing_time_add_up_to_every_share(price, families, split):
    sharing = share_among_families(split, price, families)
    assert sum(atom.cost for atom in sharing.atoms) + sharing.missing == price.cost(
        [presence for family in families for presence in family]
    )
    assert all(sum(atom.parts) == atom.cost for atom in sharing.atoms)
    assert sum(sharing.missing_parts) == sharing.missing
    for index, cents in enumerate(sharing.shares_cents):
        exact = sum((atom.parts[index] for atom in sharing.atoms), sharing.missing_parts[index])
        assert abs(cents - exact) < 1


@settings(max_examples=40)
@given(prices(), families_of(4))
def test_shapley_is_the_average_over_all_orders_of_coming(price, families):
    sharing = share_among_families(Split.SHAPLEY, price, families)
    for index in range(len(families)):
        added = Fraction(0)
        for order in permutations(range(len(families))):
            before = [one for other in order[: order.index(index)] for one in families[other]]
            added += price.cost([*before, *families[index]]) - price.cost(before)
        exact = sum((atom.parts[index] for atom in sharing.atoms), sharing.missing_parts[index])
        assert exact == added / factorial(len(families))


def test_twelve_families_and_twelve_hours_are_exact():
    families = [[(15 * index, 720 - 20 * index, 1 + index % 2)] for index in range(12)]
    price = Price(1807, 301, 203, 800)
    for split in Split:
        sharing = share_among_families(split, price, families)
        assert sum(sharing.shares_cents) == sharing.cost_cents
        assert len(sharing.atoms) == 23
    assert groups_better_off_alone(price, families, shares_of(Split.BY_SEAT, price, families)) == []
