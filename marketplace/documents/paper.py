"""A document on paper says what was kept with it when it was issued: PDF/UA-1, in the language of the reader."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import typst
from flask_babel import gettext as _
from flask_babel import ngettext

from marketplace.documents.models import Document, DocumentKind, TaxRegime
from marketplace.filters import duration, month, state
from marketplace.i18n import language
from marketplace.statements.wording import money, subject_name
from marketplace.words import N_

TEMPLATE: Final = Path(__file__).parents[2] / "templates" / "documents" / "paper.typ"
TITLES: Final = {
    DocumentKind.RECEIPT: N_("Ricevuta"),
    DocumentKind.CREDIT_NOTE: N_("Nota di credito"),
    DocumentKind.PAYOUT_NOTE: N_("Nota dei compensi"),
    DocumentKind.CERTIFICATE: N_("Certificazione dei pagamenti"),
}
REGIMES: Final = {
    TaxRegime.EXEMPT: N_("Operazione esente da IVA, art. 10 DPR 633/1972."),
    TaxRegime.FLAT: N_("Operazione senza IVA, regime forfettario, L. 190/2014."),
    TaxRegime.OCCASIONAL: N_("Prestazione occasionale, fuori campo IVA."),
}
MOVES: Final = {
    "transferred": N_("Compenso, con trasferimento online"),
    "paid_by_bank": N_("Compenso, con bonifico"),
    "transfer_reversed": N_("Compenso ripreso"),
    "payment_succeeded": N_("Pagamento con carta o addebito in conto"),
    "bank_transfer_received": N_("Pagamento con bonifico o pagoPA"),
    "payment_returned": N_("Restituito"),
    "payment_reinstated": N_("Restituzione annullata"),
}

_kept: Final = threading.local()


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a paper says, all words ready: `parties` are (heading, lines), `tables` (title, columns, rows).

    Columns are (label, is_number); totals are (label, amount), the last is the one that counts; `code` is a QR code's
    SVG with the words that say the same.
    """

    title: str
    issuer: str
    facts: Sequence[str] = ()
    parties: Sequence[tuple[str, Sequence[str]]] = ()
    tables: Sequence[tuple[str, Sequence[tuple[str, bool]], Sequence[Sequence[str]]]] = ()
    totals: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    code: Mapping[str, str] = field(default_factory=dict)


def print_sheet(sheet: Sheet) -> bytes:
    """A sheet as PDF/UA-1."""
    said = {name: getattr(sheet, name) for name in Sheet.__dataclass_fields__}
    return compiled(TEMPLATE, said | {"lang": language()})


def compiled(template: Path, data: Mapping[str, Any]) -> bytes:
    """A template filled with `data`, as PDF/UA-1."""
    pdf = _compiler(template).compile(format="pdf", pdf_standards=["ua-1"], sys_inputs={"data": json.dumps(data)})
    assert isinstance(pdf, bytes)
    return pdf


def _compiler(template: Path) -> typst.Compiler:
    """This thread's compiler, with its fonts and the template read: one that is at work refuses a second thread."""
    kept: dict[Path, typst.Compiler] = _kept.__dict__.setdefault("compilers", {})
    if template not in kept:
        kept[template] = typst.Compiler(str(template), ignore_system_fonts=True)
    return kept[template]


def title_of(document: Document) -> str:
    """`Ricevuta 12/2026`."""
    return f"{_(TITLES[document.kind])} {document.number}/{document.year}"


def document_pdf(document: Document, city: str, subjects: dict[str, str]) -> bytes:
    """A document as it was issued."""
    facts = document.facts
    if document.kind is DocumentKind.PAYOUT_NOTE:
        return print_sheet(_payout_note(document, facts, city))
    if document.kind is DocumentKind.CERTIFICATE:
        return print_sheet(certificate(facts, city, title_of(document), document.issued_on))
    return print_sheet(_receipt(document, facts, subjects))


def _receipt(document: Document, facts: dict[str, Any], subjects: dict[str, str]) -> Sheet:
    issuer, payer = facts["issuer"], facts["payer"]
    columns = [(_("Data"), False), (_("Servizio"), False), (_("Per"), False), (_("Durata"), True), (_("Importo"), True)]
    said = [_on(document.issued_on), _("Estratto conto %(number)s", number=facts["statement"])]
    if facts.get("original"):
        original = facts["original"]
        said.append(
            _(
                "Rettifica la ricevuta %(number)s/%(year)s del %(day)s",
                number=original["number"],
                year=original["year"],
                day=_date(original["on"]),
            )
        )
    return Sheet(
        title=title_of(document),
        issuer=issuer["name"],
        facts=said,
        parties=[(_("Chi la emette"), _issuer_lines(issuer)), (_("A chi"), _payer_lines(payer))],
        tables=[(_("Incontri"), columns, [_meeting(row, subjects) for row in facts["rows"]])],
        totals=_totals(document, facts),
        notes=_notes(document, facts),
    )


def _meeting(row: dict[str, Any], subjects: dict[str, str]) -> list[str]:
    service, topic = state(row["service"], "service"), subject_name(row["topic"], subjects)
    return [
        _date(row["on"]),
        f"{service}: {topic}" if topic else service,
        row["person"] or "",
        duration(row["minutes"], locale=language()),
        money(row["cents"]),
    ]


def _totals(document: Document, facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    issuer = facts["issuer"]
    if facts["vat_cents"]:
        rows.append((_("Imponibile"), money(facts["taxable_cents"])))
        rows.append((_("IVA %(percent)s %%", percent=issuer["vat_percent"]), money(facts["vat_cents"])))
    if facts["passed_on_cents"]:
        if not facts["vat_cents"]:
            rows.append((_("Compenso"), money(facts["taxable_cents"])))
        rows.append((_("Sala, incassata per conto della sede"), money(facts["passed_on_cents"])))
    last = _("A credito della famiglia") if document.total_cents < 0 else _("Pagato")
    return [*rows, (last, money(document.total_cents))]


def _notes(document: Document, facts: dict[str, Any]) -> list[str]:
    notes = []
    for paid in facts["paid"] if document.total_cents > 0 else ():
        notes.append(
            _(
                "Pagamento tracciabile %(how)s, %(day)s, %(amount)s per tutto l'estratto, riferimento %(reference)s.",
                how=_how(paid),
                day=_date(paid["on"]),
                amount=money(paid["cents"]),
                reference=paid["reference"],
            )
        )
    regime = TaxRegime(facts["issuer"]["regime"])
    if regime in REGIMES:
        notes.append(_(REGIMES[regime]))
    if facts["passed_on_cents"]:
        notes.append(_("Somme incassate in nome e per conto di altri: escluse dall'IVA, art. 15 DPR 633/1972."))
    if document.stamp_cents:
        notes.append(
            _(
                "Imposta di bollo di %(amount)s assolta da chi emette: la famiglia non la paga.",
                amount=money(document.stamp_cents),
            )
        )
    elif facts["issuer"]["is_third_sector"]:
        notes.append(_("Esente da bollo, art. 82 D.Lgs. 117/2017."))
    if not facts["payer"]["tax_code"]:
        notes.append(_("Manca il codice fiscale di chi paga: senza, la spesa non si può portare in detrazione."))
    return notes + list(facts["notes"])


def _how(paid: dict[str, Any]) -> str:
    """By which way a payment came; documents of before notices were matched do not say `by_notice`."""
    if paid.get("by_notice"):
        return str(_("con pagoPA"))
    return str(_("con bonifico") if paid["by_bank"] else _("con carta o addebito in conto"))


def _payout_note(document: Document, facts: dict[str, Any], city: str) -> Sheet:
    payee = facts["payee"]
    return Sheet(
        title=title_of(document),
        issuer=_("Comune di %(city)s", city=city),
        facts=[
            _on(document.issued_on),
            _("Compensi di %(month)s", month=month(_iso(facts["month"]), locale=language())),
        ],
        parties=[(_("A chi"), _issuer_lines(payee))],
        tables=[(_("Pagamenti"), _move_columns(), [_move(row) for row in facts["rows"]])],
        totals=[(_("Pagato"), money(document.total_cents))],
        notes=[_("Quello che è stato pagato in questo mese, per incontri dei mesi già chiusi.")],
    )


def certificate(facts: dict[str, Any], city: str, title: str, on: date) -> Sheet:
    """A year's payments of a family; `facts` may be those of a year that is not over."""
    total = sum(row["cents"] for row in facts["rows"])
    count = len(facts["rows"])
    said = [_on(on), _("Anno %(year)s", year=facts["of_year"])]
    if "until" in facts:
        said.append(_("Provvisoria: a oggi, senza numero. Quella definitiva arriva a gennaio."))
    return Sheet(
        title=title,
        issuer=_("Comune di %(city)s", city=city),
        facts=said,
        parties=[(_("Chi ha pagato"), _payer_lines(facts["payer"]))],
        tables=[(_("Pagamenti tracciabili"), _move_columns(), [_move(row) for row in facts["rows"]])] if count else [],
        totals=[(_("Pagato nell'anno, tolto quello che è tornato"), money(total))],
        notes=[
            ngettext("%(num)s movimento.", "%(num)s movimenti.", count),
            _("Certifica quanto è stato pagato con mezzi tracciabili, al netto di buoni e rimborsi."),
            _("Se e quanto si può detrarre lo dice la legge dell'anno: non lo certifica il Comune."),
        ],
    )


def _move_columns() -> list[tuple[str, bool]]:
    return [(_("Data"), False), (_("Che cosa"), False), (_("Riferimento"), False), (_("Importo"), True)]


def _move(row: dict[str, Any]) -> list[str]:
    what = MOVES[row["event"]]
    return [_date(row["on"]), _(what), row["reference"], money(row["cents"])]


def _issuer_lines(issuer: dict[str, Any]) -> list[str]:
    lines = [issuer["name"], issuer["street"]]
    if issuer.get("town"):
        lines.append(f"{issuer['postal_code']} {issuer['town']} ({issuer['province']})")
    if issuer.get("vat_number"):
        lines.append(_("Partita IVA %(number)s", number=issuer["vat_number"]))
    if issuer.get("tax_code"):
        lines.append(_("Codice fiscale %(code)s", code=issuer["tax_code"]))
    return lines


def _payer_lines(payer: dict[str, Any]) -> list[str]:
    lines = [f"{payer['given_name']} {payer['family_name']}", payer["street"]]
    if payer["tax_code"]:
        lines.append(_("Codice fiscale %(code)s", code=payer["tax_code"]))
    return lines


def _on(day: date) -> str:
    return str(_("Emessa il %(day)s", day=_date(day)))


def _iso(day: date | str) -> date:
    return day if isinstance(day, date) else date.fromisoformat(day)


def _date(day: date | str) -> str:
    return f"{_iso(day):%d/%m/%Y}"
