"""A municipality's open needs, accredited providers and venues as an instance/1; ids are the codes that the city knows.

What the matcher sees is no more than it needs: no name, no address in words, no income; `person` is an opaque id.
Slots that stand are pinned, so that nothing that was promised moves; their frozen terms come with them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Municipality
from marketplace.accounts.policy import Policy, get_policy
from marketplace.households.means_tests import counting_on, list_means_tests
from marketplace.households.models import Household
from marketplace.needs.models import Need, NeedState, Service
from marketplace.places.models import Venue
from marketplace.providers.models import Accreditation, Offer, Provider, ProviderVenue
from marketplace.rounds.pins import pin_what_holds
from marketplace.rounds.standing import (
    Json,
    Standing,
    frozen_offer,
    frozen_subsidies,
    has_same_terms,
    list_standing,
    number,
    pinned_json,
)
from marketplace.vouchers.models import Programme
from marketplace.vouchers.ranking import entitlement, list_waiting

GRID_MINUTES = 15


def build_instance(session: Session, municipality_id: str, on: date, asking: Collection[UUID] | None = None) -> Json:
    """The instance/1 (matching.md) of open needs and standing slots, with the providers accredited on the day `on`.

    `asking`: of the open needs only these (None: all); what stands is the same, and reading it takes half the time.
    A standing slot that no longer keeps the rules is not pinned: it is kept out of the others' way (rounds/pins.py).
    Rows are ordered by code, so that equal data give equal bytes. The session must see the whole municipality.
    """
    policy = get_policy(session, municipality_id, on)
    programmes = list_programmes(session, municipality_id)
    providers = _providers(session, municipality_id, on)
    standing = list_standing(session, municipality_id, {provider.id for provider in providers}, on)
    standing_needs = {member.need_id for _, members in standing for member in members}
    needs = _needs(session, municipality_id, standing_needs, asking)
    incomes = current_isee(session, municipality_id, {household.id for _, household in needs}, on)
    waiting = list_waiting(session, municipality_id)
    municipality = session.get_one(Municipality, municipality_id)
    frozen = frozen_subsidies(session, standing)
    venues = _venues(session, municipality_id)
    city = {
        "format": "instance/1",
        "name": f"{municipality.name} {on.isoformat()}",
        "grid_minutes": GRID_MINUTES,
        "policy": {
            "unserved_cents_per_hour": policy.unserved_cents_per_hour,
            "travel_cents_per_km": policy.travel_cents_per_km,
        },
        "services": service_rules(policy),
        "programmes": [
            {"id": programme.code, "weekly_budget_cents": programme.weekly_budget_cents} for programme in programmes
        ],
        "needs": [
            need_json(
                need,
                household,
                policy,
                None if need.id in waiting else entitlement(programmes, need.service, incomes.get(household.id)),
            )
            | frozen.get(need.id, {})
            for need, household in needs
        ],
        "providers": _providers_json(session, municipality_id, providers, standing, policy),
        "venues": [venue_json(venue) for venue in venues],
        "pinned": pinned_json(providers, [need for need, _ in needs], venues, standing),
    }
    return pin_what_holds(city)


def _needs(
    session: Session, municipality_id: str, standing: set[UUID], asking: Collection[UUID] | None
) -> list[tuple[Need, Household]]:
    is_asking = col(Need.state) == NeedState.OPEN
    if asking is not None:
        is_asking &= col(Need.id).in_(asking)
    same_household = (col(Household.municipality_id) == Need.municipality_id) & (col(Household.id) == Need.household_id)
    return list(
        session.exec(
            select(Need, Household)
            .join(Household, same_household)
            .where(
                Need.municipality_id == municipality_id,
                is_asking | col(Need.id).in_(standing),
            )
            .order_by(Need.code)
        )
    )


def service_rules(policy: Policy) -> Json:
    """How the members of one slot share it, by service."""
    return {
        Service.TUTORING.value: {"mode": "class", "level_gap_max": policy.level_gap_max, "same_topic": True},
        Service.BABYSITTING.value: {"mode": "presence", "age_gap_max": policy.age_gap_max},
        Service.HOME_CARE.value: {
            "mode": "round",
            "walk_km_max": number(policy.walk_km_max),
            "walk_minutes": policy.walk_minutes,
        },
    }


def need_json(need: Need, household: Household, policy: Policy, programme: Programme | None) -> Json:
    """A need as the matcher sees it."""
    priority = Decimal(need.priority) * (Decimal(policy.first_in_line_priority) if need.first_in_line else 1)
    return {
        "id": need.code,
        "person": str(need.person_id),
        "service": need.service.value,
        "seats": need.seats,
        "sessions": need.sessions,
        "minutes": need.minutes,
        "windows": need.windows,
        "lat": household.lat if need.lat is None else need.lat,
        "lon": household.lon if need.lon is None else need.lon,
        "travel_km_max": number(need.travel_km_max),
        "host_seats": need.host_seats,
        "topic": need.topic,
        "level": need.level,
        "age": need.age,
        "languages": need.languages,
        "requires": need.requires,
        "group_max": need.group_max,
        "price_max_cents_per_hour": need.price_max_cents_per_hour,
        "priority": number(str(priority)),
        "subsidy": None if programme is None else subsidy_json(programme),
        "excludes": need.excludes,
    }


def subsidy_json(programme: Programme) -> Json:
    """What a programme pays of a need's shares."""
    return {
        "programme": programme.code,
        "percent": number(programme.percent),
        "cap_cents_per_hour": programme.cap_cents_per_hour,
    }


def current_isee(session: Session, municipality_id: str, households: set[UUID], on: date) -> Mapping[UUID, int]:
    """Each household's ISEE in cents by the means test that counts on the day."""
    counting = {
        household_id: counting_on(tests, on)
        for household_id, tests in list_means_tests(session, municipality_id, households).items()
    }
    return {household_id: int(test.isee_cents) for household_id, test in counting.items() if test is not None}


def list_programmes(session: Session, municipality_id: str) -> list[Programme]:
    """The municipality's running programmes, by code."""
    return list(
        session.exec(
            select(Programme)
            .where(Programme.municipality_id == municipality_id, col(Programme.ended_at).is_(None))
            .order_by(Programme.code)
        )
    )


def _venues(session: Session, municipality_id: str) -> list[Venue]:
    return list(session.exec(select(Venue).where(Venue.municipality_id == municipality_id).order_by(Venue.code)))


def venue_json(venue: Venue) -> Json:
    """A venue as the matcher sees it."""
    return {
        "id": venue.code,
        "lat": venue.lat,
        "lon": venue.lon,
        "seats": venue.seats,
        "services": venue.services,
        "cost_cents_per_hour": venue.cost_cents_per_hour,
        "windows": venue.windows,
    }


def _providers(session: Session, municipality_id: str, on: date) -> list[Provider]:
    accredited = session.exec(
        select(Provider)
        .where(Provider.municipality_id == municipality_id, Provider.accreditation == Accreditation.ACCREDITED)
        .order_by(Provider.code)
    )
    return [provider for provider in accredited if provider.is_accredited(on)]


def _providers_json(
    session: Session, municipality_id: str, providers: list[Provider], standing: list[Standing], policy: Policy
) -> list[Json]:
    offers: dict[UUID, list[Json]] = defaultdict(list)
    for offer in session.exec(
        select(Offer).where(Offer.municipality_id == municipality_id).order_by(Offer.service, col(Offer.id))
    ):
        offers[offer.provider_id] += safe_offers(offer, policy)
    for slot, _ in standing:
        if not any(has_same_terms(slot, offer) for offer in offers[slot.provider_id]):
            offers[slot.provider_id].append(frozen_offer(slot))
    venues: dict[UUID, list[str]] = defaultdict(list)
    same_venue = (col(Venue.municipality_id) == ProviderVenue.municipality_id) & (
        col(Venue.id) == ProviderVenue.venue_id
    )
    for provider_id, code in session.exec(
        select(ProviderVenue.provider_id, Venue.code)
        .join(Venue, same_venue)
        .where(ProviderVenue.municipality_id == municipality_id)
        .order_by(Venue.code)
    ):
        venues[provider_id].append(code)
    return [provider_json(provider, offers[provider.id], venues[provider.id]) for provider in providers]


def provider_json(provider: Provider, offers: list[Json], venues: list[str]) -> Json:
    """A provider as the matcher sees it; `offers` and `venues` as they stand in the instance."""
    return {
        "id": provider.code,
        "lat": provider.lat,
        "lon": provider.lon,
        "travel_km_max": number(provider.travel_km_max),
        "languages": provider.languages,
        "qualifications": provider.qualifications,
        "minutes_max_per_week": provider.minutes_max_per_week,
        "minutes_max_per_day": provider.minutes_max_per_day,
        "gap_minutes": provider.gap_minutes,
        "venues": venues,
        "visits_homes": provider.visits_homes,
        "windows": provider.windows,
        "offers": offers,
    }


def safe_offers(offer: Offer, policy: Policy) -> list[Json]:
    """The offer, split by age so that each part keeps the seats that the safety table allows for the youngest in it.

    A step says "with anybody under this age, at most these seats": a part that admits the young is lowered for all its
    members, the part above them is not. Parts that cannot reach the offer's own `seats_min` are left out.
    """
    parts = []
    bounds = sorted({step.under_age for step in policy.safety if offer.age_min < step.under_age <= offer.age_max})
    for age_min in [offer.age_min, *bounds]:
        limits = [step.seats_max for step in policy.safety if age_min < step.under_age]
        seats_max = min([offer.seats_max, *limits])
        if seats_max >= offer.seats_min:
            parts.append(offer_json(offer, age_min, seats_max))
    return [part for index, part in enumerate(parts) if not any(_covers(other, part) for other in parts[:index])]


def _covers(wider: Json, part: Json) -> bool:
    """Whether a part with as many seats admits already everybody whom `part` admits."""
    return bool(wider["age_min"] <= part["age_min"] and wider["seats_max"] >= part["seats_max"])


def offer_json(offer: Offer, age_min: int, seats_max: int) -> Json:
    """An offer as the matcher sees it, for those of `age_min` and older."""
    return {
        "service": offer.service,
        "topics": offer.topics,
        "level_min": offer.level_min,
        "level_max": offer.level_max,
        "age_min": age_min,
        "age_max": offer.age_max,
        "seats_max": seats_max,
        "seats_min": offer.seats_min,
        "rate_cents_per_hour": offer.rate_cents_per_hour,
        "extra_seat_cents_per_hour": offer.extra_seat_cents_per_hour,
        "minutes_min": offer.minutes_min,
    }
