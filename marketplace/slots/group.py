"""What a group costs each of its members, whether it holds together, and the most that each can come to pay in it.

Pure: the price is `billing.split`, which also bills. A *group* is some of a slot's members, in the slot's order.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import comb
from uuid import UUID

from billing.split import split_slot, subsidy_cents

GROUPS_TRIED = 2048
MINUTES_PER_HOUR = 60


@dataclass(frozen=True, slots=True)
class Terms:
    """What a slot's provider and place ask: prices frozen on it, its mode (matching.md, rule 3), who must be there."""

    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    venue_cents_per_hour: int
    minutes_min: int
    mode: str
    seats_min: int
    walk_minutes: int = 0
    host: UUID | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A need's part of a slot; `held_cents` is the most that its voucher can pay of a meeting (None: no limit yet)."""

    need: UUID
    start: int
    end: int
    seats: int
    percent: Fraction | None = None
    cap_cents_per_hour: int | None = None
    held_cents: int | None = None

    @property
    def minutes(self) -> int:
        """How long it stays."""
        return self.end - self.start

    def voucher_cents(self, share_cents: int) -> int:
        """What its programme pays of a share (rule 10), within what is held for it."""
        if self.percent is None:
            return 0
        owed = subsidy_cents(share_cents, self.percent, self.cap_cents_per_hour, self.minutes, self.seats)
        return owed if self.held_cents is None else min(owed, self.held_cents)


@dataclass(frozen=True, slots=True)
class Price:
    """A group's cost of one full meeting and, by need, its share and the voucher on it."""

    cost_cents: int
    shares: Mapping[UUID, int]
    vouchers: Mapping[UUID, int]

    def net_cents(self, need: UUID) -> int:
        """What the need's family pays itself."""
        return self.shares[need] - self.vouchers[need]


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that a member pays of one meeting, net, and in a group of how many seats it comes to that."""

    cents: int
    seats: int


Limits = Mapping[UUID, int]
"""The most that each need pays of one meeting, net; a need that is not in it has no limit."""


def price_group(terms: Terms, group: Sequence[Member]) -> Price:
    """The price of one full meeting of `group` (not empty)."""
    cost, shares = split_slot(
        terms.rate_cents_per_hour,
        terms.extra_seat_cents_per_hour,
        terms.venue_cents_per_hour,
        terms.minutes_min,
        [(member.start, member.end, member.seats) for member in group],
    )
    return Price(
        cost,
        {member.need: share for member, share in zip(group, shares, strict=True)},
        {member.need: member.voucher_cents(share) for member, share in zip(group, shares, strict=True)},
    )


def alone_cents(terms: Terms, member: Member) -> int:
    """What the member's session would cost, without a voucher, alone with the same provider at the same place."""
    return price_group(terms, [member]).cost_cents


def holds_together(terms: Terms, group: Sequence[Member]) -> bool:
    """Whether the group can meet: its host is in it, it is large enough, without a gap in time (rules 3 to 5)."""
    if not group or (terms.host is not None and all(member.need != terms.host for member in group)):
        return False
    visits = sorted((member.start, member.end) for member in group)
    if terms.mode == "round":
        in_turn = all(later[0] == earlier[1] + terms.walk_minutes for earlier, later in pairwise(visits))
        return in_turn and len(group) >= terms.seats_min
    until = visits[0][1]
    for start, end in visits:
        if start > until:
            return False
        until = max(until, end)
    return peak_seats(group) >= terms.seats_min


def peak_seats(group: Sequence[Member]) -> int:
    """The most seats present at once."""
    return max(sum(other.seats for other in group if other.start <= member.start < other.end) for member in group)


def stands(terms: Terms, group: Sequence[Member], limits: Limits) -> bool:
    """Whether the group holds together and nobody in it pays more than its limit."""
    if not holds_together(terms, group):
        return False
    price = price_group(terms, group)
    return all(price.net_cents(member.need) <= limits[member.need] for member in group if member.need in limits)


def own_limit(price_max_cents_per_hour: int | None, sessions: Sequence[tuple[int, int, int]]) -> list[int] | None:
    """What a need can pay at most of each of its `sessions` (minutes, seats, planned net cents); None: any price.

    Rule 11 bounds the sum, so what the plan leaves free below it is spread evenly, and the limits never sum above it.
    """
    if price_max_cents_per_hour is None:
        return None
    seat_minutes = sum(minutes * seats for minutes, seats, _ in sessions)
    free = price_max_cents_per_hour * seat_minutes // MINUTES_PER_HOUR - sum(net for _, _, net in sessions)
    return [net + free // len(sessions) for _, _, net in sessions]


def caps(terms: Terms, members: Sequence[Member], limits: Limits) -> dict[UUID, Cap]:
    """For each need the most that it pays in any group of `members` that stands within everybody's limit.

    The whole group is expected to stand. Of large groups only those are tried that lack few members, as many as
    `GROUPS_TRIED` allows: a group that was not tried stands only if it happens to be within the caps.
    """
    found: dict[UUID, Cap] = {}
    for group in _groups(members):
        if not holds_together(terms, group):
            continue
        price = price_group(terms, group)
        if any(price.net_cents(member.need) > limits.get(member.need, price.cost_cents) for member in group):
            continue
        seats = peak_seats(group) if terms.mode != "round" else len(group)
        for member in group:
            net = price.net_cents(member.need)
            if member.need not in found or net > found[member.need].cents:
                found[member.need] = Cap(net, seats)
    return found


def most_voucher_cents(terms: Terms, members: Sequence[Member], limits: Limits) -> dict[UUID, int]:
    """For each need the most that its voucher pays of a meeting in any group that stands: what is held for it."""
    most: dict[UUID, int] = dict.fromkeys((member.need for member in members), 0)
    for group in _groups(members):
        if stands(terms, group, limits):
            for need, cents in price_group(terms, group).vouchers.items():
                most[need] = max(most[need], cents)
    return most


def _groups(members: Sequence[Member]) -> Iterator[Sequence[Member]]:
    """The whole group first, then those that lack one member, two, ... in order, while they are few enough to try."""
    tried = 0
    for absent in range(len(members)):
        tried += comb(len(members), absent)
        if tried > GROUPS_TRIED and absent > 1:
            return
        yield from combinations(members, len(members) - absent)


@dataclass(frozen=True, slots=True)
class Circle:
    """A slot as it might be settled: who is in it for good (`fixed`), and who comes in only if it stands.

    Needs that are served by several slots link their circles: such a need is in all of them or in none.
    """

    id: UUID
    terms: Terms
    members: tuple[Member, ...]
    fixed: frozenset[UUID] = frozenset()


Standing = Callable[[Circle, Sequence[Member]], bool]


def survivors(
    circles: Sequence[Circle], gone_needs: Collection[UUID], gone_circles: Collection[UUID], standing: Standing
) -> tuple[dict[UUID, tuple[Member, ...]], set[UUID]]:
    """Who is left in each circle that stands, and which needs are gone, when `gone_needs` and `gone_circles` fall away.

    A circle stands or falls whole, a need too; both drag along what they are linked to, until nothing changes. A circle
    with fixed members never falls: only its newcomers do.
    """
    needs, fallen = set(gone_needs), set(gone_circles)
    while True:
        for circle in circles:
            if circle.id in fallen:
                needs |= {member.need for member in circle.members} - circle.fixed
        left = {circle.id: tuple(member for member in circle.members if member.need not in needs) for circle in circles}
        falling = {
            circle.id
            for circle in circles
            if circle.id not in fallen
            and {member.need for member in left[circle.id]} != circle.fixed
            and not standing(circle, left[circle.id])
        }
        if not falling:
            return {circle.id: left[circle.id] for circle in circles if _is_left(circle, left, fallen)}, needs
        fallen |= falling


def _is_left(circle: Circle, left: Mapping[UUID, Sequence[Member]], fallen: Collection[UUID]) -> bool:
    return bool(circle.fixed) or (circle.id not in fallen and bool(left[circle.id]))
