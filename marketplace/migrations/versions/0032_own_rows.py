"""A group's words are read by whoever is in the group; what an office uploads and its bank's lines, by staff alone."""

from alembic import op

from marketplace.migrations.later import STAFF

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

STAFF_ALONE = ("upload", "uploaded_file", "bank_line")

# Whose words they are: its own household's, or its own provider's.
OWN = (
    "household_id::text = current_setting('app.household', true)"
    " or provider_id::text = current_setting('app.provider', true)"
)
IN_GROUP = """
exists (select from membership m where m.municipality_id = group_message.municipality_id
        and m.slot_id = group_message.slot_id and m.state in ('confirmed', 'left')
        and m.household_id::text = current_setting('app.household', true))
or exists (select from slot s where s.municipality_id = group_message.municipality_id
        and s.id = group_message.slot_id and s.provider_id::text = current_setting('app.provider', true))
"""


def upgrade() -> None:
    for table in STAFF_ALONE:
        op.execute(f"create policy staff_alone on {table} as restrictive using ({STAFF}) with check ({STAFF})")
    op.execute(f"create policy in_group on group_message as restrictive using ({STAFF} or {IN_GROUP})")
    for command, clause in (("insert", "with check"), ("delete", "using")):
        op.execute(
            f"create policy own_words_{command} on group_message as restrictive for {command} {clause} ({STAFF} or {OWN})"
        )


def downgrade() -> None:
    for name in ("in_group", "own_words_insert", "own_words_delete"):
        op.execute(f"drop policy {name} on group_message")
    for table in STAFF_ALONE:
        op.execute(f"drop policy staff_alone on {table}")
