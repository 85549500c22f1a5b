"""What help costs, before anybody registers: real figures of the last rounds, and an estimate that is kept nowhere."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlmodel import select

from marketplace.accounts.models import Municipality
from marketplace.accounts.policy import Policy, get_policy
from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.home.forms import PriceForm
from marketplace.households.details import Home
from marketplace.households.models import Household, Person
from marketplace.needs.drafts import Wish
from marketplace.needs.models import Service
from marketplace.places.models import Venue
from marketplace.rounds.estimate import Estimate, estimate
from marketplace.rounds.figures import Figures, figures_of_last_rounds
from marketplace.rounds.instances import list_programmes
from marketplace.web import actor, now, public, today
from matching.distance import distance_km
from matching.instance import Window

blueprint = Blueprint("prices", __name__)

SLUGS: Final = {
    "aiuto-nello-studio": Service.TUTORING,
    "baby-sitter": Service.BABYSITTING,
    "assistenza-in-casa": Service.HOME_CARE,
}
NOBODY_YET: Final = UUID(int=0)
NEAR_KM, EVERYWHERE_KM = Decimal(3), Decimal(100)
VENUES_SHOWN = 5
WHOLE_WEEK: Final = tuple(Window(day, 0, 24 * 60) for day in range(7))


@blueprint.route("/quanto-costa", methods=["GET", "POST"])
@public
def estimator() -> ResponseReturnValue:
    """What it may cost alone, shared, and after the voucher; without a name, and without keeping anything."""
    city = municipality()
    form = PriceForm(policy().subjects)
    found: dict[str, object] = {}
    if form.validate_on_submit():
        home = form.find_home(db.session, city) if form.address.data else Home("", city.lat, city.lon)
        if home is not None:
            found = _answer(form, home, city)
    page = render_template("prices/estimator.html", form=form, figures=_figures(city), slugs=_slug_of(), **found)
    return page, 422 if form.errors else 200


@blueprint.get("/servizi/<name>")
@public
def service(name: str) -> str:
    """One service's sheet: for whom, how, what it costs, by when."""
    if name not in SLUGS:
        raise NotFound
    city, kind = municipality(), SLUGS[name]
    return render_template(
        f"prices/{kind.value}.html",
        service=kind,
        figures=figures_of_last_rounds(db.session, city.id, kind.value),
        programmes=[one for one in list_programmes(db.session, city.id) if one.service == kind.value],
        venues=_venues(city, kind, Home("", city.lat, city.lon)),
        policy=policy(),
    )


def municipality() -> Municipality:
    """The municipality of this request; NotFound where there is none yet."""
    found = db.session.get(Municipality, actor().municipality_id)
    if found is None:
        raise NotFound
    return found


def policy() -> Policy:
    """Its rules of today."""
    return get_policy(db.session, actor().municipality_id, today())


def _slug_of() -> dict[str, str]:
    return {service.value: slug for slug, service in SLUGS.items()}


def _figures(city: Municipality) -> dict[str, Figures]:
    return {one.value: figures_of_last_rounds(db.session, city.id, one.value) for one in Service}


def _answer(form: PriceForm, home: Home, city: Municipality) -> dict[str, object]:
    """The estimate of one session, and the venues; `near` says whether an address was given."""
    kind, near = Service(form.service.data), bool(form.address.data)
    tutoring = kind == Service.TUTORING
    wish = Wish(
        service=kind,
        person_id=NOBODY_YET,
        sessions=1,
        minutes=int(form.minutes.data),
        windows=WHOLE_WEEK,
        travel_km_max=NEAR_KM if near else EVERYWHERE_KM,
        topic=(form.topic.data or None) if tutoring else None,
    )
    return {
        "estimate": _estimate(wish, home, city, form),
        "wish": wish,
        "near": near,
        "venues": [] if kind == Service.HOME_CARE else _venues(city, kind, home),
    }


def _estimate(wish: Wish, home: Home, city: Municipality, form: PriceForm) -> Estimate | None:
    """For a household and a person that are never stored."""
    moment: datetime = now()
    family = Household(
        municipality_id=city.id,
        id=NOBODY_YET,
        family_name="",
        given_name="",
        address=home.address,
        lat=home.lat,
        lon=home.lon,
        created_at=moment,
    )
    level = int(form.level.data) if form.level.data and wish.service == Service.TUTORING else None
    person = Person(
        municipality_id=city.id, household_id=NOBODY_YET, age=None, level=level, age_on=today(), created_at=moment
    )
    return estimate(db.session, family, person, wish, today(), form.isee.data)


def _venues(city: Municipality, kind: Service, home: Home) -> list[tuple[Venue, float]]:
    """The nearest places for a service, with their distances in km."""
    known = db.session.exec(select(Venue).where(Venue.municipality_id == city.id)).all()
    fitting = [(one, distance_km(home.lat, home.lon, one.lat, one.lon)) for one in known if kind.value in one.services]
    return sorted(fitting, key=lambda one: (one[1], one[0].code))[:VENUES_SHOWN]
