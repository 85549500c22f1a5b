"""An extra session may be asked for instead of a meeting that its asker cannot come to."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("extra_seat", sa.Column("instead_of", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "instead_of_exists", "extra_seat", "meeting", ["municipality_id", "instead_of"], ["municipality_id", "id"]
    )


def downgrade() -> None:
    op.drop_constraint("instead_of_exists", "extra_seat")
    op.drop_column("extra_seat", "instead_of")
