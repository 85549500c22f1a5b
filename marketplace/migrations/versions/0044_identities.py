"""Who proved who they are by SPID or CIE, and the questions on their way to a provider; global, as sign-in's are."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("tax_code", sa.LargeBinary(), nullable=False),
        sa.Column("tax_code_index", sa.LargeBinary(), nullable=False),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        sa.PrimaryKeyConstraint("user_id"),
        sa.UniqueConstraint("tax_code_index", name="one_identity"),
    )
    op.create_table(
        "identity_request",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("way", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("wanted", sa.String(length=500), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        sa.PrimaryKeyConstraint("state_hash"),
    )
    op.create_index(op.f("ix_identity_request_expires_at"), "identity_request", ["expires_at"], unique=False)
    op.execute("grant select, insert, update, delete on identity, identity_request to app")
    op.drop_constraint("way_known", "signed_in")
    op.create_check_constraint(
        "way_known", "signed_in", "way in ('link', 'password', 'passkey', 'spid', 'cie', 'demo')"
    )


def downgrade() -> None:
    op.execute("delete from signed_in where way in ('spid', 'cie')")  # they sign in again, in another way
    op.drop_constraint("way_known", "signed_in")
    op.create_check_constraint("way_known", "signed_in", "way in ('link', 'password', 'passkey', 'demo')")
    op.drop_table("identity_request")
    op.drop_table("identity")
