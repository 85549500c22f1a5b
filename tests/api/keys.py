"""Keys of one program in each role, of every scope."""

from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.tokens import ROLE_SCOPES, make_token
from marketplace.db import Scope, db, set_scope
from marketplace.providers.models import Provider
from marketplace.web import Application
from tests.city import CITY

Header = dict[str, str]


def key_of(role: Role, household_id: UUID | None = None, made: datetime | None = None) -> Header:
    """The header of a program of an officer, of a family, or of the city's first provider.

    The session sees the whole city.
    """
    made = made or datetime.now(UTC)
    user = add_user(db.session, made, f"{household_id or role.value}@example.org", role.value)
    set_scope(db.session, Scope(CITY))
    provider = db.session.exec(select(Provider).order_by(Provider.code)).first() if role == Role.PROVIDER else None
    provider_id = provider.id if provider else None
    appoint(db.session, made, user.id, CITY, role, household_id=household_id, provider_id=provider_id)
    by = Actor(CITY, role, user.id, household_id=household_id, provider_id=provider_id)
    return {"Authorization": f"Bearer {make_token(db.session, by, made, 'test', list(ROLE_SCOPES[role]), 30)[1]}"}


def everybody(app: Application, keys: dict[str, Header]) -> dict[str, Header]:
    """For each scope the header of a key that has it."""
    with app.app_context():
        found = {role: key_of(role) for role in (Role.PROVIDER, Role.OFFICER)}
        db.session.commit()
    found[Role.FAMILY] = keys["n1"]
    return {scope: found[role] for role, scopes in ROLE_SCOPES.items() for scope in scopes}
