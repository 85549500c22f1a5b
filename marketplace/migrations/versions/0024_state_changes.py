"""The database writes down every change of state, by whom and why: an operation that forgets to cannot."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key

revision = "0024"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = (
    "bank_line", "contest", "means_test", "meeting", "membership", "need", "payment", "proposal", "refund", "reversal",
    "round", "slot", "statement", "upload",
)  # fmt: skip

# PL/pgSQL compiles a trigger's function once for each table, so `arrived` and `gone` have that table's columns.
FUNCTION = """
create function write_down_state() returns trigger language plpgsql as $$
declare
  author jsonb := coalesce(nullif(current_setting('app.author', true), ''), '{}')::jsonb;
begin
  insert into state_change
    (municipality_id, id, at, subject, subject_id, before, after, user_id, role, on_behalf_of, reason)
  select a.municipality_id, uuidv7(), clock_timestamp(), tg_table_name, a.id, g.state, a.state,
    (author ->> 'user_id')::uuid, author ->> 'role', (author ->> 'on_behalf_of')::uuid, author ->> 'reason'
  from arrived a join gone g on g.municipality_id = a.municipality_id and g.id = a.id
  where g.state <> a.state;
  return null;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "state_change",
        *key(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("before", sa.String(length=40), nullable=False),
        sa.Column("after", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
    )
    op.create_index("state_change_of", "state_change", ["municipality_id", "subject_id"])
    guard("state_change", append_only=True)
    op.execute("revoke update, delete on state_change from app")
    op.execute(FUNCTION)
    for table in TABLES:
        op.execute(
            f"create trigger write_down_state after update on {table} referencing old table as gone new table as"
            f" arrived for each statement execute function write_down_state()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop trigger write_down_state on {table}")
    op.execute("drop function write_down_state()")
    op.drop_table("state_change")
