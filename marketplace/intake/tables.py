"""A file becomes a table of text cells as a spreadsheet shows it, row 1 first, or `Unreadable` says why it cannot."""

import csv
import datetime as dt
import io
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import ParseError

from marketplace.words import N_

CELL_CHARACTERS_MAX = 1_000_000
UNPACKED_BYTES_MAX = 400_000_000
COLUMNS_MAX = 256
"""Of a workbook: formatting whole rows makes each of them 16,384 cells wide."""
DELIMITERS = (";", ",", "\t")


class Unreadable(Exception):
    """A file of which nothing goes in; `msgid % params` says why and what to do."""

    def __init__(self, msgid: str, **params: object) -> None:
        super().__init__(msgid % params)
        self.msgid = msgid
        self.params = params


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it came."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the five files: its name without ending, its columns, and those without which it is no such file."""

    name: str
    compulsory: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def columns(self) -> frozenset[str]:
        """All that are read."""
        return frozenset(self.compulsory + self.optional)


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row of the sheet; `number` counts as a spreadsheet does, blank rows too."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that are not blank, and where each known column stands; `extra` are the columns that nobody reads."""

    name: str
    kind: Kind
    columns: Mapping[str, int]
    width: int
    rows: tuple[Row, ...]
    extra: tuple[str, ...]

    def cell(self, row: Row, column: str) -> str:
        """The cleaned text of a cell, empty where the row or the sheet lacks it."""
        index = self.columns.get(column)
        return clean(row.cells[index]) if index is not None and index < len(row.cells) else ""


def _kind(name: str, compulsory: str, optional: str) -> Kind:
    return Kind(name, tuple(compulsory.split()), tuple(optional.split()))


KINDS: tuple[Kind, ...] = (
    _kind("indirizzi", "codice_istat odonimo civico coord_x_comune coord_y_comune", "localita esponente"),
    _kind("programmi", "codice nome servizio budget_settimana isee_max percentuale", "tetto_ora"),
    _kind("sedi", "codice nome indirizzo posti servizi apertura", "costo_ora"),
    _kind(
        "professionisti",
        "codice nome indirizzo servizi posti_max tariffa_ora disponibilita",
        "codice_fiscale email telefono materie classe_da classe_a eta_da eta_a posti_min supplemento_posto durata_min "
        "lingue qualifiche ore_max_settimana raggio_km sedi a_domicilio scadenza_casellario",
    ),
    _kind(
        "bisogni",
        "codice cognome nome indirizzo servizio durata disponibilita",
        "codice_fiscale email telefono persone eta materia classe lingue incontri_settimana distanza_km "
        "prezzo_max_ora ospita_posti gruppo_max isee note",
    ),
)
_REGISTER_UNUSED = frozenset(
    {
        "codice_comune", "progressivo_nazionale", "codice_comunale", "dizione_lingua1", "dizione_lingua2",
        "progressivo_accesso", "codice_comunale_accesso", "specificita", "metrico", "progressivo_snc", "quota",
        "metodo",
    }
)  # fmt: skip
_INVISIBLE = {
    code: None for code in (*range(32), 127, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF) if code not in (9, 10, 13)
}
_SPACES = dict.fromkeys((0xA0, 0x2007, 0x202F), " ")
_CLEANING = {**_INVISIBLE, **_SPACES}


def clean(text: str) -> str:
    """A cell without what the eye does not see: outer spaces, non-breaking ones, control characters."""
    return text.strip() if text.isascii() and text.isprintable() else text.translate(_CLEANING).strip()


def fold_header(text: str) -> str:
    """A column's name in lower case, without accents and apostrophes, words joined by `_`."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", clean(text).casefold()) if not unicodedata.combining(c))
    return re.sub(r"[\s_]+", "_", re.sub(r"['’`´\"*:]", "", plain).strip())


def find_kind(name: str) -> Kind | None:
    """The kind that a file's name says, whatever its case; None for a file that we do not know."""
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0].casefold()
    return next((kind for kind in KINDS if kind.name == stem), None)


def read_table(name: str, data: bytes, kind: Kind | None = None) -> Table:
    """The table in a file's bytes; a kind not given is told by the name, else by the header. Raises `Unreadable`."""
    kinds = (kind,) if kind else (found,) if (found := find_kind(name)) else KINDS
    if not data.strip(b"\xef\xbb\xbf \t\r\n\0"):
        raise Unreadable(N_("Il file è vuoto: salvalo di nuovo con l'intestazione e le righe."))
    if name.casefold().endswith((".xlsx", ".xlsm")):
        return _read_workbook(name, data, kinds)
    return _read_text(name, _decode(data), kinds)


def _decode(data: bytes) -> str:
    if data.startswith(b"PK\x03\x04"):
        raise Unreadable(
            N_("È un archivio o un file Excel, non un CSV: se è Excel, dagli un nome che finisce con .xlsx.")
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    elif data.startswith(b"\xef\xbb\xbf"):
        encodings = ("utf-8-sig",)
    else:
        encodings = ("utf-8", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise Unreadable(N_("I caratteri del file non si leggono: salvalo come CSV UTF-8."))


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _header_score(text: str, delimiter: str, kinds: Sequence[Kind]) -> int:
    known = frozenset[str]().union(*(kind.columns for kind in kinds))
    try:
        header: Iterable[str] = next((record for record in _records(text, delimiter) if any(record)), [])
    except csv.Error:
        return 0
    return len(known & {fold_header(cell) for cell in header})


def _read_text(name: str, text: str, kinds: Sequence[Kind]) -> Table:
    told = re.match(r"sep=(.)\r?\n", text)
    if told:
        text = text[told.end() :]
    if re.match(r"\s*<(!doctype|html|\?xml|table)", text, re.IGNORECASE):
        raise Unreadable(N_("È una pagina web, non una tabella: apri il file e salvalo come CSV."))
    delimiter = max(DELIMITERS, key=lambda candidate: _header_score(text, candidate, kinds))
    ending = "fine-del-file"
    try:
        records = [tuple(record) for record in _records(f"{text}\n{ending}", delimiter)]
    except csv.Error as error:
        raise Unreadable(
            N_("Non è una tabella: una cella è troppo lunga o spezzata. Salva di nuovo il CSV.")
        ) from error
    if records.pop() != (ending,):
        raise Unreadable(N_("Ci sono virgolette aperte che non si chiudono: correggile e salva di nuovo il CSV."))
    return _table(name, records, kinds)


def _read_workbook(name: str, data: bytes, kinds: Sequence[Kind]) -> Table:
    broken = Unreadable(N_("Non è un file Excel leggibile: aprilo e salvalo di nuovo come .xlsx oppure CSV."))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > UNPACKED_BYTES_MAX:
                raise Unreadable(N_("Il file Excel è troppo grande: dividilo oppure salvalo come CSV."))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sheets = _sheets(data)
    except (
        zipfile.BadZipFile, ParseError, zlib.error, KeyError, ValueError, TypeError,
        AttributeError, IndexError, OSError, EOFError, NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise broken from error
    first: Unreadable | None = None
    for records in sheets:
        try:
            return _table(name, records, kinds)
        except Unreadable as error:
            first = first or error
    raise first or broken


def _sheets(data: bytes) -> list[list[tuple[str, ...]]]:
    import openpyxl  # takes a second, and most files are CSV

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    try:
        sheets = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            sheets.append([tuple(map(_shown, _filled(row))) for row in sheet.iter_rows(max_col=COLUMNS_MAX)])
        return sheets
    finally:
        book.close()


def _filled(row: Sequence[Any]) -> Sequence[Any]:
    """The row up to its last cell that holds something."""
    width = len(row)
    while width and row[width - 1].value is None:
        width -= 1
    return row[:width]


def _shown(cell: Any) -> str:
    """What a typed cell says as text; a fraction gets a decimal comma, which no column takes for thousands."""
    value = cell.value
    if isinstance(value, bool):
        return "si" if value else "no"
    if isinstance(value, int | float):
        return _number_shown(value, percent="%" in (cell.number_format or ""))
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return _moment_shown(value)
    return str(value or "")


def _moment_shown(value: dt.date | dt.time | dt.timedelta) -> str:
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
    if isinstance(value, dt.date):
        return value.isoformat()
    minutes = value.hour * 60 + value.minute if isinstance(value, dt.time) else round(value.total_seconds() / 60)
    return f"{minutes // 60}:{minutes % 60:02}"


def _number_shown(value: float, percent: bool) -> str:
    number = Decimal(str(value)) * (100 if percent else 1)
    if not number.is_finite():
        return str(value)
    whole, _, fraction = format(round(number, 9), "f").partition(".")
    fraction = fraction.rstrip("0")
    if not fraction:
        return whole
    return f"{whole},{fraction}0" if len(fraction) == 3 else f"{whole},{fraction}"


def _table(name: str, records: Sequence[tuple[str, ...]], kinds: Sequence[Kind]) -> Table:
    numbered = [Row(number, cells) for number, cells in enumerate(records, 1) if any(map(clean, cells))]
    if not numbered:
        raise Unreadable(N_("Il file è vuoto: salvalo di nuovo con l'intestazione e le righe."))
    header = [fold_header(cell) for cell in numbered[0].cells]
    while header and not header[-1]:
        header.pop()
    kind = max(kinds, key=lambda one: len(set(one.compulsory) & set(header)) / len(one.compulsory))
    missing = [column for column in kind.compulsory if column not in header]
    if missing:
        raise Unreadable(
            N_("Nella prima riga mancano le colonne %(columns)s: aggiungile all'intestazione."),
            columns=", ".join(missing),
        )
    twice = sorted({column for column in header if column in kind.columns and header.count(column) > 1})
    if twice:
        raise Unreadable(N_("Le colonne %(columns)s compaiono due volte: lasciane una sola."), columns=", ".join(twice))
    ignored = _REGISTER_UNUSED if kind.name == "indirizzi" else frozenset()
    extra = dict.fromkeys(
        clean(cell)
        for cell, column in zip(numbered[0].cells, header, strict=False)
        if column and column not in kind.columns and column not in ignored
    )
    columns = {column: index for index, column in enumerate(header) if column in kind.columns}
    return Table(name, kind, columns, len(header), tuple(numbered[1:]), tuple(extra))
