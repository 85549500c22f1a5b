"""The embedded server lives exactly as long as somebody uses it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from marketplace import keeper, postgres
from marketplace.config import settings_from
from marketplace.errors import CannotRun
from marketplace.installation import open_installation
from marketplace.postgres import DatabaseUnavailable, Server, ensure_server

USE = """
import sys, time
from pathlib import Path
from marketplace.postgres import ensure_server
with ensure_server(Path(sys.argv[1])):
    print("in use", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped cluster, to be copied."""
    home = tmp_path_factory.mktemp("cluster")
    with ensure_server(home):
        pass
    return home


@pytest.fixture
def var(cluster: Path, tmp_path: Path) -> Path:
    """A folder that has a database already."""
    return Path(shutil.copytree(cluster, tmp_path / "var"))


def command(var: Path) -> subprocess.Popen[str]:
    """Another command that uses the server of `var` until its standard input closes."""
    user = subprocess.Popen(
        [sys.executable, "-c", USE, str(var)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    assert user.stdout.readline() == "in use\n"
    return user


def finish(user: subprocess.Popen[str]) -> None:
    user.communicate(timeout=30)


def postmaster(var: Path) -> int:
    return int((var / "postgres/data/postmaster.pid").read_text().splitlines()[0])


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def soon(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def who(server: Server, role: str) -> tuple[object, ...] | None:
    with psycopg.connect(host=str(server.sockets), user=role, dbname="condiviso") as connection:
        return connection.execute(
            "select current_user::text, rolsuper, rolbypassrls from pg_roles where rolname = current_user"
        ).fetchone()


def test_an_empty_folder_gets_a_server_with_two_roles_that_stops_with_its_only_user(tmp_path: Path) -> None:
    said: list[str] = []
    with ensure_server(tmp_path, say=said.append) as server:
        assert who(server, "owner") == ("owner", True, True)
        assert who(server, "app") == ("app", False, False)
        pid = postmaster(tmp_path)
    assert not runs(pid)
    assert len(said) == 1
    with ensure_server(tmp_path, say=said.append) as server:
        assert server.answers()
    assert len(said) == 1


def test_two_commands_share_a_server_and_the_last_one_stops_it(var: Path) -> None:
    first = command(var)
    pid = postmaster(var)
    with ensure_server(var) as server:
        assert postmaster(var) == pid
        finish(first)
        assert server.answers()
        assert runs(pid)
    assert not runs(pid)


def test_two_commands_that_start_at_once_on_an_empty_folder_share_one_server(tmp_path: Path) -> None:
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for user in users:
        assert user.stdout is not None
        assert user.stdout.readline() == "in use\n"
    pid = postmaster(tmp_path)
    for user in users:
        assert runs(pid)
        finish(user)
    assert soon(lambda: not runs(pid))


def test_a_killed_command_leaves_nothing_running(var: Path) -> None:
    user = command(var)
    pid = postmaster(var)
    user.kill()
    finish(user)
    assert soon(lambda: not runs(pid))
    with ensure_server(var) as server:
        assert server.answers()


def test_a_killed_keeper_takes_the_server_along_and_the_next_command_starts_another(var: Path) -> None:
    with ensure_server(var):
        pid = postmaster(var)
        keeper_pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(keeper_pid, signal.SIGKILL)
        assert soon(lambda: not runs(pid))
        with ensure_server(var) as again:
            assert again.answers()


def test_a_server_that_starts_while_the_old_one_stops_waits_for_its_turn(var: Path) -> None:
    for _ in range(3):
        user = command(var)
        user.kill()
        finish(user)
        with ensure_server(var) as server:
            assert server.answers()


def test_a_pid_that_another_program_has_got_since_a_crash_blocks_nothing(var: Path) -> None:
    user = command(var)
    os.kill(postmaster(var), signal.SIGKILL)
    finish(user)
    note = var / "postgres/data/postmaster.pid"
    if note.exists():
        note.write_text(note.read_text().replace(note.read_text().splitlines()[0], str(os.getpid()), 1))
    with ensure_server(var) as server:
        assert server.answers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to be somebody else")
def test_where_user_namespaces_are_blocked_root_runs_it_as_nobody(var: Path) -> None:
    blocked = var.parent / "blocked"
    blocked.mkdir()
    (blocked / "unshare").symlink_to("/bin/false")
    program = f"from marketplace import keeper; keeper.ENVIRONMENT['PATH'] = '{blocked}:' + keeper.ENVIRONMENT['PATH']"
    disguise = subprocess.run(
        [sys.executable, "-c", f"{program}; print(keeper.find_disguise().owner)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert disguise.stdout == f"{keeper.NOBODY}\n"
    keeper.take_over(var / "postgres/data", keeper.NOBODY)
    assert {path.stat().st_uid for path in (var / "postgres/data").rglob("*")} == {keeper.NOBODY}
    with ensure_server(var) as server:
        assert server.answers()
    assert {path.stat().st_uid for path in (var / "postgres/data").rglob("*")} == {keeper.find_disguise().owner}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_root_runs_it_from_its_own_home_too_where_user_namespaces_are_blocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgres.server_programs().parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, tmp_path / folder.name)  # pytest's folders are root's alone
    public = Path(tempfile.mkdtemp(dir="/var/tmp"))
    public.chmod(0o755)
    blocked = tmp_path / "keeper.py"
    blocked.write_text(
        f"import sys; sys.path[:0] = [{str(Path(keeper.__file__).parent)!r}]; import keeper, tempfile\n"
        f"keeper.NAMESPACE = ('false',); tempfile.tempdir = {str(public)!r}\n"
        "sys.exit(keeper.main(*sys.argv[1:]))"
    )
    monkeypatch.setattr(postgres, "KEEPER", blocked)
    monkeypatch.setattr(postgres, "server_programs", lambda: tmp_path / package.name / "pginstall/bin")
    try:
        for _ in ("made", "found"):
            with ensure_server(tmp_path / "var") as server:
                assert server.answers()
                assert (tmp_path / "var/postgres/data").stat().st_uid == keeper.NOBODY
            assert len(list(public.iterdir())) == 1
    finally:
        shutil.rmtree(public)


def test_a_folder_whose_path_is_too_long_for_a_socket_has_it_elsewhere(tmp_path: Path) -> None:
    var = tmp_path / ("a" * 60) / ("b" * 60)
    with ensure_server(var) as server:
        assert server.answers()
        assert server.sockets != server.home
        assert server.sockets.stat().st_mode & 0o077 == 0
    server.sockets.rmdir()


def test_a_folder_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DatabaseUnavailable, match=r"non si può usare: Not a directory\."):
        ensure_server(blocked / "var")
    with pytest.raises(DatabaseUnavailable, match="non si può usare: No such file"):
        ensure_server(Path("/proc/condiviso"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("postgres://town:secret@127.0.0.1:1/town", "Connection refused"),
        ("mysql://town:secret@127.0.0.1/town", "postgresql://"),
        ("secret", "postgresql://"),
    ],
)
def test_a_given_server_that_cannot_be_had_is_one_line_without_its_password(given: str, told: str) -> None:
    with (
        pytest.raises(CannotRun, match=told) as refused,
        open_installation(settings_from({"DATABASE_URL": given, "SECRET_KEYS": "x"})),
    ):
        pass
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_owner_who_is_no_superuser_makes_the_role_that_the_site_acts_in(var: Path) -> None:
    with ensure_server(var) as server:
        with psycopg.connect(host=str(server.sockets), user="owner", dbname="condiviso", autocommit=True) as owner:
            for statement in ("drop role app", "create role town login createrole", "create database town owner town"):
                owner.execute(statement)
        with open_installation(settings_from({"DATABASE_URL": server.url("town", "town"), "VAR": str(var)})) as made:
            engine = create_engine(made.app_url, poolclass=NullPool)
            with engine.connect() as connection:
                assert connection.execute(text("select current_user::text")).scalar() == "app"


ON_A_BAD_DISK = """
import sys
from pathlib import Path
from marketplace.postgres import DatabaseUnavailable, ensure_server
try:
    ensure_server(Path(sys.argv[1]) / "var")
except DatabaseUnavailable as problem:
    print(problem)
"""


def on_a_bad_disk(folder: Path, options: str, then: str = "") -> "subprocess.CompletedProcess[str]":
    """What the database says where `folder` is a disk mounted with `options`; skipped where no disk may be mounted."""
    apart = ["unshare", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o {options} bad {folder}"
    if subprocess.run([*apart, mount], capture_output=True, check=False).returncode:
        pytest.skip("nobody may mount a disk here: not root, or root of a container")
    command = f'{mount} && {sys.executable} -c "$0" {folder}; {then}'
    return subprocess.run([*apart, command, ON_A_BAD_DISK], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("options", "told"), [("ro", "sola lettura"), ("size=12m", "è pieno"), ("size=8k", "è pieno")])
def test_a_bad_disk_is_told_in_one_line_and_nothing_is_left_running(tmp_path: Path, options: str, told: str) -> None:
    done = on_a_bad_disk(tmp_path, options)
    assert (told in done.stdout, done.stdout.count("\n"), done.stderr) == (True, 1, ""), done
    assert soon(lambda: not commands_that_name(tmp_path))


def commands_that_name(folder: Path) -> list[bytes]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_bytes())
    return [words for words in found if os.fsencode(folder) in words]


def test_a_disk_that_fills_up_at_any_point_of_the_making_leaves_no_half_a_cluster(tmp_path: Path) -> None:
    """39 MB take the cluster and not the database in it, of which the single server complains, and ends well."""
    done = on_a_bad_disk(tmp_path, "size=39m", f"ls {tmp_path}/var/*")
    assert ("è pieno" in done.stdout, "data" in done.stdout.splitlines()) == (True, False), done


def test_a_full_disk_is_told_before_what_follows_from_it() -> None:
    log = "ERROR:  could not extend file: No space left on device\nPANIC:  cannot abort transaction 1"
    assert "No space left" in keeper._essence(log)


def test_a_cluster_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises((OSError, keeper.Failed), match="initdb"):
        keeper.create_cluster(tmp_path / "nowhere", tmp_path, keeper.find_disguise())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('FATAL: could not write lock file "postmaster.pid": No space left on device', "è pieno"),
        ("unshare: unshare failed: Operation not permitted", "DATABASE_URL"),
        ("FATAL: something else", "something else"),
    ],
)
def test_what_postgresql_says_becomes_a_sentence(tmp_path: Path, said: str, told: str) -> None:
    assert told in str(postgres.unavailable(tmp_path, said))
