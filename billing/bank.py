"""What a bank says came in and went out, read with care: no entity is expanded, a line has one name in every file."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from stdnum.iso7064 import mod_97_10

MAX_BYTES = 5 * 1024 * 1024
_REFERENCE = re.compile(r"(?=(RF\d{2}[0-9A-Z]{10,21}))")  # overlapping: words before may look like one


class BankFileError(ValueError):
    """Not a bank's statement that can be read; `code` says why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(frozen=True)
class BankLine:
    """One booked movement of an account in integer cents, positive for what came in.

    `reference` names it for ever: the bank's own, else a digest of the line (and of its place among equal ones).
    """

    account: str
    reference: str
    booked_on: date
    cents: int
    name: str
    text: str


def creditor_reference(body: str) -> str:
    """A structured reference (ISO 11649) that banks carry unchanged: RF, two check digits, at most 21 characters."""
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"


def references_in(text: str) -> list[str]:
    """Every valid structured reference in a line's words, spaces or not."""
    found = _REFERENCE.findall(re.sub(r"[\s.\-/]", "", text.upper()))
    return [one for one in _trimmed(found) if mod_97_10.is_valid(one[4:] + one[:4])]


def _trimmed(found: list[str]) -> Iterator[str]:
    """Each candidate at every length: words may follow a reference without a space."""
    for one in found:
        for end in range(len(one), 13, -1):
            yield one[:end]


def read_bank_file(data: bytes) -> list[BankLine]:
    """The movements of a CAMT.053 document or of a CSV export; raises BankFileError."""
    if len(data) > MAX_BYTES:
        raise BankFileError("too_large")
    lines = list(_read_camt(data) if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else _read_csv(data))
    if not lines:
        raise BankFileError("empty")
    return _named(lines)


def _named(lines: list[BankLine]) -> list[BankLine]:
    """Lines without a bank's reference get one of their own, the same in every file that holds them."""
    seen: Counter[str] = Counter()
    named = []
    for line in lines:
        if not line.reference:
            facts = f"{line.account}|{line.booked_on}|{line.cents}|{line.name}|{line.text}"
            seen[facts] += 1
            digest = hashlib.sha256(f"{facts}|{seen[facts]}".encode()).hexdigest()
            line = replace(line, reference=f"sha256:{digest[:40]}")
        named.append(line)
    return named


# CAMT.053 -----------------------------------------------------------------------------------------


def _read_camt(data: bytes) -> Iterator[BankLine]:
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as bomb:
        raise BankFileError("forbidden_xml") from bomb
    except (ParseError, ValueError, LookupError) as error:
        raise BankFileError("not_xml", str(error)) from error
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    statements = root.findall("BkToCstmrStmt/Stmt")
    if not statements:
        raise BankFileError("not_camt053")
    for statement in statements:
        account = _words(statement, "Acct/Id/IBAN") or _words(statement, "Acct/Id/Othr/Id")
        for entry in statement.findall("Ntry"):
            if (_words(entry, "Sts/Cd") or _words(entry, "Sts")) in {"BOOK", ""}:
                yield from _entry_lines(account, entry)


def _entry_lines(account: str, entry: Element) -> Iterator[BankLine]:
    """An entry as one line, or one line for each of its transactions where these say their amounts."""
    total = _amount(entry.find("Amt")) * _sign(entry)
    booked_on = _day(_words(entry, "BookgDt/Dt") or _words(entry, "BookgDt/DtTm"))
    own = _words(entry, "AcctSvcrRef") or _words(entry, "NtryRef")
    parts = entry.findall("NtryDtls/TxDtls")
    amounts = [_part_amount(part) for part in parts]
    if len(parts) > 1 and all(amounts) and sum(cents for cents in amounts if cents) == abs(total):
        for index, (part, cents) in enumerate(zip(parts, amounts, strict=True)):
            reference = _words(part, "Refs/AcctSvcrRef") or (f"{own}/{index}" if own else "")
            sign = 1 if total > 0 else -1
            yield BankLine(account, reference, booked_on, sign * (cents or 0), _payer(part), _text(part))
        return
    about = parts[0] if parts else entry
    yield BankLine(account, own, booked_on, total, _payer(about), _text(about) or _words(entry, "AddtlNtryInf"))


def _part_amount(part: Element) -> int | None:
    found = part.find("Amt")
    found = part.find("AmtDtls/TxAmt/Amt") if found is None else found
    return None if found is None else _amount(found)


def _payer(part: Element) -> str:
    for path in ("RltdPties/Dbtr/Nm", "RltdPties/Dbtr/Pty/Nm", "RltdPties/Cdtr/Nm", "RltdPties/Cdtr/Pty/Nm"):
        if name := _words(part, path):
            return name[:140]
    return ""


def _text(part: Element) -> str:
    structured = [node.text or "" for node in part.findall("RmtInf/Strd/CdtrRefInf/Ref")]
    free = [node.text or "" for node in part.findall("RmtInf/Ustrd")]
    return " ".join([*structured, *free, _words(part, "Refs/EndToEndId")]).strip()[:500]


def _sign(entry: Element) -> int:
    way = _words(entry, "CdtDbtInd")
    if way not in {"CRDT", "DBIT"}:
        raise BankFileError("bad_line", f"CdtDbtInd {way}")
    reversal = _words(entry, "RvslInd") == "true"
    return 1 if (way == "CRDT") != reversal else -1


def _amount(node: Element | None) -> int:
    if node is None or node.get("Ccy") not in {"EUR", None}:
        raise BankFileError("bad_line", "Amt")
    return _cents(node.text or "")


def _words(node: Element, path: str) -> str:
    found = node.find(path)
    return (found.text or "").strip() if found is not None else ""


# CSV ----------------------------------------------------------------------------------------------

COLUMNS = {
    "date": ("data contabile", "data", "data operazione", "booked_on"),
    "amount": ("importo", "importo eur", "amount"),
    "in": ("entrate", "avere", "accrediti"),
    "out": ("uscite", "dare", "addebiti"),
    "text": ("causale", "descrizione", "descrizione operazione", "text"),
    "name": ("ordinante", "controparte", "nome", "name"),
    "reference": ("riferimento", "cro", "trn", "reference"),
}


def _read_csv(data: bytes) -> Iterator[BankLine]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    delimiter = ";" if text.count(";") >= text.count(",") else ","
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise BankFileError("not_a_statement", str(error)) from error
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    place = {
        what: next((header.index(name) for name in names if name in header), None) for what, names in COLUMNS.items()
    }
    if place["date"] is None or (place["amount"] is None and place["in"] is None):
        raise BankFileError("not_a_statement")

    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue

        def cell(what: str, row: list[str] = row) -> str:
            index = place[what]
            return row[index].strip() if index is not None and index < len(row) else ""

        try:
            cents = (
                _cents(cell("amount"))
                if cell("amount")
                else _cents(cell("in") or "0") - abs(_cents(cell("out") or "0"))
            )
            booked_on = _day(cell("date"))
        except BankFileError as error:
            raise BankFileError("bad_line", str(number)) from error
        yield BankLine("", cell("reference"), booked_on, cents, cell("name")[:140], cell("text")[:500])


def _cents(text: str) -> int:
    """Cents of `1.234,56`, `1234.56`, `-12,5`; BankFileError for anything else, a third decimal too."""
    plain = text.strip().replace("€", "").replace(" ", "").replace("\u00a0", "")
    if "," in plain:
        plain = plain.replace(".", "").replace(",", ".")
    try:
        cents = Decimal(plain) * 100
    except InvalidOperation:
        raise BankFileError("bad_line", text) from None
    if not cents.is_finite() or cents != int(cents) or abs(cents) > 10**12:
        raise BankFileError("bad_line", text)
    return int(cents)


def _day(text: str) -> date:
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})", text) or re.match(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", text)
    if found is None:
        raise BankFileError("bad_line", text)
    one, two, three = (int(part) for part in found.groups())
    try:
        return date(one, two, three) if one > 31 else date(three, two, one)
    except ValueError:
        raise BankFileError("bad_line", text) from None
