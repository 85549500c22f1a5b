"""The twelve rules of the contract: each is one function that yields a line for whatever breaks it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, pairwise, product

from billing.split import subsidy_cents
from matching.distance import is_within
from matching.instance import Instance, Mode, Need, PlaceAtHomes, Subsidy, Venue
from matching.quotes import (
    fits_size,
    have_common_language,
    most_seats_met,
    offer_suits,
    peak_seats,
    provider_suits,
)
from matching.week import Session, SlotView, Week, is_same_place, lies_in_one, overlap, overlapping

MEMBERS_COMPARED = 200
"""Of a round, two by two: more cannot be visited in a day, which rule 3 says."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def whole_or_none(week: Week) -> Iterator[str]:
    """Rule 1: a member of exactly `sessions` slots, or of none."""
    for name, sessions in week.sessions.items():
        asked = week.instance.needs[name].sessions
        if len(sessions) != asked:
            yield f"need {name} is in {len(sessions)} slots and asks for {asked} sessions"
    yield from one_session_a_day(week)


def one_session_a_day(week: Week) -> Iterator[str]:
    """The part of rule 1 that holds for some of a need's sessions already."""
    for name, sessions in week.sessions.items():
        need = week.instance.needs[name]
        slots = [view.slot for view, _ in sessions]
        if len(slots) > need.sessions:
            yield f"need {name} has more than {need.sessions} sessions"
        if len({slot.day for slot in slots}) < len(slots):
            yield f"need {name} has two sessions on one day"
        if len({slot.provider for slot in slots}) > 1:
            yield f"need {name} has several providers"
        if any(slot.service != need.service for slot in slots):
            yield f"need {name} asks for {need.service}, not {', '.join(sorted({slot.service for slot in slots}))}"


def covered_by_an_offer(week: Week) -> Iterator[str]:
    """Rule 2: one offer covers every member; nobody meets whom it excludes."""
    for view in week.views:
        if not view.covering:
            yield f"{view.name}: {_why_uncovered(view)}"
    for name, sessions in week.sessions.items():
        for other in sorted(week.instance.needs[name].excludes):
            if other in week.sessions and other != name:
                yield from _meetings(name, sessions, other, week.sessions[other])


def _meetings(name: str, sessions: list[Session], other: str, others: list[Session]) -> Iterator[str]:
    """Where two needs that exclude each other are together: in a slot, or at one venue at once."""
    for (view, index), (other_view, other_index) in product(sessions, others):
        if view is other_view:
            yield f"{view.name}: {name} and {other} exclude each other"
        elif (
            isinstance(view.place, Venue)
            and view.place is other_view.place
            and view.slot.day == other_view.slot.day
            and overlap(view.slot.members[index], other_view.slot.members[other_index])
        ):
            yield (
                f"{view.name} and {other_view.name}: {name} and {other} exclude each other,"
                f" and are both at {view.place.id}"
            )


def _why_uncovered(view: SlotView) -> str:
    provider, slot = view.provider, view.slot
    for need in view.needs:
        if not provider_suits(provider, need):
            return f"{provider.id} does not suit {need.id} (languages, qualifications or exclusions)"
        if not any(offer_suits(offer, need) for offer in provider.offers if offer.service == slot.service):
            return f"no offer of {provider.id} for {slot.service} covers {need.id}"
    if view.service.mode == Mode.CLASS and not have_common_language(provider, view.needs):
        return f"{provider.id} and all the members have no language in common"
    return f"no offer of {provider.id} for {slot.service} covers all the members"


def in_time(week: Week) -> Iterator[str]:
    """Rule 3: inside the windows of all, and together as the service's mode says."""
    for view in week.views:
        slot = view.slot
        yield from (f"{view.name}: {line}" for line in _times(view, week.instance.grid_minutes))
        if not lies_in_one(view.provider.windows, slot.day, slot.start, slot.end):
            yield f"{view.name}: not inside one window of {slot.provider}"
        if isinstance(view.place, Venue) and not lies_in_one(view.place.windows, slot.day, slot.start, slot.end):
            yield f"{view.name}: not inside one window of venue {view.place.id}"
        for member, need in zip(slot.members, view.needs, strict=True):
            if not lies_in_one(need.windows, slot.day, member.start, member.end):
                yield f"{view.name}: the session of {need.id} is not inside one of its windows"
            if member.end - member.start != need.minutes:
                yield f"{view.name}: the session of {need.id} lasts {member.end - member.start}, not {need.minutes}"


def _times(view: SlotView, grid: int) -> Iterator[str]:
    slot = view.slot
    sessions = sorted((member.start, member.end) for member in slot.members)
    if any(minute % grid for minute in (slot.start, slot.end, *(minute for pair in sessions for minute in pair))):
        yield f"its times are not all multiples of {grid}"
    first, last = sessions[0][0], max(end for _, end in sessions)
    if first < slot.start or last > slot.end:
        yield "a session is not inside the slot"
    elif view.service.mode == Mode.CLASS:
        if any(session != (slot.start, slot.end) for session in sessions):
            yield "somebody does not attend the whole slot"
        return
    elif (first, last) != (slot.start, slot.end):
        yield "it does not start with the first member and end with the last"
    until = sessions[0][1]
    for start, end in sessions[1:]:
        if view.service.mode == Mode.PRESENCE and start > until:
            yield f"nobody is present from minute {until} to {start}"
        if view.service.mode == Mode.ROUND and start != until + (view.service.walk_minutes or 0):
            yield f"a visit ends at {until}, the next starts at {start}, not {view.service.walk_minutes} minutes later"
        until = max(until, end)


def at_a_place(week: Week) -> Iterator[str]:
    """Rule 4: a place that the service, the provider and every member can use."""
    for view in week.views:
        place = view.place
        if (view.service.mode == Mode.ROUND) != isinstance(view.slot.place, PlaceAtHomes):
            how = "only" if view.service.mode == Mode.ROUND else "never"
            yield f"{view.name}: {view.slot.service} is {how} held from home to home"
        if isinstance(place, Venue):
            lines = _at_a_venue(view, place)
        elif isinstance(place, Need):
            lines = _hosted(view, place)
        else:
            lines = _from_home_to_home(view)
        yield from (f"{view.name}: {line}" for line in lines)
        for need in view.needs if place else ():
            if place and not is_within(need, place, float(need.travel_km_max)):
                yield f"{view.name}: {need.id} lives farther than {float(need.travel_km_max)} km away"


def _at_a_venue(view: SlotView, venue: Venue) -> Iterator[str]:
    if venue.id not in view.provider.venues:
        yield f"{venue.id} is not among the venues of {view.provider.id}"
    if view.slot.service not in venue.services:
        yield f"venue {venue.id} does not allow {view.slot.service}"


def _reached(view: SlotView, homes: Iterable[Need]) -> Iterator[str]:
    if not view.provider.visits_homes:
        yield f"{view.provider.id} does not visit homes"
    for home in homes:
        if not is_within(view.provider, home, float(view.provider.travel_km_max)):
            yield f"{view.provider.id} does not travel as far as {home.id}"


def _hosted(view: SlotView, host: Need) -> Iterator[str]:
    yield from _reached(view, [host])
    own = [member for member in view.slot.members if member.need == host.id]
    if not own:
        yield f"the host {host.id} is not a member"
    elif (own[0].start, own[0].end) != (view.slot.start, view.slot.end):
        yield f"the host {host.id} is not present throughout"
    if len(view.slot.members) > len(own) and peak_seats(view.presences) > host.host_seats:
        yield f"the home of {host.id} has {host.host_seats} seats"


def _from_home_to_home(view: SlotView) -> Iterator[str]:
    yield from _reached(view, view.needs)
    walk_km_max = float(view.service.walk_km_max or 0)
    for first, second in combinations(view.needs[:MEMBERS_COMPARED], 2):
        if not is_within(first, second, walk_km_max):
            yield f"{first.id} and {second.id} live farther than {walk_km_max} km from each other"


def as_a_group(week: Week) -> Iterator[str]:
    """Rule 5: neither too many nor too few, and alike enough."""
    for view in week.views:
        yield from (f"{view.name}: {line}" for line in _size_faults(view))
        service, needs = view.service, view.needs
        levels = [need.level for need in needs if need.level is not None]
        if service.level_gap_max is not None and levels and max(levels) - min(levels) > service.level_gap_max:
            yield f"{view.name}: levels differ by more than {service.level_gap_max}"
        ages = [need.age for need in needs if need.age is not None]
        if service.age_gap_max is not None and ages and max(ages) - min(ages) > service.age_gap_max:
            yield f"{view.name}: ages differ by more than {service.age_gap_max}"
        if service.same_topic and len({need.topic for need in needs if need.topic is not None}) > 1:
            yield f"{view.name}: several topics"


def _size_faults(view: SlotView) -> Iterator[str]:
    peak = peak_seats(view.presences)
    if view.covering and not any(fits_size(offer, view.service, view.presences) for offer in view.covering):
        yield f"with {peak} seats and {len(view.needs)} members too large or too small for every offer that covers it"
    if isinstance(view.place, Venue) and peak > view.place.seats:
        yield f"{peak} seats, and venue {view.place.id} has {view.place.seats}"
    if isinstance(view.place, Need) and len(view.needs) > 1 and peak > view.place.host_seats:
        yield f"{peak} seats, and the home of {view.place.id} has {view.place.host_seats}"
    for need, present in zip(view.needs, most_seats_met(view.presences), strict=True):
        if need.group_max is not None and present > need.group_max:
            yield f"{present} seats, more than the {need.group_max} that {need.id} accepts"


def providers_week(week: Week) -> Iterator[str]:
    """Rule 6: no overlap, time to go from place to place, no more minutes than the maxima."""
    for name, views in week.by_provider.items():
        provider = week.instance.providers[name]
        days = defaultdict(list)
        for view in views:
            days[view.slot.day].append(view.slot)
        for day, slots in days.items():
            slots.sort(key=lambda slot: (slot.start, slot.end))
            for before, after in pairwise(slots):
                if after.start < before.end:
                    yield f"{name}: slots {before.id} and {after.id} overlap"
                elif not is_same_place(before, after) and after.start - before.end < provider.gap_minutes:
                    yield f"{name}: less than {provider.gap_minutes} minutes between slots {before.id} and {after.id}"
            minutes = sum(slot.end - slot.start for slot in slots)
            if minutes > provider.minutes_max_per_day:
                yield f"{name}: {minutes} minutes on {DAYS[day]}, more than {provider.minutes_max_per_day}"
        minutes = sum(view.slot.end - view.slot.start for view in views)
        if minutes > provider.minutes_max_per_week:
            yield f"{name}: {minutes} minutes a week, more than {provider.minutes_max_per_week}"


def venues_seats(week: Week) -> Iterator[str]:
    """Rule 7: at every moment no more seats present than the venue has, over all its slots."""
    for (name, day), views in week.by_venue_and_day.items():
        peak = peak_seats(presence for view in views for presence in view.presences)
        if peak > week.instance.venues[name].seats:
            yield f"venue {name}: {peak} seats present on {DAYS[day]}, more than {week.instance.venues[name].seats}"


def cost(week: Week) -> Iterator[str]:
    """Rule 8: the price of the cheapest offer that applies, rounded once."""
    for view in week.views:
        if view.quote and view.quote.cost_cents != view.slot.cost_cents:
            yield f"{view.name} costs {view.quote.cost_cents} cents, not {view.slot.cost_cents}"


def shares(week: Week) -> Iterator[str]:
    """Rule 9: split by seats, to the cent."""
    for view in week.views:
        right = view.quote.shares_cents if view.quote else ()
        for member, share in zip(view.slot.members, right, strict=False):
            if member.share_cents != share:
                yield f"{view.name}: the share of {member.need} is {share} cents, not {member.share_cents}"
        if not right and sum(member.share_cents for member in view.slot.members) != view.slot.cost_cents:
            yield f"{view.name}: the shares do not sum to its cost"


def subsidies(week: Week) -> Iterator[str]:
    """Rule 10: the amount, all sessions or none, within the budget, and nobody left out while it lasts."""
    spent: dict[str, int] = defaultdict(int)
    left_out: list[tuple[Need, Subsidy, int]] = []
    for name, sessions in week.sessions.items():
        need = week.instance.needs[name]
        stated = [view.slot.members[index].subsidy_cents for view, index in sessions]
        right = [_subsidy(week, need, view, index) for view, index in sessions]
        if need.subsidy:
            spent[need.subsidy.programme] += sum(stated)
        if need.subsidy and not any(stated):
            left_out.append((need, need.subsidy, sum(right)))
            continue
        for (view, _), amount, due in zip(sessions, stated, right, strict=True):
            if amount != due:
                yield f"{view.name}: the subsidy of {name} is {due} cents (or 0 in all its slots), not {amount}"
    for programme, cents in spent.items():
        if cents > budget_of(week.instance, programme):
            yield f"programme {programme} pays {cents} cents of a budget of {budget_of(week.instance, programme)}"
    for need, subsidy, due in left_out:
        if 0 < due <= budget_of(week.instance, subsidy.programme) - spent[subsidy.programme]:
            yield f"need {need.id} is unsubsidised though the budget holds its {due} cents"


def _subsidy(week: Week, need: Need, view: SlotView, index: int) -> int:
    if need.subsidy is None:
        return 0
    share, member = week.share_cents(view, index), view.slot.members[index]
    return subsidy_cents(
        share, need.subsidy.percent, need.subsidy.cap_cents_per_hour, member.end - member.start, need.seats
    )


def budget_of(instance: Instance, programme: str) -> int:
    """A programme's weekly budget in cents; an unknown one has none."""
    known = instance.programmes.get(programme)
    return known.weekly_budget_cents if known else 0


def price(week: Week) -> Iterator[str]:
    """Rule 11: nobody pays more than its limit, over all its slots."""
    for name, sessions in week.sessions.items():
        need = week.instance.needs[name]
        if need.price_max_cents_per_hour is None:
            continue
        members = [view.slot.members[index] for view, index in sessions]
        net = sum(member.share_cents - member.subsidy_cents for member in members)
        seat_minutes = need.seats * sum(member.end - member.start for member in members)
        if 60 * net > need.price_max_cents_per_hour * seat_minutes:
            most = need.price_max_cents_per_hour
            yield f"need {name} pays {net} cents for {seat_minutes / 60:g} seat hours, at most {most} for each"


def person(week: Week) -> Iterator[str]:
    """Rule 12: nobody is in two sessions at once."""
    days = defaultdict(list)
    for name, sessions in week.sessions.items():
        served = week.instance.needs[name].person
        if served is not None:
            for view, index in sessions:
                member = view.slot.members[index]
                days[served, view.slot.day].append((member.start, member.end, name))
    for (served, day), stretches in days.items():
        for first, second in overlapping(stretches):
            yield f"{served} has sessions of {first} and {second} at once on {DAYS[day]}"


RULES: tuple[tuple[int, Callable[[Week], Iterator[str]]], ...] = (
    (1, whole_or_none),
    (2, covered_by_an_offer),
    (3, in_time),
    (4, at_a_place),
    (5, as_a_group),
    (6, providers_week),
    (7, venues_seats),
    (8, cost),
    (9, shares),
    (10, subsidies),
    (11, price),
    (12, person),
)


def broken(week: Week, rules: tuple[tuple[int, Callable[[Week], Iterator[str]]], ...] = RULES) -> list[str]:
    """A line for each breach, `rule N: ...`, in the order of the rules."""
    return [f"rule {number}: {line}" for number, rule in rules for line in rule(week)]
