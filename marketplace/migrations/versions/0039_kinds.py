"""How soon a message must come: what can wait is not sent at night."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("kind", sa.String(length=40), nullable=False, server_default="ordinary"))
    op.alter_column("message", "kind", server_default=None)
    op.create_check_constraint("kind_known", "message", "kind in ('urgent', 'timely', 'ordinary', 'optional')")


def downgrade() -> None:
    op.drop_constraint("kind_known", "message")
    op.drop_column("message", "kind")
