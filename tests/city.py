"""A small city for the tests of rounds and slots: everybody lives around one school, and is taught maths there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction

from sqlmodel import Session, select

from billing.split import split_slot, subsidy_cents
from marketplace.accounts.models import Actor, Municipality, Role
from marketplace.db import Scope, set_scope
from marketplace.households.models import Household, MeansTest, MeansTestState, Person
from marketplace.needs.models import Need, Service
from marketplace.places.models import Venue
from marketplace.providers.models import Accreditation, Offer, Provider, ProviderVenue
from marketplace.rounds.instances import build_instance
from marketplace.rounds.models import Round, RoundState
from marketplace.rounds.operations import start_round
from marketplace.rounds.proposing import propose
from marketplace.rounds.solving import packed
from marketplace.slots.calendar import local_day
from marketplace.slots.models import Membership, Proposal, Slot
from marketplace.vouchers.models import Programme
from matching.formats import canonical

CITY = "006003"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OFFICER = Actor(CITY, Role.OFFICER)
AFTERNOONS = [{"day": day, "start": 840, "end": 1200} for day in range(6)]


@dataclass
class Group:
    """A slot of a plan to be: the needs' codes in order (with their times, default the whole slot) at v1 with q1."""

    needs: Sequence[str]
    day: int = 1
    start: int = 960
    minutes: int = 90
    provider: str = "q1"
    times: dict[str, tuple[int, int]] = field(default_factory=dict)
    service: str = "tutoring"
    place: dict[str, object] = field(default_factory=lambda: {"venue": "v1"})
    unsubsidised: bool = False
    slot_id: str = ""


def found_city(session: Session) -> None:
    """A municipality with a venue and an accredited provider: 18 euros an hour, 3 more a seat; the room 2 an hour."""
    set_scope(session, Scope(CITY))
    session.add(Municipality(id=CITY, name="Alessandria", lat=44.913, lon=8.615, created_at=NOW))
    session.flush()
    session.add(
        Venue(
            municipality_id=CITY,
            code="v1",
            name="Scuola Vochieri",
            address="Piazza Vochieri 1",
            lat=44.913,
            lon=8.615,
            seats=12,
            services=["tutoring", "babysitting"],
            cost_cents_per_hour=200,
            windows=AFTERNOONS,
            created_at=NOW,
        )
    )
    session.flush()
    add_provider(session, "q1")


def add_provider(session: Session, code: str, **changes: object) -> Provider:
    """An accredited teacher at v1."""
    provider = Provider(
        municipality_id=CITY,
        code=code,
        name="Laura Neri",
        email=f"{code}@example.org",
        address="Via Roma 1",
        lat=44.914,
        lon=8.616,
        languages=["it"],
        visits_homes=True,
        windows=AFTERNOONS,
        accreditation=Accreditation.ACCREDITED,
        certificate_expires=date(2027, 12, 31),
        created_at=NOW,
    )
    session.add(provider)
    session.flush()
    venue = session.exec(select(Venue).where(Venue.code == "v1")).one()
    session.add(ProviderVenue(municipality_id=CITY, provider_id=provider.id, venue_id=venue.id))
    terms: dict[str, object] = {
        "service": "tutoring",
        "topics": ["maths"],
        "seats_max": 5,
        "rate_cents_per_hour": 1800,
        "extra_seat_cents_per_hour": 300,
    }
    session.add(Offer(municipality_id=CITY, provider_id=provider.id, **{**terms, **changes}))
    session.flush()
    return provider


def add_need(session: Session, code: str, isee_cents: int | None = None, **changes: object) -> Need:
    """A family (one a need) with a pupil who needs maths; `isee_cents` is its verified means test."""
    household = Household(
        municipality_id=CITY,
        family_name=f"Famiglia {code}",
        given_name="Anna",
        email=f"{code}@example.org",
        address=f"Via Milano {code}",
        lat=44.9131,
        lon=8.6151,
        created_at=NOW,
    )
    session.add(household)
    session.flush()
    person = Person(
        municipality_id=CITY,
        household_id=household.id,
        name=f"Figlio{code} Secondo",
        age=14,
        age_on=date(2026, 9, 1),
        level=9,
        created_at=NOW,
    )
    session.add(person)
    if isee_cents is not None:
        session.add(
            MeansTest(
                municipality_id=CITY,
                household_id=household.id,
                isee_cents=str(isee_cents),
                state=MeansTestState.VERIFIED,
                valid_until=date(2026, 12, 31),
                created_at=NOW,
            )
        )
    session.flush()
    values: dict[str, object] = {
        "service": Service.TUTORING,
        "minutes": 90,
        "windows": AFTERNOONS,
        "topic": "maths",
        "level": 9,
        "age": 14,
        "languages": ["it"],
        "created_at": NOW,
    }
    need = Need(
        municipality_id=CITY,
        code=code,
        household_id=household.id,
        person_id=person.id,
        **{**values, **changes},
    )
    session.add(need)
    session.flush()
    return need


def add_programme(session: Session, weekly_budget_cents: int, percent: str = "50") -> Programme:
    """A programme for tutoring, for an ISEE of up to 20,000 euros."""
    programme = Programme(
        municipality_id=CITY,
        code="p1",
        name="Ripetizioni insieme",
        service="tutoring",
        weekly_budget_cents=weekly_budget_cents,
        isee_max_cents=2_000_000,
        percent=percent,
        created_at=NOW,
    )
    session.add(programme)
    session.flush()
    return programme


def solved(session: Session, groups: Sequence[Group], now: datetime = NOW) -> Round:
    """A round as the solver leaves it, with a plan of these groups (nobody checks that it is the best)."""
    found = start_round(session, OFFICER, now)
    instance = canonical(build_instance(session, CITY, local_day(now)))
    plan = canonical(_plan(session, instance, groups))
    found.instance_gz, found.instance_sha256 = packed(instance), hashlib.sha256(instance).hexdigest()
    found.plan_gz, found.plan_sha256 = packed(plan), hashlib.sha256(plan).hexdigest()
    found.state, found.solved_at = RoundState.SOLVED, now
    session.flush()
    return found


def proposed(session: Session, groups: Sequence[Group], now: datetime = NOW) -> Round:
    """A round whose proposals are out."""
    return propose(session, OFFICER, now, solved(session, groups, now).id)


def _plan(session: Session, instance: bytes, groups: Sequence[Group]) -> dict[str, object]:
    import json

    city = json.loads(instance)
    needs = {need["id"]: need for need in city["needs"]}
    providers = {one["id"]: one for one in city["providers"]}
    slots = []
    for index, group in enumerate(groups):
        offer = next(one for one in providers[group.provider]["offers"] if one["service"] == group.service)
        venue = 200 if "venue" in group.place else 0
        times = {code: group.times.get(code, (group.start, group.start + group.minutes)) for code in group.needs}
        cost, shares = split_slot(
            offer["rate_cents_per_hour"],
            offer["extra_seat_cents_per_hour"],
            venue,
            offer["minutes_min"],
            [(*times[code], needs[code]["seats"]) for code in group.needs],
        )
        slots.append(
            {
                "id": group.slot_id or f"s{index}",
                "provider": group.provider,
                "service": group.service,
                "place": group.place,
                "day": group.day,
                "start": min(start for start, _ in times.values()),
                "end": max(end for _, end in times.values()),
                "cost_cents": cost,
                "members": [
                    {
                        "need": code,
                        "start": times[code][0],
                        "end": times[code][1],
                        "share_cents": share,
                        "subsidy_cents": 0 if group.unsubsidised else _subsidy(needs[code], share),
                    }
                    for code, share in zip(group.needs, shares, strict=True)
                ],
            }
        )
    return {
        "format": "plan/1",
        "instance": hashlib.sha256(instance).hexdigest(),
        "status": "FEASIBLE",
        "slots": slots,
        "unserved": [],
        "objective_cents": 0,
        "bound_cents": None,
        "gap": None,
        "seconds": 0.0,
        "seed": 0,
    }


def _subsidy(need: dict[str, object], share: int) -> int:
    subsidy = need["subsidy"]
    if subsidy is None:
        return 0
    percent, cap = Fraction(str(subsidy["percent"])), subsidy["cap_cents_per_hour"]
    return subsidy_cents(share, percent, cap, need["minutes"], need["seats"])


def family_of(proposal: Proposal) -> Actor:
    """The family that has this proposal."""
    return Actor(CITY, Role.FAMILY, household_id=proposal.household_id)


def provider_of(slot: Slot) -> Actor:
    """The provider of this slot."""
    return Actor(CITY, Role.PROVIDER, provider_id=slot.provider_id)


def proposal_of(session: Session, code: str) -> Proposal:
    """The newest proposal of a need."""
    need = session.exec(select(Need).where(Need.code == code)).one()
    return session.exec(
        select(Proposal).where(Proposal.need_id == need.id).order_by(Proposal.created_at.desc())
    ).first()


def the_slot(session: Session) -> Slot:
    """The only slot."""
    return session.exec(select(Slot)).one()


def membership_of(session: Session, code: str) -> Membership:
    """The only membership of a need."""
    need = session.exec(select(Need).where(Need.code == code)).one()
    return session.exec(select(Membership).where(Membership.need_id == need.id)).one()
