"""How families found each month of a group."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feedback",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("stars between 1 and 5", name="feedback_stars"),
        *(
            sa.ForeignKeyConstraint(
                ["municipality_id", f"{table}_id"],
                [f"{table}.municipality_id", f"{table}.id"],
                name=f"{table}_id_exists",
            )
            for table in ("slot", "household", "provider")
        ),
        sa.UniqueConstraint("municipality_id", "household_id", "slot_id", "month", name="feedback_once"),
    )
    op.create_index("feedback_of_provider", "feedback", ["municipality_id", "provider_id"])
    guard("feedback", household="household_id")


def downgrade() -> None:
    op.drop_table("feedback")
