"""A synthetic Reggio Emilia: a real outline and real numbers by age, invented people; the same seed, the same city."""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from marketplace.accounts.models import Municipality, PolicyVersion, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, set_scope
from marketplace.demo.geography import Quarter, make_quarters
from marketplace.demo.people import (
    choose_house,
    hours,
    make_family,
    make_means_test,
    make_need,
    make_provider,
    vat_number,
)
from marketplace.households.models import Household
from marketplace.places.atlas import City, find_city, population_by_age
from marketplace.places.models import Address, CalendarEntry, CalendarKind, Venue
from marketplace.places.register import fold_street
from marketplace.providers.models import Provider
from marketplace.vouchers.models import Programme

REGGIO_EMILIA = "035033"
FAMILIES, PROVIDERS = 600, 90
VENUES = (
    ("Biblioteca Santa Croce", 14, ("tutoring",), 0),
    ("Biblioteca Ospizio", 12, ("tutoring",), 0),
    ("Scuola primaria Ariosto", 20, ("tutoring", "babysitting"), 200),
    ("Scuola media Spallanzani", 20, ("tutoring",), 200),
    ("Liceo Ariosto", 24, ("tutoring",), 300),
    ("Centro sociale Orologio", 16, ("tutoring", "babysitting"), 150),
    ("Centro sociale Rosta Nuova", 16, ("tutoring", "babysitting"), 150),
    ("Ludoteca Buco Magico", 12, ("babysitting",), 100),
    ("Oratorio San Pellegrino", 18, ("tutoring", "babysitting"), 100),
    ("Casa di quartiere Foscato", 10, ("tutoring", "babysitting"), 0),
    ("Spazio famiglie Canalina", 10, ("babysitting",), 0),
    ("Circolo Gardenia", 14, ("tutoring", "babysitting"), 120),
)
PROGRAMMES = (
    ("P1", "Buono studio", "tutoring", 120_000, 1_500_000, "60", 700),
    ("P2", "Buono studio, seconda fascia", "tutoring", 60_000, 2_600_000, "30", 400),
    ("P3", "Buono infanzia", "babysitting", 150_000, 2_600_000, "40", 500),
    ("P4", "Buono assistenza", "home_care", 180_000, 3_000_000, "50", 900),
)
PEOPLE = ((Role.OFFICER, "Ufficio servizi"), (Role.OPERATOR, "Sportello"), (Role.ADMINISTRATOR, "Amministrazione"))
DOMAIN = "demo.invalid"


def find_demo(session: Session) -> Municipality | None:
    """The demo's municipality, if it was made."""
    return session.exec(select(Municipality).where(col(Municipality.is_demo).is_(True))).first()


def make_city(session: Session, now: datetime, seed: int = 7, families: int = FAMILIES) -> Municipality:
    """Write the whole city in the session's transaction; nothing of it is real but the outline and the ages."""
    rng = random.Random(seed)  # noqa: S311 - a city, not a secret
    known = find_city(REGGIO_EMILIA)
    assert known is not None
    municipality = _municipality(session, known, now)
    quarters = make_quarters(rng, known.outline, known.lat, known.lon)
    session.add_all(_register(quarters))
    venues = _venues(rng, quarters, now)
    session.add_all(venues)
    session.add_all(_programmes(now))
    session.add_all(_calendar(now.date()))
    session.flush()
    _add_providers(session, rng, known, quarters, venues, now)
    _add_families(session, rng, known, quarters, now, range(families))
    for role, name in PEOPLE:
        user = add_user(session, now, f"{role.value}@{DOMAIN}", name)
        appoint(session, now, user.id, REGGIO_EMILIA, role)
    session.flush()
    return municipality


def add_families(session: Session, now: datetime, which: range, seed: int = 7) -> None:
    """More families with their needs, numbered `which`, for a city that `make_city` made with the same seed."""
    known = find_city(REGGIO_EMILIA)
    assert known is not None
    quarters = make_quarters(random.Random(seed), known.outline, known.lat, known.lon)  # noqa: S311
    rng = random.Random(f"{seed} {which}")  # noqa: S311 - a city, not a secret
    _add_families(session, rng, known, quarters, now, which)


def _municipality(session: Session, city: City, now: datetime) -> Municipality:
    municipality = Municipality(
        id=city.istat,
        name=city.name,
        cadastral_code=city.cadastral_code,
        lat=city.lat,
        lon=city.lon,
        outline=city.outline,
        is_demo=True,
        created_at=now,
    )
    session.add(municipality)
    session.flush()
    set_scope(session, Scope(city.istat))
    settings = {"phone": "0522 000 000", "email": f"servizi@{DOMAIN}", "walk_km_max": "0.25"}
    settings |= {"pagopa_creditor": vat_number(0), "postal_code": "42121"}
    session.add(
        PolicyVersion(
            municipality_id=city.istat, valid_from=date(now.year - 1, 1, 1), settings=settings, created_at=now
        )
    )
    return municipality


def _register(quarters: Sequence[Quarter]) -> list[Address]:
    return [
        Address(
            municipality_id=REGGIO_EMILIA,
            street=house.street,
            number=str(house.number),
            street_key=fold_street(house.street),
            number_key=str(house.number),
            lat=house.lat,
            lon=house.lon,
        )
        for quarter in quarters
        for house in quarter.houses
    ]


def _venues(rng: random.Random, quarters: Sequence[Quarter], now: datetime) -> list[Venue]:
    venues = []
    for index, (name, seats, services, cost) in enumerate(VENUES):
        house = rng.choice(quarters[index % len(quarters)].houses)
        venues.append(
            Venue(
                municipality_id=REGGIO_EMILIA,
                code=f"S{index + 1}",
                name=name,
                address=house.address,
                lat=house.lat,
                lon=house.lon,
                seats=seats,
                services=list(services),
                cost_cents_per_hour=cost,
                windows=[*hours(range(5), 13 * 60, 20 * 60), *hours([5], 9 * 60, 13 * 60)],
                created_at=now,
            )
        )
    return venues


def _programmes(now: datetime) -> list[Programme]:
    return [
        Programme(
            municipality_id=REGGIO_EMILIA,
            code=code,
            name=name,
            service=service,
            weekly_budget_cents=budget,
            isee_max_cents=isee_max,
            percent=percent,
            cap_cents_per_hour=cap,
            created_at=now,
        )
        for code, name, service, budget, isee_max, percent, cap in PROGRAMMES
    ]


def school_year(on: date) -> tuple[date, date]:
    """First and last day of the term that runs on a day, or else of the next one."""
    start = on.year if on >= date(on.year, 6, 7) else on.year - 1
    return date(start, 9, 15), date(start + 1, 6, 6)


def _calendar(on: date) -> list[CalendarEntry]:
    first, last = school_year(on)
    spring = date(last.year, 3, 25)
    entries = (
        (CalendarKind.TERM, f"Anno scolastico {first.year}/{last.year}", first, last),
        (CalendarKind.CLOSURE, "Vacanze di Natale", date(first.year, 12, 23), date(last.year, 1, 6)),
        (CalendarKind.CLOSURE, "Vacanze di primavera", spring, spring + timedelta(days=5)),
    )
    return [
        CalendarEntry(municipality_id=REGGIO_EMILIA, kind=kind, name=name, first=start, last=end)
        for kind, name, start, end in entries
    ]


def _add_providers(
    session: Session,
    rng: random.Random,
    city: City,
    quarters: Sequence[Quarter],
    venues: Sequence[Venue],
    now: datetime,
) -> None:
    rows: list[Any] = []
    for index in range(PROVIDERS):
        house = choose_house(rng, quarters)
        rows += make_provider(rng, f"Q{index + 1}", house, (city.istat, city.cadastral_code), venues, now)
    session.add_all([row for row in rows if isinstance(row, Provider)])
    session.flush()
    session.add_all([row for row in rows if not isinstance(row, Provider)])
    session.flush()


def _add_families(
    session: Session, rng: random.Random, city: City, quarters: Sequence[Quarter], now: datetime, which: range
) -> None:
    population = population_by_age(city.istat)
    households: list[Household] = []
    others: list[Any] = []
    needs: list[Any] = []
    for index in which:
        home = choose_house(rng, quarters)
        household = make_family(rng, home, city.istat, city.cadastral_code, now)
        households.append(household)
        test = make_means_test(rng, household, now)
        person, need = make_need(rng, f"B{index + 1}", household, population, now)
        others += [row for row in (test, person) if row is not None]
        needs.append(need)
    for rows in (households, others, needs):
        session.add_all(rows)
        session.flush()
