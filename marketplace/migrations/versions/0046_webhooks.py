"""A municipality's programs are told of changes of state: the delivery is written in the transaction of the change."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import STAFF, guard, key, refers

revision = "0046"
down_revision = "0038"
branch_labels = None
depends_on = None

# Whoever makes the change, a family or a job: the addresses are the municipality's, and only their rows are written.
# An owner that is no superuser may not tie settings of ours to a function, so it sets them and puts them back.
FUNCTION = """
create function write_deliveries() returns trigger language plpgsql as $$
declare
  household text := coalesce(current_setting('app.household', true), '');
  provider text := coalesce(current_setting('app.provider', true), '');
begin
  perform set_config('app.household', '', true), set_config('app.provider', '', true);
  insert into webhook_delivery (municipality_id, webhook_id, change_id, subject, subject_id, before, after, at)
  select c.municipality_id, w.id, c.id, c.subject, c.subject_id, c.before, c.after, c.at
  from arrived c join webhook w on w.municipality_id = c.municipality_id
  where w.ended_at is null and w.events ? c.subject;
  perform set_config('app.household', household, true), set_config('app.provider', provider, true);
  return null;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "webhook",
        *key(),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.dialects.postgresql.JSONB(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_table(
        "webhook_delivery",
        *key(),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("before", sa.String(length=40), nullable=False),
        sa.Column("after", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure", sa.String(length=60), server_default="", nullable=False),
        refers("webhook"),
        sa.UniqueConstraint("municipality_id", "webhook_id", "change_id", name="delivery_once"),
    )
    op.create_index(
        "delivery_unqueued",
        "webhook_delivery",
        ["municipality_id", "id"],
        postgresql_where=sa.text("queued_at is null"),
    )
    for table in ("webhook", "webhook_delivery"):
        guard(table)
        op.execute(f"create policy staff_alone on {table} as restrictive using ({STAFF}) with check ({STAFF})")
    op.execute(FUNCTION)
    op.execute(
        "create trigger write_deliveries after insert on state_change referencing new table as arrived"
        " for each statement execute function write_deliveries()"
    )


def downgrade() -> None:
    op.execute("drop trigger write_deliveries on state_change")
    op.execute("drop function write_deliveries()")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
