"""A means test says from when it counts, who lives where and who attested it; a wrong one is corrected by a dated decision."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("means_test", sa.Column("counts_from", sa.Date(), nullable=True))
    op.add_column("means_test", sa.Column("is_resident", sa.Boolean(), nullable=True))
    op.add_column("means_test", sa.Column("disability", sa.LargeBinary(), nullable=True))
    op.add_column("means_test", sa.Column("attestation", sa.String(length=60), server_default="", nullable=False))
    op.alter_column("means_test", "attestation", server_default=None)
    op.create_table(
        "isee_answer",
        *key(),
        sa.Column("means_test_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("isee_cents", sa.LargeBinary(), nullable=True),
        sa.Column("attestation", sa.String(length=60), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(sa.column("outcome").in_(("agrees", "differs", "missing")), name="iseeoutcome_known"),
        refers("means_test"),
    )
    op.create_index("ix_isee_answer_means_test_id", "isee_answer", ["means_test_id"])
    guard("isee_answer", household="household_id", append_only=True)
    op.create_table(
        "voucher_decision",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("means_test_id", sa.Uuid(), nullable=False),
        sa.Column("is_entitled", sa.Boolean(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        refers("household"),
        refers("means_test"),
        refers("programme"),
    )
    op.create_index("decision_by_household", "voucher_decision", ["municipality_id", "household_id", "programme_id"])
    guard("voucher_decision", household="household_id", append_only=True)


def downgrade() -> None:
    raise RuntimeError("decisions on vouchers are not thrown away")
