"""A member of a group invites neighbours by a code."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invitation",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        refers("household"),
        refers("slot"),
        sa.UniqueConstraint("municipality_id", "code", name="invitation_code_once"),
    )
    op.create_index(
        "one_invitation",
        "invitation",
        ["municipality_id", "household_id", "slot_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at is null"),
    )
    guard("invitation", household="household_id")


def downgrade() -> None:
    op.drop_table("invitation")
