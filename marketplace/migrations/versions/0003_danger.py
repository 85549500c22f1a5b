"""Reports of danger and their answers: written by anybody, read by the municipality's staff, changed by nobody."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import STAFF, guard, key, refers

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    role = sa.Enum(
        "family", "provider", "officer", "operator", "administrator",
        name="role_known", native_enum=False, create_constraint=True, length=40,
    )  # fmt: skip
    op.create_table(
        "danger_report",
        *key(),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("about", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("contact", sa.LargeBinary(), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column("by_role", role, nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=False),
        refers("provider"),
    )
    op.create_index("danger_report_by_time", "danger_report", ["municipality_id", "reported_at"])
    op.create_table(
        "danger_answer",
        *key(),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("suspended_id", sa.Uuid(), nullable=True),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        refers("danger_report", "report_id"),
        refers("provider", "suspended_id"),
    )
    op.create_index(op.f("ix_danger_answer_report_id"), "danger_answer", ["report_id"])
    for table in ("danger_report", "danger_answer"):
        guard(table, append_only=True)
        op.execute(f"create policy staff_reads on {table} as restrictive for select using ({STAFF})")


def downgrade() -> None:
    raise RuntimeError("reports of danger are not thrown away")
