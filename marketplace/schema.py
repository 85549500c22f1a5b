"""The schema in the database is the one that the code expects: `migrate` brings it there, once, whoever comes first."""

import functools
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from marketplace.errors import CannotRun
from marketplace.words import N_

OLDEST = (18,)


class OwnerLacksRights(CannotRun):
    """On a given server the owner can neither make the role `app` nor act in it."""

    default = N_(
        "L'utente di DATABASE_URL non può creare il ruolo app. Chi amministra il server può farlo:"
        " create role app login; grant app to utente with inherit false, set true."
    )


class TooOld(CannotRun):
    """A server before PostgreSQL 18 lacks what the schema uses (uuidv7)."""

    default = N_("Serve PostgreSQL 18 o più recente: qui c'è la versione %(version)s.")


class NoWayBack(CannotRun):
    """An older schema has no place for what there is."""

    default = N_("Fin lì non si torna (%(reason)s): ripristina una copia di prima.")


APP_ROLE = """
do $$ begin
    begin
        if to_regrole('app') is null then
            create role app login nosuperuser nobypassrls;
        end if;
    exception when duplicate_object or unique_violation then null;
    end;
    if not pg_has_role(current_user, 'app', 'set') then
        execute format('grant app to %I with inherit false, set true', current_user);
    end if;
end $$
"""


def migrate(owner_url: str) -> bool:
    """Bring the database at `owner_url` (who owns the tables) to the newest revision; True if anything was done.

    A revision that this code does not know is a newer program's, which runs beside it: nothing is done.
    """
    config = _config()
    newest, *older = known_revisions()
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == newest or (current is not None and current not in older):
            return False
        connection.rollback()
        version = connection.dialect.server_version_info or OLDEST
        if version < OLDEST:
            raise TooOld(version=".".join(map(str, version)))
        with connection.begin():
            connection.execute(text("select pg_advisory_xact_lock(7201)"))
            _create_app_role(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return True


def migrate_back(owner_url: str, revision: str) -> None:
    """Bring the database back to an older revision, before its program is started: what came later is dropped.

    Raises NoWayBack, having done nothing, where that would throw away what was decided or paid, or knows no revision.
    """
    config = _config()
    engine = create_engine(owner_url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(7201)"))
            config.attributes["connection"] = connection
            command.downgrade(config, revision)
    except (RuntimeError, CommandError) as problem:
        raise NoWayBack(reason=problem) from problem


def known_revisions() -> list[str]:
    """Every revision that this program knows, its own first."""
    return [one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()]


@functools.cache
def older_revisions() -> frozenset[str]:
    """The revisions that are too old for this program."""
    return frozenset(known_revisions()[1:])


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _create_app_role(connection: Connection) -> None:
    """The role of the web and the workers: it owns nothing and obeys row-level security.

    An owner who is no superuser may make a role and still not act in it, before it grants itself that.
    Raises OwnerLacksRights.
    """
    try:
        connection.execute(text(APP_ROLE))
    except ProgrammingError as problem:
        raise OwnerLacksRights from problem
