"""What a rule would have cost is found by a job, and kept with the rule that was tried."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from marketplace.migrations.later import STAFF, guard, key, refers

revision = "0036"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_trial",
        *key(),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        refers("programme"),
        sa.CheckConstraint("(outcome is null) = (finished_at is null)", name="trial_finished"),
    )
    op.create_index("trial_by_programme", "rule_trial", ["municipality_id", "programme_id", "asked_at"])
    guard("rule_trial")
    op.execute(f"create policy staff_alone on rule_trial as restrictive using ({STAFF}) with check ({STAFF})")


def downgrade() -> None:
    op.drop_table("rule_trial")
