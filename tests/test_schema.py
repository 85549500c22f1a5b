"""The database is what the models say, and guards every row that belongs to a municipality."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, create_engine, text
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from marketplace import models
from marketplace.installation import Installation
from marketplace.migrations import guards

GLOBAL = {
    "municipality", "user_account", "appointment", "sign_in_link", "attempts", "signed_in", "authenticator",
    "recovery_code", "passkey", "challenge", "identity", "identity_request", "set_up_code",
    "api_token", "stripe_event", "job_failure", "lasting_secret",
}  # fmt: skip
HOUSEHOLD_OWN = {**guards.HOUSEHOLD_GUARDED, **guards.HOUSEHOLD_GUARDED_LATER}
PROVIDER_OWN = {**guards.PROVIDER_GUARDED, **guards.PROVIDER_GUARDED_LATER}


def rows(engine: Engine, query: str) -> set[tuple[str, ...]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(query))}


def test_migrations_lead_to_the_models(installation: Installation) -> None:
    assert models
    engine = create_engine(installation.owner_url, poolclass=NullPool)
    with engine.connect() as connection:
        ours = {"include_name": lambda name, kind, parents: kind != "table" or name in SQLModel.metadata.tables}
        context = MigrationContext.configure(connection, opts={"compare_server_default": True, **ours})
        assert compare_metadata(context, SQLModel.metadata) == []
    there = rows(engine, "select conrelid::regclass::text, conname from pg_constraint where contype = 'c'")
    for table in SQLModel.metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint) and constraint.name:
                assert (table.name, str(constraint.name)) in {(name.strip('"'), check) for name, check in there}


def test_every_row_of_a_municipality_is_behind_row_level_security(installation: Installation) -> None:
    engine = create_engine(installation.owner_url, poolclass=NullPool)
    guarded = rows(
        engine,
        "select relname from pg_class where relrowsecurity and relforcerowsecurity",
    )
    policies = rows(engine, "select tablename, policyname from pg_policies where schemaname = 'public'")
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in GLOBAL:
            assert "municipality_id" in table.c
            assert (table.name,) in guarded
            assert (table.name, "municipality") in policies
    for name in {*HOUSEHOLD_OWN, *PROVIDER_OWN}:
        assert (name, "own_rows") in policies
    for name in guards.STAFF_READS:
        assert (name, "staff_reads") in policies
    for name in guards.STAFF_ALONE:
        assert (name, "staff_alone") in policies


def test_each_table_that_names_a_household_or_a_provider_is_its_own_or_said_to_be_shared() -> None:
    for column, own, shared in (
        ("household_id", HOUSEHOLD_OWN, guards.HOUSEHOLD_SHARED),
        ("provider_id", PROVIDER_OWN, guards.PROVIDER_SHARED),
    ):
        naming = {table.name for table in SQLModel.metadata.sorted_tables if column in table.c}
        assert naming == {name for name, by in own.items() if by == column} | set(shared)


def test_the_application_owns_nothing_and_cannot_step_over_policies(installation: Installation) -> None:
    engine = create_engine(installation.owner_url, poolclass=NullPool)
    assert rows(engine, "select rolsuper::text, rolbypassrls::text from pg_roles where rolname = 'app'") == {
        ("false", "false")
    }
    assert rows(engine, "select relname from pg_class where relowner = 'app'::regrole") == set()


def test_history_is_append_only(installation: Installation) -> None:
    engine = create_engine(installation.owner_url, poolclass=NullPool)
    there = rows(engine, "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal")
    for table in (*guards.APPEND_ONLY, *guards.APPEND_ONLY_LATER):
        assert (table, "never_changed") in there


def test_whatever_has_a_state_has_its_changes_written_down(installation: Installation) -> None:
    engine = create_engine(installation.owner_url, poolclass=NullPool)
    with_state = {table.name for table in SQLModel.metadata.sorted_tables if "state" in table.c}
    written = rows(engine, "select tgrelid::regclass::text from pg_trigger where tgname = 'write_down_state'")
    assert {name for (name,) in written} == set(guards.STATE_WRITTEN_DOWN)
    assert with_state == {*guards.STATE_WRITTEN_DOWN, *guards.STATE_UNWRITTEN}
