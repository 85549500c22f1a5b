"""What every table of a later revision needs: its municipality's isolation, its owner's rows, its history kept."""

from alembic import op

ISOLATED = "municipality_id = current_setting('app.municipality', true)"


def guard(table: str, *, household: str = "", provider: str = "", append_only: bool = False) -> None:
    """Put a new table behind row-level security and let `app` use it.

    `household`, `provider`: the column that says whose row it is; `append_only`: nobody changes a row.
    """
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy municipality on {table} using ({ISOLATED}) with check ({ISOLATED})")
    for setting, column in (("app.household", household), ("app.provider", provider)):
        if column:
            mine = f"coalesce(current_setting('{setting}', true), '') in ('', {column}::text)"
            op.execute(f"create policy own_rows on {table} as restrictive using ({mine}) with check ({mine})")
    if append_only:
        op.execute(
            f"create trigger never_changed before update or delete or truncate on {table}"
            f" for each statement execute function refuse_change()"
        )
    op.execute(f"grant select, insert, update, delete on {table} to app")
