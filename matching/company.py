"""What a need would pay in the company of more seats like its own, all else empty: how many it lacks, how dear it is.

The seats are one-seat members with the need's own address, windows and wishes. In `class` and `presence` they come with
it; in a `round` each is visited after it. Every rule that holds within a slot is kept, but the need's own price limit.
"""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from billing.split import Presence, exact_cost, subsidy_cents
from matching.alone import Alone
from matching.distance import is_within
from matching.instance import (
    Instance,
    Mode,
    Need,
    Place,
    PlaceAtHomes,
    PlaceAtHost,
    PlaceAtVenue,
    Provider,
    Window,
)
from matching.offers import offer_suits, quote

SEATS_TRIED = 30
"""More seats than this in one group are not looked for."""
MINUTES_PER_HOUR = 60


@dataclass(frozen=True)
class Company:
    """`short_by` seats make the need servable; if no number does (None), `price_cents_per_hour` is the least asked."""

    short_by: int | None
    price_cents_per_hour: int


class Companies:
    """An instance, indexed for asking what more seats would change for one need."""

    def __init__(self, instance: Instance, alone: Alone) -> None:
        self._instance = instance
        self._alone = alone

    def of(self, need: Need) -> Company:
        """How many more seats like its own the need lacks for a week that it can pay, or the price of the cheapest."""
        cheapest: int | None = None
        short_by: int | None = None
        for name, places in self.places(need).items():
            provider = self._instance.providers[name]
            for more in range(self._most(provider, need) if short_by is None else short_by):
                week = self._week_cents(provider, need, places, more)
                if week is None:
                    continue
                cheapest = week if cheapest is None else min(cheapest, week)
                if is_affordable(need, week):
                    short_by = more
                    break
            if short_by == 0:
                break
        if cheapest is None:  # no group of any size keeps the rules: at least what an offer asks for it alone
            cheapest = self._alone_cents(need)
        return Company(short_by, price_per_hour(need, cheapest))

    def _most(self, provider: Provider, need: Need) -> int:
        """More seats than so many are no use with this provider."""
        if self._instance.services[need.service].mode == Mode.ROUND:
            return SEATS_TRIED
        seats_max = max((offer.seats_max for offer in provider.offers if offer_suits(offer, need)), default=0)
        return min(SEATS_TRIED, max(0, seats_max - need.seats + 1))

    def _alone_cents(self, need: Need) -> int:
        """What the need would pay for a week alone by its cheapest offer, were it not too large or too small for it."""
        costs = [
            exact_cost(offer.rate_cents_per_hour, offer.extra_seat_cents_per_hour, 0, offer.minutes_min, [presence])
            for provider in self._instance.providers.values()
            if self._alone.covers(provider, need)
            for offer in provider.offers
            if offer_suits(offer, need)
            for presence in [(0, need.minutes, need.seats)]
        ]
        return need.sessions * min((self._net(need, round(cost)) for cost in costs), default=0)

    def places(self, need: Need) -> dict[str, list[Place]]:
        """By provider that covers the need: where they can meet."""
        found: dict[str, list[Place]] = defaultdict(list)
        is_round = self._instance.services[need.service].mode == Mode.ROUND
        for provider, at_home, venues in self._alone.places(need):
            if not self._alone.covers(provider, need):
                continue
            own = found[provider.id]  # none, where they could only meet at another's home
            if at_home and is_within(provider, need, float(provider.travel_km_max)):
                own.append(PlaceAtHomes() if is_round else PlaceAtHost(need.id))
            own.extend(PlaceAtVenue(venue.id) for venue in venues)
        return found

    def _week_cents(self, provider: Provider, need: Need, places: list[Place], more: int) -> int | None:
        """What the need pays, net of its full subsidy, for its cheapest week with so many more seats; None if none."""
        days: dict[int, int] = {}
        length = self._length(need, more)
        if length > provider.minutes_max_per_day or need.sessions * length > provider.minutes_max_per_week:
            return None
        for place in places:
            windows = self.windows(provider, need, place, length)
            net = self.net_cents(provider, need, place, more) if windows else None
            if net is not None:
                for window in windows:
                    days[window.day] = min(net, days.get(window.day, net))
        if len(days) < need.sessions:
            return None
        return sum(sorted(days.values())[: need.sessions])

    def windows(self, provider: Provider, need: Need, place: Place, minutes: int) -> tuple[Window, ...]:
        """When the need, the provider and the venue are all free for so long."""
        shared = common_windows(need.windows, provider.windows, minutes)
        if isinstance(place, PlaceAtVenue):
            shared = common_windows(shared, self._instance.venues[place.venue].windows, minutes)
        return shared

    def _length(self, need: Need, more: int) -> int:
        """The minutes of a slot with the need and so many more seats."""
        service = self._instance.services[need.service]
        if service.mode != Mode.ROUND:
            return need.minutes
        return need.minutes + more * (need.minutes + (service.walk_minutes or 0))

    def net_cents(self, provider: Provider, need: Need, place: Place, more: int) -> int | None:
        """What the need pays for one session with so many more seats; None where the group is too large or small."""
        offers = [offer for offer in provider.offers if offer_suits(offer, need)]
        service = self._instance.services[need.service]
        presences: list[Presence] = [(0, need.minutes, need.seats)]
        seats = need.seats + more
        if service.mode == Mode.ROUND:
            step = need.minutes + (service.walk_minutes or 0)
            presences += [(step * index, step * index + need.minutes, 1) for index in range(1, more + 1)]
            seats = need.seats
        else:
            presences += [(0, need.minutes, 1)] * more
        if need.group_max is not None and seats > need.group_max:
            return None
        if isinstance(place, PlaceAtVenue) and seats > self._instance.venues[place.venue].seats:
            return None
        if isinstance(place, PlaceAtHost) and more and seats > need.host_seats:
            return None
        price = quote(self._instance, offers, place, presences)
        if price is None:
            return None
        return self._net(need, price.shares_cents[0])

    def _net(self, need: Need, share: int) -> int:
        """What is left of one share after its full subsidy."""
        subsidy = need.subsidy
        if subsidy is None:
            return share
        return share - subsidy_cents(share, subsidy.percent, subsidy.cap_cents_per_hour, need.minutes, need.seats)


def is_affordable(need: Need, week_cents: int) -> bool:
    """Whether a whole week at this price is within the need's limit (rule 11)."""
    limit = need.price_max_cents_per_hour
    return limit is None or MINUTES_PER_HOUR * week_cents <= limit * need.seats * need.minutes * need.sessions


def price_per_hour(need: Need, week_cents: int) -> int:
    """The least limit, in whole cents a seat and hour, with which the need could pay the week."""
    return ceil(Fraction(MINUTES_PER_HOUR * week_cents, need.seats * need.minutes * need.sessions))


def common_windows(some: tuple[Window, ...], others: tuple[Window, ...], minutes: int) -> tuple[Window, ...]:
    """What windows have in common with others, where it is at least so long."""
    found = []
    for one in some:
        for other in others:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if one.day == other.day and end - start >= minutes:
                found.append(Window(one.day, start, end))
    return tuple(found)
