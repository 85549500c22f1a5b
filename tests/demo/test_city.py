"""The synthetic city is the same for the same seed, inside its outline, and an instance that the matcher takes."""

import json
from datetime import UTC, datetime

import pytest
import shapely
from sqlmodel import Session, select
from stdnum.it import codicefiscale

from marketplace.db import Scope, set_scope
from marketplace.demo.city import REGGIO_EMILIA, make_city, school_year
from marketplace.households.models import Household
from marketplace.rounds.instances import build_instance
from matching.formats import instance_from_json

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def city(session: Session) -> Session:
    set_scope(session, Scope())
    make_city(session, NOW, seed=3, families=80)
    return session


def test_homes_lie_inside_the_outline_and_tax_codes_pass_their_check(city: Session) -> None:
    from marketplace.accounts.models import Municipality

    outline = shapely.geometry.shape(city.get_one(Municipality, REGGIO_EMILIA).outline)
    households = city.exec(select(Household)).all()
    assert len(households) == 80
    assert all(shapely.contains_xy(outline, one.lon, one.lat) for one in households)
    assert all(codicefiscale.is_valid(one.tax_code) for one in households)


def test_the_city_is_a_valid_instance_and_equal_for_an_equal_seed(city: Session) -> None:
    first = build_instance(city, REGGIO_EMILIA, NOW.date())
    instance = instance_from_json(first)
    assert (len(instance.needs), len(instance.venues), len(instance.programmes)) == (80, 12, 4)
    assert len(instance.providers) > 75
    city.rollback()
    set_scope(city, Scope())
    make_city(city, NOW, seed=3, families=80)
    assert _without_ids(build_instance(city, REGGIO_EMILIA, NOW.date())) == _without_ids(first)


def _without_ids(instance: dict[str, object]) -> str:
    return json.dumps([[{**need, "person": ""} for need in instance["needs"]], instance["providers"]], sort_keys=True)


def test_the_school_year_of_a_day() -> None:
    assert [day.isoformat() for day in school_year(NOW.date())] == ["2026-09-15", "2027-06-06"]
    assert school_year(NOW.date().replace(month=7))[0].year == 2026
    assert school_year(NOW.date().replace(month=6, day=6))[0].year == 2025
