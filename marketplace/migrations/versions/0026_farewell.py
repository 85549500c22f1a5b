"""A household that leaves: when it asked, and when what names it was erased."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "farewell",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        refers("household"),
        sa.UniqueConstraint("municipality_id", "household_id", name="one_farewell"),
    )
    guard("farewell", household="household_id")


def downgrade() -> None:
    op.drop_table("farewell")
