"""What a need may cost before anybody has answered: an estimate from real offers, by the one function that bills."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import median_low
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from billing.split import split_slot, subsidy_cents
from marketplace.accounts.policy import Policy, get_policy
from marketplace.db import Scope, seeing
from marketplace.hours import days_that_fit, merge
from marketplace.households.models import Household, Person
from marketplace.needs.drafts import Wish
from marketplace.needs.models import Need, NeedState, Service
from marketplace.places.models import Venue
from marketplace.providers.models import Accreditation, Offer, Provider, ProviderVenue
from marketplace.rounds.instances import current_isee, list_programmes, safe_offers
from marketplace.rounds.models import Round
from marketplace.rounds.standing import Json
from marketplace.vouchers.models import Programme
from marketplace.vouchers.ranking import entitlement
from matching.distance import distance_km
from matching.instance import Window

TYPICAL_SEATS = 3
NEAR_KM = 3.0
DEGREES_PER_KM = 1 / 78  # of longitude at 46° north, the widest that NEAR_KM can be in Italy's north


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cents of one session of the need. `shared_cents` is its share with `seats` in the group, before the voucher.

    `alone_cents`, `shared_cents`: the middle one of the cheapest that each near provider could give; `low`, `high`
    are the ends of `shared`. `in_time` is false where none of them has the hours, and all were taken.
    """

    providers: int
    in_time: bool
    alone_cents: int
    shared_cents: int
    low_cents: int
    high_cents: int
    seats: int
    subsidy_cents: int
    programme: Programme | None

    @property
    def net_cents(self) -> int:
        """What the family would pay, after the voucher."""
        return self.shared_cents - self.subsidy_cents


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Needs for the same service within NEAR_KM: those that wait, and of those that a round has seen, the served."""

    waiting: int
    served: int
    past: int


@dataclass(frozen=True, slots=True)
class _Option:
    provider_id: UUID
    in_time: bool
    alone_cents: int
    shared_cents: int
    seats: int


def estimate(
    session: Session, household: Household, person: Person, wish: Wish, on: date, isee_cents: int | None = None
) -> Estimate | None:
    """The price of one session of `wish`; None where no accredited provider near covers it.

    `isee_cents`: an ISEE that counts for this estimate alone, where the household has declared none.
    """
    policy = get_policy(session, household.municipality_id, on)
    options = list(_options(session, household, person, wish, policy, on))
    in_time = [option for option in options if option.in_time]
    best = _best_of_each(in_time or options)
    if not best:
        return None
    shared = [option.shared_cents for option in best]
    middle = median_low(shared)
    programme = find_programme(session, household, wish.service, on, isee_cents)
    return Estimate(
        providers=len(best),
        in_time=bool(in_time),
        alone_cents=median_low([option.alone_cents for option in best]),
        shared_cents=middle,
        low_cents=min(shared),
        high_cents=max(shared),
        seats=max(option.seats for option in best if option.shared_cents == middle),
        subsidy_cents=_subsidy(programme, middle, wish),
        programme=programme,
    )


def find_programme(
    session: Session, household: Household, service: Service, on: date, isee_cents: int | None = None
) -> Programme | None:
    """The voucher's programme to which the household's ISEE (else `isee_cents`) entitles it for a service."""
    isee = current_isee(session, household.municipality_id, {household.id}, on).get(household.id, isee_cents)
    return entitlement(list_programmes(session, household.municipality_id), service, isee)


def _subsidy(programme: Programme | None, share_cents: int, wish: Wish) -> int:
    if programme is None:
        return 0
    return subsidy_cents(
        share_cents, Fraction(programme.percent), programme.cap_cents_per_hour, wish.minutes, wish.seats
    )


def _best_of_each(options: Iterable[_Option]) -> list[_Option]:
    """Of each provider the option with the lowest share, and the lowest price alone of all its options."""
    mine: dict[UUID, list[_Option]] = defaultdict(list)
    for option in options:
        mine[option.provider_id].append(option)
    return [
        _Option(provider_id, True, min(one.alone_cents for one in group), cheapest.shared_cents, cheapest.seats)
        for provider_id, group in mine.items()
        for cheapest in [min(group, key=lambda one: (one.shared_cents, one.alone_cents))]
    ]


def _options(
    session: Session, household: Household, person: Person, wish: Wish, policy: Policy, on: date
) -> Iterable[_Option]:
    """Every near place, price and provider with an offer that covers the need alone (matching.md, rules 2 and 4)."""
    offers: dict[UUID, list[Json]] = defaultdict(list)
    for offer in session.exec(
        select(Offer).where(Offer.municipality_id == household.municipality_id, Offer.service == wish.service.value)
    ):
        offers[offer.provider_id] += [one for one in safe_offers(offer, policy) if _covers(one, person, wish, on)]
    accredited = session.exec(
        select(Provider).where(
            Provider.municipality_id == household.municipality_id,
            Provider.accreditation == Accreditation.ACCREDITED,
            col(Provider.id).in_([provider_id for provider_id, mine in offers.items() if mine]),
        )
    ).all()
    venues = _venues(session, household, wish)
    for provider in accredited:
        if not provider.is_accredited(on) or not set(provider.languages) & set(wish.languages):
            continue
        for venue in _places(household, provider, venues[provider.id]):
            for offer_json in offers[provider.id]:
                yield _option(provider, venue, offer_json, wish, policy)


def _covers(offer: Json, person: Person, wish: Wish, on: date) -> bool:
    age, level = person.age_at(on), person.level if wish.service == Service.TUTORING else None
    return bool(
        (wish.topic is None or wish.topic in offer["topics"])
        and (level is None or offer["level_min"] <= level <= offer["level_max"])
        and (age is None or offer["age_min"] <= age <= offer["age_max"])
        and offer["seats_max"] >= wish.seats
    )


def _venues(session: Session, household: Household, wish: Wish) -> dict[UUID, list[Venue]]:
    """By provider, the venues for the service that the family can reach; none for care that comes home."""
    found: dict[UUID, list[Venue]] = defaultdict(list)
    if wish.service == Service.HOME_CARE:
        return found
    same_venue = (col(Venue.municipality_id) == ProviderVenue.municipality_id) & (
        col(Venue.id) == ProviderVenue.venue_id
    )
    rows = session.exec(
        select(ProviderVenue.provider_id, Venue)
        .join(Venue, same_venue)
        .where(ProviderVenue.municipality_id == household.municipality_id)
    )
    for provider_id, venue in rows:
        near = distance_km(household.lat, household.lon, venue.lat, venue.lon) <= float(wish.travel_km_max) + 1e-9
        if near and wish.service.value in venue.services and venue.seats >= wish.seats:
            found[provider_id].append(venue)
    return found


def _places(household: Household, provider: Provider, venues: Sequence[Venue]) -> Iterable[Venue | None]:
    """Those venues, and the family's home (None) if the provider comes there."""
    yield from venues
    home_km = distance_km(household.lat, household.lon, provider.lat, provider.lon)
    if provider.visits_homes and home_km <= float(Decimal(provider.travel_km_max)) + 1e-9:
        yield None


def _option(provider: Provider, venue: Venue | None, offer: Json, wish: Wish, policy: Policy) -> _Option:
    limits = [TYPICAL_SEATS, offer["seats_max"], *([venue.seats] if venue else [])]
    if wish.group_max is not None:
        limits.append(wish.group_max)
    seats = max(wish.seats, min(limits))
    windows = _common(wish.windows, [provider.windows, *([venue.windows] if venue else [])])
    return _Option(
        provider_id=provider.id,
        in_time=days_that_fit(windows, wish.minutes) >= wish.sessions,
        alone_cents=_share(offer, venue, wish, wish.seats, policy),
        shared_cents=_share(offer, venue, wish, seats, policy),
        seats=seats,
    )


def _share(offer: Json, venue: Venue | None, wish: Wish, seats: int, policy: Policy) -> int:
    """The need's share of a session with `seats` in the group, each other seat a family of its own."""
    step = wish.minutes + policy.walk_minutes if wish.service == Service.HOME_CARE else 0
    others = range(1, seats - wish.seats + 1)
    presences = [(0, wish.minutes, wish.seats), *((turn * step, turn * step + wish.minutes, 1) for turn in others)]
    _, shares = split_slot(
        offer["rate_cents_per_hour"],
        offer["extra_seat_cents_per_hour"],
        venue.cost_cents_per_hour if venue else 0,
        offer["minutes_min"],
        presences,
    )
    return shares[0]


def _common(windows: Iterable[Window], others: Iterable[Sequence[dict[str, int]]]) -> tuple[Window, ...]:
    """The hours that lie in all of them."""
    left = merge(windows)
    for other in others:
        right = merge(Window(one["day"], one["start"], one["end"]) for one in other)
        left = tuple(
            Window(mine.day, max(mine.start, theirs.start), min(mine.end, theirs.end))
            for mine in left
            for theirs in right
            if mine.day == theirs.day and max(mine.start, theirs.start) < min(mine.end, theirs.end)
        )
    return left


def count_neighbours(session: Session, household: Household, service: Service) -> Neighbours:
    """How many needs like this one are near, other families' alone."""
    reach = NEAR_KM * DEGREES_PER_KM
    last_round = session.exec(
        select(func.max(Round.started_at)).where(
            Round.municipality_id == household.municipality_id, col(Round.settled_at).is_not(None)
        )
    ).one()
    with seeing(session, Scope(household.municipality_id)):
        rows = session.exec(
            select(Need.state, Need.created_at, Household.lat, Household.lon)
            .join(
                Household,
                (col(Household.municipality_id) == Need.municipality_id) & (col(Household.id) == Need.household_id),
            )
            .where(
                Need.municipality_id == household.municipality_id,
                Need.service == service,
                Need.household_id != household.id,
                col(Household.lat).between(household.lat - reach, household.lat + reach),
                col(Household.lon).between(household.lon - reach, household.lon + reach),
            )
        ).all()
    near = [
        (state, last_round is not None and created_at < last_round)
        for state, created_at, lat, lon in rows
        if distance_km(household.lat, household.lon, lat, lon) <= NEAR_KM
    ]
    served = sum(1 for state, seen in near if seen and state == NeedState.SERVED)
    return Neighbours(
        waiting=sum(1 for state, _ in near if state in (NeedState.OPEN, NeedState.PROPOSED)),
        served=served,
        past=served + sum(1 for state, seen in near if seen and state in (NeedState.OPEN, NeedState.EXPIRED)),
    )
