"""pagoPA's flows: what each says was paid, kept from its reading to its confirmation, and after it for the audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from marketplace.migrations.later import STAFF, guard, key

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pagopa_flow",
        *key(),
        sa.Column("identifier", sa.String(length=35), nullable=False),
        sa.Column("transfer", sa.String(length=35), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("rows", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("municipality_id", "identifier", name="flow_once"),
    )
    guard("pagopa_flow")
    op.execute(f"create policy staff_alone on pagopa_flow as restrictive using ({STAFF}) with check ({STAFF})")


def downgrade() -> None:
    op.drop_table("pagopa_flow")
