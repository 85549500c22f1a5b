"""A provider who cannot hold a meeting asks colleagues to hold it."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "substitution",
        *key(),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("absent_id", sa.Uuid(), nullable=False),
        sa.Column("substitute_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('seeking', 'found', 'ended')", name="searchstate_known"),
        sa.CheckConstraint("(state = 'found') = (substitute_id is not null)", name="substitution_found"),
        sa.CheckConstraint("substitute_id <> absent_id", name="substitution_by_another"),
        refers("meeting"),
        refers("provider", "absent_id"),
        refers("provider", "substitute_id"),
    )
    op.create_index("substitution_by_meeting", "substitution", ["municipality_id", "meeting_id"])
    op.create_index(
        "one_search_per_meeting",
        "substitution",
        ["municipality_id", "meeting_id"],
        unique=True,
        postgresql_where=sa.text("state = 'seeking'"),
    )
    guard("substitution")
    op.execute(
        "create trigger write_down_state after update on substitution referencing old table as gone new table as"
        " arrived for each statement execute function write_down_state()"
    )


def downgrade() -> None:
    op.drop_table("substitution")
