"""Runs one PostgreSQL server for as long as somebody uses it: it stops with its last user, and dies with its keeper.

A program of its own, started by `marketplace.postgres`, with the standard library alone. Every user of the server holds
a shared lock on `users.lock`; the keeper waits for the exclusive one, which the kernel grants when the last user has
left, in whatever way. The keeper and the server hold `keeper.lock` (inherited, already locked) for life, so that a
folder never has two. It says `ready`, or in one line why not, on its standard output.
"""

import ctypes
import fcntl
import hashlib
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

START_SECONDS = 60
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1
INITDB = (
    *("--username=owner", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--locale=C.UTF-8", "--no-instructions"),
)
OPTIONS = (
    *("listen_addresses=", "unix_socket_permissions=0700", "log_checkpoints=off"),
    *("max_parallel_workers_per_gather=0", "max_parallel_maintenance_workers=0"),  # /dev/shm may be tiny
)
FIRST_STATEMENTS = "create role app login nosuperuser nobypassrls\ncreate database condiviso\n"
FULL = ("No space left", "Check free disk space")  # the hint comes with a write that was cut short
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


NOBODY = 65534
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
NOBODY_WITH_REACH = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig=INT"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),  # the folder may lie in root's home
)


class Failed(Exception):
    """The server cannot be made or started; the message says why, in PostgreSQL's words."""


class Over(Exception):
    """Nothing is left to wait for."""


@dataclass(frozen=True)
class Disguise:
    """PostgreSQL refuses root and users without a name: run with `prefix` in front, its files are `owner`'s."""

    prefix: tuple[str, ...]
    owner: int


def find_disguise() -> Disguise:
    """None for a plain user; else a user namespace; where these are blocked, for root, nobody with root's reach."""
    me = os.geteuid()
    if me != 0 and _has_name(me):
        return Disguise((), me)
    refusals = []
    for disguise in (Disguise(NAMESPACE, me), Disguise(NOBODY_WITH_REACH, NOBODY)):
        tried = subprocess.run([*disguise.prefix, "true"], capture_output=True, text=True, env=ENVIRONMENT, check=False)
        if not tried.returncode:
            return disguise
        refusals.append(tried.stderr.strip())
    raise Failed(refusals[0])


def runnable(programs: Path, disguise: Disguise) -> Path:
    """Where the disguise may run PostgreSQL: its own folder or, as `access(2)` ignores a reach, a public copy of it.

    `programs` lie in the wheel's package, which has its libraries beside it. The copy is made whole or not at all, is
    root's alone to change, and is made anew for another version.
    """
    tried = subprocess.run([*disguise.prefix, "test", "-x", programs / "postgres"], env=ENVIRONMENT, check=False)
    if not tried.returncode:
        return programs
    package, original = programs.parents[1], (programs / "postgres").stat()
    name = hashlib.sha256(f"{programs} {original.st_size} {original.st_mtime_ns}".encode()).hexdigest()[:16]
    copy = Path(tempfile.gettempdir(), f"condiviso-postgresql-{name}")
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}."))
        try:
            for folder in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(folder, draft / folder.name)
            draft.chmod(0o755)
            with suppress(OSError):  # another command may have been first
                draft.rename(copy)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    found = copy.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Failed(f"{copy} is not a folder of this user alone")
    return copy / programs.relative_to(package.parent)


def _has_name(user: int) -> bool:
    try:
        return bool(pwd.getpwuid(user).pw_name)
    except KeyError:
        return False


def take_over(data: Path, owner: int) -> None:
    """Give the files to `owner`, if another disguise made them."""
    if data.stat().st_uid == owner:
        return
    for folder, _, files in os.walk(data, topdown=False):
        for name in (*files, "."):
            os.chown(Path(folder, name), owner, owner, follow_symlinks=False)


def archiving(home: Path) -> list[str]:
    """What the server writes also goes, compressed and whole or not at all, where `home/archive` leads, if anywhere."""
    kept = home / "archive"
    draft, copy = shlex.quote(f"{kept}/") + "%f.draft", shlex.quote(f"{kept}/") + "%f.gz"
    keep = f"gzip -1 < %p > {draft} && sync {draft} && mv {draft} {copy}"
    return ["archive_mode=on", f"archive_command=test ! -L {shlex.quote(str(kept))} || {{ {keep}; }}"]


def _be_nobodys_child() -> None:
    """Leave the command that started us: its end, its signals and its terminal are not ours."""
    if os.fork():
        os._exit(0)
    os.setsid()


def _run(command: Sequence[str | Path], words: str = "") -> str:
    """What the command said on its standard error."""
    done = subprocess.run(
        list(map(str, command)),
        input=words,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=START_SECONDS,
        check=False,
    )
    if done.returncode:
        raise Failed(_essence(done.stderr))
    return done.stderr


def _essence(log: str) -> str:
    """The line of a log that says what went wrong: a full disk, from which all sorts follow, before anything else."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if any(sign in log for sign in FULL):
        return "No space left on device"
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:", "failed:"))]
    return (telling or lines or ["no reason given"])[-1]


def create_cluster(programs: Path, home: Path, disguise: Disguise) -> None:
    """Make `home/data` whole or not at all: with the role `app` and the database `condiviso`."""
    data = home / "data"
    if data.exists():
        return
    partial = home / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _run([*disguise.prefix, programs / "initdb", *INITDB, "-D", partial])
        single: list[str | Path] = [*disguise.prefix, programs / "postgres", "--single", "-D", partial, "postgres"]
        complaints = _run(single, FIRST_STATEMENTS)  # which goes on, and ends well, after a statement that failed
        if "ERROR:" in complaints:
            raise Failed(_essence(complaints))
        partial.rename(data)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def forget_recycled_pid(data: Path) -> None:
    """After a crash of the machine, `postmaster.pid` may name a process that is no PostgreSQL, and block it for ever.

    Safe because we hold `keeper.lock`, which a server that still ran would hold too.
    """
    note = data / "postmaster.pid"
    try:
        program = Path(f"/proc/{int(note.read_text().splitlines()[0])}/exe").readlink()
    except (OSError, ValueError, IndexError):
        return
    if program.name.split()[0] != "postgres":
        note.unlink()


def _die_with_the_keeper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def start_server(
    programs: Path, home: Path, sockets: Path, lock: int, settings: Sequence[str], disguise: Disguise
) -> subprocess.Popen[bytes]:
    """Start the server and wait until it answers."""
    forget_recycled_pid(home / "data")
    take_over(home / "data", disguise.owner)
    log = home / "server.log"
    options = [*OPTIONS, *archiving(home), f"unix_socket_directories={sockets}", *settings]
    command = [*disguise.prefix, str(programs / "postgres"), "-D", str(home / "data")]
    command += [part for option in options for part in ("-c", option)]
    with log.open("ab") as output:
        began = output.tell()
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=ENVIRONMENT,
            pass_fds=[lock],
            preexec_fn=_die_with_the_keeper,  # noqa: PLW1509 - this program has one thread
        )
    deadline = time.monotonic() + START_SECONDS
    question = [str(programs / "pg_isready"), "-q", "-h", str(sockets), "-U", "app", "-d", "postgres"]
    while subprocess.run(question, env=ENVIRONMENT, check=False).returncode:
        if server.poll() is not None or time.monotonic() > deadline:
            stop_server(server)
            with log.open("rb") as written:
                written.seek(began)
                raise Failed(_essence(written.read().decode(errors="replace")))
        time.sleep(0.02)
    return server


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """Stop it gently, then less gently; what was committed is safe either way."""
    for sign, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, STOP_SECONDS), (signal.SIGKILL, None)):
        if server.poll() is not None:
            return
        server.send_signal(sign)
        try:
            server.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def _raise_over(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Over


def keep(server: subprocess.Popen[bytes], users: int) -> None:
    """Wait for the last user's leave, the server's end, or a signal; then see the server stopped."""
    signs = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
    try:
        for sign in signs:
            signal.signal(sign, _raise_over)
        if server.poll() is None:
            fcntl.flock(users, fcntl.LOCK_EX)
    except Over:
        pass
    finally:
        for sign in signs:
            signal.signal(sign, signal.SIG_IGN if sign != signal.SIGCHLD else signal.SIG_DFL)
        stop_server(server)


def main(programs: str, home: str, sockets: str, lock: str, *settings: str) -> int:
    """Keep the server of `home`; `lock` is the descriptor of its `keeper.lock`."""
    _be_nobodys_child()
    folder = Path(home)
    try:
        disguise = find_disguise()
        installed = runnable(Path(programs), disguise)
        create_cluster(installed, folder, disguise)
        server = start_server(installed, folder, Path(sockets), int(lock), settings, disguise)
    except (Failed, OSError, subprocess.TimeoutExpired) as problem:
        os.write(sys.stdout.fileno(), str(problem).encode())
        return 1
    os.write(sys.stdout.fileno(), b"ready")
    os.dup2(sys.stdin.fileno(), sys.stdout.fileno())  # closes it: the command reads up to its end
    keep(server, os.open(folder / "users.lock", os.O_RDWR))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
