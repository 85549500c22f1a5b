"""A small city and a family in it, for the tests of the family's rooms."""

from datetime import UTC, date, datetime

from flask.testing import FlaskClient
from sqlmodel import Session

from marketplace.accounts.models import Actor, Municipality, Role, User
from marketplace.db import NOBODY, Scope, db, set_scope
from marketplace.households.details import Applicant, Home, PersonDetails
from marketplace.households.operations import add_person, register_household

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
CITY = "051002"
ROSSI = Applicant("Maria", "Rossi", "RSSMRA85D41A794Y", "maria@example.org", None)
HOME = Home("Via Garibaldi 12", 43.4640, 11.8800)
CHILD = PersonDetails("Luca", 12, 7)


def city(session: Session) -> None:
    """The municipality."""
    session.add(Municipality(id=CITY, name="Arezzo", lat=43.463, lon=11.879, created_at=NOW))
    session.flush()


def user(session: Session, email: str = "maria@example.org", confirmed: bool = True) -> Actor:
    """Somebody who has signed up and is nobody's yet; the session is scoped as the web would scope it."""
    made = User(
        email=email, fs_uniquifier=email, create_datetime=NOW, confirmed_at=NOW if confirmed else None, password="-"
    )
    session.add(made)
    session.flush()
    set_scope(session, Scope(CITY, NOBODY, NOBODY))
    return Actor(CITY, user_id=made.id)


def family(session: Session, applicant: Applicant = ROSSI, email: str = "maria@example.org") -> Actor:
    """A registered family."""
    by = user(session, email)
    household = register_household(session, by, NOW, applicant, HOME)
    set_scope(session, Scope(CITY, household.id, NOBODY))
    return Actor(CITY, Role.FAMILY, by.user_id, household_id=household.id)


def child(session: Session, by: Actor, details: PersonDetails = CHILD):
    """Somebody of the family who needs help."""
    return add_person(session, by, NOW, TODAY, details)


def sign_in(client: FlaskClient, who: Actor) -> None:
    """Make `client` the browser of that user."""
    with client.application.app_context():
        token = db.session.get_one(User, who.user_id).fs_uniquifier
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
        cookie["_fresh"] = True
