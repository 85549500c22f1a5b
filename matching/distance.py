"""The distance between two addresses is one formula everywhere, so that no limit holds here and fails there."""

from math import asin, cos, radians, sin, sqrt
from typing import Protocol

EARTH_RADIUS_KM = 6371.0088
TOLERANCE_KM = 1e-9
"""Distance limits hold within this."""


class Address(Protocol):
    """Anything with coordinates in degrees."""

    @property
    def lat(self) -> float: ...
    @property
    def lon(self) -> float: ...


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great circle between two points in degrees (haversine)."""
    half_lat = sin(radians(other_lat - lat) / 2)
    half_lon = sin(radians(other_lon - lon) / 2)
    square = half_lat * half_lat + cos(radians(lat)) * cos(radians(other_lat)) * half_lon * half_lon
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(square)))


def is_within(one: Address, other: Address, km: float) -> bool:
    """Whether two addresses are at most so far apart, within the contract's tolerance."""
    return distance_km(one.lat, one.lon, other.lat, other.lon) <= km + TOLERANCE_KM
