"""One more session of a slot: asked by a member, accepted by its provider, joined by others up to the seats there are."""

import sqlalchemy as sa
from alembic import op

from marketplace.migrations.later import STAFF, guard, key, refers

revision = "0041"
down_revision = "0039"
branch_labels = None
depends_on = None

WRITE_DOWN = (
    "create trigger write_down_state after update on {table} referencing old table as gone new table as"
    " arrived for each statement execute function write_down_state()"
)
MINE = "household_id::text = current_setting('app.household', true)"
IN_GROUP = """
exists (select from membership m where m.municipality_id = extra_session.municipality_id
        and m.slot_id = extra_session.slot_id and m.state in ('confirmed', 'left')
        and m.household_id::text = current_setting('app.household', true))
or exists (select from slot s where s.municipality_id = extra_session.municipality_id
        and s.id = extra_session.slot_id and s.provider_id::text = current_setting('app.provider', true))
"""
# Who sees an extra session sees its seats.
SEEN = "exists (select from extra_session x where x.municipality_id = extra_seat.municipality_id and x.id = extra_id)"
FUNCTIONS = """
create function extra_steps() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and (old.state, new.state) not in (
      ('asked', 'accepted'), ('asked', 'refused'), ('asked', 'withdrawn'), ('asked', 'expired'),
      ('accepted', 'withdrawn'), ('accepted', 'held'))
    or (new.slot_id, new.held_on, new.start_minute, new.end_minute)
      is distinct from (old.slot_id, old.held_on, old.start_minute, old.end_minute) then
    raise exception 'extra session % does not go from % to %', new.id, old.state, new.state
      using errcode = 'check_violation', constraint = 'extra_steps', table = 'extra_session';
  end if;
  return new;
end $$;

create function extra_seats_within_limit() returns trigger language plpgsql as $$
declare
  extra extra_session;
begin
  select * into extra from extra_session
    where municipality_id = new.municipality_id and id = new.extra_id for no key update;
  if extra.state not in ('asked', 'accepted') or not exists (
      select from membership m where m.municipality_id = new.municipality_id and m.id = new.membership_id
        and m.slot_id = extra.slot_id and m.household_id = new.household_id and m.seats = new.seats) then
    raise exception 'nobody takes or gives back a seat in extra session %', new.extra_id
      using errcode = 'check_violation', constraint = 'extra_steps', table = 'extra_seat';
  end if;
  if (select sum(seats) from extra_seat where municipality_id = new.municipality_id
        and extra_id = new.extra_id and state = 'taken')
      > (select seats_limit from slot where municipality_id = new.municipality_id and id = extra.slot_id) then
    raise exception 'extra session % is full', new.extra_id
      using errcode = 'check_violation', constraint = 'extra_seats_within_limit', table = 'extra_seat';
  end if;
  return null;
end $$;
"""


def upgrade() -> None:
    _extra_session()
    _extra_seat()
    for part in FUNCTIONS.split("\n\n"):
        op.execute(part)
    op.execute("grant execute on function extra_steps(), extra_seats_within_limit() to app")
    op.execute("create trigger extra_steps before update on extra_session for each row execute function extra_steps()")
    op.execute(
        "create constraint trigger extra_seats_within_limit after insert or update on extra_seat"
        " for each row execute function extra_seats_within_limit()"
    )
    guard("extra_session")
    guard("extra_seat")
    op.execute(f"create policy in_group on extra_session as restrictive using ({STAFF} or {IN_GROUP})")
    op.execute(f"create policy in_group on extra_seat as restrictive using ({SEEN})")
    for command, clause in (("insert", "with check"), ("update", "with check"), ("delete", "using")):
        op.execute(
            f"create policy own_seat_{command} on extra_seat as restrictive for {command} {clause} ({STAFF} or {MINE})"
        )
    for table in ("extra_session", "extra_seat"):
        op.execute(WRITE_DOWN.format(table=table))
    op.add_column("meeting", sa.Column("extra_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "extra_id_exists", "meeting", "extra_session", ["municipality_id", "extra_id"], ["municipality_id", "id"]
    )
    op.drop_constraint("meeting_once_a_day", "meeting")
    op.create_index(
        "meeting_once_a_day",
        "meeting",
        ["municipality_id", "slot_id", "held_on"],
        unique=True,
        postgresql_where=sa.text("extra_id is null"),
    )
    op.create_unique_constraint("extra_meets_once", "meeting", ["municipality_id", "extra_id"])


def _extra_session() -> None:
    op.create_table(
        "extra_session",
        *key(),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("join_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state in ('asked', 'accepted', 'refused', 'withdrawn', 'expired', 'held')", name="extrastate_known"
        ),
        sa.CheckConstraint(
            "0 <= start_minute and start_minute < end_minute and end_minute <= 1440", name="extra_times"
        ),
        sa.CheckConstraint("created_at < answer_by and answer_by < join_until", name="extra_deadlines"),
        refers("slot"),
        refers("household"),
    )
    op.create_index(
        "one_extra_a_day",
        "extra_session",
        ["municipality_id", "slot_id", "held_on"],
        unique=True,
        postgresql_where=sa.text("state in ('asked', 'accepted')"),
    )


def _extra_seat() -> None:
    op.create_table(
        "extra_seat",
        *key(),
        sa.Column("extra_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("cap_cents", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state in ('taken', 'withdrawn')", name="seatstate_known"),
        sa.CheckConstraint("seats > 0 and cap_cents >= 0", name="extra_seat_counts"),
        refers("extra_session", "extra_id"),
        refers("membership"),
        refers("household"),
        sa.UniqueConstraint("municipality_id", "extra_id", "membership_id", name="one_extra_seat"),
    )


def downgrade() -> None:
    op.drop_constraint("extra_meets_once", "meeting")
    op.drop_index("meeting_once_a_day", "meeting")
    op.drop_constraint("extra_id_exists", "meeting")
    op.execute("delete from meeting where extra_id is not null")
    op.drop_column("meeting", "extra_id")
    op.create_unique_constraint("meeting_once_a_day", "meeting", ["municipality_id", "slot_id", "held_on"])
    op.drop_table("extra_seat")
    op.drop_table("extra_session")
    op.execute("drop function extra_seats_within_limit()")
    op.execute("drop function extra_steps()")
