"""What was found in the files: one finding a column of a row at most; an error stops the row, a warning does not."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

COLUMNS = ("file", "row", "column", "severity", "code", "message")
QUOTED_CHARACTERS_MAX = 60


class Severity(StrEnum):
    """Whether the row goes in."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """The report's codes, fixed by contract."""

    MISSING_VALUE = "missing_value"
    UNKNOWN_ADDRESS = "unknown_address"
    AMBIGUOUS_ADDRESS = "ambiguous_address"
    ADDRESS_GUESSED = "address_guessed"
    INVALID_NUMBER = "invalid_number"
    OUT_OF_RANGE = "out_of_range"
    INVALID_TIME = "invalid_time"
    WINDOW_TOO_SHORT = "window_too_short"
    UNKNOWN_SERVICE = "unknown_service"
    UNKNOWN_SUBJECT = "unknown_subject"
    INVALID_TAX_CODE = "invalid_tax_code"
    DUPLICATE_CODE = "duplicate_code"
    INVALID_EMAIL = "invalid_email"
    INVALID_DATE = "invalid_date"
    EXPIRED_CERTIFICATE = "expired_certificate"
    UNKNOWN_VENUE = "unknown_venue"


class Fault(Exception):
    """A cell that cannot be taken as it stands; `msgid % params` says what to do."""

    def __init__(self, code: Code, msgid: str, **params: object) -> None:
        super().__init__(msgid % params)
        self.code = code
        self.msgid = msgid
        self.params = params


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; the message is put together in the reader's language."""

    file: str
    row: int
    column: str
    severity: Severity
    code: Code
    msgid: str
    params: Mapping[str, object] = field(default_factory=dict)

    def message(self, translate: Callable[[str], str] = str) -> str:
        """The sentence for people, cells quoted in it cut to a readable length."""
        shown = {key: _quoted(value) if isinstance(value, str) else value for key, value in self.params.items()}
        return translate(self.msgid) % shown


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTED_CHARACTERS_MAX else f"{line[:QUOTED_CHARACTERS_MAX]}…"


def escape(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def write_report(findings: Iterable[Finding], translate: Callable[[str], str] = str) -> str:
    """The report as CSV text, by file, row and column."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in sorted(findings, key=lambda finding: (finding.file, finding.row, finding.column)):
        cells = (one.file, str(one.row), one.column, one.severity.value, one.code.value, one.message(translate))
        writer.writerow([escape(cell) for cell in cells])
    return out.getvalue()
