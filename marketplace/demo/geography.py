"""Quarters, streets and house numbers inside a real outline: the same seed gives the same map."""

import math
import random
from dataclasses import dataclass
from typing import Any

import shapely

KM_PER_DEGREE = 111.2
STREETS = (
    *("Emilia", "Roma", "Garibaldi", "Mazzini", "Cavour", "Dante", "Ariosto", "Boiardo", "Matilde di Canossa"),
    *("dei Mille", "della Repubblica", "Gramsci", "Matteotti", "Fratelli Cervi", "Monte Grappa", "Piave", "Isonzo"),
    *("del Tricolore", "Spallanzani", "Galvani", "Volta", "Marconi", "Fermi", "Montessori", "Malaguzzi", "Verdi"),
    *("Puccini", "Rossini", "Bellini", "Donizetti", "Vivaldi", "delle Rose", "dei Gelsomini", "degli Olmi"),
    *("dei Tigli", "delle Acacie", "del Mulino", "della Fornace", "dell'Argine", "del Guado", "San Pietro"),
    *("San Prospero", "Santa Croce", "Leopardi", "Manzoni", "Pascoli", "Carducci", "Foscolo", "Tasso", "Petrarca"),
    *("Adua", "Terrachini", "Kennedy", "Martiri della Bettola", "Bismantova", "Pansa", "Che Guevara", "Gattaglio"),
)
KINDS = ("Via", "Via", "Via", "Viale", "Via", "Piazza", "Via", "Vicolo")


@dataclass(frozen=True, slots=True)
class House:
    """A house number of the synthetic register."""

    street: str
    number: int
    lat: float
    lon: float

    @property
    def address(self) -> str:
        """As people write it."""
        return f"{self.street} {self.number}"


@dataclass(frozen=True, slots=True)
class Quarter:
    """A part of the city; the first is its centre."""

    lat: float
    lon: float
    houses: tuple[House, ...]


def make_quarters(rng: random.Random, outline: dict[str, Any], lat: float, lon: float, count: int = 8) -> list[Quarter]:
    """`count` quarters with some streets each, all inside the outline (GeoJSON), within some km of the centre."""
    area = shapely.from_geojson(shapely.to_geojson(shapely.geometry.shape(outline)))
    shapely.prepare(area)
    names = [f"{kind} {name}" for name in STREETS for kind in (rng.choice(KINDS),)]
    rng.shuffle(names)
    quarters = []
    for index in range(count):
        centre = (lat, lon) if index == 0 else _point_near(rng, area, lat, lon, 1.2, 4.5)
        share = names[index::count]
        houses = tuple(house for street in share for house in _street(rng, area, street, *centre))
        quarters.append(Quarter(*centre, houses))
    return quarters


def _street(rng: random.Random, area: Any, name: str, lat: float, lon: float) -> list[House]:
    """House numbers along a straight line through the quarter, odd ones left, even ones right."""
    start = _point_near(rng, area, lat, lon, 0.05, 0.8)
    heading = rng.uniform(0, 2 * math.pi)
    houses = []
    for number in range(1, rng.randint(24, 60)):
        along = number * 0.009
        side = 0.008 if number % 2 else -0.008
        point = _moved(start, along * math.cos(heading) - side * math.sin(heading), along * math.sin(heading) + side)
        if shapely.contains_xy(area, point[1], point[0]):
            houses.append(House(name, number, round(point[0], 6), round(point[1], 6)))
    return houses


def _point_near(
    rng: random.Random, area: Any, lat: float, lon: float, km_min: float, km_max: float
) -> tuple[float, float]:
    while True:
        angle, distance = rng.uniform(0, 2 * math.pi), rng.uniform(km_min, km_max)
        point = _moved((lat, lon), distance * math.cos(angle), distance * math.sin(angle))
        if shapely.contains_xy(area, point[1], point[0]):
            return point


def _moved(point: tuple[float, float], north_km: float, east_km: float) -> tuple[float, float]:
    lat, lon = point
    return lat + north_km / KM_PER_DEGREE, lon + east_km / (KM_PER_DEGREE * math.cos(math.radians(lat)))
