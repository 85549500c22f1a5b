"""What a plan means to a city, in numbers that follow from the plan and its instance alone."""

from collections import Counter, defaultdict
from typing import Any

from billing.money import round_half_up
from billing.split import split_slot
from matching.instance import Instance, PlaceAtVenue
from matching.objective import objective_cents
from matching.plan import Plan, Slot
from matching.quotes import offers_that_cover, quote

MINUTES_PER_HOUR = 60


def summarise(instance: Instance, plan: Plan) -> dict[str, Any]:
    """A plan in a few numbers, all of one week, money in cents.

    `needs`, `served`: of the needs that waited (`standing` others have their slots already); `unserved` {reason:
    needs}; `slots`, `members` of all slots, standing ones too, as is the money: `cost_cents` = `families_cents` +
    `subsidy_cents`; `programmes` [{code, used_cents, budget_cents}]; `alone_cents_per_hour` and
    `shared_cents_per_hour`, means over the served seat-hours, before vouchers (None if nobody is served);
    `saved_cents`: what the same sessions would cost more with nobody sharing; `objective_cents`, `bound_cents`, `gap`,
    `status`, `seconds`, `seed` of the plan; `nobody_cents`, the objective with nobody served; `changes`
    [{needs, change}]: verified changes of one thing that would have served somebody, the most useful first.
    """
    members = [(slot, member) for slot in plan.slots for member in slot.members]
    served = {member.need for _, member in members}
    standing = {member.need for slot in instance.pinned for member in slot.members}
    subsidy, shares = sum(one.subsidy_cents for _, one in members), sum(one.share_cents for _, one in members)
    used: Counter[str] = Counter()
    for _, member in members:
        granted = instance.needs[member.need].subsidy
        if granted is not None:
            used[granted.programme] += member.subsidy_cents
    alone = sum(_alone_cents(instance, slot) for slot in plan.slots)
    seat_minutes = sum((one.end - one.start) * instance.needs[one.need].seats for _, one in members)
    return {
        "needs": len(instance.needs) - len(standing),
        "served": len(served - standing),
        "standing": len(standing),
        "unserved": dict(Counter(one.reason for one in plan.unserved).most_common()),
        "slots": len(plan.slots),
        "members": len(members),
        "cost_cents": shares,
        "families_cents": shares - subsidy,
        "subsidy_cents": subsidy,
        "programmes": [
            {"code": one.id, "used_cents": used[one.id], "budget_cents": one.weekly_budget_cents}
            for one in instance.programmes.values()
        ],
        "alone_cents_per_hour": _an_hour(alone, seat_minutes),
        "shared_cents_per_hour": _an_hour(shares, seat_minutes),
        "saved_cents": alone - shares,
        "objective_cents": plan.objective_cents,
        "bound_cents": plan.bound_cents,
        "gap": plan.gap,
        "status": plan.status,
        "seconds": plan.seconds,
        "seed": plan.seed,
        "nobody_cents": objective_cents(instance, ()),
        "changes": _changes(plan),
    }


def _an_hour(cents: int, seat_minutes: int) -> int | None:
    return round_half_up(cents * MINUTES_PER_HOUR, seat_minutes) if seat_minutes else None


def _alone_cents(instance: Instance, slot: Slot) -> int:
    """What the sessions of a slot's members would cost, each alone with the slot's provider at the slot's place."""
    needs = [instance.needs[member.need] for member in slot.members]
    presences = [(member.start, member.end, need.seats) for member, need in zip(slot.members, needs, strict=True)]
    offers = offers_that_cover(instance.providers[slot.provider], slot.service, instance.services[slot.service], needs)
    quoted = quote(instance, offers, slot.place, presences)
    if quoted is None:
        return slot.cost_cents
    offer = quoted.offer
    venue = instance.venues[slot.place.venue].cost_cents_per_hour if isinstance(slot.place, PlaceAtVenue) else 0
    prices = (offer.rate_cents_per_hour, offer.extra_seat_cents_per_hour, venue, offer.minutes_min)
    return sum(split_slot(*prices, [presence])[0] for presence in presences)


def _changes(plan: Plan) -> list[dict[str, Any]]:
    """Changes that would have served needs, alike ones together: more minutes on a day, more km, a higher price."""
    found: dict[str, dict[str, Any]] = {}
    counted: dict[str, int] = defaultdict(int)
    for one in plan.unserved:
        change = one.detail.get("change")
        if change:
            key = repr(sorted(change.items()))
            found[key] = dict(change)
            counted[key] += 1
    return [
        {"needs": counted[key], "change": found[key]} for key in sorted(found, key=lambda key: (-counted[key], key))
    ]
