"""Messages by SMS, to numbers that have given back the code that was sent to them."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("channel", sa.String(length=40), nullable=False, server_default="email"))
    op.alter_column("message", "channel", server_default=None)
    op.create_check_constraint("channel_known", "message", "channel in ('email', 'sms')")
    op.create_table(
        "mobile_number",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        refers("household"),
        sa.UniqueConstraint("municipality_id", "household_id", name="one_mobile_number"),
    )
    op.create_index("mobile_number_by_index", "mobile_number", ["municipality_id", "number_index"])
    guard("mobile_number", household="household_id")


def downgrade() -> None:
    op.drop_table("mobile_number")
    op.drop_constraint("channel_known", "message")
    op.drop_column("message", "channel")
