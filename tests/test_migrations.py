"""Migrations go back and forth on a city with a past, and lose nothing but what they brought."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from marketplace.installation import Installation
from marketplace.postgres import Server
from marketplace.schema import NoWayBack, known_revisions, migrate, migrate_back
from tests import database

OLDEST_WAY_BACK = "0012"  # before it there are decisions, rankings and documents that no schema may forget


@pytest.fixture
def lived(server: Server) -> Iterator[Installation]:
    """A small city after two months."""
    with database.copied(server, database.city_template(server)) as mine:
        yield mine


Shape = dict[str, list[str]]


def shape(url: str) -> Shape:
    """The columns of each table."""
    found = inspect(create_engine(url, poolclass=NullPool))
    return {table: sorted(one["name"] for one in found.get_columns(table)) for table in found.get_table_names()}


def content(url: str, wanted: Shape) -> dict[str, tuple[int, str]]:
    """For each table how many rows it has, and a hash of the wanted columns of all of them."""

    def digest(connection: Connection, table: str, columns: list[str]) -> tuple[int, str]:
        listed = ", ".join(f'"{name}"' for name in columns)
        hashed = "md5(string_agg(row::text, chr(10) order by row::text))"
        query = f'select count(*), {hashed} from (select {listed} from "{table}") row'
        count, found = connection.execute(text(query)).one()
        return count, found

    with create_engine(url, poolclass=NullPool).connect() as connection:
        return {
            table: digest(connection, table, columns) for table, columns in wanted.items() if table != "alembic_version"
        }


@pytest.mark.slow
def test_a_city_with_a_past_goes_back_step_by_step_and_forth_again(lived: Installation) -> None:
    newest = shape(lived.owner_url)
    back = known_revisions()
    for revision in back[1 : back.index(OLDEST_WAY_BACK) + 1]:
        before = shape(lived.owner_url)
        had = content(lived.owner_url, before)
        migrate_back(lived.owner_url, revision)
        older = shape(lived.owner_url)
        whole = {table: columns for table, columns in older.items() if before[table] == columns}
        assert content(lived.owner_url, whole) == {table: had[table] for table in whole if table in had}
        assert len(whole) > 40
    kept = content(lived.owner_url, older)
    assert kept["statement"][0] > 20
    assert migrate(lived.owner_url)
    assert shape(lived.owner_url) == newest
    assert content(lived.owner_url, older) == kept


@pytest.mark.slow
def test_what_was_decided_is_not_thrown_away_by_going_back(lived: Installation) -> None:
    tables = shape(lived.owner_url)
    before = content(lived.owner_url, tables)
    for revision in ("0011", "0001", "0099"):
        with pytest.raises(NoWayBack):
            migrate_back(lived.owner_url, revision)
    assert shape(lived.owner_url) == tables
    assert content(lived.owner_url, tables) == before


def test_an_older_program_runs_beside_a_newer_schema(installation: Installation) -> None:
    with create_engine(installation.owner_url, poolclass=NullPool).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    assert migrate(installation.owner_url) is False
