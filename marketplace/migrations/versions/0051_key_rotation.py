"""A key can be changed: the owner may give a sealed value of history another head, never another body; and a pepper that outlives all keys."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0048"
branch_labels = None
depends_on = None

# History with sealed columns: the columns, which alone may change.
SEALED = {
    "danger_report": ("about", "words", "contact"),
    "danger_answer": ("words",),
    "document": ("content",),
    "isee_answer": ("isee_cents",),
}
# A head is 69 bytes (marketplace.sealed); a value that begins with a g is of the form of before there were envelopes.
FUNCTIONS = """
create function refuse_change_but_resealing() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and current_user = (select pg_get_userbyid(relowner) from pg_class where oid = tg_relid) then
    return null;
  end if;
  raise exception 'rows of % are never changed: write a new one', tg_table_name using errcode = 'restrict_violation';
end $$;

create function only_reseals() returns trigger language plpgsql as $$
declare
  before jsonb := to_jsonb(old);
  after jsonb := to_jsonb(new);
  was bytea;
  becomes bytea;
begin
  for i in 0 .. tg_nargs - 1 loop
    was := (before ->> tg_argv[i])::bytea;
    becomes := (after ->> tg_argv[i])::bytea;
    if was is distinct from becomes and not coalesce(substring(becomes, 1, 1) = '\\x01' and
        (substring(was, 1, 1) = 'g'
          or substring(was, 1, 1) = '\\x01' and length(becomes) > 69 and substring(was, 70) = substring(becomes, 70)), false) then
      raise exception 'rows of % are never changed: write a new one', tg_table_name using errcode = 'restrict_violation';
    end if;
    before := before - tg_argv[i];
    after := after - tg_argv[i];
  end loop;
  if before is distinct from after then
    raise exception 'rows of % are never changed: write a new one', tg_table_name using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
"""


def upgrade() -> None:
    op.create_table(
        "lasting_secret",
        sa.Column("name", sa.String(length=40), primary_key=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
    )
    op.execute("grant select, insert on lasting_secret to app")
    op.execute(FUNCTIONS)
    for table, columns in SEALED.items():
        op.execute(f"drop trigger never_changed on {table}")
        op.execute(
            f"create trigger never_changed before update or delete or truncate on {table}"
            " for each statement execute function refuse_change_but_resealing()"
        )
        named = ", ".join(f"'{column}'" for column in columns)
        op.execute(
            f"create trigger only_reseals before update on {table} for each row execute function only_reseals({named})"
        )


def downgrade() -> None:
    """What is sealed in envelopes stays: a program that reads none must not be given this database."""
    if op.get_bind().scalar(sa.text("select exists (select 1 from lasting_secret)")):
        raise RuntimeError("passwords and recovery codes hang on a secret that an older program does not know")
    for table in SEALED:
        op.execute(f"drop trigger only_reseals on {table}")
        op.execute(f"drop trigger never_changed on {table}")
        op.execute(
            f"create trigger never_changed before update or delete or truncate on {table}"
            " for each statement execute function refuse_change()"
        )
    op.execute("drop function only_reseals")
    op.execute("drop function refuse_change_but_resealing")
    op.drop_table("lasting_secret")
