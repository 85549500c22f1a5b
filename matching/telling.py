"""What a plan means for one need, in sentences for people: where it is and why, or why not and what would help."""

from collections.abc import Iterable, Iterator

from matching.instance import Instance, PlaceAtHost, PlaceAtVenue
from matching.plan import Plan, Slot, Unserved
from matching.rules import DAYS
from matching.week import Week
from matching.why import Why, why_served

REASONS = {
    "no_provider": "no provider has an offer that covers it",
    "too_far": "no provider who could serve it has a place near enough",
    "no_common_time": "its hours and those of the providers near enough have too few days in common",
    "group_too_small": "every group that it could have is too small: {short_by} more seats like its own are lacking",
    "too_expensive": "no group makes it affordable: the cheapest asks {price_cents_per_hour} cents a seat and hour",
    "budget_exhausted": "it could only pay with its subsidy, and its programme's budget is spent on others",
    "not_worth_it": "serving it would cost {extra_cents} cents more than leaving it out",
    "outcompeted": "others use what it needs",
}
CHANGES = {
    "windows_minutes": "{windows_minutes} more minutes free on {day_name}",
    "travel_km": "a way {travel_km} km longer",
    "price_cents_per_hour": "a limit {price_cents_per_hour} cents a seat and hour higher",
    "seats": "a group with {seats} seats more",
}


def tell(instance: Instance, plan: Plan, needs: Iterable[str]) -> Iterator[str]:
    """Lines about each of these needs; the plan must be valid for the instance."""
    wanted = list(needs)
    unserved = {one.need: one for one in plan.unserved}
    served = {one.need: one for one in why_served(instance, plan.slots, wanted)}
    week = Week(instance, plan.slots)
    for name in wanted:
        if name in served:
            yield f"{name} is served."
            yield from (f"  {_where(view.slot, name)}" for view, _ in week.sessions[name])
            yield from (f"  {line}" for line in _why(served[name]))
        elif name in unserved:
            yield from _why_not(unserved[name])


def _where(slot: Slot, name: str) -> str:
    member = next(one for one in slot.members if one.need == name)
    place = "from home to home"
    if isinstance(slot.place, PlaceAtVenue):
        place = f"at {slot.place.venue}"
    elif isinstance(slot.place, PlaceAtHost):
        place = "at its own home" if slot.place.need == name else f"at the home of {slot.place.need}"
    others = [one.need for one in slot.members if one.need != name]
    company = f"with {', '.join(others)}" if others else "alone"
    return (
        f"{DAYS[slot.day]} {_clock(member.start)}-{_clock(member.end)} with {slot.provider} {place}, {company}:"
        f" {_euros(member.share_cents)}, of which a programme pays {_euros(member.subsidy_cents)}"
    )


def _why(why: Why) -> Iterator[str]:
    yield f"It pays {_euros(why.pays_cents)} a week."
    if why.saves_cents is None:
        yield "Alone it could not be served at all."
    elif why.saves_cents >= 0:
        saved = _euros(why.saves_cents)
        yield f"Alone it would pay at least {_euros(why.alone_cents or 0)}: the group saves it {saved}."
    else:
        yield f"Alone, all else empty, it could pay {_euros(why.alone_cents or 0)}: {_euros(-why.saves_cents)} less."
    if why.better is None:
        yield "No part of its group would pay less without the others."
    else:
        yield f"{', '.join(why.better.needs)} by themselves would pay {_euros(why.better.saves_cents)} less."


def _why_not(one: Unserved) -> Iterator[str]:
    yield f"{one.need} is not served: {REASONS[one.reason].format_map(dict(one.detail))}."
    change = one.detail.get("change")
    if isinstance(change, dict):
        kind = next((kind for kind in CHANGES if kind in change), None)
        day = change.get("day")
        day_name = DAYS[day] if isinstance(day, int) and 0 <= day < len(DAYS) else ""
        if kind is not None:
            yield f"  It could be served with {CHANGES[kind].format_map({**change, 'day_name': day_name})}."
    if not_tried := one.detail.get("not_tried"):
        yield f"  There was no time to try: {', '.join(map(str, not_tried))}."


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02} euros"
