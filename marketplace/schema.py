"""The schema in the database is the one that the code expects: `migrate` brings it there, once, whoever comes first."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool


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
        with connection.begin():
            connection.execute(text("select pg_advisory_xact_lock(7201)"))
            _create_app_role(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return True


def _create_app_role(connection: Connection) -> None:
    """The role of the web and the workers: it owns nothing and obeys row-level security."""
    connection.execute(
        text(
            "do $$ begin create role app login nosuperuser nobypassrls;"
            " exception when duplicate_object or unique_violation then null; end $$"
        )
    )
