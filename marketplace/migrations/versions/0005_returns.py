"""What went back is asked for anew; refunds and disputes have rows; a provider's transfer can be taken back."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = ("due", "processing", "succeeded", "failed", "refunded", "waiting", "cancelled")


def upgrade() -> None:
    op.add_column("payment", sa.Column("cause", sa.String(length=120), server_default="", nullable=False))
    op.drop_constraint("payment_once", "payment")
    op.create_unique_constraint("payment_once", "payment", ["municipality_id", "statement_id", "cause"])
    op.drop_constraint("paymentstate_known", "payment")
    op.create_check_constraint("paymentstate_known", "payment", sa.column("state").in_(STATES))
    op.add_column("payout", sa.Column("reversed_cents", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint("payout_taken_back", "payout", "reversed_cents between 0 and due_cents")
    op.create_table(
        "refund",
        *own_columns(),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("request_key", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("stripe_refund_id", sa.String(), nullable=True),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.UniqueConstraint("municipality_id", "request_key", name="refund_once"),
        sa.CheckConstraint("cents > 0", name="refund_positive"),
        sa.CheckConstraint(sa.column("state").in_(("asked", "done", "failed")), name="refundstate_known"),
        *own_keys(),
    )
    op.create_table(
        "dispute",
        *own_columns(),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("stripe_dispute_id", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("taken_cents", sa.BigInteger(), nullable=False),
        sa.Column("returned_cents", sa.BigInteger(), nullable=False),
        sa.Column("fee_cents", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("municipality_id", "stripe_dispute_id", name="dispute_once"),
        *own_keys(),
    )
    for table in ("refund", "dispute"):
        op.create_index(f"ix_{table}_payment_id", table, ["payment_id"])
        guard(table, household="household_id")


def own_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
    ]


def own_keys() -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["municipality_id", "payment_id"], ["payment.municipality_id", "payment.id"], name="payment_id_exists"
        ),
        sa.ForeignKeyConstraint(["municipality_id"], ["municipality.id"]),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    ]


def downgrade() -> None:
    raise RuntimeError("payments that went back have no place in the older schema")
