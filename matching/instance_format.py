"""An instance's JSON object becomes an `Instance` that keeps every promise of its types, or a list of faults."""

from collections.abc import Container, Mapping
from dataclasses import replace
from fractions import Fraction

from matching.fields import LIMIT, Fields, InstanceFaults, by_id, shown
from matching.instance import (
    Fairness,
    Instance,
    Mode,
    Need,
    Offer,
    PinnedMember,
    PinnedSlot,
    PlaceAtHost,
    PlaceAtVenue,
    Policy,
    Programme,
    Provider,
    Service,
    Subsidy,
    Venue,
    Window,
)
from matching.objective import unserved_cost
from matching.plan_format import read_slot

MINUTES_A_DAY = 1440
FAIR_BY = ("service", "district", "subsidy")
"""What fairness may group needs by."""
RATE_MAX = 10**6
"""No hour costs more cents, so that a slot's cost stays within 32 bits."""
SEATS_MAX = 1000
"""No need brings more people."""
BUDGET_MAX = 10**15
OBJECTIVE_MAX = 10**12
"""What serving nobody may cost, in cents: far beyond any city, and within 64 bits when weighed in parts of a cent."""


def build_instance(content: object, digest: str) -> Instance:
    """The instance in a parsed JSON object; raises `InstanceFaults` with every fault of the form."""
    if not isinstance(content, dict):
        raise InstanceFaults(["the file must hold an object"])
    faults: list[str] = []
    fields = Fields(content, "", faults)
    fields.one_of("format", ("instance/1",))
    grid = fields.whole("grid_minutes", low=1, high=MINUTES_A_DAY)
    policy = fields.object("policy")
    services = {name: _service(service, grid) for name, service in fields.object("services").items()}
    venues = by_id(fields.objects("venues"), lambda item: _venue(item, grid, services))
    providers = by_id(fields.objects("providers"), lambda item: _provider(item, grid, services, venues))
    instance = Instance(
        name=fields.text("name"),
        grid_minutes=grid,
        policy=_policy(policy),
        services=services,
        programmes=by_id(fields.objects("programmes"), _programme),
        needs=by_id(fields.objects("needs"), lambda item: read_need(item, grid, services)),
        providers=providers,
        venues=venues,
        pinned=(),
        digest=digest,
    )
    pinned = tuple(by_id(fields.objects("pinned"), lambda item: _pinned_slot(item, instance)).values())
    if not faults:
        unserved = sum((unserved_cost(instance, need) for need in instance.needs.values()), Fraction(0))
        if unserved > OBJECTIVE_MAX:
            faults.append(f"needs: serving nobody would cost more than {OBJECTIVE_MAX} cents")
    if faults:
        raise InstanceFaults(faults)
    return replace(instance, pinned=pinned)


def _policy(fields: Fields) -> Policy:
    fairness = None
    if fields.has("fairness"):
        asked = fields.object("fairness")
        by = asked.texts("by")
        if not by and asked.is_sound("by"):
            asked.fault("by", "must not be empty")
        for name in by:
            if name not in FAIR_BY:
                asked.fault("by", f"must be {' or '.join(FAIR_BY)}, not {shown(name)}")
        fairness = Fairness(by, asked.decimal("served_part_min", high=1))
    return Policy(
        fields.whole("unserved_cents_per_hour"),
        fields.whole("travel_cents_per_km"),
        fields.whole("waiting_percent_per_week", high=1000) if fields.has("waiting_percent_per_week") else 0,
        fairness,
    )


def _windows(fields: Fields, grid: int) -> tuple[Window, ...]:
    windows = []
    for item in fields.objects("windows"):
        window = Window(
            item.whole("day", high=6),
            item.whole("start", high=MINUTES_A_DAY, step=grid),
            item.whole("end", high=MINUTES_A_DAY, step=grid),
        )
        if item.is_sound("start", "end") and window.start >= window.end:
            item.fault("end", "must be after start, on the same day")
        windows.append(window)
    return tuple(windows)


def _service(fields: Fields, grid: int) -> Service:
    mode = fields.one_of("mode", tuple(Mode))
    is_round = mode == Mode.ROUND
    return Service(
        mode=Mode(mode) if mode in tuple(Mode) else Mode.CLASS,
        level_gap_max=fields.whole("level_gap_max") if fields.has("level_gap_max") else None,
        age_gap_max=fields.whole("age_gap_max") if fields.has("age_gap_max") else None,
        same_topic=fields.flag("same_topic") if fields.has("same_topic") else False,
        walk_km_max=fields.decimal("walk_km_max") if is_round else None,
        walk_minutes=fields.whole("walk_minutes", high=MINUTES_A_DAY, step=grid) if is_round else None,
    )


def _programme(fields: Fields) -> Programme:
    return Programme(fields.id, fields.whole("weekly_budget_cents", high=BUDGET_MAX))


def read_need(fields: Fields, grid: int, services: Container[str]) -> Need:
    """One need, of one of the known services."""
    return Need(
        id=fields.id,
        person=fields.text_or_none("person"),
        service=fields.reference("service", services),
        seats=fields.whole("seats", low=1, high=SEATS_MAX),
        sessions=fields.whole("sessions", low=1),
        minutes=fields.whole("minutes", low=1, step=grid),
        windows=_windows(fields, grid),
        lat=fields.double("lat", -90, 90),
        lon=fields.double("lon", -180, 180),
        travel_km_max=fields.decimal("travel_km_max"),
        host_seats=fields.whole("host_seats"),
        topic=fields.text_or_none("topic"),
        level=fields.whole_or_none("level", low=-LIMIT),
        age=fields.whole_or_none("age"),
        languages=fields.texts("languages"),
        requires=fields.texts("requires"),
        group_max=fields.whole_or_none("group_max", low=1),
        price_max_cents_per_hour=fields.whole_or_none("price_max_cents_per_hour"),
        priority=fields.decimal("priority"),
        subsidy=_subsidy(fields),
        excludes=frozenset(fields.texts("excludes")),
        district=fields.text("district") if fields.has("district") else None,
        waiting_weeks=fields.whole("waiting_weeks", high=1000) if fields.has("waiting_weeks") else 0,
    )


def _subsidy(need: Fields) -> Subsidy | None:
    if need.is_null("subsidy"):
        return None
    fields = need.object("subsidy")
    return Subsidy(  # an unknown programme has no budget (rule 10)
        fields.text("programme"),
        fields.decimal("percent", high=100),
        fields.whole_or_none("cap_cents_per_hour"),
    )


def _offer(fields: Fields, grid: int, services: Container[str]) -> Offer:
    offer = Offer(
        service=fields.reference("service", services),
        topics=fields.texts("topics"),
        level_min=fields.whole("level_min", low=-LIMIT),
        level_max=fields.whole("level_max", low=-LIMIT),
        age_min=fields.whole("age_min"),
        age_max=fields.whole("age_max"),
        seats_max=fields.whole("seats_max"),
        seats_min=fields.whole("seats_min"),
        rate_cents_per_hour=fields.whole("rate_cents_per_hour", high=RATE_MAX),
        extra_seat_cents_per_hour=fields.whole("extra_seat_cents_per_hour", high=RATE_MAX),
        minutes_min=fields.whole("minutes_min", high=7 * MINUTES_A_DAY, step=grid),
    )
    if offer.extra_seat_cents_per_hour > offer.rate_cents_per_hour and fields.is_sound("rate_cents_per_hour"):
        fields.fault("extra_seat_cents_per_hour", "must be at most rate_cents_per_hour")
    return offer


def _provider(fields: Fields, grid: int, services: Container[str], venues: Container[str]) -> Provider:
    return Provider(
        id=fields.id,
        lat=fields.double("lat", -90, 90),
        lon=fields.double("lon", -180, 180),
        travel_km_max=fields.decimal("travel_km_max"),
        languages=fields.texts("languages"),
        qualifications=frozenset(fields.texts("qualifications")),
        minutes_max_per_week=fields.whole("minutes_max_per_week"),
        minutes_max_per_day=fields.whole("minutes_max_per_day"),
        gap_minutes=fields.whole("gap_minutes", step=grid),
        venues=fields.references("venues", venues),
        visits_homes=fields.flag("visits_homes"),
        windows=_windows(fields, grid),
        offers=tuple(_offer(offer, grid, services) for offer in fields.objects("offers")),
        excludes=frozenset(fields.texts("excludes")) if fields.has("excludes") else frozenset(),
    )


def _venue(fields: Fields, grid: int, services: Container[str]) -> Venue:
    return Venue(
        id=fields.id,
        lat=fields.double("lat", -90, 90),
        lon=fields.double("lon", -180, 180),
        seats=fields.whole("seats"),
        services=frozenset(fields.references("services", services)),
        cost_cents_per_hour=fields.whole("cost_cents_per_hour", high=RATE_MAX),
        windows=_windows(fields, grid),
    )


def _pinned_slot(fields: Fields, instance: Instance) -> PinnedSlot:
    slot = read_slot(fields)
    known: list[tuple[str, str, Mapping[str, object]]] = [
        ("provider", slot.provider, instance.providers),
        ("service", slot.service, instance.services),
        *((f"members[{index}].need", member.need, instance.needs) for index, member in enumerate(slot.members)),
    ]
    if isinstance(slot.place, PlaceAtVenue):
        known.append(("place.venue", slot.place.venue, instance.venues))
    if isinstance(slot.place, PlaceAtHost):
        known.append(("place.host", slot.place.need, instance.needs))
    for key, name, those in known:
        if name and name not in those:
            fields.fault(key, f"unknown {shown(name)}")
    for key, minute in [
        ("start", slot.start),
        ("end", slot.end),
        *((f"members[{i}].start", member.start) for i, member in enumerate(slot.members)),
        *((f"members[{i}].end", member.end) for i, member in enumerate(slot.members)),
    ]:
        if minute % instance.grid_minutes:
            fields.fault(key, f"must be a multiple of {instance.grid_minutes}")
    return PinnedSlot(
        id=slot.id,
        provider=slot.provider,
        service=slot.service,
        place=slot.place,
        day=slot.day,
        start=slot.start,
        end=slot.end,
        members=tuple(
            PinnedMember(member.need, member.start, member.end, member.subsidy_cents > 0) for member in slot.members
        ),
    )
