"""How somebody wants e-mail: once a day, and whether messages that are not needed; messages held, gathered, dropped."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import STAFF, guard, key

revision = "0040"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_choice",
        *key(),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("is_daily", sa.Boolean(), nullable=False),
        sa.Column("no_optional", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("municipality_id", "address_index", name="one_mail_choice"),
    )
    guard("mail_choice")
    op.execute(f"create policy staff_alone on mail_choice as restrictive using ({STAFF}) with check ({STAFF})")
    op.drop_constraint("messagestate_known", "message")
    op.create_check_constraint(
        "messagestate_known", "message", "state in ('queued', 'sent', 'failed', 'held', 'gathered', 'dropped')"
    )
    op.create_index(
        "message_held", "message", ["municipality_id", "created_at"], postgresql_where=sa.text("state = 'held'")
    )


def downgrade() -> None:
    op.drop_index("message_held", "message")
    op.execute("update message set state = 'sent' where state in ('gathered', 'dropped')")
    op.execute("update message set state = 'failed', failure = 'held for a digest' where state = 'held'")
    op.drop_constraint("messagestate_known", "message")
    op.create_check_constraint("messagestate_known", "message", "state in ('queued', 'sent', 'failed')")
    op.drop_table("mail_choice")
