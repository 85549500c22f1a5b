"""Who of the staff saw a family's data is on record: never changed, and taken away only when it is older than a year."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0048"
down_revision = "0037"
branch_labels = None
depends_on = None

SHOWN = (
    "pages", "contacts", "means_test", "ranking", "payments", "contest", "documents", "words", "needs", "home",
)  # fmt: skip
KEEP = """
create function keep_a_year() returns trigger language plpgsql as $$
begin
  if tg_op <> 'DELETE' or old.at > now() - interval '1 year' then
    raise exception 'rows of % are never changed, and kept for a year', tg_table_name
      using errcode = 'restrict_violation';
  end if;
  return old;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "look",
        *key(),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("shown", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint(f"shown in {SHOWN}", name="shown_known"),
        refers("household"),
    )
    op.create_index("look_by_household", "look", ["municipality_id", "household_id", "at"])
    guard("look", household="household_id")
    op.execute("revoke update on look from app")
    op.execute(KEEP)
    op.execute("create trigger kept before update or delete on look for each row execute function keep_a_year()")


def downgrade() -> None:
    op.drop_table("look")
    op.execute("drop function keep_a_year()")
