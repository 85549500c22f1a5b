"""One row is read cell by cell: each fault is noted under its column, and the first error stops the row."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from marketplace.intake import cells
from marketplace.intake.hours import read_hours
from marketplace.intake.report import Code, Fault, Finding, Severity
from marketplace.intake.tables import Row, Table
from marketplace.places.register import AmbiguousAddress, Found, HouseNumber, Register, UnknownAddress
from marketplace.words import N_
from matching.instance import Window

T = TypeVar("T")
CELL_CHARACTERS_MAX = 2000
NOWHERE = HouseNumber("", "", 0, "", 0.0, 0.0)
NO_HOURS: tuple[tuple[Window, ...], bool] = ((), False)


class Reading:
    """One row being read: each cell once, its fault noted; the record stands only if `stopped` is False."""

    def __init__(self, table: Table, row: Row) -> None:
        self.table = table
        self.row = row
        self.code = ""
        self.findings: list[Finding] = []
        self.stopped = False
        if any(map(str.strip, row.cells[table.width :])):
            msgid = N_("La riga ha più celle dell'intestazione: controlla i separatori dentro le celle.")
            self.fault(max(table.columns, key=lambda column: table.columns[column]), Fault(Code.OUT_OF_RANGE, msgid))

    def keyed(self, seen: set[str]) -> "Reading":
        """Read the row's own code, which must not be in `seen`, and put it there."""
        self.code = self.needed("codice", cells.code, "")
        if self.code in seen:
            msgid = N_("Il codice «%(cell)s» c'è già in una riga più su: dai a ogni riga il suo.")
            self.fault("codice", Fault(Code.DUPLICATE_CODE, msgid, cell=self.code))
        elif self.code:
            seen.add(self.code)
        return self

    def needed(self, column: str, read: Callable[[str], T], fallback: T) -> T:
        """The value of a compulsory cell; `fallback` where the row is stopped."""
        text = self.table.cell(self.row, column)
        if not text:
            self.fault(column, Fault(Code.MISSING_VALUE, N_("La cella è vuota: scrivi un valore, è obbligatorio.")))
            return fallback
        return self._read(column, text, read, fallback)

    def optional(self, column: str, read: Callable[[str], T], default: T) -> T:
        """The value of a cell, its default where it is empty or the row is stopped."""
        text = self.table.cell(self.row, column)
        return self._read(column, text, read, default) if text else default

    def _read(self, column: str, text: str, read: Callable[[str], T], fallback: T) -> T:
        try:
            if len(text) > CELL_CHARACTERS_MAX and column != "note":
                raise Fault(Code.OUT_OF_RANGE, N_("La cella è troppo lunga: accorciala."))
            return read(text)
        except Fault as fault:
            self.fault(column, fault)
            return fallback

    def fault(self, column: str, fault: Fault, severity: Severity = Severity.ERROR) -> None:
        """Note a fault, the first of each column only, an error before a warning."""
        if severity is Severity.ERROR:
            self.stopped = True
        if column in {finding.column for finding in self.findings if finding.severity is Severity.ERROR}:
            return
        self.findings = [finding for finding in self.findings if finding.column != column]
        self.findings.append(
            Finding(self.table.name, self.row.number, column, severity, fault.code, fault.msgid, fault.params)
        )

    def warn(self, column: str, code: Code, msgid: str, **params: object) -> None:
        """Note what does not stop the row."""
        self.fault(column, Fault(code, msgid, **params), Severity.WARNING)

    def address(self, register: Register) -> HouseNumber:
        """The address of the row; a guess is told."""
        column = "indirizzo"

        def find(text: str) -> Found | None:
            try:
                return register.find(text)
            except UnknownAddress as error:
                raise Fault(Code.UNKNOWN_ADDRESS, error.message, **error.values) from error
            except AmbiguousAddress as error:
                raise Fault(Code.AMBIGUOUS_ADDRESS, error.message, **error.values) from error

        found = self.needed(column, find, None)
        if not found:
            return NOWHERE
        if found.guessed:
            self.warn(
                column,
                Code.ADDRESS_GUESSED,
                N_("Abbiamo letto «%(cell)s» come %(found)s: se non è giusto, correggi l'indirizzo."),
                cell=self.table.cell(self.row, column),
                found=str(found.address),
            )
        return found.address

    def hours(self, column: str, minutes: int) -> tuple[Window, ...]:
        """The week's hours; those in which no session of so many minutes fits are told."""
        windows, emptied = self.needed(column, read_hours, NO_HOURS)
        if emptied or any(window.end - window.start < minutes for window in windows):
            self.warn(
                column,
                Code.WINDOW_TOO_SHORT,
                N_("Un orario è più corto di %(minutes)s minuti: allungalo, altrimenti non serve."),
                minutes=max(minutes, cells.GRID_MINUTES),
            )
        return windows

    def ordered(self, column: str, low: Decimal | int, high: Decimal | int, msgid: str) -> None:
        """Tell when two cells that belong together contradict each other."""
        if low > high:
            self.fault(column, Fault(Code.OUT_OF_RANGE, msgid))
