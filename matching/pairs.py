"""Which needs may ever share a slot, whatever its time and provider: one bit a pair, compiled (rules 2, 4 and 5)."""

from math import asin, cos, radians, sin, sqrt

import numpy as np
import numpy.typing as npt

from matching.arrays import NOTHING, ROUND, City
from matching.compiled import compiled, lean
from matching.distance import EARTH_RADIUS_KM

Bits = npt.NDArray[np.uint8]
KM_A_DEGREE = EARTH_RADIUS_KM * np.pi / 180


@lean
def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great-circle distance in km (haversine, earth radius 6371.0088 km)."""
    a, b = radians(lat), radians(other_lat)
    across, along = sin((b - a) / 2), sin(radians(other_lon - lon) / 2)
    square = across * across + cos(a) * cos(b) * along * along
    return float(2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, square))))


@lean
def may_meet(pairs: Bits, need: int, other: int) -> bool:
    """Whether the two may share a slot."""
    return bool((pairs[need, other >> 3] >> (other & 7)) & 1)


@compiled
def find_pairs(city: City) -> Bits:
    """Bit `other` of row `need` says that the two are of one service, apart from nobody, alike and near enough."""
    count = len(city.needs)
    pairs = np.zeros((count, (count + 7) // 8), np.uint8)
    for service in range(len(city.services)):
        first, last = city.services[service].needs_from, city.services[service].needs_to
        for i in range(first, last):
            for j in range(i + 1, last):
                need, other = city.lists[i], city.lists[j]
                if _are_alike(city, service, need, other):
                    pairs[need, other >> 3] |= 1 << (other & 7)
                    pairs[other, need >> 3] |= 1 << (need & 7)
    for need in range(count):
        for k in range(city.needs[need].apart_from, city.needs[need].apart_to):
            other = city.lists[k]
            pairs[need, other >> 3] &= ~(1 << (other & 7))
    return pairs


@lean
def _differ(one: int, other: int, gap: int) -> bool:
    """Whether two attributes are there and more than `gap` apart."""
    return one != NOTHING and other != NOTHING and abs(one - other) > gap


@lean
def _are_alike(city: City, index: int, need: int, other: int) -> bool:
    """Whether level, age and topic are near enough, and in a round the homes."""
    service, one, two = city.services[index], city.needs[need], city.needs[other]
    if _differ(one.level, two.level, service.level_gap) or _differ(one.age, two.age, service.age_gap):
        return False
    if service.same_topic and _differ(one.topic, two.topic, 0):
        return False
    if service.mode != ROUND:
        return True
    if abs(one.lat - two.lat) * KM_A_DEGREE > service.walk_km * 1.001 + 0.001:
        return False
    return bool(distance_km(one.lat, one.lon, two.lat, two.lon) <= service.walk_km + 1e-9)
