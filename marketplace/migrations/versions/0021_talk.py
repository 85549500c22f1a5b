"""Messages within a group, and complaints about them: the latter written by anybody, read by staff alone."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import STAFF, guard, key, refers

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "group_message",
        *key(),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("standing", sa.String(length=40), nullable=False),
        sa.CheckConstraint("standing in ('shown', 'reported', 'removed')", name="standing_known"),
        sa.CheckConstraint("(household_id is null) <> (provider_id is null)", name="group_message_by_one"),
        *(refers(table, f"{table}_id") for table in ("slot", "household", "provider")),
    )
    op.create_index("group_message_of_slot", "group_message", ["municipality_id", "slot_id", "sent_at"])
    guard("group_message")
    op.create_table(
        "complaint",
        *key(),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=False),
        sa.Column("why", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        refers("group_message", "message_id"),
        sa.UniqueConstraint("municipality_id", "message_id", "by_user_id", name="complaint_once"),
    )
    guard("complaint")
    op.execute(f"create policy staff_reads on complaint as restrictive for select using ({STAFF})")


def downgrade() -> None:
    for table in ("complaint", "group_message"):
        op.drop_table(table)
