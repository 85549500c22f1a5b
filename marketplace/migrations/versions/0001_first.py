"""The first schema: tables, guards, policies, and procrastinate's job tables."""

from contextlib import closing
from importlib.resources import files

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from marketplace.migrations import guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def run_script(connection: sa.Connection, script: str) -> None:
    """Run several statements as they stand: no parameters, so no placeholders."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(script)


def upgrade() -> None:
    for extension in guards.EXTENSIONS:
        op.execute(f"create extension if not exists {extension}")
    connection = op.get_bind()
    create_tables()
    run_script(connection, guards.FUNCTIONS)
    run_script(connection, guards.TRIGGERS)
    for statement in (*guards.append_only(), *guards.policies(tables_of_municipalities(connection))):
        op.execute(statement)
    run_script(connection, files("procrastinate").joinpath("sql/schema.sql").read_text())
    op.execute("grant usage on schema public to app")
    op.execute("grant select, insert, update, delete on all tables in schema public to app")
    op.execute("grant usage, select on all sequences in schema public to app")
    op.execute("grant execute on all functions in schema public to app")


def tables_of_municipalities(connection: sa.Connection) -> list[str]:
    """Every table whose rows belong to a municipality, but sign-in's."""
    found = connection.exec_driver_sql(
        "select table_name from information_schema.columns where table_schema = 'public'"
        " and column_name = 'municipality_id' and table_name <> 'appointment' order by table_name"
    )
    return [name for (name,) in found]


def downgrade() -> None:
    raise RuntimeError("the first migration has nothing before it: drop the database instead")


def create_tables() -> None:
    """The tables, as generated from the models when the schema was frozen; later changes are later migrations."""
    op.create_table(
        "municipality",
        sa.Column("id", sa.String(length=6), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cadastral_code", sa.String(length=4), nullable=True),
        sa.Column("host", sa.String(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("outline", postgresql.JSONB(), nullable=True),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("host"),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("wanted", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index(op.f("ix_sign_in_link_email"), "sign_in_link", ["email"], unique=False)
    op.create_table(
        "stripe_event",
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locale", sa.String(length=2), nullable=False),
        sa.Column("us_totp_secrets", sa.Text(), nullable=True),
        sa.Column("us_phone_number", sa.String(length=128), nullable=True),
        sa.Column("tf_primary_method", sa.String(length=64), nullable=True),
        sa.Column("tf_totp_secret", sa.String(), nullable=True),
        sa.Column("tf_phone_number", sa.String(length=128), nullable=True),
        sa.Column("create_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("fs_uniquifier"),
        sa.UniqueConstraint("us_phone_number"),
    )
    op.create_table(
        "address",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("street", sa.String(length=200), nullable=False),
        sa.Column("locality", sa.String(length=120), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("exponent", sa.String(length=20), nullable=False),
        sa.Column("street_key", sa.String(length=200), nullable=False),
        sa.Column("number_key", sa.String(length=40), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index("address_by_street", "address", ["municipality_id", "street_key", "number_key"], unique=False)
    op.create_index(
        "address_by_trigram",
        "address",
        ["street_key"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"street_key": "gin_trgm_ops"},
    )
    op.create_table(
        "appointment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "family",
                "provider",
                "officer",
                "operator",
                "administrator",
                name="role_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("household_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(role = 'family') = (household_id is not null)", name="family_has_household"),
        sa.CheckConstraint("(role = 'provider') = (provider_id is not null)", name="provider_has_provider"),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_appointment_user_id"), "appointment", ["user_id"], unique=False)
    op.create_table(
        "audit_entry",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_audit_entry_subject_id"), "audit_entry", ["subject_id"], unique=False)
    op.create_table(
        "calendar_entry",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("term", "closure", name="calendarkind_known", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("services", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("first <= last", name="calendar_forward"),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_table(
        "household",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("tax_code", sa.LargeBinary(), nullable=True),
        sa.Column("tax_code_index", sa.LargeBinary(), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("stripe_customer_id", sa.String(), nullable=True),
        sa.Column("stripe_payment_method_id", sa.String(), nullable=True),
        sa.Column("stripe_method_label", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("lat between -90 and 90", name="household_lat"),
        sa.CheckConstraint("lon between -180 and 180", name="household_lon"),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index("household_by_tax_code", "household", ["municipality_id", "tax_code_index"], unique=True)
    op.create_table(
        "ledger_entry",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("business_key", sa.String(length=200), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "business_key", name="posted_once"),
    )
    op.create_table(
        "message",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("recipient", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "sent",
                "failed",
                name="messagestate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "key", name="message_once"),
    )
    op.create_table(
        "month_closing",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("totals", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "month", name="month_closed_once"),
    )
    op.create_table(
        "policy_version",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_table(
        "programme",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("weekly_budget_cents", sa.BigInteger(), nullable=False),
        sa.Column("isee_max_cents", sa.BigInteger(), nullable=True),
        sa.Column("percent", sa.String(length=20), nullable=False),
        sa.Column("cap_cents_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cast(percent as numeric) between 0 and 100", name="programme_percent"),
        sa.CheckConstraint("weekly_budget_cents >= 0", name="programme_budget"),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "code", name="programme_code_once"),
    )
    op.create_table(
        "provider",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("tax_code", sa.LargeBinary(), nullable=True),
        sa.Column("tax_code_index", sa.LargeBinary(), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("travel_km_max", sa.String(length=20), nullable=False),
        sa.Column("languages", postgresql.JSONB(), nullable=False),
        sa.Column("qualifications", postgresql.JSONB(), nullable=False),
        sa.Column("minutes_max_per_week", sa.Integer(), nullable=False),
        sa.Column("minutes_max_per_day", sa.Integer(), nullable=False),
        sa.Column("gap_minutes", sa.Integer(), nullable=False),
        sa.Column("visits_homes", sa.Boolean(), nullable=False),
        sa.Column("windows", postgresql.JSONB(), nullable=False),
        sa.Column(
            "accreditation",
            sa.Enum(
                "draft",
                "applied",
                "in_review",
                "accredited",
                "refused",
                "suspended",
                "expired",
                "revoked",
                name="accreditation_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("certificate_expires", sa.Date(), nullable=True),
        sa.Column("stripe_account_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "code", name="provider_code_once"),
    )
    op.create_index("provider_by_tax_code", "provider", ["municipality_id", "tax_code_index"], unique=False)
    op.create_table(
        "round",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "preparing",
                "solving",
                "solved",
                "proposed",
                "settled",
                "failed",
                name="roundstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds_limit", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("instance_gz", sa.LargeBinary(), nullable=True),
        sa.Column("instance_sha256", sa.String(length=64), nullable=True),
        sa.Column("plan_gz", sa.LargeBinary(), nullable=True),
        sa.Column("plan_sha256", sa.String(length=64), nullable=True),
        sa.Column("solver", sa.String(length=120), nullable=False),
        sa.Column("progress", postgresql.JSONB(), nullable=False),
        sa.Column("summary", postgresql.JSONB(), nullable=False),
        sa.Column("failure", sa.String(length=500), nullable=False),
        sa.Column("solved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("seconds_limit between 1 and 3600", name="round_seconds"),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(
        "one_active_round",
        "round",
        ["municipality_id"],
        unique=True,
        postgresql_where=sa.text("state in ('preparing', 'solving', 'solved')"),
    )
    op.create_table(
        "upload",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "checked",
                "imported",
                "discarded",
                name="uploadstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_table(
        "venue",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("services", postgresql.JSONB(), nullable=False),
        sa.Column("cost_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("windows", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("seats between 1 and 1000", name="venue_seats"),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "code", name="venue_code_once"),
    )
    op.create_table(
        "accreditation_decision",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "applied",
                "in_review",
                "accredited",
                "refused",
                "suspended",
                "expired",
                "revoked",
                name="accreditation_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_user_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(
        op.f("ix_accreditation_decision_provider_id"), "accreditation_decision", ["provider_id"], unique=False
    )
    op.create_table(
        "means_test",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("isee_cents", sa.LargeBinary(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "declared",
                "verified",
                "refused",
                name="meansteststate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "household_id"],
            ["household.municipality_id", "household.id"],
            name="household_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_means_test_household_id"), "means_test", ["household_id"], unique=False)
    op.create_table(
        "need_draft",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("answers", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "household_id"],
            ["household.municipality_id", "household.id"],
            name="household_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "household_id", name="one_draft"),
    )
    op.create_table(
        "offer",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("topics", postgresql.JSONB(), nullable=False),
        sa.Column("level_min", sa.Integer(), nullable=False),
        sa.Column("level_max", sa.Integer(), nullable=False),
        sa.Column("age_min", sa.Integer(), nullable=False),
        sa.Column("age_max", sa.Integer(), nullable=False),
        sa.Column("seats_max", sa.Integer(), nullable=False),
        sa.Column("seats_min", sa.Integer(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("extra_seat_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("minutes_min", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "0 <= extra_seat_cents_per_hour and extra_seat_cents_per_hour <= rate_cents_per_hour",
            name="offer_extra_within_rate",
        ),
        sa.CheckConstraint("1 <= seats_min and seats_min <= seats_max", name="offer_seats"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_offer_provider_id"), "offer", ["provider_id"], unique=False)
    op.create_table(
        "person",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("age", sa.Integer(), nullable=True),
        sa.Column("age_on", sa.Date(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("languages", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("age between 0 and 110", name="person_age"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "household_id"],
            ["household.municipality_id", "household.id"],
            name="household_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_person_household_id"), "person", ["household_id"], unique=False)
    op.create_table(
        "posting",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("cents <> 0", name="posting_not_zero"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "entry_id"], ["ledger_entry.municipality_id", "ledger_entry.id"], name="entry_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_posting_entry_id"), "posting", ["entry_id"], unique=False)
    op.create_index("posting_by_account", "posting", ["municipality_id", "account"], unique=False)
    op.create_table(
        "programme_week",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("budget_cents", sa.BigInteger(), nullable=False),
        sa.Column("used_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("extract(isodow from week) = 1", name="week_is_a_monday"),
        sa.CheckConstraint("used_cents <= budget_cents", name="budget_not_exceeded"),
        sa.CheckConstraint("used_cents >= 0", name="used_not_negative"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "programme_id"],
            ["programme.municipality_id", "programme.id"],
            name="programme_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "programme_id", "week", name="programme_week_once"),
    )
    op.create_table(
        "provider_document",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "criminal_record",
                "identity",
                "qualification",
                "insurance",
                name="documentkind_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_provider_document_provider_id"), "provider_document", ["provider_id"], unique=False)
    op.create_table(
        "provider_venue",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("venue_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "venue_id"], ["venue.municipality_id", "venue.id"], name="venue_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "provider_id", "venue_id", name="provider_venue_once"),
    )
    op.create_table(
        "settlement",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("closing_id", sa.Uuid(), nullable=False),
        sa.Column("paid_cents", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("paid_cents > 0", name="settlement_positive"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "closing_id"],
            ["month_closing.municipality_id", "month_closing.id"],
            name="closing_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "closing_id", name="settled_once"),
    )
    op.create_table(
        "statement",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "closed",
                "paid",
                "overdue",
                "written_off",
                name="statementstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id", "household_id"],
            ["household.municipality_id", "household.id"],
            name="household_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "household_id", "month", name="statement_once"),
        sa.UniqueConstraint("municipality_id", "year", "number", name="statement_number_once"),
    )
    op.create_table(
        "uploaded_file",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "upload_id"], ["upload.municipality_id", "upload.id"], name="upload_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_uploaded_file_upload_id"), "uploaded_file", ["upload_id"], unique=False)
    op.create_table(
        "voucher_hold",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("held_cents", sa.BigInteger(), nullable=False),
        sa.Column("committed_cents", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "held",
                "committed",
                "released",
                name="holdstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "held_cents >= 0 and committed_cents >= 0 and committed_cents <= held_cents", name="hold_not_negative"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "programme_id"],
            ["programme.municipality_id", "programme.id"],
            name="programme_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "membership_id", "week", name="hold_once"),
    )
    op.create_index("hold_by_week", "voucher_hold", ["municipality_id", "programme_id", "week"], unique=False)
    op.create_table(
        "need",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=300), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column(
            "service",
            sa.Enum(
                "tutoring",
                "babysitting",
                "home_care",
                name="service_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("windows", postgresql.JSONB(), nullable=False),
        sa.Column("travel_km_max", sa.String(length=20), nullable=False),
        sa.Column("host_seats", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("age", sa.Integer(), nullable=True),
        sa.Column("languages", postgresql.JSONB(), nullable=False),
        sa.Column("requires", postgresql.JSONB(), nullable=False),
        sa.Column("group_max", sa.Integer(), nullable=True),
        sa.Column("price_max_cents_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.String(length=20), nullable=False),
        sa.Column("excludes", postgresql.JSONB(), nullable=False),
        sa.Column("notes", sa.String(length=2000), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "proposed",
                "served",
                "withdrawn",
                "expired",
                name="needstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("first_in_line", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("minutes between 30 and 720 and minutes % 15 = 0", name="need_minutes"),
        sa.CheckConstraint("num_nulls(address, lat, lon) in (0, 3)", name="need_place_whole"),
        sa.CheckConstraint("price_max_cents_per_hour > 0", name="need_price_positive"),
        sa.CheckConstraint("seats between 1 and 6", name="need_seats"),
        sa.CheckConstraint("sessions between 1 and 6", name="need_sessions"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "household_id"],
            ["household.municipality_id", "household.id"],
            name="household_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "person_id"], ["person.municipality_id", "person.id"], name="person_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "code", name="need_code_once"),
    )
    op.create_index(op.f("ix_need_household_id"), "need", ["household_id"], unique=False)
    op.create_index("need_by_state", "need", ["municipality_id", "state"], unique=False)
    op.create_table(
        "payment",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "due",
                "processing",
                "succeeded",
                "failed",
                "refunded",
                name="paymentstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("stripe_intent_id", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_on", sa.Date(), nullable=True),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cents > 0", name="payment_positive"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "statement_id"],
            ["statement.municipality_id", "statement.id"],
            name="statement_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "statement_id", name="payment_once"),
    )
    op.create_index(op.f("ix_payment_stripe_intent_id"), "payment", ["stripe_intent_id"], unique=False)
    op.create_table(
        "payout",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=True),
        sa.Column("settlement_id", sa.Uuid(), nullable=True),
        sa.Column("due_cents", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("stripe_transfer_id", sa.String(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.CheckConstraint("(statement_id is null) <> (settlement_id is null)", name="payout_has_one_source"),
        sa.CheckConstraint("due_cents > 0", name="payout_positive"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "settlement_id"],
            ["settlement.municipality_id", "settlement.id"],
            name="settlement_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "statement_id"],
            ["statement.municipality_id", "statement.id"],
            name="statement_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "provider_id", "settlement_id", name="settlement_payout_once"),
        sa.UniqueConstraint("municipality_id", "provider_id", "statement_id", name="payout_once"),
    )
    op.create_index(op.f("ix_payout_provider_id"), "payout", ["provider_id"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "proposed",
                "accepted",
                "declined",
                "lapsed",
                "confirmed",
                "dissolved",
                "left",
                name="proposalstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("alone_cents", sa.BigInteger(), nullable=True),
        sa.Column("share_cents", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_cents", sa.BigInteger(), nullable=False),
        sa.Column("cap_cents", sa.BigInteger(), nullable=False),
        sa.Column("meetings_count", sa.Integer(), nullable=False),
        sa.Column("term_max_cents", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("reopens", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id", "need_id"], ["need.municipality_id", "need.id"], name="need_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "round_id"], ["round.municipality_id", "round.id"], name="round_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_proposal_household_id"), "proposal", ["household_id"], unique=False)
    op.create_index(op.f("ix_proposal_need_id"), "proposal", ["need_id"], unique=False)
    op.create_index(
        "one_active_proposal_per_need",
        "proposal",
        ["municipality_id", "need_id"],
        unique=True,
        postgresql_where=sa.text("state in ('proposed', 'accepted', 'confirmed')"),
    )
    op.create_index("proposal_by_deadline", "proposal", ["municipality_id", "state", "deadline"], unique=False)
    op.create_table(
        "slot",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("plan_slot", sa.String(length=80), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column(
            "place",
            sa.Enum(
                "venue", "host", "homes", name="placekind_known", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("venue_id", sa.Uuid(), nullable=True),
        sa.Column("host_need_id", sa.Uuid(), nullable=True),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.Column("cost_cents", sa.BigInteger(), nullable=False),
        sa.Column("rate_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("extra_seat_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("minutes_min", sa.Integer(), nullable=False),
        sa.Column("venue_cents_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("walk_minutes", sa.Integer(), nullable=False),
        sa.Column("seats_limit", sa.Integer(), nullable=False),
        sa.Column("seats_min", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=True),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "proposed",
                "confirmed",
                "running",
                "ended",
                "dissolved",
                name="slotstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "provider_answer",
            sa.Enum(
                "asked",
                "accepted",
                "declined",
                name="answer_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("provider_answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(place = 'host') = (host_need_id is not null)", name="slot_at_host"),
        sa.CheckConstraint("(place = 'venue') = (venue_id is not null)", name="slot_at_venue"),
        sa.CheckConstraint("0 <= start_minute and start_minute < end_minute and end_minute <= 1440", name="slot_times"),
        sa.CheckConstraint("day between 0 and 6", name="slot_day"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "host_need_id"], ["need.municipality_id", "need.id"], name="host_need_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "round_id"], ["round.municipality_id", "round.id"], name="round_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "venue_id"], ["venue.municipality_id", "venue.id"], name="venue_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_slot_round_id"), "slot", ["round_id"], unique=False)
    op.create_index("slot_by_provider", "slot", ["municipality_id", "provider_id", "state"], unique=False)
    op.create_table(
        "meeting",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "scheduled",
                "held",
                "cancelled_by_provider",
                "cancelled_by_municipality",
                "dissolved",
                name="meetingstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=300), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("municipality_id"), "="),
            (sa.column("provider_id"), "="),
            (sa.column("during"), "&&"),
            where=sa.text("state in ('scheduled', 'held')"),
            using="gist",
            name="provider_meets_once",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "slot_id"], ["slot.municipality_id", "slot.id"], name="slot_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "slot_id", "held_on", name="meeting_once_a_day"),
    )
    op.create_index(op.f("ix_meeting_slot_id"), "meeting", ["slot_id"], unique=False)
    op.create_index("meeting_by_day", "meeting", ["municipality_id", "held_on"], unique=False)
    op.create_table(
        "membership",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("start_minute", sa.Integer(), nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.Column("share_cents", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_cents", sa.BigInteger(), nullable=False),
        sa.Column("held_cents", sa.BigInteger(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=True),
        sa.Column("subsidy_percent", sa.String(), nullable=True),
        sa.Column("subsidy_cap_cents_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("alone_cents", sa.BigInteger(), nullable=True),
        sa.Column("cap_cents", sa.BigInteger(), nullable=False),
        sa.Column("cap_seats", sa.Integer(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "proposed",
                "accepted",
                "declined",
                "lapsed",
                "confirmed",
                "dissolved",
                "left",
                name="proposalstate_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "0 <= subsidy_cents and subsidy_cents <= share_cents and cap_cents >= 0", name="membership_money"
        ),
        sa.CheckConstraint("start_minute < end_minute", name="membership_times"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "need_id"], ["need.municipality_id", "need.id"], name="need_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "programme_id"],
            ["programme.municipality_id", "programme.id"],
            name="programme_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "proposal_id"], ["proposal.municipality_id", "proposal.id"], name="proposal_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "slot_id"], ["slot.municipality_id", "slot.id"], name="slot_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(op.f("ix_membership_need_id"), "membership", ["need_id"], unique=False)
    op.create_index(op.f("ix_membership_proposal_id"), "membership", ["proposal_id"], unique=False)
    op.create_index(op.f("ix_membership_slot_id"), "membership", ["slot_id"], unique=False)
    op.create_index(
        "one_active_membership",
        "membership",
        ["municipality_id", "slot_id", "need_id"],
        unique=True,
        postgresql_where=sa.text("state in ('proposed', 'accepted', 'confirmed')"),
    )
    op.create_table(
        "attendance",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column(
            "presence",
            sa.Enum(
                "present",
                "absent_notified",
                "absent",
                name="presence_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("illness", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id", "meeting_id"], ["meeting.municipality_id", "meeting.id"], name="meeting_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "membership_id"],
            ["membership.municipality_id", "membership.id"],
            name="membership_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
    )
    op.create_index(
        "attendance_by_meeting", "attendance", ["municipality_id", "meeting_id", "membership_id"], unique=False
    )
    op.create_table(
        "statement_line",
        sa.Column("municipality_id", sa.String(length=6), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("share_cents", sa.BigInteger(), nullable=False),
        sa.Column("subsidy_cents", sa.BigInteger(), nullable=False),
        sa.Column("guarantee_cents", sa.BigInteger(), nullable=False),
        sa.Column("net_cents", sa.BigInteger(), nullable=False),
        sa.Column("provider_cents", sa.BigInteger(), nullable=False),
        sa.Column("explanation", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("net_cents = share_cents - subsidy_cents - guarantee_cents", name="line_adds_up"),
        sa.ForeignKeyConstraint(
            ["municipality_id", "meeting_id"], ["meeting.municipality_id", "meeting.id"], name="meeting_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "membership_id"],
            ["membership.municipality_id", "membership.id"],
            name="membership_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "provider_id"], ["provider.municipality_id", "provider.id"], name="provider_id_exists"
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id", "statement_id"],
            ["statement.municipality_id", "statement.id"],
            name="statement_id_exists",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
        ),
        sa.PrimaryKeyConstraint("municipality_id", "id"),
        sa.UniqueConstraint("municipality_id", "meeting_id", "membership_id", "kind", name="line_once"),
    )
    op.create_index(op.f("ix_statement_line_statement_id"), "statement_line", ["statement_id"], unique=False)
    op.create_index("line_by_provider", "statement_line", ["municipality_id", "provider_id"], unique=False)
