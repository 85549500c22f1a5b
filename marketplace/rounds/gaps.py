"""Where offer is missing: the newest round's needs by square of a kilometre, none so small that a home can be told."""

import csv
import io
from collections.abc import Sequence
from math import atan2, cos, hypot, pi, radians

from flask import Blueprint, Response, jsonify, render_template, request
from flask_babel import gettext as _

from marketplace.accounts.models import Municipality, Role
from marketplace.db import db
from marketplace.filters import distance, few
from marketplace.i18n import language
from marketplace.needs.models import Service
from marketplace.rounds.models import Round
from marketplace.rounds.operations import list_rounds
from marketplace.rounds.results import Area, areas_of
from marketplace.rounds.solving import unpacked
from marketplace.web import actor, allow
from marketplace.words import N_

blueprint = Blueprint("gaps", __name__)

KM_PER_DEGREE = 111.2
DIRECTIONS = (
    N_("a nord"),
    N_("a nord-est"),
    N_("a est"),
    N_("a sud-est"),
    N_("a sud"),
    N_("a sud-ovest"),
    N_("a ovest"),
    N_("a nord-ovest"),
)


@blueprint.get("/comune/mappa")
@allow(Role.OFFICER)
def show() -> str:
    """Where needs had no place in the newest round, of all services or of one."""
    newest, areas = _newest()
    return render_template(
        "rounds/gaps.html", newest=newest, areas=_worst_first(areas), area_words=area_words, service=_service()
    )


@blueprint.get("/comune/mappa.geojson")
@allow(Role.OFFICER)
def places() -> Response:
    """The same for the map."""
    return map_of(_newest()[1])


@blueprint.get("/comune/mappa.csv")
@allow(Role.OFFICER)
def download() -> Response:
    """The same for a spreadsheet."""
    written = io.StringIO()
    rows = csv.writer(written, delimiter=";")
    rows.writerow(("servizio", "lat", "lon", "con_posto", "senza_posto", "ore_offerte_per_ora_chiesta"))
    service = _service()
    rows.writerows(
        (service or "tutti", round(one.lat, 3), round(one.lon, 3), one.served, one.unserved, round(one.offered, 2))
        for one in _newest()[1]
    )
    answer = Response("\ufeff" + written.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = "attachment; filename=mappa.csv"
    return answer


def _service() -> str | None:
    """The service that the address asks for; None for all."""
    asked = request.args.get("servizio")
    return asked if asked in list(Service) else None


def _newest() -> tuple[Round | None, Sequence[Area]]:
    """The newest round with a plan, and its squares."""
    for one in list_rounds(db.session, actor().municipality_id):
        if one.instance_gz and one.plan_gz:
            return one, areas_of(unpacked(one.instance_gz), unpacked(one.plan_gz), _service())
    return None, ()


def _worst_first(areas: Sequence[Area]) -> list[Area]:
    return sorted(areas, key=lambda one: (-one.unserved, one.served, one.lat, one.lon))


def area_words(area: Area) -> str:
    """Where a square lies, seen from the middle of the municipality: "2,2 km a nord-est"."""
    centre = db.session.get_one(Municipality, actor().municipality_id)
    north = (area.lat - centre.lat) * KM_PER_DEGREE
    east = (area.lon - centre.lon) * KM_PER_DEGREE * cos(radians(centre.lat))
    if hypot(north, east) < 0.5:
        return str(_("in centro"))
    direction = DIRECTIONS[round(atan2(east, north) / (pi / 4)) % 8]
    far = distance(round(hypot(north, east), 1), language())
    return str(_("%(distance)s %(direction)s", distance=far, direction=_(direction)))


def map_of(areas: Sequence[Area]) -> Response:
    """The municipality's outline and the squares with needs, as GeoJSON."""
    outline = db.session.get_one(Municipality, actor().municipality_id).outline
    features: list[dict[str, object]] = [{"type": "Feature", "geometry": outline, "properties": {}}] if outline else []
    largest = max((area.served + area.unserved for area in areas), default=1)
    features += [_feature(area, largest) for area in areas]
    answer = jsonify({"type": "FeatureCollection", "features": features})
    answer.content_type = "application/geo+json"
    return answer


def _feature(area: Area, largest: int) -> dict[str, object]:
    words = _(
        "%(where)s: %(served)s con un posto, %(unserved)s senza",
        where=area_words(area),
        served=few(area.served),
        unserved=few(area.unserved),
    )
    share = area.unserved / (area.served + area.unserved)
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [area.lon, area.lat]},
        "properties": {
            "label": words,
            "tone": "bad" if share > 0.6 else "act" if share > 0.3 else "good",
            "size": 6 + 14 * (area.served + area.unserved) / largest,
        },
    }
