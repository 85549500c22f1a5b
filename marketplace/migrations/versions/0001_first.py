"""The first schema: tables, guards, policies, and procrastinate's job tables."""

from contextlib import closing
from importlib.resources import files

from alembic import op
from sqlalchemy import Connection
from sqlmodel import SQLModel

from marketplace.migrations import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def run_script(connection: Connection, script: str) -> None:
    """Run several statements as they stand: no parameters, so no placeholders."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(script)


def upgrade() -> None:
    for extension in guards.EXTENSIONS:
        op.execute(f"create extension if not exists {extension}")
    connection = op.get_bind()
    SQLModel.metadata.create_all(connection)
    run_script(connection, guards.FUNCTIONS)
    run_script(connection, guards.TRIGGERS)
    for statement in guards.append_only():
        op.execute(statement)
    tables = [t.name for t in SQLModel.metadata.sorted_tables if "municipality_id" in t.c and t.name != "appointment"]
    for statement in guards.policies(tables):
        op.execute(statement)
    jobs = files("procrastinate").joinpath("sql/schema.sql").read_text()
    run_script(connection, jobs)
    op.execute("grant usage on schema public to app")
    op.execute("grant select, insert, update, delete on all tables in schema public to app")
    op.execute("grant usage, select on all sequences in schema public to app")
    op.execute("grant execute on all functions in schema public to app")


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing before it: drop the database instead")
