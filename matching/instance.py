"""An instance is immutable and valid: whoever holds one need not look again.

Units stand in the names: money in integer euro cents, time in minutes since local midnight, days 0 (Monday) to 6,
distances in km. Decimals of the file are kept exactly as written (`Fraction`), coordinates are doubles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Mode(StrEnum):
    """How the members of one slot share it (rule 3)."""

    CLASS = "class"
    PRESENCE = "presence"
    ROUND = "round"


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes `start` to `end` (at most 1440) of one `day`."""

    day: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Service:
    """What all slots of a service have in common; a None is not compared."""

    mode: Mode
    level_gap_max: int | None = None
    age_gap_max: int | None = None
    same_topic: bool = False
    walk_km_max: Fraction | None = None
    walk_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Programme:
    """A municipality's weekly budget for subsidies."""

    id: str
    weekly_budget_cents: int


@dataclass(frozen=True, slots=True)
class Subsidy:
    """What a programme pays of a need's shares (rule 10)."""

    programme: str
    percent: Fraction
    cap_cents_per_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """`sessions` sessions a week of `minutes` each for `seats` people, inside `windows`."""

    id: str
    service: str
    seats: int
    sessions: int
    minutes: int
    windows: tuple[Window, ...]
    lat: float
    lon: float
    travel_km_max: Fraction
    person: str | None = None
    host_seats: int = 0
    topic: str | None = None
    level: int | None = None
    age: int | None = None
    languages: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    group_max: int | None = None
    price_max_cents_per_hour: int | None = None
    priority: Fraction = Fraction(1)
    subsidy: Subsidy | None = None
    excludes: frozenset[str] = frozenset()
    district: str | None = None
    waiting_weeks: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider gives for one service, for whom, and at which price (rules 2, 5, 8)."""

    service: str
    topics: tuple[str, ...]
    level_min: int
    level_max: int
    age_min: int
    age_max: int
    seats_max: int
    seats_min: int
    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    minutes_min: int


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's address, week and offers."""

    id: str
    lat: float
    lon: float
    travel_km_max: Fraction
    languages: tuple[str, ...]
    qualifications: frozenset[str]
    minutes_max_per_week: int
    minutes_max_per_day: int
    gap_minutes: int
    venues: tuple[str, ...]
    visits_homes: bool
    windows: tuple[Window, ...]
    offers: tuple[Offer, ...]
    excludes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Venue:
    """A place with seats and opening hours."""

    id: str
    lat: float
    lon: float
    seats: int
    services: frozenset[str]
    cost_cents_per_hour: int
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class PlaceAtVenue:
    """The group meets at a venue."""

    venue: str


@dataclass(frozen=True, slots=True)
class PlaceAtHost:
    """The group meets at the home of the member with this need."""

    need: str


@dataclass(frozen=True, slots=True)
class PlaceAtHomes:
    """A round: the provider goes from home to home."""


Place = PlaceAtVenue | PlaceAtHost | PlaceAtHomes


@dataclass(frozen=True, slots=True)
class PinnedMember:
    """A member that stays, at these times."""

    need: str
    start: int
    end: int
    subsidised: bool


@dataclass(frozen=True, slots=True)
class PinnedSlot:
    """A slot of an earlier plan that stands; members may be added within the rules."""

    id: str
    provider: str
    service: str
    place: Place
    day: int
    start: int
    end: int
    members: tuple[PinnedMember, ...]


@dataclass(frozen=True, slots=True)
class Fairness:
    """No group of needs, by each of `by`, has fewer served than this part of the most that could be served of it."""

    by: tuple[str, ...]
    served_part_min: Fraction


@dataclass(frozen=True, slots=True)
class Policy:
    """What the objective weighs; a need that waits weighs so much more for each week."""

    unserved_cents_per_hour: int
    travel_cents_per_km: int
    waiting_percent_per_week: int = 0
    fairness: Fairness | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One matching problem; mappings are by id, in the file's order. `digest` is the canonical JSON's SHA-256."""

    name: str
    grid_minutes: int
    policy: Policy
    services: Mapping[str, Service]
    programmes: Mapping[str, Programme]
    needs: Mapping[str, Need]
    providers: Mapping[str, Provider]
    venues: Mapping[str, Venue]
    pinned: tuple[PinnedSlot, ...]
    digest: str
