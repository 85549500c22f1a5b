"""The demo's families and providers: ages as frequent as in the real city, hours and prices that people ask for."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from stdnum import luhn

from marketplace.demo.geography import House, Quarter
from marketplace.demo.names import FAMILY, GIVEN, make_tax_code
from marketplace.documents.models import WITH_VAT_NUMBER, TaxProfile, TaxRegime
from marketplace.households.models import Household, MeansTest, MeansTestState, Person
from marketplace.needs.models import Need, Service
from marketplace.places.models import Venue
from marketplace.providers.models import Accreditation, AccreditationDecision, Offer, Provider, ProviderVenue
from marketplace.sealed import keyring

TOPICS = ("maths", "maths", "maths", "english", "english", "italian", "physics", "latin", "chemistry")
Rows = list[Any]


def hours(days: Sequence[int], start: int, end: int) -> list[dict[str, int]]:
    """The same hours on several days; `start` and `end` in full hours or halves."""
    return [{"day": day, "start": int(start), "end": int(end)} for day in days]


def make_family(rng: random.Random, home: House, city: str, cadastral: str, now: datetime) -> Household:
    """A household at an address of the register."""
    tax_code = make_tax_code(rng, cadastral)
    family, given = rng.choice(FAMILY), rng.choice(GIVEN)
    return Household(
        municipality_id=city,
        family_name=family,
        given_name=given,
        tax_code=tax_code,
        tax_code_index=keyring.index(tax_code),
        email=f"{tax_code.lower()}@famiglie.invalid",
        phone=f"3{rng.randint(20, 99)}{rng.randint(1_000_000, 9_999_999)}",
        address=home.address,
        lat=home.lat,
        lon=home.lon,
        created_at=now,
    )


def make_means_test(rng: random.Random, household: Household, now: datetime) -> MeansTest | None:
    """Seven families in ten have declared an ISEE; most of those an officer has seen."""
    if rng.random() > 0.7:
        return None
    isee = round(rng.lognormvariate(9.75, 0.55)) * 100
    state = MeansTestState.VERIFIED if rng.random() < 0.8 else MeansTestState.DECLARED
    return MeansTest(
        municipality_id=household.municipality_id,
        household_id=household.id,
        isee_cents=str(isee),
        state=state,
        valid_until=date(now.year, 12, 31),
        created_at=now,
    )


def draw_age(rng: random.Random, population: Mapping[int, int], youngest: int, oldest: int) -> int:
    """An age between two, as frequent as in the city's population."""
    ages = range(youngest, oldest + 1)
    return rng.choices(ages, weights=[population.get(age, 1) for age in ages])[0]


def make_need(
    rng: random.Random, code: str, household: Household, population: Mapping[int, int], now: datetime
) -> tuple[Person, Need]:
    """One person's need: pupils after school, small children in the afternoon, elders in the morning."""
    service = rng.choices(list(Service), weights=[58, 22, 20])[0]
    make = {Service.TUTORING: _tutoring, Service.BABYSITTING: _babysitting, Service.HOME_CARE: _home_care}[service]
    wish = make(rng, population)
    person = Person(
        municipality_id=household.municipality_id,
        household_id=household.id,
        name=rng.choice(GIVEN),
        age=wish["age"],
        age_on=now.date(),
        level=wish.get("level"),
        languages=["it"],
        created_at=now,
    )
    need = Need(
        municipality_id=household.municipality_id,
        code=code,
        household_id=household.id,
        person_id=person.id,
        service=service,
        languages=["it"],
        created_at=now,
        **wish,
    )
    return person, need


def _tutoring(rng: random.Random, population: Mapping[int, int]) -> dict[str, Any]:
    age = draw_age(rng, population, 8, 18)
    sessions = rng.choice((1, 1, 2))
    days = sorted(rng.sample(range(5), rng.randint(sessions + 1, 4)))
    start = 60 * rng.choice((14, 15, 16, 17))
    return {
        "age": age,
        "level": min(13, max(1, age - 5)),
        "topic": rng.choice(TOPICS),
        "sessions": sessions,
        "minutes": rng.choice((60, 90, 90, 120)),
        "windows": hours(days, start, start + 60 * rng.choice((2, 3))),
        "travel_km_max": rng.choice(("1", "1.5", "2")),
        "group_max": rng.choice((2, 3, 3, 4)),
        "price_max_cents_per_hour": rng.choice((700, 800, 1000, 1200, None)),
        "host_seats": rng.choice((0, 0, 0, 0, 0, 0, 3)),
    }


def _babysitting(rng: random.Random, population: Mapping[int, int]) -> dict[str, Any]:
    sessions = rng.choice((1, 2, 2, 3))
    days = sorted(rng.sample(range(5), rng.randint(sessions, 5)))
    seats = rng.choice((1, 1, 1, 2))
    minutes = rng.choice((120, 150, 180))
    start = 60 * rng.choice((13, 14, 15, 16))
    return {
        "age": draw_age(rng, population, 1, 10),
        "seats": seats,
        "sessions": sessions,
        "minutes": minutes,
        "windows": hours(days, start, start + minutes + rng.choice((0, 0, 30, 60))),
        "travel_km_max": rng.choice(("0.5", "1", "1", "1.5")),
        "group_max": rng.choice((2, 2, 3, 4)),
        "price_max_cents_per_hour": rng.choice((500, 600, 700, 900, 1100)),
        "host_seats": rng.choice((0, 0, 0, 3)),
    }


def _home_care(rng: random.Random, population: Mapping[int, int]) -> dict[str, Any]:
    sessions = rng.choice((2, 3, 3, 5))
    days = sorted(rng.sample(range(6), min(6, sessions + rng.randint(0, 2))))
    minutes = rng.choice((45, 60, 60, 90))
    start = 60 * rng.choice((7, 8, 9, 10))
    return {
        "age": draw_age(rng, population, 74, 98),
        "sessions": sessions,
        "minutes": minutes,
        "windows": hours(days, start, start + minutes + rng.choice((15, 30, 60))),
        "travel_km_max": "0",
        "price_max_cents_per_hour": rng.choice((None, 1600, 1900, 2200)),
    }


def make_provider(
    rng: random.Random, code: str, place: House, city: tuple[str, str], venues: Sequence[Venue], now: datetime
) -> Rows:
    """A provider with one offer, weekly hours and some venues; `city` is (ISTAT code, cadastral code)."""
    municipality_id, cadastral = city
    service = rng.choices(list(Service), weights=[50, 30, 20])[0]
    tax_code = make_tax_code(rng, cadastral)
    expires = date(now.year + 1, rng.randint(1, 6), rng.randint(1, 28))
    accredited = rng.random() < 0.95
    state = Accreditation.ACCREDITED if accredited else Accreditation.APPLIED
    morning = service == Service.HOME_CARE
    days = sorted(rng.sample(range(6 if morning else 5), rng.randint(3, 5)))
    provider = Provider(
        municipality_id=municipality_id,
        code=code,
        name=f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}",
        tax_code=tax_code,
        tax_code_index=keyring.index(tax_code),
        email=f"{tax_code.lower()}@professionisti.invalid",
        phone=f"3{rng.randint(20, 99)}{rng.randint(1_000_000, 9_999_999)}",
        address=place.address,
        lat=place.lat,
        lon=place.lon,
        travel_km_max=rng.choice(("5", "8", "10")),
        languages=rng.choice((["it"], ["it"], ["it", "en"], ["it", "ar"])),
        minutes_max_per_week=60 * rng.choice((15, 20, 30)),
        visits_homes=morning or rng.random() < 0.5,
        windows=hours(
            days, *((7 * 60, 13 * 60) if morning else (60 * rng.choice((13, 14, 15)), 60 * rng.choice((19, 20))))
        ),
        accreditation=state,
        certificate_expires=expires if accredited else None,
        created_at=now,
    )
    decision = AccreditationDecision(municipality_id=municipality_id, provider_id=provider.id, state=state, at=now)
    offer = Offer(municipality_id=municipality_id, provider_id=provider.id, service=service, **_terms(rng, service))
    fitting = [venue for venue in venues if service in venue.services]
    links = [
        ProviderVenue(municipality_id=municipality_id, provider_id=provider.id, venue_id=venue.id)
        for venue in rng.sample(fitting, min(len(fitting), rng.randint(2, 4)))
    ]
    return [provider, decision, offer, *links, _tax_profile(provider, service)]


def _tax_profile(provider: Provider, service: Service) -> TaxProfile:
    """How a made-up provider stands with tax: teachers are exempt, carers flat, sitters have no VAT number."""
    number = int(provider.code.lstrip("Q"))
    regime = {Service.TUTORING: TaxRegime.EXEMPT, Service.HOME_CARE: TaxRegime.FLAT}.get(service, TaxRegime.OCCASIONAL)
    if regime is TaxRegime.OCCASIONAL and number % 3 == 0:
        regime = TaxRegime.LIBRETTO
    return TaxProfile(
        municipality_id=provider.municipality_id,
        provider_id=provider.id,
        regime=regime,
        vat_number=vat_number(number) if regime in WITH_VAT_NUMBER else None,
        legal_name=provider.name,
        street=provider.address[:60],
        postal_code="42121",
        town="Reggio Emilia",
        province="RE",
        created_at=provider.created_at,
    )


def vat_number(number: int) -> str:
    """A made-up VAT number that checks; its office is none of Italy's."""
    digits = f"{9_000_000 + number:07d}999"
    return digits + str(luhn.calc_check_digit(digits))


def _terms(rng: random.Random, service: Service) -> dict[str, Any]:
    if service == Service.TUTORING:
        low = rng.choice((1, 4, 6))
        return {
            "topics": sorted(set(rng.sample(TOPICS, 4))),
            "level_min": low,
            "level_max": rng.choice((8, 11, 13)) if low < 6 else 13,
            "seats_max": rng.choice((4, 5, 6)),
            "rate_cents_per_hour": rng.choice((1600, 1730, 1800, 2000)),
            "extra_seat_cents_per_hour": rng.choice((200, 250, 300)),
        }
    if service == Service.BABYSITTING:
        return {
            "age_max": 12,
            "seats_max": rng.choice((3, 4)),
            "rate_cents_per_hour": rng.choice((1200, 1300, 1464, 1600)),
            "extra_seat_cents_per_hour": rng.choice((100, 150, 200)),
            "minutes_min": 120,
        }
    return {
        "age_min": 60,
        "seats_max": 1,
        "rate_cents_per_hour": rng.choice((1650, 1900, 2100, 2250)),
        "minutes_min": rng.choice((90, 120)),
    }


def choose_house(rng: random.Random, quarters: Sequence[Quarter]) -> House:
    """Somebody's home: in the centre more often than elsewhere."""
    weights = [3, *([2] * (len(quarters) - 1))]
    return rng.choice(rng.choices(quarters, weights=weights)[0].houses)
