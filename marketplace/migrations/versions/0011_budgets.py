"""A programme may have a total and a number of families; its ranking and its budget's alerts are kept."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import guard, key, refers

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Whoever takes more of a programme with a total or a number of families waits for those who are taking: the programme's
# row is locked last, after its weeks, and what they took is seen before it is decided.
FUNCTIONS = (
    """
    create function programme_within_total(municipality text, programme_ uuid) returns void language plpgsql as $$
    declare
      bounds programme;
    begin
      select * into bounds from programme where municipality_id = municipality and id = programme_ for no key update;
      if bounds.total_budget_cents is not null and bounds.total_budget_cents < (
          select coalesce(sum(used_cents), 0) from programme_week
          where municipality_id = municipality and programme_id = programme_) then
        raise exception 'programme % has no more than its total', programme_
          using errcode = 'check_violation', constraint = 'total_not_exceeded', table = 'voucher_hold';
      end if;
      if bounds.families_max is not null and bounds.families_max < (
          select count(distinct n.household_id) from voucher_hold h
          join need n on n.municipality_id = h.municipality_id and n.id = h.need_id
          where h.municipality_id = municipality and h.programme_id = programme_ and h.state <> 'released') then
        raise exception 'programme % has no place for more families', programme_
          using errcode = 'check_violation', constraint = 'families_not_exceeded', table = 'voucher_hold';
      end if;
    end $$
    """,
    """
    create function holds_within_total() returns trigger language plpgsql as $$
    declare
      one record;
    begin
      for one in
        select distinct p.municipality_id, p.id from arrived a
        join programme p on p.municipality_id = a.municipality_id and p.id = a.programme_id
        where a.state <> 'released' and num_nonnulls(p.total_budget_cents, p.families_max) > 0 order by p.id
      loop
        perform programme_within_total(one.municipality_id, one.id);
      end loop;
      return null;
    end $$
    """,
    """
    create function bounds_above_use() returns trigger language plpgsql as $$
    begin
      perform programme_within_total(new.municipality_id, new.id);
      return null;
    end $$
    """,
    "create trigger holds_within_total_in after insert on voucher_hold referencing new table as arrived"
    " for each statement execute function holds_within_total()",
    "create trigger holds_within_total_changed after update on voucher_hold referencing new table as arrived"
    " for each statement execute function holds_within_total()",
    "create trigger bounds_above_use after update of total_budget_cents, families_max on programme"
    " for each row execute function bounds_above_use()",
)


def upgrade() -> None:
    op.add_column("programme", sa.Column("total_budget_cents", sa.BigInteger(), nullable=True))
    op.add_column("programme", sa.Column("families_max", sa.Integer(), nullable=True))
    op.create_check_constraint("programme_total", "programme", "total_budget_cents >= 0")
    op.create_check_constraint("programme_families", "programme", "families_max >= 0")
    for statement in FUNCTIONS:
        op.execute(statement)
    op.execute("grant execute on all functions in schema public to app")
    op.create_table(
        "voucher_rank",
        *key(),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("is_entitled", sa.Boolean(), nullable=False),
        sa.Column("weekly_cents", sa.BigInteger(), nullable=False),
        sa.Column("ranked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("place >= 1", name="rank_from_one"),
        refers("programme"),
        refers("need"),
    )
    op.create_index("rank_by_programme", "voucher_rank", ["municipality_id", "programme_id", "ranked_at"])
    op.create_index("rank_by_need", "voucher_rank", ["municipality_id", "need_id", "ranked_at"])
    guard("voucher_rank", household="household_id", append_only=True)
    op.create_table(
        "budget_alert",
        *key(),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("used_cents", sa.BigInteger(), nullable=False),
        sa.Column("budget_cents", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        refers("programme"),
        sa.UniqueConstraint("municipality_id", "programme_id", "percent", "week", name="alert_once"),
    )
    guard("budget_alert", append_only=True)


def downgrade() -> None:
    raise RuntimeError("published rankings are not thrown away")
