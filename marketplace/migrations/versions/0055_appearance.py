"""A municipality's colour and its own words."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key

revision = "0055"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "appearance",
        *key(),
        sa.Column("colour", sa.String(length=7), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("welcome_it", "welcome_en", "help_it", "help_en")),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("colour ~ '^#[0-9a-f]{6}$'", name="appearance_colour"),
        sa.UniqueConstraint("municipality_id", name="appearance_once"),
    )
    guard("appearance")


def downgrade() -> None:
    op.drop_table("appearance")
