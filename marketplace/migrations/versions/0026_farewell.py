"""A household that leaves: when it asked, and when what names it was erased."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "farewell",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["municipality_id"], ["municipality.id"]),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "household_id"],
            ["household.municipality_id", "household.id"],
            name="household_id_exists",
        ),
        sa.UniqueConstraint("municipality_id", "household_id", name="one_farewell"),
    )
    guard("farewell", household="household_id")


def downgrade() -> None:
    op.drop_table("farewell")
