"""A programme's rules as dated versions, of which no two count on one day and none is edited."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from marketplace.migrations.later import key, refers

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GUARDS = (
    "alter table programme_rule enable row level security",
    "alter table programme_rule force row level security",
    "create policy municipality on programme_rule"
    " using (municipality_id = current_setting('app.municipality', true))"
    " with check (municipality_id = current_setting('app.municipality', true))",
    "grant select, insert, update on programme_rule to app",
    """
    create function only_the_end_of_a_rule_changes() returns trigger language plpgsql as $$
    begin
      if tg_op <> 'UPDATE' or to_jsonb(old) - 'during' <> to_jsonb(new) - 'during'
         or lower(old.during) is distinct from coalesce(lower(new.during), lower(old.during))
         or not (new.during <@ old.during) then
        raise exception 'a version of a rule is never changed: publish a new one' using errcode = 'restrict_violation';
      end if;
      return new;
    end $$
    """,
    "create trigger only_its_end_changes before update or delete on programme_rule"
    " for each row execute function only_the_end_of_a_rule_changes()",
    "grant execute on function only_the_end_of_a_rule_changes() to app",
)


def upgrade() -> None:
    op.create_table(
        "programme_rule",
        *key(),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rule", postgresql.JSONB(), nullable=False),
        sa.Column("during", postgresql.DATERANGE(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("municipality_id"), "="),
            (sa.column("programme_id"), "="),
            (sa.column("during"), "&&"),
            name="one_rule_a_day",
            using="gist",
        ),
        refers("programme"),
        sa.UniqueConstraint("municipality_id", "programme_id", "number", name="rule_number_once"),
    )
    for statement in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("rules that decisions were made under are not thrown away")
