"""What a group costs, whether it holds together, and the most that each can come to pay."""

from itertools import combinations
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.slots.group import (
    Circle,
    Member,
    Terms,
    caps,
    holds_together,
    most_voucher_cents,
    own_limit,
    price_group,
    stands,
    survivors,
)

CLASS = Terms(1800, 300, 200, 60, "class", 1)


def one(number: int, start: int = 960, end: int = 1050, seats: int = 1, **voucher: object) -> Member:
    return Member(UUID(int=number), start, end, seats, **voucher)


def ids(group: object) -> list[int]:
    return [member.need.int for member in group]


def test_a_group_without_its_host_does_not_hold_together() -> None:
    terms = Terms(1800, 300, 0, 60, "class", 1, host=UUID(int=1))
    assert holds_together(terms, [one(1), one(2)])
    assert not holds_together(terms, [one(2)])


def test_in_a_group_of_presence_somebody_is_there_all_along() -> None:
    terms = Terms(1200, 200, 0, 60, "presence", 1)
    early, middle, late = one(1, 900, 960), one(2, 930, 1020), one(3, 1020, 1080)
    assert holds_together(terms, [early, middle, late])
    assert not holds_together(terms, [early, late])


def test_in_a_round_the_visits_follow_each_other_by_the_walk() -> None:
    terms = Terms(2000, 0, 0, 60, "round", 2, walk_minutes=15)
    first, second, third = one(1, 540, 600), one(2, 615, 675), one(3, 690, 750)
    assert holds_together(terms, [first, second, third])
    assert holds_together(terms, [second, third])
    assert not holds_together(terms, [first, third])
    assert not holds_together(terms, [first])


def test_the_smallest_group_may_be_one_of_two_where_the_limit_says_so() -> None:
    group = [one(1), one(2), one(3)]
    found = caps(CLASS, group, {UUID(int=1): 1800})
    assert (found[UUID(int=1)].cents, found[UUID(int=1)].seats) == (1725, 2)
    assert (found[UUID(int=2)].cents, found[UUID(int=2)].seats) == (3000, 1)


def test_limits_of_several_sessions_never_sum_above_what_the_need_pays_at_most() -> None:
    limits = own_limit(1000, [(60, 1, 1100), (60, 1, 700)])
    assert limits == [1200, 800]
    assert own_limit(None, [(60, 1, 1100)]) is None


members_of_a_group = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(1, 3), st.sampled_from([None, 30, 50, 100])),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)
@given(members_of_a_group, st.booleans(), st.integers(0, 3000), st.integers(0, 900))
def test_no_group_within_everybodys_limit_costs_anybody_more_than_its_cap(
    drawn: list[tuple[int, int, int, int | None]], together: bool, rate: int, slack: int
) -> None:
    terms = Terms(rate, rate // 3, 150, 60, "class" if together else "presence", 1)
    group = [
        one(number, *((0, 90) if together else (15 * start, 15 * (start + long))), seats, percent=percent)
        for number, (start, long, seats, percent) in enumerate(drawn)
    ]
    price = price_group(terms, group)
    limits = {member.need: price.net_cents(member.need) + slack for member in group[::2]}
    found = caps(terms, group, limits)
    held = most_voucher_cents(terms, group, limits)
    for size in range(1, len(group) + 1):
        for part in combinations(group, size):
            if stands(terms, part, limits):
                cost = price_group(terms, part)
                assert sum(cost.shares.values()) == cost.cost_cents
                for member in part:
                    assert cost.net_cents(member.need) <= found[member.need].cents
                    assert cost.vouchers[member.need] <= held[member.need]


def everybody_pays(circle: Circle, group: object) -> bool:
    return stands(circle.terms, group, {member.need: 1800 for member in group})


def test_what_is_linked_falls_together_and_nothing_else() -> None:
    first = Circle(UUID(int=10), CLASS, (one(1), one(2)))
    second = Circle(UUID(int=11), CLASS, (one(2), one(3), one(4)))
    third = Circle(UUID(int=12), CLASS, (one(5), one(6)))
    left, gone = survivors([first, second, third], {UUID(int=1)}, set(), everybody_pays)
    assert {circle.int: ids(group) for circle, group in left.items()} == {11: [3, 4], 12: [5, 6]}
    assert {need.int for need in gone} == {1, 2}


def test_a_slot_that_stands_keeps_its_members_whatever_becomes_of_newcomers() -> None:
    circle = Circle(UUID(int=10), CLASS, (one(1), one(2), one(3)), frozenset({UUID(int=1), UUID(int=2)}))
    left, gone = survivors([circle], set(), set(), lambda _circle, group: len(group) < 3)
    assert ids(left[UUID(int=10)]) == [1, 2]
    assert {need.int for need in gone} == {3}
