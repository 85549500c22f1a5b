"""What every table of a later revision needs: its municipality's isolation, its owner's rows, its history kept."""

import sqlalchemy as sa
from alembic import op

ISOLATED = "municipality_id = current_setting('app.municipality', true)"
STAFF = (
    "coalesce(current_setting('app.household', true), '') = ''"
    " and coalesce(current_setting('app.provider', true), '') = ''"
)


def key() -> list[sa.schema.SchemaItem]:
    """The columns and constraints of `(municipality_id, id)`, the key of a row of a municipality."""
    return [
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.ForeignKeyConstraint(["municipality_id"], ["municipality.id"]),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    ]


def refers(table: str, column: str | None = None) -> sa.ForeignKeyConstraint:
    """A foreign key to another row of the same municipality; `column` defaults to `<table>_id`."""
    local = column or f"{table}_id"
    return sa.ForeignKeyConstraint(
        ["municipality_id", local], [f"{table}.municipality_id", f"{table}.id"], name=f"{local}_exists"
    )


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
