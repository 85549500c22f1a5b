"""A line of the bank says which pagoPA notice it paid."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("bank_line", sa.Column("notice", sa.String(length=18), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("bank_line", "notice")
