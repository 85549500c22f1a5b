"""A backup is worth what can be restored from it: all of it, and as it was at an instant."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from click.testing import CliRunner

from marketplace.backup import BackupFailed, CannotRestore, back_up, list_copies, restore
from marketplace.cli import main
from marketplace.config import settings_from
from marketplace.postgres import Server, ensure_server

FAST = ("fsync=off",)


def say(_line: str) -> None:
    """Nobody listens."""


def connected(server: Server) -> psycopg.Connection:
    return psycopg.connect(host=str(server.sockets), user="owner", dbname="condiviso", autocommit=True)


def write(server: Server, number: int) -> datetime:
    """A row, and an instant after it and before whatever comes next."""
    with connected(server) as connection:
        connection.execute("create table if not exists written (number int)")
        connection.execute("insert into written values (%s)", (number,))
        [instant] = connection.execute("select clock_timestamp()").fetchone() or ()
    time.sleep(0.05)
    return datetime.fromisoformat(str(instant)) + timedelta(milliseconds=20)


def written(var: Path) -> list[int]:
    with ensure_server(var, FAST) as server, connected(server) as connection:
        return [number for (number,) in connection.execute("select number from written order by number")]


def save(var: Path, backup: Path, keep: int = 7) -> Path:
    return back_up(settings_from({"VAR": str(var)}), backup, datetime.now(UTC), keep, say)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[datetime]]]:
    """A backup, begun when one row was written; two more came later. And an instant after each of the three."""
    folder = tmp_path_factory.mktemp("town")
    var, backup = folder / "var", folder / "backup"
    with ensure_server(var, FAST) as server:
        instants = [write(server, 1)]
        (var / "uploads").mkdir()
        (var / "uploads" / "paper").write_text("sealed")
        (var / "log").write_text("not kept")
        save(var, backup)
        instants += [write(server, 2), write(server, 3)]
        (var / "uploads" / "later").write_text("sealed too")
        save(var, backup)
    yield backup, instants


def test_all_of_a_backup_comes_back(saved: tuple[Path, list[datetime]], tmp_path: Path) -> None:
    backup, _instants = saved
    restore(tmp_path, backup, None, say)
    assert written(tmp_path) == [1, 2, 3]
    assert (tmp_path / "uploads" / "paper").read_text() == "sealed"
    assert (tmp_path / "uploads" / "later").exists()
    assert not (tmp_path / "log").exists()
    assert not (tmp_path / "postgres" / "data" / "replay").exists()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome"])
def test_it_comes_back_as_it_was_at_an_instant(saved: tuple[Path, list[datetime]], tmp_path: Path, zone: str) -> None:
    backup, instants = saved
    restore(tmp_path, backup, instants[1].astimezone(ZoneInfo(zone)), say)
    assert written(tmp_path) == [1, 2]


def test_what_is_restored_can_be_written_and_saved_again(saved: tuple[Path, list[datetime]], tmp_path: Path) -> None:
    backup, instants = saved
    first, second, again = tmp_path / "first", tmp_path / "second", tmp_path / "again"
    restore(first, backup, instants[1], say)
    with ensure_server(first, FAST) as server:
        save(first, again)
        write(server, 4)
        save(first, again)
    restore(second, again, None, say)
    assert written(second) == [1, 2, 4]


def test_an_instant_before_the_first_copy_or_after_the_last_line_is_refused_and_leaves_nothing(
    saved: tuple[Path, list[datetime]], tmp_path: Path
) -> None:
    backup, instants = saved
    for instant in (instants[0] - timedelta(hours=1), datetime.now(UTC) + timedelta(days=1)):
        with pytest.raises(CannotRestore):
            restore(tmp_path, backup, instant, say)
        assert not (tmp_path / "postgres" / "data").exists()
    restore(tmp_path, backup, None, say)
    assert written(tmp_path) == [1, 2, 3]


def test_a_database_is_never_overwritten(saved: tuple[Path, list[datetime]], tmp_path: Path) -> None:
    backup, _instants = saved
    with ensure_server(tmp_path, FAST) as server:
        write(server, 9)
    with pytest.raises(CannotRestore):
        restore(tmp_path, backup, None, say)
    assert written(tmp_path) == [9]


def test_a_hole_in_the_log_is_no_backup_up_to_an_instant_behind_it(
    saved: tuple[Path, list[datetime]], tmp_path: Path
) -> None:
    backup, instants = saved
    copy = tmp_path / "backup"
    shutil.copytree(backup, copy, symlinks=True)
    newest = (copy / "base" / max(path.name for path in (copy / "base").iterdir())).rename(tmp_path / "gone")
    first = (newest / "backup_label").read_text().partition("(file ")[2].partition(")")[0]
    for path in (copy / "wal").glob("*.gz"):
        if path.stem >= first:
            path.unlink()
    with pytest.raises(CannotRestore):
        restore(tmp_path / "var", copy, instants[2] + timedelta(seconds=30), say)


def test_old_copies_go_and_what_stays_can_be_restored(tmp_path: Path) -> None:
    var, backup = tmp_path / "var", tmp_path / "backup"
    with ensure_server(var, FAST) as server:
        for number in (1, 2, 3):
            write(server, number)
            save(var, backup, keep=2)
    assert len(list_copies(backup)) == 2
    restore(tmp_path / "again", backup, None, say)
    assert written(tmp_path / "again") == [1, 2, 3]


def test_a_backup_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    var = tmp_path / "var"
    (tmp_path / "file").write_text("")
    with ensure_server(var, FAST), pytest.raises(BackupFailed, match="file"):
        save(var, tmp_path / "file" / "backup")


def test_a_server_of_ones_own_is_copied_with_its_own_tools(tmp_path: Path) -> None:
    given = {"VAR": str(tmp_path), "DATABASE_URL": "postgresql://nobody@localhost/town"}
    with pytest.raises(BackupFailed, match="DATABASE_URL"):
        back_up(settings_from(given), tmp_path / "backup", datetime.now(UTC), 7, say)


def test_two_commands_do_it(saved: tuple[Path, list[datetime]], tmp_path: Path) -> None:
    backup, _instants = saved
    run = CliRunner().invoke
    done = run(main, ["restore", str(backup)], env={"VAR": str(tmp_path / "var")})
    assert done.exit_code == 0, done.output
    done = run(main, ["backup", str(tmp_path / "again")], env={"VAR": str(tmp_path / "var")})
    assert done.exit_code == 0, done.output
    assert len(list_copies(tmp_path / "again")) == 1
