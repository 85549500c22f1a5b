"""Secret addresses of calendars: of one household's own, kept sealed, found by a blind index."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_feed",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("secret_index", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        refers("household"),
        sa.UniqueConstraint("municipality_id", "secret_index", name="calendar_feed_secret_once"),
    )
    op.create_index(
        "one_calendar_feed",
        "calendar_feed",
        ["municipality_id", "household_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
    )
    guard("calendar_feed", household="household_id")


def downgrade() -> None:
    op.drop_table("calendar_feed")
