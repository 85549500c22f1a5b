"""A month's entries are written and checked by the set: one look at what a statement inserted, not one for each row."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BY_THE_SET = """
create function entries_balance() returns trigger language plpgsql as $$
declare
  lopsided uuid;
begin
  select entry_id into lopsided from arrived group by municipality_id, entry_id having sum(cents) <> 0 limit 1;
  if lopsided is not null then
    raise exception 'entry % does not balance', lopsided
      using errcode = 'check_violation', constraint = 'entry_balances', table = 'posting';
  end if;
  return null;
end $$;
"""


def upgrade() -> None:
    op.execute("drop trigger entry_balances on posting")
    op.execute("drop function entry_balances()")
    op.execute(BY_THE_SET)
    op.execute("grant execute on function entries_balance() to app")
    op.execute(
        "create trigger entry_balances after insert on posting"
        " referencing new table as arrived for each statement execute function entries_balance()"
    )
    op.drop_index("ix_posting_entry_id", "posting")
    op.create_index("posting_by_entry", "posting", ["municipality_id", "entry_id"])
    op.drop_index("ix_statement_line_statement_id", "statement_line")
    op.create_index("line_by_statement", "statement_line", ["municipality_id", "statement_id"])
    op.execute("grant maintain on statement, statement_line, ledger_entry, posting, voucher_hold to app")


def downgrade() -> None:
    raise RuntimeError("the books are checked by the set from here on")
