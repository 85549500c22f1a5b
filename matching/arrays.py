"""An instance as flat arrays: what the compiled parts read; record i is the i-th need, provider or venue of the file.

Times are in units of the grid, absent limits are `NO_LIMIT`, absent attributes are `NOTHING`. A record's lists are
stretches of `City.lists` and `City.windows`: `languages_from` to `languages_to`, and so on.
"""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from matching.instance import Instance, Mode, Need, Place, PlaceAtHost, PlaceAtVenue, Window

NO_LIMIT = 1 << 40
NOTHING = -(1 << 40)
HOMES = -1
NO_PROGRAMME = -2
SHARE_MAX = 1 << 31
CLASS, PRESENCE, ROUND = range(3)
MODES = {Mode.CLASS: CLASS, Mode.PRESENCE: PRESENCE, Mode.ROUND: ROUND}

Ints = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]
Degrees = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Records = Any
"""An array of records; numpy's types cannot name their fields."""


class City(NamedTuple):
    """A whole instance for the compiled parts.

    `held[provider, qualification]`, `taught[offer, topic]`, `allowed[venue, service]`. A place is one number:
    `HOMES`, a venue's index, or the number of venues and a host's index.
    """

    grid: int
    units: int
    services: Records
    needs: Records
    providers: Records
    offers: Records
    venues: Records
    pins: Records
    lists: Ints
    windows: Ints
    held: Flags
    taught: Flags
    allowed: Flags


class Lists:
    """Lists of numbers put one after the other; each is known by where it begins and ends."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.windows: list[tuple[int, int, int]] = []

    def add(self, values: Iterable[int]) -> tuple[int, int]:
        first = len(self.values)
        self.values.extend(values)
        return first, len(self.values)

    def add_windows(self, windows: Iterable[tuple[int, int, int]]) -> tuple[int, int]:
        first = len(self.windows)
        self.windows.extend(windows)
        return first, len(self.windows)


class Codes:
    """The numbers by which the arrays know names."""

    def __init__(self, instance: Instance) -> None:
        self.grid = instance.grid_minutes
        self.services = _numbered(instance.services)
        self.needs = _numbered(instance.needs)
        self.providers = _numbered(instance.providers)
        self.venues = _numbered(instance.venues)
        self.programmes = _numbered(instance.programmes)
        self.languages = _numbered(sorted({name for one in instance.providers.values() for name in one.languages}))
        held = {name for one in instance.providers.values() for name in one.qualifications}
        taught = {topic for one in instance.providers.values() for offer in one.offers for topic in offer.topics}
        self.qualifications = _numbered(sorted(held.union(*(need.requires for need in instance.needs.values()))))
        self.topics = _numbered(sorted(taught.union(need.topic for need in instance.needs.values() if need.topic)))
        times = Counter(need.person for need in instance.needs.values() if need.person is not None)
        self.people = _numbered(sorted(person for person in times if times[person] > 1))


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def flatten(instance: Instance) -> City:
    """The arrays of an instance."""
    codes, lists = Codes(instance), Lists()
    held = np.zeros((len(codes.providers), len(codes.qualifications) + 1), np.bool_)
    for index, provider in enumerate(instance.providers.values()):
        held[index, [codes.qualifications[name] for name in provider.qualifications & codes.qualifications.keys()]] = (
            True
        )
    offers = [offer for provider in instance.providers.values() for offer in provider.offers]
    taught = np.zeros((len(offers), len(codes.topics) + 1), np.bool_)
    for index, offer in enumerate(offers):
        taught[index, [codes.topics[name] for name in offer.topics if name in codes.topics]] = True
    allowed = np.zeros((len(codes.venues), len(codes.services)), np.bool_)
    for index, venue in enumerate(instance.venues.values()):
        allowed[index, [codes.services[name] for name in venue.services if name in codes.services]] = True
    tables = (
        _services(instance, codes, lists),
        _needs(instance, codes, lists),
        _providers(instance, codes, lists),
        _offers(instance, codes),
        _venues(instance, codes, lists),
        _pins(instance, codes, lists),
    )
    windows = np.array(lists.windows, np.int64).reshape(-1, 3)
    values = np.array(lists.values, np.int64)
    return City(codes.grid, 1440 // codes.grid, *tables, values, windows, held, taught, allowed)


def _records(rows: list[dict[str, int | float]], names: Iterable[str]) -> Records:
    """Rows as an array of records; kilometres and degrees are doubles, all else whole numbers up to `NO_LIMIT`."""
    names = list(names)
    kinds = [(name, np.float64 if name.endswith("km") or name in ("lat", "lon") else np.int64) for name in names]
    values = [tuple(min(row[name], NO_LIMIT) for name in names) for row in rows]
    return np.array(values, np.dtype(kinds, align=True)).reshape(-1)


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _units(windows: Iterable[Window], grid: int) -> list[tuple[int, int, int]]:
    return [(window.day, window.start // grid, window.end // grid) for window in windows]


def _stretch(name: str, stretch: tuple[int, int]) -> dict[str, int]:
    return {f"{name}_from": stretch[0], f"{name}_to": stretch[1]}


SERVICE_FIELDS = ["mode", "level_gap", "age_gap", "same_topic", "walk_km", "walk", "needs_from", "needs_to"]


def _services(instance: Instance, codes: Codes, lists: Lists) -> Records:
    members: list[list[int]] = [[] for _ in codes.services]
    for index, need in enumerate(instance.needs.values()):
        members[codes.services[need.service]].append(index)
    rows: list[dict[str, int | float]] = [
        {
            "mode": MODES[service.mode],
            "level_gap": _or(service.level_gap_max, NO_LIMIT),
            "age_gap": _or(service.age_gap_max, NO_LIMIT),
            "same_topic": service.same_topic,
            "walk_km": float(service.walk_km_max or 0),
            "walk": (service.walk_minutes or 0) // codes.grid,
            **_stretch("needs", lists.add(members[index])),
        }
        for index, service in enumerate(instance.services.values())
    ]
    return _records(rows, SERVICE_FIELDS)


NEED_FIELDS = [
    "service", "seats", "sessions", "length", "group_max", "host_seats", "level", "age", "topic", "person",
    "lat", "lon", "travel_km", "limit", "part_above", "part_below", "cap", "programme", "pinned_provider",
    "pinned_days", "languages_from", "languages_to", "requires_from", "requires_to", "apart_from", "apart_to",
    "without_from", "without_to", "windows_from", "windows_to",
]  # fmt: skip


def _needs(instance: Instance, codes: Codes, lists: Lists) -> Records:
    """`limit` is what a need pays at most for all its sessions; for one session a subsidy is at most `cap`."""
    apart, without = _exclusions(instance, codes)
    pins = _pinned_days(instance, codes)
    rows = [
        need_record(need, codes, lists, apart[index], without[index]) | pins.get(need.id, NOT_PINNED)
        for index, need in enumerate(instance.needs.values())
    ]
    return _records(rows, NEED_FIELDS)


def need_record(
    need: Need, codes: Codes, lists: Lists, apart: Iterable[int], without: Iterable[int]
) -> dict[str, int | float]:
    """The record of a need that is not pinned."""
    above, below, cap = _part(need)
    spoken = {codes.languages[name] for name in need.languages if name in codes.languages}
    unheld, untaught = len(codes.qualifications), len(codes.topics)
    return {
        "service": codes.services[need.service],
        "seats": need.seats,
        "sessions": need.sessions,
        "length": need.minutes // codes.grid,
        "group_max": _or(need.group_max, NO_LIMIT),
        "host_seats": need.host_seats,
        "level": _or(need.level, NOTHING),
        "age": _or(need.age, NOTHING),
        "topic": NOTHING if need.topic is None else codes.topics.get(need.topic, untaught),
        "person": NOTHING if need.person is None else codes.people.get(need.person, NOTHING),
        "lat": need.lat,
        "lon": need.lon,
        "travel_km": float(need.travel_km_max),
        "limit": payment_limit(need),
        "part_above": above,
        "part_below": below,
        "cap": cap,
        "programme": codes.programmes.get(need.subsidy.programme, -1) if need.subsidy else NO_PROGRAMME,
        **NOT_PINNED,
        **_stretch("languages", lists.add(sorted(spoken))),
        **_stretch("requires", lists.add(codes.qualifications.get(name, unheld) for name in need.requires)),
        **_stretch("apart", lists.add(sorted(apart))),
        **_stretch("without", lists.add(sorted(without))),
        **_stretch("windows", lists.add_windows(_units(need.windows, codes.grid))),
    }


def payment_limit(need: Need) -> int:
    """The most cents that a need pays for all its sessions (rule 11), or `NO_LIMIT`."""
    if need.price_max_cents_per_hour is None:
        return NO_LIMIT
    return need.price_max_cents_per_hour * need.minutes * need.sessions * need.seats // 60


def _part(need: Need) -> tuple[int, int, int]:
    """A subsidy as `min(share * above // below, cap)` for one session, exact for shares below `SHARE_MAX`."""
    if need.subsidy is None:
        return 0, 1, 0
    part = _below(need.subsidy.percent / 100, SHARE_MAX)
    cents = need.subsidy.cap_cents_per_hour
    return part.numerator, part.denominator, NO_LIMIT if cents is None else cents * need.minutes * need.seats // 60


def _below(value: Fraction, denominator_max: int) -> Fraction:
    """The largest fraction not above `value` with a denominator up to `denominator_max`."""
    near = value.limit_denominator(denominator_max)
    if near <= value:
        return near
    # The left neighbour of near = n/d in the Farey sequence: a/b with b*n - a*d = 1 and the largest b.
    step = pow(near.numerator, -1, near.denominator) if near.denominator > 1 else 1
    below = step + (denominator_max - step) // near.denominator * near.denominator
    return Fraction((below * near.numerator - 1) // near.denominator, below)


NOT_PINNED = {"pinned_provider": -1, "pinned_days": 0}


def _pinned_days(instance: Instance, codes: Codes) -> dict[str, dict[str, int]]:
    """Of each pinned need the provider's index and its pinned days as bits."""
    pins: dict[str, dict[str, int]] = {}
    for slot in instance.pinned:
        for member in slot.members:
            days = pins.get(member.need, NOT_PINNED)["pinned_days"] | 1 << slot.day
            pins[member.need] = {"pinned_provider": codes.providers[slot.provider], "pinned_days": days}
    return pins


def _exclusions(instance: Instance, codes: Codes) -> tuple[list[set[int]], list[set[int]]]:
    """Needs and providers that each need must never meet, whoever of the two said so."""
    apart: list[set[int]] = [set() for _ in codes.needs]
    without: list[set[int]] = [set() for _ in codes.needs]
    for index, need in enumerate(instance.needs.values()):
        for name in need.excludes:
            if name in codes.needs:
                apart[index].add(codes.needs[name])
                apart[codes.needs[name]].add(index)
            if name in codes.providers:
                without[index].add(codes.providers[name])
    for index, provider in enumerate(instance.providers.values()):
        for name in provider.excludes:
            if name in codes.needs:
                without[codes.needs[name]].add(index)
    return apart, without


PROVIDER_FIELDS = [
    "lat", "lon", "travel_km", "gap", "week_max", "day_max", "visits", "languages_from", "languages_to",
    "venues_from", "venues_to", "windows_from", "windows_to", "pins_from", "pins_to", "offers_from",
    "offers_to",
]  # fmt: skip


def _providers(instance: Instance, codes: Codes, lists: Lists) -> Records:
    pinned: list[list[int]] = [[] for _ in codes.providers]
    for index, slot in enumerate(instance.pinned):
        pinned[codes.providers[slot.provider]].append(index)
    rows: list[dict[str, int | float]] = []
    offers = 0
    for index, provider in enumerate(instance.providers.values()):
        row: dict[str, int | float] = {
            "lat": provider.lat,
            "lon": provider.lon,
            "travel_km": float(provider.travel_km_max),
            "gap": -(-provider.gap_minutes // codes.grid),
            "week_max": provider.minutes_max_per_week // codes.grid,
            "day_max": provider.minutes_max_per_day // codes.grid,
            "visits": provider.visits_homes,
            **_stretch("languages", lists.add(sorted({codes.languages[name] for name in provider.languages}))),
            **_stretch("venues", lists.add(dict.fromkeys(codes.venues[name] for name in provider.venues))),
            **_stretch("windows", lists.add_windows(_units(provider.windows, codes.grid))),
            **_stretch("pins", lists.add(pinned[index])),
            **_stretch("offers", (offers, offers + len(provider.offers))),
        }
        offers += len(provider.offers)
        rows.append(row)
    return _records(rows, PROVIDER_FIELDS)


OFFER_FIELDS = [
    "service",
    "level_min",
    "level_max",
    "age_min",
    "age_max",
    "seats_max",
    "seats_min",
    "rate",
    "extra_seat",
    "minutes_min",
]


def _offers(instance: Instance, codes: Codes) -> Records:
    rows: list[dict[str, int | float]] = [
        {
            "service": codes.services.get(offer.service, -1),
            "level_min": offer.level_min,
            "level_max": offer.level_max,
            "age_min": offer.age_min,
            "age_max": offer.age_max,
            "seats_max": offer.seats_max,
            "seats_min": offer.seats_min,
            "rate": offer.rate_cents_per_hour,
            "extra_seat": offer.extra_seat_cents_per_hour,
            "minutes_min": offer.minutes_min,
        }
        for provider in instance.providers.values()
        for offer in provider.offers
    ]
    return _records(rows, OFFER_FIELDS)


def _venues(instance: Instance, codes: Codes, lists: Lists) -> Records:
    rows: list[dict[str, int | float]] = [
        {
            "lat": venue.lat,
            "lon": venue.lon,
            "seats": venue.seats,
            "cost": venue.cost_cents_per_hour,
            **_stretch("windows", lists.add_windows(_units(venue.windows, codes.grid))),
        }
        for venue in instance.venues.values()
    ]
    return _records(rows, ["lat", "lon", "seats", "cost", "windows_from", "windows_to"])


def _pins(instance: Instance, codes: Codes, lists: Lists) -> Records:
    rows: list[dict[str, int | float]] = []
    for slot in instance.pinned:
        members = [(codes.needs[one.need], one.start // codes.grid, one.end // codes.grid) for one in slot.members]
        row: dict[str, int | float] = {
            "provider": codes.providers[slot.provider],
            "service": codes.services[slot.service],
            "place": _place_code(codes, slot.place),
            "day": slot.day,
            "start": slot.start // codes.grid,
            "end": slot.end // codes.grid,
            **_stretch("members", lists.add_windows(members)),
        }
        rows.append(row)
    return _records(rows, ["provider", "service", "place", "day", "start", "end", "members_from", "members_to"])


def _place_code(codes: Codes, place: Place) -> int:
    if isinstance(place, PlaceAtVenue):
        return codes.venues[place.venue]
    if isinstance(place, PlaceAtHost):
        return len(codes.venues) + codes.needs[place.need]
    return HOMES
