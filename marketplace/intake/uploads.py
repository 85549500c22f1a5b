"""An upload is checked first and goes in once, when an officer says so; after a day only its numbers are left."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from procrastinate import RetryStrategy
from sqlmodel import Session, col, delete, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.errors import Conflict, NotFound
from marketplace.intake.models import Upload, UploadedFile, UploadState
from marketplace.intake.operations import FileOutcome, Outcome, import_files, preview_files
from marketplace.intake.report import Code, Finding, Severity
from marketplace.intake.storing import Change
from marketplace.intake.tables import Source
from marketplace.jobs import defer, job
from marketplace.slots.calendar import local_day
from marketplace.words import N_

AGAIN = RetryStrategy(max_attempts=5, exponential_wait=3)
WAITING = (UploadState.CHECKING, UploadState.CHECKED)
KEPT = timedelta(hours=24)
ROWS_SHOWN_MAX = 100
UPLOADS_LISTED_MAX = 20


class AlreadyDecided(Conflict):
    """The upload went in, was discarded, or has waited too long."""

    default = N_("Questi file sono già stati importati o scartati. Se servono ancora, caricali di nuovo.")


class NotCheckedYet(Conflict):
    """Nobody knows yet what the upload would bring in."""

    default = N_("Il controllo dei file non è finito: aspetta che la pagina lo dica, poi conferma.")


@dataclass(frozen=True, slots=True)
class CheckedCell:
    """A cell of a row that has something wrong, and what, if it is this one."""

    column: str
    text: str
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row with its cells in the order of the sheet; `stays_out` if an error stops it."""

    number: int
    cells: tuple[CheckedCell, ...]
    stays_out: bool


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What a page shows of one file; `refusal` is a msgid with its values, for a file that is no table."""

    name: str
    kind: str
    refusal: tuple[str, dict[str, Any]] | None
    rows: int
    new: int
    changed: int
    same: int
    stopped: int
    warnings: int
    elsewhere: int
    repeated: int
    changed_codes: tuple[str, ...]
    kept_codes: tuple[str, ...]
    extra: tuple[str, ...]
    findings: tuple[Finding, ...]
    bad_rows: tuple[CheckedRow, ...]
    bad_rows_count: int


def take_upload(session: Session, by: Actor, now: datetime, sources: Sequence[Source]) -> Upload:
    """Keep files, and have a job say what bringing them in would do; nothing of them goes in yet."""
    upload = Upload(municipality_id=by.municipality_id, by_user_id=by.user_id, outcome="[]", created_at=now)
    session.add(upload)
    session.flush()
    for source in sources:
        session.add(
            UploadedFile(
                municipality_id=by.municipality_id, upload_id=upload.id, name=source.name[-200:], content=source.data
            )
        )
    session.flush()
    defer(session, check, by.municipality_id, upload_id=str(upload.id))
    defer(session, forget_after_a_day, by.municipality_id, at=now + KEPT, upload_id=str(upload.id))
    return upload


@job("intake.check", retry=AGAIN)
def check(session: Session, municipality_id: str, now: datetime, upload_id: str = "", **_: Any) -> None:
    """See `check_upload`; all in one transaction, so that a job that is killed leaves the upload to be checked."""
    check_upload(session, now, municipality_id, UUID(upload_id))


def check_upload(session: Session, now: datetime, municipality_id: str, upload_id: UUID) -> None:
    """Say what bringing an upload's files in would do; one that was checked or decided is left alone."""
    upload = session.get_one(
        Upload, (municipality_id, upload_id), with_for_update={"key_share": True}, populate_existing=True
    )
    if upload.state is not UploadState.CHECKING:
        return
    by = Actor(municipality_id, Role.OFFICER, user_id=upload.by_user_id)
    outcome = preview_files(session, by, now, local_day(now), _sources(session, upload))
    upload.outcome, upload.state = _written(outcome), UploadState.CHECKED
    session.flush()


def _sources(session: Session, upload: Upload) -> list[Source]:
    files = session.exec(
        select(UploadedFile)
        .where(UploadedFile.municipality_id == upload.municipality_id, UploadedFile.upload_id == upload.id)
        .order_by(col(UploadedFile.id))
    )
    return [Source(file.name, file.content) for file in files]


@job("intake.forget", retry=True)
def forget_after_a_day(session: Session, municipality_id: str, now: datetime, upload_id: str = "", **_: Any) -> None:
    """See `forget_upload`."""
    forget_upload(session, Actor(municipality_id, reason="24 h"), now, UUID(upload_id))


def forget_upload(session: Session, by: Actor, now: datetime, upload_id: UUID) -> None:
    """Discard what nobody decided on, and of what was said keep the numbers only: cells are personal data."""
    upload = get_upload(session, by, upload_id)
    if upload.state in WAITING:
        _decide(session, by, now, upload, UploadState.DISCARDED)
    numbers = [written | {"findings": [], "bad_rows": []} for written in json.loads(upload.outcome)]
    upload.outcome = json.dumps(numbers, ensure_ascii=False)
    session.flush()


def commit_upload(session: Session, by: Actor, now: datetime, today: date, upload_id: UUID) -> Upload:
    """Bring an upload's files in. Raises NotFound, AlreadyDecided."""
    upload = _undecided(session, by, upload_id)
    if upload.state is UploadState.CHECKING:
        raise NotCheckedYet
    sources = _sources(session, upload)
    if not sources:
        raise AlreadyDecided
    upload.outcome = _written(import_files(session, by, now, today, sources))
    _decide(session, by, now, upload, UploadState.IMPORTED)
    return upload


def discard_upload(session: Session, by: Actor, now: datetime, upload_id: UUID) -> None:
    """Throw an upload's files away. Raises NotFound, AlreadyDecided."""
    _decide(session, by, now, _undecided(session, by, upload_id), UploadState.DISCARDED)


def get_upload(session: Session, by: Actor, upload_id: UUID) -> Upload:
    """An upload of the municipality. Raises NotFound."""
    found = session.get(Upload, (by.municipality_id, upload_id))
    if found is None:
        raise NotFound
    return found


def list_uploads(session: Session, by: Actor) -> list[Upload]:
    """The newest uploads first."""
    return list(
        session.exec(
            select(Upload)
            .where(Upload.municipality_id == by.municipality_id)
            .order_by(col(Upload.created_at).desc(), col(Upload.id).desc())
            .limit(UPLOADS_LISTED_MAX)
        )
    )


def files_of(upload: Upload) -> list[CheckedFile]:
    """What was found in each file of an upload, for the page and the report."""
    return [_checked_file(written) for written in json.loads(upload.outcome)]


def names_of(session: Session, by: Actor, uploads: Sequence[Upload]) -> dict[UUID, list[str]]:
    """The names of the files of some uploads, in one query for those that are not checked yet."""
    names = {one.id: [str(written["name"]) for written in json.loads(one.outcome)] for one in uploads}
    unchecked = [one.id for one in uploads if one.state is UploadState.CHECKING]
    kept = select(UploadedFile.upload_id, UploadedFile.name).where(
        UploadedFile.municipality_id == by.municipality_id, col(UploadedFile.upload_id).in_(unchecked)
    )
    for upload_id, name in session.exec(kept.order_by(col(UploadedFile.id))):
        names[upload_id].append(name)
    return names


def _undecided(session: Session, by: Actor, upload_id: UUID) -> Upload:
    """The upload, locked, so that two taps on one button are one decision."""
    found = session.exec(
        select(Upload)
        .where(Upload.municipality_id == by.municipality_id, Upload.id == upload_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        raise NotFound
    if found.state not in WAITING:
        raise AlreadyDecided
    return found


def _decide(session: Session, by: Actor, now: datetime, upload: Upload, state: UploadState) -> None:
    upload.state, upload.decided_at = state, now
    session.exec(
        delete(UploadedFile).where(
            col(UploadedFile.municipality_id) == by.municipality_id, col(UploadedFile.upload_id) == upload.id
        )
    )
    record(session, by, now, f"{state.value}_upload", "upload", upload.id)
    session.flush()


def _written(outcome: Outcome) -> str:
    return json.dumps([_written_file(file) for file in outcome.files], ensure_ascii=False)


def _written_file(file: FileOutcome) -> dict[str, Any]:
    table = file.table
    wrong = {finding.row for finding in file.findings}
    rows = [row for row in table.rows if row.number in wrong][:ROWS_SHOWN_MAX] if table else []
    return {
        "name": file.name,
        "kind": table.kind.name if table else "",
        "refusal": (file.refusal.msgid, file.refusal.params) if file.refusal else None,
        "rows": len(table.rows) if table else 0,
        "new": file.counts[Change.NEW],
        "changed": file.counts[Change.CHANGED],
        "same": file.counts[Change.SAME],
        "stopped": file.stopped,
        "warnings": file.warnings,
        "elsewhere": file.elsewhere,
        "repeated": file.repeated,
        "changed_codes": file.changed_codes,
        "kept_codes": file.kept_codes,
        "extra": table.extra if table else (),
        "findings": [
            (one.row, one.column, one.severity.value, one.code.value, one.msgid, dict(one.params))
            for one in file.findings
        ],
        "bad_rows": [(row.number, {column: table.cell(row, column) for column in table.columns}) for row in rows]
        if table
        else [],
        "bad_rows_count": len(wrong),
    }


def _checked_file(written: dict[str, Any]) -> CheckedFile:
    findings = tuple(
        Finding(written["name"], row, column, Severity(severity), Code(code), msgid, params)
        for row, column, severity, code, msgid, params in written.pop("findings")
    )
    by_row: dict[int, dict[str, Finding]] = defaultdict(dict)
    for finding in findings:
        by_row[finding.row][finding.column] = finding
    bad_rows = tuple(_checked_row(number, cells, by_row[number]) for number, cells in written.pop("bad_rows"))
    refusal = written.pop("refusal")
    return CheckedFile(
        refusal=tuple(refusal) if refusal else None,
        findings=findings,
        bad_rows=bad_rows,
        changed_codes=tuple(written.pop("changed_codes")),
        kept_codes=tuple(written.pop("kept_codes", ())),
        extra=tuple(written.pop("extra")),
        **written,
    )


def _checked_row(number: int, cells: dict[str, str], found: dict[str, Finding]) -> CheckedRow:
    return CheckedRow(
        number,
        tuple(CheckedCell(column, text, found.get(column)) for column, text in cells.items()),
        any(finding.severity is Severity.ERROR for finding in found.values()),
    )
