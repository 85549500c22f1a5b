"""Letters: a family may want its messages on paper; a letter knows its batch, and the proposal that its slip answers."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("household", sa.Column("by_letter", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("household", "by_letter", server_default=None)
    op.add_column("message", sa.Column("locale", sa.String(length=2), nullable=False, server_default="it"))
    op.alter_column("message", "locale", server_default=None)
    op.add_column("message", sa.Column("about_id", sa.Uuid(), nullable=True))
    op.add_column("message", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.drop_constraint("channel_known", "message")
    op.create_check_constraint("channel_known", "message", "channel in ('email', 'sms', 'letter')")
    op.create_index(
        "message_letters", "message", ["municipality_id", "state"], postgresql_where=sa.text("channel = 'letter'")
    )


def downgrade() -> None:
    op.drop_index("message_letters", "message")
    op.execute("delete from message where channel = 'letter'")  # nobody prints them any more
    op.drop_constraint("channel_known", "message")
    op.create_check_constraint("channel_known", "message", "channel in ('email', 'sms')")
    op.drop_column("message", "batch_id")
    op.drop_column("message", "about_id")
    op.drop_column("message", "locale")
    op.drop_column("household", "by_letter")
