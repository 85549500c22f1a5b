"""The distance between two addresses is one formula everywhere, so that no limit holds here and fails there."""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0088
TOLERANCE_KM = 1e-9
"""Distance limits hold within this."""


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great circle between two points in degrees (haversine)."""
    half_lat = sin(radians(other_lat - lat) / 2)
    half_lon = sin(radians(other_lon - lon) / 2)
    square = half_lat * half_lat + cos(radians(lat)) * cos(radians(other_lat)) * half_lon * half_lon
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(square)))
