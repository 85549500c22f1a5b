"""A backup is a folder with whole copies of the database, all that was written since, and the files beside it.

    base/   a copy of the cluster, by the instant at which it was begun, with what makes it consistent
    wal/    each segment of the write-ahead log, compressed, from the first copy on
    files/  what VAR holds beside the database (uploads, local key); nothing is ever removed from it

`back_up` makes one and keeps it growing: from then on the server hands over what it writes, a minute late at most.
`restore` makes an installation of it as it was at an instant.
"""

import fcntl
import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import psycopg

from marketplace.config import Settings
from marketplace.errors import CannotRun
from marketplace.postgres import DatabaseUnavailable, Server, ensure_server, server_programs
from marketplace.words import N_

STAMP = "%Y%m%dT%H%M%S.%fZ"
LATE_SECONDS = 60  # how much of what was written may not have left the server yet
NOT_KEPT = ("postgres", "log", "payments.address")
POLL_SECONDS = 0.2
ARCHIVE_SECONDS = 60
REPLAY = "replay"  # a folder of a restored cluster, until all of it is replayed
SEGMENT = re.compile(r"[0-9A-F]{24}")

Say = Callable[[str], None]


class BackupFailed(CannotRun):
    """It could not be copied; nothing half-made counts as a backup."""

    default = N_("La copia non è riuscita: %(reason)s")


class CannotRestore(CannotRun):
    """The backup does not hold what was asked for, or there is something in the way."""


def back_up(settings: Settings, backup: Path, now: datetime, keep: int, say: Say) -> Path:
    """Copy the running or stopped installation whole, and the log from now on; leave the `keep` newest copies.

    Raises BackupFailed and DatabaseUnavailable.
    """
    if settings.database_url:
        raise BackupFailed(reason=N_("il server di DATABASE_URL si copia con i suoi strumenti (docs/operating.md)."))
    try:
        return _back_up(settings.var, backup, now, keep, say)
    except OSError as problem:
        raise BackupFailed(reason=str(problem)) from problem


def _back_up(var: Path, backup: Path, now: datetime, keep: int, say: Say) -> Path:
    with ensure_server(var, say=say) as server:
        wal, bases = backup / "wal", backup / "base"
        for folder in (backup, wal, bases):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (backup / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _archive_to(server, wal)
            base = bases / now.astimezone(UTC).strftime(STAMP)
            _copy_cluster(server, base)
            copy_files(var, backup)
            _wait_for_the_archive(server)
            _forget_old(bases, wal, keep)
    return base


def copy_files(var: Path, backup: Path) -> None:
    """Bring the backup's files up to those of `var`; of what `var` has no longer, the copy stays."""
    for path in files_of(var):
        copy = backup / "files" / path.relative_to(var)
        found = path.stat()
        if copy.exists() and (copy.stat().st_size, copy.stat().st_mtime_ns) == (found.st_size, found.st_mtime_ns):
            continue
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = copy.with_name(f".{copy.name}.draft")
        shutil.copy2(path, draft)
        draft.replace(copy)


def files_of(var: Path) -> Iterator[Path]:
    """Every file of an installation beside its database; neither logs nor what a running process says of itself."""
    for folder, below, names in os.walk(var):
        if Path(folder) == var:
            below[:] = [name for name in below if name not in NOT_KEPT]
            names = [name for name in names if name not in NOT_KEPT]
        yield from (path for name in names if (path := Path(folder, name)).is_file() and not path.is_symlink())


def list_copies(backup: Path) -> list[datetime]:
    """When each whole copy was begun, oldest first."""
    folder = backup / "base"
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(datetime.strptime(name, STAMP).replace(tzinfo=UTC) for name in names if name.endswith("Z"))


def restore(var: Path, backup: Path, until: datetime | None, say: Say) -> None:
    """Make in `var` the installation as it was at `until` (aware), or with all that the backup has.

    `var` may hold no database. Raises CannotRestore, and then leaves none.
    """
    home, data = var / "postgres", var / "postgres" / "data"
    if data.exists():
        raise CannotRestore(N_("In %(folder)s c'è già un database: ripristina in una cartella nuova."), folder=var)
    base = _base_for(backup, until)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = home / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(base, partial, symlinks=True)
    _lay_out_the_log(backup / "wal", _first_segment(base), partial / REPLAY)
    with (partial / "postgresql.auto.conf").open("a") as settings:
        settings.write(_recovery_settings(until))
    (partial / "recovery.signal").touch()
    if (backup / "files").exists():
        shutil.copytree(backup / "files", var, dirs_exist_ok=True)
    partial.rename(data)
    try:
        with ensure_server(var, say=say) as server:
            _wait_for_promotion(server)
    except (DatabaseUnavailable, psycopg.OperationalError) as problem:
        _give_up(data, partial)
        raise CannotRestore(N_("La copia non arriva fino a quell'istante (server.log dice dove finisce).")) from problem
    except BaseException:
        _give_up(data, partial)
        raise
    shutil.rmtree(data / REPLAY)


def _give_up(data: Path, partial: Path) -> None:
    """No database is better than part of one."""
    data.rename(partial)
    shutil.rmtree(partial, ignore_errors=True)


def _base_for(backup: Path, until: datetime | None) -> Path:
    """The newest copy that was begun a moment before `until`: a copy is not consistent before it ends."""
    copies = [made for made in list_copies(backup) if until is None or made < until]
    for made in reversed(copies):
        path = backup / "base" / made.strftime(STAMP)
        ended = datetime.fromtimestamp((path / "backup_manifest").stat().st_mtime, UTC)
        if until is None or ended <= until:
            return path
    raise CannotRestore(N_("In %(folder)s non c'è una copia di prima di quell'istante."), folder=backup)


def _first_segment(base: Path) -> str:
    """The name of the oldest segment of the log that a copy needs."""
    return (base / "backup_label").read_text().partition("(file ")[2].partition(")")[0]


def _lay_out_the_log(wal: Path, first: str, folder: Path) -> None:
    """The log from the segment `first` on, unpacked where the server that replays it can read it."""
    folder.mkdir(mode=0o700)
    for packed in sorted(wal.glob("*.gz")):
        if packed.stem >= first or not SEGMENT.fullmatch(packed.stem):  # histories of time lines have short names
            with gzip.open(packed) as source, (folder / packed.stem).open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _recovery_settings(until: datetime | None) -> str:
    """What a server that replays the log is told in postgresql.auto.conf; its working folder is its data."""
    lines = [f"restore_command = 'cp {REPLAY}/%f %p'", "recovery_target_action = 'promote'"]
    if until is not None:
        lines.append(f"recovery_target_time = '{until.astimezone(UTC).isoformat()}'")
    return "\n".join(["", *lines, ""])


def _wait_for_promotion(server: Server) -> None:
    """Until all is replayed; then the server forgets that it ever was a copy."""
    with _connected(server) as connection:
        while connection.execute("select pg_is_in_recovery()").fetchone() != (False,):
            sleep(POLL_SECONDS)
        for name in ("restore_command", "recovery_target_action", "recovery_target_time", "archive_timeout"):
            connection.execute(f"alter system reset {name}")
        connection.execute("select pg_reload_conf()")


def _connected(server: Server) -> psycopg.Connection:
    return psycopg.connect(host=str(server.sockets), user="owner", dbname="postgres", autocommit=True)


def _archive_to(server: Server, wal: Path) -> None:
    """From now on the server hands over what it writes: each full segment, and each minute one that is not full."""
    link, draft = server.home / "archive", server.home / "archive.draft"
    with _connected(server) as connection:
        [mode] = connection.execute("show archive_mode").fetchone() or ("off",)
        if mode != "on":
            raise BackupFailed(reason=N_("il database gira da prima di un aggiornamento: fermalo e riavvialo."))
        draft.unlink(missing_ok=True)
        draft.symlink_to(wal.resolve())
        draft.replace(link)
        connection.execute(f"alter system set archive_timeout = '{LATE_SECONDS}s'")
        connection.execute("select pg_reload_conf()")


def _copy_cluster(server: Server, base: Path) -> None:
    """`pg_basebackup`, checked against its own manifest; the copy has its name only when it is whole."""
    partial = base.with_name(f"{base.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    programs = server_programs()
    copying = ["pg_basebackup", "-h", str(server.sockets), "-U", "owner", "-D", str(partial), "--checkpoint=fast"]
    checking = ["pg_verifybackup", "--quiet", str(partial)]
    for program, *arguments in (copying, checking):
        done = subprocess.run([programs / program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(partial, ignore_errors=True)
            raise BackupFailed(reason=" ".join(done.stderr.split()))
    partial.rename(base)


def _wait_for_the_archive(server: Server) -> None:
    """Until all that was written up to now has arrived; raises BackupFailed with the archive's own complaint."""
    with _connected(server) as connection:
        connection.execute("select pg_create_restore_point('copied')")  # a segment without a line is not handed over
        [segment] = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
        tries = int(ARCHIVE_SECONDS / POLL_SECONDS)
        for _ in range(tries):
            arrived = connection.execute("select last_archived_wal >= %s from pg_stat_archiver", (segment,)).fetchone()
            if arrived == (True,):
                return
            sleep(POLL_SECONDS)
    raise BackupFailed(reason=N_("il registro del database non arriva alla copia (server.log dice perché)."))


def _forget_old(bases: Path, wal: Path, keep: int) -> None:
    """Remove all but the `keep` newest copies, and the log from before the oldest that stays."""
    copies = [bases / made.strftime(STAMP) for made in list_copies(bases.parent)]
    for path in copies[:-keep]:
        gone = path.with_name(f"{path.name}.gone")
        path.rename(gone)
        shutil.rmtree(gone)
    oldest = copies[-keep:][0]
    subprocess.run([server_programs() / "pg_archivecleanup", "-x", ".gz", wal, _first_segment(oldest)], check=True)
