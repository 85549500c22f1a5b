"""What the database itself refuses: a seat too many, a budget overspent, an unbalanced entry, a rewritten history."""

EXTENSIONS = ("btree_gist", "pg_trgm")

APPEND_ONLY = (
    "audit_entry", "accreditation_decision", "attendance", "ledger_entry", "posting", "statement_line", "month_closing",
    "policy_version", "settlement",
)  # fmt: skip

# Tables of later revisions: the first one makes only those above.
APPEND_ONLY_LATER = ("danger_report", "danger_answer", "document", "document_line", "tax_profile", "state_change")

# Whose changes of state the database writes down: all with a `state` but messages on their way and voucher holds, which
# the dated lines of their statement explain.
STATE_WRITTEN_DOWN = (
    "bank_line", "contest", "extra_seat", "extra_session", "means_test", "meeting", "membership", "need", "payment", "proposal", "refund", "reversal",
    "round", "slot", "statement", "substitution", "upload",
)  # fmt: skip
STATE_UNWRITTEN = ("message", "voucher_hold", "accreditation_decision")

FUNCTIONS = """
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never changed: write a new one', tg_table_name using errcode = 'restrict_violation';
end $$;

create function seats_within_limit() returns trigger language plpgsql as $$
declare
  limit_ integer;
  most integer;
begin
  if new.state not in ('proposed', 'accepted', 'confirmed') then return new; end if;
  select seats_limit into limit_ from slot
    where municipality_id = new.municipality_id and id = new.slot_id for no key update;
  select max(present) into most from (
    select (select sum(m.seats) from membership m
            where m.municipality_id = new.municipality_id and m.slot_id = new.slot_id
              and m.state in ('proposed', 'accepted', 'confirmed')
              and m.start_minute <= s.start_minute and s.start_minute < m.end_minute) as present
    from membership s where s.municipality_id = new.municipality_id and s.slot_id = new.slot_id
      and s.state in ('proposed', 'accepted', 'confirmed')) at_each_start;
  if most > limit_ then
    raise exception 'slot % holds at most % seats', new.slot_id, limit_
      using errcode = 'check_violation', constraint = 'seats_within_limit', table = 'membership';
  end if;
  return null;
end $$;

create function budget_used(state text, held bigint, committed bigint) returns bigint language sql immutable as $$
  select case state when 'held' then held when 'committed' then committed else 0 end
$$;

create function count_budget(municipality text, programme uuid, monday date, change bigint)
returns void language plpgsql as $$
begin
  update programme_week set used_cents = used_cents + change
    where municipality_id = municipality and programme_id = programme and week = monday;
  if not found then
    raise exception 'programme % has no budget for the week of %', programme, monday
      using errcode = 'check_violation', constraint = 'budget_not_exceeded', table = 'voucher_hold';
  end if;
end $$;

create function count_holds() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform count_budget(municipality_id, programme_id, week, change) from (
      select h.municipality_id, h.programme_id, h.week, sum(budget_used(h.state, h.held_cents, h.committed_cents))::bigint as change from arrived h
      group by 1, 2, 3 order by 1, 2, 3) weeks where change <> 0;
  elsif tg_op = 'DELETE' then
    perform count_budget(municipality_id, programme_id, week, change) from (
      select h.municipality_id, h.programme_id, h.week, -sum(budget_used(h.state, h.held_cents, h.committed_cents))::bigint as change from gone h
      group by 1, 2, 3 order by 1, 2, 3) weeks where change <> 0;
  else
    perform count_budget(municipality_id, programme_id, week, change) from (
      select municipality_id, programme_id, week, sum(used)::bigint as change from (
        select h.municipality_id, h.programme_id, h.week, budget_used(h.state, h.held_cents, h.committed_cents) as used from arrived h
        union all select h.municipality_id, h.programme_id, h.week, -budget_used(h.state, h.held_cents, h.committed_cents) from gone h) changed
      group by 1, 2, 3 order by 1, 2, 3) weeks where change <> 0;
  end if;
  return null;
end $$;

create function entry_balances() returns trigger language plpgsql as $$
begin
  if (select coalesce(sum(cents), 0) from posting
      where municipality_id = new.municipality_id and entry_id = new.entry_id) <> 0 then
    raise exception 'entry % does not balance', new.entry_id
      using errcode = 'check_violation', constraint = 'entry_balances', table = 'posting';
  end if;
  return null;
end $$;
"""

TRIGGERS = """
create constraint trigger seats_within_limit after insert or update on membership
  for each row execute function seats_within_limit();
create trigger count_holds_in after insert on voucher_hold
  referencing new table as arrived for each statement execute function count_holds();
create trigger count_holds_out after delete on voucher_hold
  referencing old table as gone for each statement execute function count_holds();
create trigger count_holds_changed after update on voucher_hold
  referencing old table as gone new table as arrived for each statement execute function count_holds();
create constraint trigger entry_balances after insert on posting deferrable initially deferred
  for each row execute function entry_balances();
"""

# Rows of these tables are one household's (or provider's) own: others of the municipality, but for its staff, never see them.
HOUSEHOLD_GUARDED = {
    "household": "id", "person": "household_id", "means_test": "household_id", "need_draft": "household_id",
    "statement": "household_id", "statement_line": "household_id", "payment": "household_id",
}  # fmt: skip
HOUSEHOLD_GUARDED_LATER = {
    "calendar_feed": "household_id", "isee_answer": "household_id", "voucher_decision": "household_id",
    "voucher_rank": "household_id", "document": "household_id", "document_line": "household_id",
    "invitation": "household_id", "refund": "household_id", "dispute": "household_id", "contest": "household_id",
    "farewell": "household_id", "mobile_number": "household_id", "feedback": "household_id", "look": "household_id",
}  # fmt: skip
# What a group or its provider reads of another's: the operations say how much of it a page shows.
HOUSEHOLD_SHARED = (
    "appointment", "need", "proposal", "membership", "group_message", "extra_session", "extra_seat",
)  # fmt: skip
PROVIDER_GUARDED = {"provider_document": "provider_id", "payout": "provider_id"}
PROVIDER_GUARDED_LATER = {
    "tax_profile": "provider_id", "reversal": "provider_id", "document": "provider_id", "document_line": "provider_id",
}  # fmt: skip
# Of these a family sees the provider's, or staff alone decides.
PROVIDER_SHARED = (
    "appointment", "accreditation_decision", "danger_report", "offer", "provider_venue", "slot", "meeting",
    "statement_line", "feedback", "group_message",
)  # fmt: skip
# Anybody may write a row of these, and only the municipality's staff ever reads one.
STAFF_READS = ("danger_report", "danger_answer", "complaint")
# Nobody but the municipality's staff and its jobs writes or reads a row of these.
STAFF_ALONE = (
    "upload", "uploaded_file", "bank_line", "webhook", "webhook_delivery", "mail_choice", "rule_trial", "pagopa_flow",
)  # fmt: skip


def policies(tables: list[str]) -> list[str]:
    """Row-level security for the given tables that have a municipality_id: isolation, then the guards above."""
    statements = []
    for table in tables:
        statements += [
            f"alter table {table} enable row level security",
            f"alter table {table} force row level security",
            f"create policy municipality on {table} using (municipality_id = current_setting('app.municipality', true))"
            f" with check (municipality_id = current_setting('app.municipality', true))",
        ]
    for setting, guarded in (("app.household", HOUSEHOLD_GUARDED), ("app.provider", PROVIDER_GUARDED)):
        for table, column in guarded.items():
            mine = f"coalesce(current_setting('{setting}', true), '') in ('', {column}::text)"
            statements.append(f"create policy own_rows on {table} as restrictive using ({mine}) with check ({mine})")
    return statements


def append_only() -> list[str]:
    """Triggers that refuse any change of history."""
    return [
        f"create trigger never_changed before update or delete or truncate on {table}"
        f" for each statement execute function refuse_change()"
        for table in APPEND_ONLY
    ]
