"""Where groups meet and how many accredited people work near, for anybody; who they are is told in a proposal only."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from sqlmodel import Session, col, select

from marketplace.accounts.models import Municipality
from marketplace.db import db
from marketplace.home.forms import NearForm
from marketplace.home.prices import municipality
from marketplace.households.details import Home
from marketplace.needs.models import Service
from marketplace.places.models import Venue
from marketplace.providers.models import Accreditation, Offer, Provider
from marketplace.providers.operations import list_venues
from marketplace.rounds.estimate import NEAR_KM
from marketplace.slots.facts import BLUR_DEGREES
from marketplace.web import public, today
from matching.distance import distance_km
from matching.instance import Window

blueprint = Blueprint("public_places", __name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A venue, its opening hours, and how far it is (None: nobody said from where)."""

    venue: Venue
    windows: tuple[Window, ...]
    km: float | None


@blueprint.route("/luoghi", methods=["GET", "POST"])
@public
def show() -> ResponseReturnValue:
    """Venues of all services or of one, the nearest first once an address is given; the address is kept nowhere."""
    city, form = municipality(), NearForm()
    home = form.find_home(db.session, city) if form.validate_on_submit() else None
    page = render_template(
        "home/places.html",
        form=form,
        home=home,
        service=_service(),
        places=list_places(db.session, city, _service(), home),
        providers=count_providers(db.session, city, home),
        near_km=NEAR_KM,
    )
    return page, 422 if form.errors else 200


@blueprint.get("/luoghi.geojson")
@public
def outlines() -> Response:
    """The municipality's outline with its venues: no tile of anybody's, and no home."""
    city = municipality()
    outline: dict[str, object] = {"type": "Feature", "geometry": city.outline, "properties": {}}
    features: list[dict[str, object]] = [outline] if city.outline else []
    features += [_point(place.venue) for place in list_places(db.session, city, _service())]
    answer = jsonify({"type": "FeatureCollection", "features": features})
    answer.mimetype = "application/geo+json"
    return answer


def list_places(session: Session, city: Municipality, service: Service | None, home: Home | None = None) -> list[Place]:
    """A municipality's venues (of one service, if named), from the nearest to `home`, else by name."""
    found = [
        Place(
            venue,
            tuple(Window(**window) for window in venue.windows),
            distance_km(home.lat, home.lon, venue.lat, venue.lon) if home else None,
        )
        for venue in list_venues(session, city.id)
        if service is None or service.value in venue.services
    ]
    return sorted(found, key=lambda place: (place.km or 0.0, place.venue.name))


def count_providers(session: Session, city: Municipality, home: Home | None = None) -> Mapping[Service, int]:
    """Accredited providers by service: within `NEAR_KM` of `home` (blurred, so that nobody is found), else all."""
    offering: dict[UUID, set[str]] = {}
    for provider_id, service in session.exec(
        select(Offer.provider_id, Offer.service).where(Offer.municipality_id == city.id)
    ):
        offering.setdefault(provider_id, set()).add(service)
    counted: Counter[str] = Counter()
    for one in session.exec(
        select(Provider).where(
            Provider.municipality_id == city.id,
            Provider.accreditation == Accreditation.ACCREDITED,
            col(Provider.id).in_(offering),
        )
    ):
        if one.is_accredited(today()) and (home is None or _is_near(one, home)):
            counted.update(offering[one.id])
    return {service: counted[service.value] for service in Service}


def _is_near(provider: Provider, home: Home) -> bool:
    """From where the home roughly is: asked from many addresses, a sharp circle would draw where somebody lives."""
    lat, lon = (round(degrees / BLUR_DEGREES) * BLUR_DEGREES for degrees in (home.lat, home.lon))
    return distance_km(lat, lon, provider.lat, provider.lon) <= NEAR_KM


def _point(venue: Venue) -> dict[str, object]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [venue.lon, venue.lat]},
        "properties": {"label": f"{venue.name}, {venue.address}", "tone": "act"},
    }


def _service() -> Service | None:
    """The service that the address asks for; None for all."""
    asked = request.args.get("servizio")
    return Service(asked) if asked in list(Service) else None
