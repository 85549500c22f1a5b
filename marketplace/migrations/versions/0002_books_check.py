"""The nightly audit keeps what it found."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from marketplace.migrations.later import guard, key

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "books_check",
        *key(),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("differences", postgresql.JSONB(), nullable=False),
        sa.Column("with_stripe", sa.Boolean(), nullable=False),
    )
    guard("books_check", append_only=True)


def downgrade() -> None:
    op.drop_table("books_check")
