"""What pagoPA's "flusso di rendicontazione" says was paid: its rows add up to the one transfer that a bank receives."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_BYTES = 5 * 1024 * 1024
REVOKED = "3"
OUTCOMES = frozenset({"0", REVOKED, "4", "8", "9"})


class FlowError(ValueError):
    """Not a flow that can be read; `code` says why, `detail` where."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One payment of a flow: its IUV, the receipt's id of whoever took it, integer cents (below 0: revoked)."""

    iuv: str
    receipt: str
    index: int
    cents: int
    paid_on: date

    @property
    def reference(self) -> str:
        """Names the payment for ever, in whatever flow it is told."""
        return f"pagopa:{self.iuv}/{self.receipt}/{self.index}"


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: `identifier` names it, `transfer` the bank's transfer of `total_cents` on `settled_on` to `creditor`."""

    identifier: str
    transfer: str
    settled_on: date
    creditor: str
    total_cents: int
    rows: tuple[FlowRow, ...]


def read_flow(data: bytes) -> Flow:
    """A flow from its XML (`FlussoRiversamento` of pagoPA's `FlussoRendicontazione`), version 1.

    Source: pagoPA, "Specifiche attuative del nodo dei pagamenti", flusso per la rendicontazione. Raises FlowError with
    the code too_large, forbidden_xml, not_xml, not_a_flow, bad_row, empty, other_count, other_total or told_twice.
    """
    root = _root(data)
    rows = tuple(_row(node, place) for place, node in enumerate(root.findall("datiSingoliPagamenti"), 1))
    total = _cents(_words(root, "importoTotalePagamenti"), "importoTotalePagamenti")
    count = _words(root, "numeroTotalePagamenti")
    if not rows:
        raise FlowError("empty")
    if count != str(len(rows)):
        raise FlowError("other_count", f"{len(rows)} / {count}")
    if sum(row.cents for row in rows) != total:
        raise FlowError("other_total", f"{sum(row.cents for row in rows) / 100:.2f} / {total / 100:.2f}")
    if len({row.reference for row in rows}) < len(rows):
        raise FlowError("told_twice")
    return Flow(
        identifier=_needed(root, "identificativoFlusso", 35),
        transfer=_needed(root, "identificativoUnivocoRegolamento", 35),
        settled_on=_day(_words(root, "dataRegolamento"), "dataRegolamento"),
        creditor=_words(root, "istitutoRicevente/identificativoUnivocoRicevente/codiceIdentificativoUnivoco"),
        total_cents=total,
        rows=rows,
    )


def _root(data: bytes) -> Element:
    if len(data) > MAX_BYTES:
        raise FlowError("too_large")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as bomb:
        raise FlowError("forbidden_xml") from bomb
    except (ParseError, ValueError, LookupError) as error:
        raise FlowError("not_xml") from error
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    if root.tag != "FlussoRiversamento":
        raise FlowError("not_a_flow")
    return root


def _row(node: Element, place: int) -> FlowRow:
    outcome = _words(node, "codiceEsitoSingoloPagamento")
    if outcome not in OUTCOMES:
        raise FlowError("bad_row", str(place))
    cents = abs(_cents(_words(node, "singoloImportoPagato"), str(place)))
    index = _words(node, "indiceDatiSingoloPagamento") or "1"
    if not (index.isascii() and index.isdecimal() and len(index) < 3):
        raise FlowError("bad_row", str(place))
    return FlowRow(
        iuv=_needed(node, "identificativoUnivocoVersamento", 35, str(place)),
        receipt=_needed(node, "identificativoUnivocoRiscossione", 35, str(place)),
        index=int(index),
        cents=-cents if outcome == REVOKED else cents,
        paid_on=_day(_words(node, "dataEsitoSingoloPagamento"), str(place)),
    )


def _words(node: Element, path: str) -> str:
    found = node.find(path)
    return (found.text or "").strip() if found is not None else ""


def _needed(node: Element, path: str, longest: int, place: str = "") -> str:
    words = _words(node, path)
    if not 0 < len(words) <= longest:
        raise FlowError("bad_row", place or path)
    return words


def _cents(words: str, place: str) -> int:
    try:
        cents = Decimal(words) * 100
    except InvalidOperation:
        raise FlowError("bad_row", place) from None
    if not cents.is_finite() or cents != int(cents) or abs(cents) > 10**12:
        raise FlowError("bad_row", place)
    return int(cents)


def _day(words: str, place: str) -> date:
    try:
        return date.fromisoformat(words[:10])
    except ValueError:
        raise FlowError("bad_row", place) from None
