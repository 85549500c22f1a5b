"""The schema in the database is the one that the code expects: `migrate` brings it there, once, whoever comes first."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
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
    """Bring the database at `owner_url` (who owns the tables) to the newest revision; True if anything was done."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
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


def _create_app_role(connection: Connection) -> None:
    """The role of the web and the workers: it owns nothing and obeys row-level security.

    An owner who is no superuser may make a role and still not act in it, before it grants itself that.
    Raises OwnerLacksRights.
    """
    try:
        connection.execute(text(APP_ROLE))
    except ProgrammingError as problem:
        raise OwnerLacksRights from problem
