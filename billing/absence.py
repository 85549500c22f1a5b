"""What is billed for a meeting that took place: nobody pays above its cap, and every cent of the cost is somebody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from billing.money import largest_remainder
from billing.split import Price, split_slot, subsidy_cents


class Attended(StrEnum):
    """What was recorded of a member; whoever is not recorded is not billed at all, and waits for a decision."""

    PRESENT = "present"
    ABSENT_NOTIFIED = "absent_notified"
    ABSENT = "absent"


class Bearer(StrEnum):
    """Who bears what an absence told in time adds to the others' shares."""

    OTHERS = "others"
    ABSENT = "absent"
    GUARANTEE = "guarantee"


@dataclass(frozen=True)
class AbsenceRule:
    """A municipality's choices: each shown to the family before it accepts, and again on the line that it shaped."""

    notified_is_free: bool = True
    rise_borne_by: Bearer = Bearer.OTHERS
    absence_is_subsidised: bool = True
    cancelled_day_percent: Fraction = Fraction(50)
    fee_percent: Fraction = Fraction(0)


@dataclass(frozen=True)
class Attendee:
    """A member at a meeting: its minutes and seats as agreed, what was recorded, its voucher and its cap.

    `cap_cents` is the most that it pays for a meeting, net; `held_cents` the most that its voucher may pay.
    """

    id: str
    start: int
    end: int
    seats: int
    attended: Attended
    cap_cents: int
    percent: Fraction | None = None
    cap_cents_per_hour: int | None = None
    held_cents: int = 0

    @property
    def presence(self) -> tuple[int, int, int]:
        return self.start, self.end, self.seats

    def voucher_cents(self, share_cents: int) -> int:
        """What the programme pays of this share: the rule that was promised, within what was held for it."""
        if self.percent is None:
            return 0
        owed = subsidy_cents(share_cents, self.percent, self.cap_cents_per_hour, self.end - self.start, self.seats)
        return min(owed, self.held_cents, share_cents)


@dataclass(frozen=True)
class Line:
    """One member's part of a meeting: `share = subsidy + guarantee + net`, net within the cap.

    `provider_cents` is the part of the net that is the provider's: what reaches it when this family has paid.
    """

    attendee: Attendee
    share_cents: int
    subsidy_cents: int
    guarantee_cents: int
    net_cents: int
    provider_cents: int = 0


@dataclass(frozen=True)
class Bill:
    """A meeting's money: the lines and `compensation_cents` (the guarantee fund's) pay provider, venue and platform."""

    lines: tuple[Line, ...]
    provider_cents: int = 0
    venue_cents: int = 0
    fee_cents: int = 0
    compensation_cents: int = 0

    @property
    def cost_cents(self) -> int:
        return self.provider_cents + self.venue_cents + self.fee_cents


def bill_meeting(price: Price, attendees: Sequence[Attendee], rule: AbsenceRule) -> Bill:
    """The bill of a meeting that was held, with the split that priced it (`billing.split`), members in list order.

    Who is absent without notice in time keeps its seat: it pays its share as if it had come. Who told in time is not
    counted; what that adds to the others is borne as the rule says, and above a cap by the guarantee fund.
    """
    told = [rule.notified_is_free and member.attended is Attended.ABSENT_NOTIFIED for member in attendees]
    counted = [index for index, free in enumerate(told) if not free]
    if not counted:
        return Bill(tuple(Line(member, 0, 0, 0, 0) for member in attendees))
    cost, real = _shares(price, [attendees[index] for index in counted])
    as_agreed = _shares(price, attendees)[1]
    share, guaranteed = [0] * len(attendees), [0] * len(attendees)
    moved = 0
    for index, cents in zip(counted, real, strict=True):
        rise = max(0, cents - as_agreed[index])
        share[index] = cents - rise if rule.rise_borne_by is Bearer.ABSENT else cents
        guaranteed[index] = rise if rule.rise_borne_by is Bearer.GUARANTEE else 0
        moved += cents - share[index]
    if moved:
        for index, cents in _spread(moved, [own if free else 0 for own, free in zip(as_agreed, told, strict=True)]):
            share[index] += cents
    lines = [
        _line(member, cents, fund, subsidised=is_subsidised(member, rule))
        for member, cents, fund in zip(attendees, share, guaranteed, strict=True)
    ]
    venue = split_slot(0, 0, price.venue_cents_per_hour, 0, [attendees[index].presence for index in counted])[0]
    fee = (cost - venue) * rule.fee_percent.numerator // (100 * rule.fee_percent.denominator)
    provider = cost - venue - fee
    return Bill(tuple(_with_provider_part(lines, provider, cost)), provider, venue, fee)


def bill_cancelled_day(price: Price, attendees: Sequence[Attendee], rule: AbsenceRule) -> Bill:
    """A closed venue, a strike, snow: families pay nothing, the provider has a part of its due from the fund."""
    cost = _shares(price, attendees)[0]
    venue = split_slot(0, 0, price.venue_cents_per_hour, 0, [member.presence for member in attendees])[0]
    part = rule.cancelled_day_percent
    due = (cost - venue) * part.numerator // (100 * part.denominator)
    return Bill(tuple(Line(member, 0, 0, 0, 0) for member in attendees), due, compensation_cents=due)


def is_subsidised(member: Attendee, rule: AbsenceRule) -> bool:
    """Whether a programme may pay of a member's share: it came, or the rule lets its absence count as if it had."""
    told = rule.notified_is_free and member.attended is Attended.ABSENT_NOTIFIED
    return member.attended is Attended.PRESENT or (rule.absence_is_subsidised and not told)


def with_more_subsidy(bill: Bill, extra_cents: Sequence[int]) -> Bill:
    """The bill with so much more of each line's net paid by its programme: no net rises, nor falls below 0."""
    lines = [
        replace(line, subsidy_cents=line.subsidy_cents + extra, net_cents=line.net_cents - extra)
        for line, extra in zip(bill.lines, extra_cents, strict=True)
    ]
    if any(not 0 <= extra <= line.net_cents for line, extra in zip(bill.lines, extra_cents, strict=True)):
        raise ValueError("a programme pays no more of a line than is left of it")
    return replace(bill, lines=tuple(_with_provider_part(lines, bill.provider_cents, bill.cost_cents)))


def _shares(price: Price, attendees: Sequence[Attendee]) -> tuple[int, list[int]]:
    return split_slot(
        price.rate_cents_per_hour,
        price.extra_seat_cents_per_hour,
        price.venue_cents_per_hour,
        price.minutes_min,
        [member.presence for member in attendees],
    )


def _line(member: Attendee, share: int, fund: int, *, subsidised: bool) -> Line:
    voucher = member.voucher_cents(share - fund) if subsidised else 0
    above = max(0, share - fund - voucher - member.cap_cents)
    return Line(member, share, voucher, fund + above, share - fund - voucher - above)


def _spread(total: int, weights: Sequence[int]) -> list[tuple[int, int]]:
    """`total` cents over the weights (equal where all are zero) as (index, cents), by largest remainder."""
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    return list(enumerate(largest_remainder(total, [total * weight for weight in weights], whole)))


def _with_provider_part(lines: Sequence[Line], provider: int, cost: int) -> list[Line]:
    """Each line's provider part: rounded on the running total, so that all parts of all shares sum to the due."""
    if not cost:
        return list(lines)
    parts, running = [], 0
    for line in lines:
        before = provider * running // cost
        running += line.share_cents
        of_share = provider * running // cost - before
        of_net = of_share * line.net_cents // line.share_cents if line.share_cents else 0
        parts.append(
            Line(line.attendee, line.share_cents, line.subsidy_cents, line.guarantee_cents, line.net_cents, of_net)
        )
    return parts
