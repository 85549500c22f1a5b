"""What a screen reader needs of a paper is in its PDF: tags, language, title, headers of tables, words for pictures."""

import io
from collections.abc import Iterator
from typing import Any

import pypdf

from marketplace.documents.paper import Sheet, print_sheet
from marketplace.web import Application

CODE = {
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9H0z"/></svg>',
    "alt": "Codice QR",
    "words": "Inquadra il codice",
}
TABLE = ("Dati", [("Voce", False), ("Valore", True)], [["Quota", "13,00"], ["Buono", "6,50"]])
SHEET = Sheet(
    title="Avviso", issuer="Comune", facts=["Numero 1"], parties=[("Chi paga", ["Anna"])], tables=[TABLE],
    totals=[("Da pagare", "6,50")], code=CODE, notes=["Nota"],
)  # fmt: skip


def elements(node: Any) -> Iterator[Any]:
    """Every element of a structure tree."""
    node = node.get_object()
    if isinstance(node, list):
        for one in node:
            yield from elements(one)
    elif isinstance(node, dict):
        if "/S" in node:
            yield node
        if "/K" in node:
            yield from elements(node["/K"])


def fonts(reader: pypdf.PdfReader) -> Iterator[Any]:
    """Every font of the pages, those inside a composite one."""
    for page in reader.pages:
        for font in page["/Resources"].get_object().get("/Font", {}).values():
            found = font.get_object()
            for one in found.get("/DescendantFonts", [found]):
                yield one.get_object()


def test_a_paper_is_tagged_named_and_readable_aloud(app: Application) -> None:
    with app.test_request_context():
        data = print_sheet(SHEET)
    reader = pypdf.PdfReader(io.BytesIO(data))
    root = reader.trailer["/Root"]
    assert root["/Lang"].startswith("it") and root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    metadata = root["/Metadata"].get_object().get_data().decode()
    assert "pdfuaid:part" in metadata and "Avviso" in metadata.partition("<dc:title>")[2]
    tree = list(elements(root["/StructTreeRoot"]))
    headers = [one for one in tree if one["/S"] == "/TH"]
    assert len(headers) == 2
    for header in headers:
        attributes = header["/A"].get_object()
        listed = attributes if isinstance(attributes, list) else [attributes]
        assert any("/Scope" in one.get_object() for one in listed)
    figures = [one for one in tree if one["/S"] == "/Figure"]
    assert [one["/Alt"] for one in figures] == ["Codice QR"]
    assert {"/Table", "/TR", "/TD", "/H1"} <= {one["/S"] for one in tree}
    embedded = [one["/FontDescriptor"].get_object() for one in fonts(reader)]
    assert embedded and all({"/FontFile", "/FontFile2", "/FontFile3"} & set(one) for one in embedded)
    assert all("/StructParents" in page for page in reader.pages)
