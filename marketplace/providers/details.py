"""What a provider says of itself, as plain values between forms and operations."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a provider is and where it works from."""

    name: str
    tax_code: str
    email: str
    phone: str
    address: str
    lat: float
    lon: float
    travel_km_max: str
    languages: tuple[str, ...]
    qualifications: tuple[str, ...]
    visits_homes: bool
    venue_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a provider offers for one service, at which price (cents an hour)."""

    service: str
    topics: tuple[str, ...]
    level_min: int
    level_max: int
    age_min: int
    age_max: int
    seats_min: int
    seats_max: int
    rate_cents_per_hour: int
    extra_seat_cents_per_hour: int
    minutes_min: int
