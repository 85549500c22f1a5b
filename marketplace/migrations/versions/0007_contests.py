"""A family contests a line; an officer reminds, takes back a transfer, writes off."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("statement", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("statement", sa.Column("written_off_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payout", sa.Column("payment_id", sa.Uuid(), nullable=True))
    op.execute(
        "update payout o set payment_id = p.id from payment p"
        " where p.municipality_id = o.municipality_id and p.statement_id = o.statement_id and p.cause = ''"
    )
    op.drop_constraint("payout_once", "payout")
    op.create_unique_constraint("payout_once", "payout", ["municipality_id", "provider_id", "payment_id"])
    op.create_table(
        "reversal",
        *key(),
        sa.Column("payout_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("request_key", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("stripe_reversal_id", sa.String(), nullable=True),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.UniqueConstraint("municipality_id", "request_key", name="reversal_once"),
        sa.CheckConstraint("cents > 0", name="reversal_positive"),
        sa.CheckConstraint(sa.column("state").in_(("asked", "done", "failed")), name="refundstate_known"),
        refers("payout"),
    )
    op.create_index("ix_reversal_payout_id", "reversal", ["payout_id"])
    guard("reversal", provider="provider_id")
    op.create_table(
        "contest",
        *key(),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.UniqueConstraint("municipality_id", "line_id", name="contested_once"),
        sa.CheckConstraint("(state = 'open') = (decided_at is null)", name="contest_decided"),
        sa.CheckConstraint("(state = 'upheld') = (outcome is not null)", name="contest_outcome"),
        sa.CheckConstraint(sa.column("state").in_(("open", "rejected", "upheld")), name="conteststate_known"),
        sa.CheckConstraint(sa.column("outcome").in_(("fund", "attendance")), name="outcome_known"),
        refers("statement_line", "line_id"),
    )
    op.create_index("contest_by_meeting", "contest", ["municipality_id", "meeting_id", "membership_id"])
    guard("contest", household="household_id")


def downgrade() -> None:
    raise RuntimeError("contested lines have no place in the older schema")
