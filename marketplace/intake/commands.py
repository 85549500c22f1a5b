"""Bringing a city in, and its open needs out, from the command line: what goes wrong is a line and an exit status."""

import gzip
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from sqlmodel import Session

from marketplace.accounts.models import Actor, Municipality
from marketplace.db import Scope, set_scope
from marketplace.errors import Rejected
from marketplace.intake.operations import FileOutcome, Outcome, UnknownMunicipality, ensure_municipality
from marketplace.intake.operations import import_files as import_sources
from marketplace.intake.report import write_report
from marketplace.intake.storing import Change
from marketplace.intake.tables import Source, find_kind
from marketplace.rounds.instances import build_instance
from marketplace.words import N_

ENDINGS = (".csv", ".xlsx", ".xlsm", ".xls", ".ods")
CODES_SHOWN_MAX = 20


class NothingToImport(Rejected):
    """The folder is not there or holds none of the five files."""

    default = N_("In «%(folder)s» non c'è nessuno dei file indirizzi, programmi, sedi, professionisti, bisogni.")


class CannotWrite(Rejected):
    """The place for a result does not take it."""

    default = N_("Non si può scrivere «%(path)s»: %(reason)s. Niente è cambiato.")


def import_folder(
    session: Session,
    now: datetime,
    today: date,
    folder: Path,
    municipality: str,
    say: Callable[[str], None],
    report: Path | None = None,
    dry_run: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> int:
    """Import a folder's files into a municipality, made if it is new; the exit status: 1 if a file could not be read.

    `say` takes the results, `tell` a line before each step that takes a while.
    Raises NothingToImport, UnknownMunicipality, CannotWrite; then nothing went in.
    """
    sources = read_folder(folder)
    tell(f"Preparo il comune {municipality}.")
    ensure_municipality(session, now, municipality)
    by = Actor(municipality, reason="marketplace import")
    outcome = import_sources(session, by, now, today, sources, lambda file: tell(f"Leggo {file.name}."))
    if report:
        _write(report, write_report(outcome.findings).encode())
    for line in summary(outcome, with_findings=report is None):
        say(line)
    if dry_run:
        session.rollback()
        say("Era una prova: non è stato scritto nulla.")
    else:
        session.commit()
    return 0 if outcome.readable else 1


def read_folder(folder: Path) -> list[Source]:
    """The files of a folder that an import knows by their names. Raises NothingToImport."""
    try:
        found = [path for path in sorted(folder.iterdir()) if path.suffix.casefold() in ENDINGS and path.is_file()]
        sources = [Source(path.name, path.read_bytes()) for path in found if find_kind(path.name)]
    except OSError as error:
        raise NothingToImport(folder=str(folder)) from error
    if not sources:
        raise NothingToImport(folder=str(folder))
    return sources


def summary(outcome: Outcome, with_findings: bool) -> list[str]:
    """What an import did, for whoever started it."""
    lines: list[str] = []
    for file in outcome.files:
        lines += _file_summary(file)
        if with_findings:
            lines += [f"  riga {one.row}, {one.column}: {one.message()} [{one.code}]" for one in file.findings]
    return lines


def _file_summary(file: FileOutcome) -> list[str]:
    if file.table is None:
        return [f"{file.name}: non letto. {file.refusal}"]
    lines = [
        f"{file.name}: {len(file.table.rows)} righe; {file.counts[Change.NEW]} nuove,"
        f" {file.counts[Change.CHANGED]} aggiornate, {file.counts[Change.SAME]} invariate,"
        f" {file.stopped} con errori, {file.warnings} avvisi."
    ]
    if file.changed_codes:
        lines.append(f"  aggiornate: {_some(file.changed_codes)}")
    if file.kept_codes:
        lines.append(
            f"  con una proposta o un posto, restano come la famiglia le ha accettate: {_some(file.kept_codes)}"
        )
    if file.repeated:
        lines.append(f"  {file.repeated} righe ripetono un indirizzo già letto.")
    if file.elsewhere:
        lines.append(f"  {file.elsewhere} righe sono di altri comuni e non entrano.")
    if file.table.extra:
        lines.append(f"  colonne non usate: {', '.join(file.table.extra)}")
    return lines


def _some(codes: list[str]) -> str:
    return ", ".join(codes[:CODES_SHOWN_MAX]) + (", ..." if len(codes) > CODES_SHOWN_MAX else "")


def export_instance(session: Session, municipality: str, on: date, out: Path) -> int:
    """Write a municipality's open needs as an instance/1; how many. Raises UnknownMunicipality, CannotWrite."""
    if session.get(Municipality, municipality) is None:
        raise UnknownMunicipality(
            N_("Il comune «%(code)s» non c'è ancora: portalo dentro con marketplace import."), code=municipality
        )
    set_scope(session, Scope(municipality))
    instance = build_instance(session, municipality, on)
    data = json.dumps(instance, ensure_ascii=False, indent=1).encode() + b"\n"
    _write(out, gzip.compress(data, mtime=0) if out.suffix == ".gz" else data)
    return len(instance["needs"])


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CannotWrite(path=str(path), reason=error.strerror or str(error)) from error
