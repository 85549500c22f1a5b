"""A bank's files are read in; a payment says by which line it came, a payout that it goes by bank."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key
from marketplace.sealed import SealedText

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("bank_line_id", sa.Uuid(), nullable=True))
    op.add_column("payout", sa.Column("by_bank", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "bank_line",
        *key(),
        sa.Column("account", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=140), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("name", SealedText(), nullable=False),
        sa.Column("text", SealedText(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("matched_to", sa.String(length=80), nullable=True),
        sa.Column("why", sa.String(length=40), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("municipality_id", "account", "reference", name="bank_line_once"),
        sa.CheckConstraint("(state = 'matched') = (matched_to is not null)", name="bank_line_matched"),
        sa.CheckConstraint(sa.column("state").in_(("matched", "unmatched", "out")), name="bankstate_known"),
    )
    guard("bank_line")


def downgrade() -> None:
    raise RuntimeError("lines of the bank have no place in the older schema")
