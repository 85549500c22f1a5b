"""The reasons that look at one need alone, and what company would change, are as the contract's words say."""

from fractions import Fraction

import pytest

from billing.split import subsidy_cents
from matching.arrays import flatten
from matching.company import companies
from matching.distance import is_within
from matching.first_reasons import first_reasons
from matching.formats import instance_from_json
from matching.instance import Mode, PlaceAtHomes, PlaceAtHost, PlaceAtVenue
from matching.quotes import offer_suits, provider_suits, quote
from tests.matching.tiny import tiny_instance

SEEDS = range(300)


def fits(minutes, *windows):
    """The days on which so many minutes are inside one window of each."""
    days = set()
    for one in windows[0]:
        held = [(one.start, one.end)]
        for others in windows[1:]:
            held = [
                (max(start, other.start), min(end, other.end))
                for start, end in held
                for other in others
                if other.day == one.day
            ]
        if any(end - start >= minutes for start, end in held):
            days.add(one.day)
    return days


def places(of, provider, need, others=True):
    """Every place within both limits."""
    is_round = of.services[need.service].mode == Mode.ROUND
    if not is_round:
        for name in provider.venues:
            venue = of.venues[name]
            if need.service in venue.services and is_within(need, venue, float(need.travel_km_max)):
                yield PlaceAtVenue(name)
    for home in of.needs.values():
        if not provider.visits_homes or not is_within(provider, home, float(provider.travel_km_max)):
            continue
        if home.id == need.id:
            yield PlaceAtHomes() if is_round else PlaceAtHost(need.id)
        elif (
            others
            and not is_round
            and home.service == need.service
            and home.host_seats > 0
            and is_within(need, home, float(need.travel_km_max))
        ):
            yield PlaceAtHost(home.id)


def covering(of, need):
    for provider in of.providers.values():
        if provider_suits(provider, need) and any(offer_suits(offer, need) for offer in provider.offers):
            yield provider


def days_of(of, provider, need, place, minutes):
    windows = [need.windows, provider.windows]
    if isinstance(place, PlaceAtVenue):
        windows.append(of.venues[place.venue].windows)
    return fits(minutes, *windows)


def the_reason(of, need):
    able = list(covering(of, need))
    if not able:
        return "no_provider"
    placed = {provider.id: list(places(of, provider, need)) for provider in able}
    if not any(placed.values()):
        return "too_far"
    for provider in able:
        days = set()
        for place in placed[provider.id]:
            days |= days_of(of, provider, need, place, need.minutes)
        if len(days) >= need.sessions:
            return None
    return "no_common_time"


@pytest.mark.parametrize("grid", [30, 15])
def test_the_first_reason_is_the_one_that_the_words_say(grid):
    found = set()
    for seed in SEEDS:
        of = instance_from_json(tiny_instance(seed) | {"grid_minutes": grid})
        needs = list(of.needs.values())
        right = [the_reason(of, need) for need in needs]
        assert first_reasons(flatten(of), range(len(needs))) == right, seed
        found.update(right)
    assert found == {None, "no_provider", "too_far", "no_common_time"}


def week_cents(of, provider, need, more):
    """What the need pays, net, for its cheapest week with so many one-seat members that come with it or after it."""
    service = of.services[need.service]
    step = need.minutes + (service.walk_minutes or 0)
    seats = need.seats
    presences = [(0, need.minutes, need.seats)]
    if service.mode == Mode.ROUND:
        presences += [(step * i, step * i + need.minutes, 1) for i in range(1, more + 1)]
    else:
        presences += [(0, need.minutes, 1)] * more
        seats += more
    length = max(end for _, end, _ in presences)
    if length > provider.minutes_max_per_day or need.sessions * length > provider.minutes_max_per_week:
        return None
    days = {}
    for place in places(of, provider, need, others=False):
        room = of.venues[place.venue].seats if isinstance(place, PlaceAtVenue) else 10**6
        if isinstance(place, PlaceAtHost) and more:
            room = need.host_seats
        price = quote(of, [offer for offer in provider.offers if offer_suits(offer, need)], place, presences)
        if price is None or seats > room or (need.group_max is not None and seats > need.group_max):
            continue
        share = price.shares_cents[0]
        if need.subsidy is not None:
            cap = need.subsidy.cap_cents_per_hour
            share -= subsidy_cents(share, need.subsidy.percent, cap, need.minutes, need.seats)
        for day in days_of(of, provider, need, place, length):
            days[day] = min(share, days.get(day, share))
    return sum(sorted(days.values())[: need.sessions]) if len(days) >= need.sessions else None


def test_company_lacks_as_many_seats_as_trying_all_numbers_says():
    for seed in SEEDS:
        of = instance_from_json(tiny_instance(seed))
        needs = list(of.needs.values())
        for need, company in zip(needs, companies(flatten(of), range(len(needs))), strict=True):
            weeks = {more: [week_cents(of, one, need, more) for one in covering(of, need)] for more in range(6)}
            limit = need.price_max_cents_per_hour
            hours = Fraction(need.seats * need.minutes * need.sessions, 60)
            enough = [
                more
                for more, found in weeks.items()
                if any(cents is not None and (limit is None or cents <= limit * hours) for cents in found)
            ]
            assert company.short_by == min(enough, default=None), (seed, need.id)
            cheapest = [cents for found in weeks.values() for cents in found if cents is not None]
            if company.short_by is None and cheapest and the_mode(of, need) != Mode.ROUND:
                assert company.week_cents == min(cheapest), (seed, need.id)


def the_mode(of, need):
    return of.services[need.service].mode


def test_a_need_that_lives_on_the_other_side_of_the_date_line_is_near():
    content = tiny_instance(3)
    for one in (*content["needs"], *content["providers"], *content["venues"]):
        one["lon"], one["lat"] = -180.0, 0.0
    west = instance_from_json(content)
    for one in (*content["providers"], *content["venues"]):
        one["lon"] = 179.9999
    east = instance_from_json(content)
    count = range(len(west.needs))
    assert first_reasons(flatten(west), count) == first_reasons(flatten(east), count)
