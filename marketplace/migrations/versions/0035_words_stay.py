"""What was said in a group is never said otherwise: of a message only its standing changes, whoever the connection acts for."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("revoke update on group_message from app")
    op.execute("grant update (standing) on group_message to app")


def downgrade() -> None:
    op.execute("revoke update (standing) on group_message from app")
    op.execute("grant update on group_message to app")
