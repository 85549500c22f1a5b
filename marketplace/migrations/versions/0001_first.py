"""The first schema: tables, guards, policies, and procrastinate's job tables."""

from importlib.resources import files

from alembic import op
from sqlmodel import SQLModel

from marketplace.migrations import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for extension in guards.EXTENSIONS:
        op.execute(f"create extension if not exists {extension}")
    connection = op.get_bind()
    SQLModel.metadata.create_all(connection)
    connection.exec_driver_sql(guards.FUNCTIONS)
    connection.exec_driver_sql(guards.TRIGGERS)
    for statement in guards.append_only():
        op.execute(statement)
    tables = [t.name for t in SQLModel.metadata.sorted_tables if "municipality_id" in t.c and t.name != "appointment"]
    for statement in guards.policies(tables):
        op.execute(statement)
    jobs = files("procrastinate").joinpath("sql/schema.sql").read_text()
    connection.exec_driver_sql(jobs)
    op.execute("grant usage on schema public to app")
    op.execute("grant select, insert, update, delete on all tables in schema public to app")
    op.execute("grant usage, select on all sequences in schema public to app")
    op.execute("grant execute on all functions in schema public to app")


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing before it: drop the database instead")
