"""A receipt of who has a VAT number is also an electronic invoice (FatturaPA 1.2, to a consumer), for it to send.

Source: Agenzia delle Entrate, "Specifiche tecniche per la fattura elettronica", 1.9.
"""

import io
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Any, Final

from a38 import fattura
from a38.validation import Validation

from marketplace.documents.models import Document, DocumentKind, TaxRegime
from marketplace.errors import Rejected
from marketplace.states import STATES
from marketplace.words import N_

CONSUMER: Final = "0000000"
TAX_REGIMES: Final = {TaxRegime.EXEMPT: "RF01", TaxRegime.ORDINARY: "RF01", TaxRegime.FLAT: "RF19"}
NATURES: Final = {TaxRegime.EXEMPT: "N4", TaxRegime.FLAT: "N2.2"}
LAWS: Final = {
    "N1": "Escluse ex art. 15 DPR 633/1972",
    "N4": "Esenti ex art. 10 DPR 633/1972",
    "N2.2": "Regime forfettario L. 190/2014",
}
# The library asks a certified e-mail address of whoever has no code; the exchange does not, of consumers.
NOT_OF_CONSUMERS: Final = "00426"


class NotAnInvoice(Rejected):
    """The document cannot be an electronic invoice."""

    default = N_("Questo documento non può essere una fattura elettronica: serve la partita IVA di chi lo emette.")


class PayerUnknown(NotAnInvoice):
    """An invoice needs the payer's tax code."""

    default = N_("Manca il codice fiscale della famiglia: senza, la fattura elettronica non si può fare.")


def file_name(document: Document) -> str:
    """`IT<tax code>_<5 characters>.xml`, as the exchange wants it."""
    return f"IT{_sender(document.facts['issuer'])}_{document.year % 10}{document.number:04x}.xml"


def invoice_xml(document: Document, city: str, postal_code: str = "") -> bytes:
    """The electronic invoice, or credit note, of a receipt. Raises NotAnInvoice.

    `postal_code` is that of the families' city; without it the issuer's is taken.
    """
    facts = document.facts
    issuer, payer = facts.get("issuer") or {}, facts.get("payer") or {}
    if document.kind not in (DocumentKind.RECEIPT, DocumentKind.CREDIT_NOTE) or not issuer.get("vat_number"):
        raise NotAnInvoice
    if not payer["tax_code"]:
        raise PayerUnknown
    invoice = fattura.FatturaPrivati12()
    header = invoice.fattura_elettronica_header
    header.dati_trasmissione.update(
        id_trasmittente=fattura.IdTrasmittente("IT", _sender(issuer)),
        progressivo_invio=f"{document.year % 100:02d}{document.number:06d}",
        codice_destinatario=CONSUMER,
    )
    header.cedente_prestatore = _seller(issuer)
    header.cessionario_committente = _buyer(payer, city, postal_code or issuer["postal_code"])
    invoice.fattura_elettronica_body = [_body(document, facts)]
    _check(invoice)
    out = io.BytesIO()
    invoice.build_etree().write(out, encoding="utf-8", xml_declaration=True)
    return out.getvalue()


def _check(invoice: Any) -> None:
    """A mistake here is a defect of ours: what a person can get wrong was checked before."""
    found = Validation()
    invoice.validate(found)
    errors = [str(error) for error in found.errors if error.code != NOT_OF_CONSUMERS]
    if errors:
        raise ValueError("; ".join(errors))


def _seller(issuer: dict[str, Any]) -> Any:
    return fattura.CedentePrestatore(
        fattura.DatiAnagraficiCedentePrestatore(
            fattura.IdFiscaleIVA("IT", issuer["vat_number"]),
            codice_fiscale=issuer["tax_code"] or issuer["vat_number"],
            anagrafica=fattura.Anagrafica(denominazione=_latin(issuer["name"], 80)),
            regime_fiscale=TAX_REGIMES[TaxRegime(issuer["regime"])],
        ),
        fattura.Sede(
            indirizzo=_latin(issuer["street"], 60),
            cap=issuer["postal_code"],
            comune=_latin(issuer["town"], 60),
            provincia=issuer["province"],
            nazione="IT",
        ),
    )


def _buyer(payer: dict[str, Any], city: str, postal_code: str) -> Any:
    return fattura.CessionarioCommittente(
        fattura.DatiAnagraficiCessionarioCommittente(
            codice_fiscale=payer["tax_code"],
            anagrafica=fattura.Anagrafica(
                nome=_latin(payer["given_name"], 60), cognome=_latin(payer["family_name"], 60)
            ),
        ),
        fattura.Sede(indirizzo=_latin(payer["street"], 60), cap=postal_code, comune=_latin(city, 60), nazione="IT"),
    )


def _body(document: Document, facts: dict[str, Any]) -> Any:
    body = fattura.FatturaElettronicaBody()
    general = body.dati_generali
    general.dati_generali_documento = fattura.DatiGeneraliDocumento(
        tipo_documento="TD04" if document.kind is DocumentKind.CREDIT_NOTE else "TD01",
        divisa="EUR",
        data=document.issued_on,
        numero=f"{document.number}/{document.year}",
        importo_totale_documento=_euros(document.total_cents),
    )
    if document.stamp_cents:
        general.dati_generali_documento.dati_bollo = fattura.DatiBollo("SI", _euros(document.stamp_cents))
    if facts.get("original"):
        original = facts["original"]
        general.dati_fatture_collegate.append(
            fattura.DatiFattureCollegate(
                id_documento=f"{original['number']}/{original['year']}", data=date.fromisoformat(original["on"])
            )
        )
    _add_lines(body, facts)
    if document.kind is DocumentKind.RECEIPT:
        body.dati_pagamento.append(_payment(document, facts))
    return body


def _add_lines(body: Any, facts: dict[str, Any]) -> None:
    """One line for the service, one for what is passed on; a credit note's amounts are written positive."""
    regime = TaxRegime(facts["issuer"]["regime"])
    rate = Decimal(facts["issuer"]["vat_percent"] or 0).quantize(Decimal("0.01"))
    days = [date.fromisoformat(row["on"]) for row in facts["rows"]]
    services = ", ".join(sorted({STATES["service"][row["service"]] for row in facts["rows"]}))
    lines = (
        (f"{services}: {len(days)} incontri", facts["taxable_cents"], facts["vat_cents"], rate, NATURES.get(regime)),
        ("Sala, incassata per conto della sede", facts["passed_on_cents"], 0, Decimal("0.00"), "N1"),
    )
    goods = body.dati_beni_servizi
    for words, cents, vat_cents, percent, nature in lines:
        if not cents:
            continue
        goods.add_dettaglio_linee(
            descrizione=words,
            data_inizio_periodo=min(days),
            data_fine_periodo=max(days),
            prezzo_unitario=_euros(cents),
            aliquota_iva=percent,
            natura=nature,
        )
        goods.dati_riepilogo.append(
            fattura.DatiRiepilogo(
                aliquota_iva=percent,
                natura=nature,
                imponibile_importo=_euros(cents),
                imposta=_euros(vat_cents),
                riferimento_normativo=LAWS[nature] if nature else None,
            )
        )


def _payment(document: Document, facts: dict[str, Any]) -> Any:
    way = "MP08"  # a card; MP05 a transfer, MP23 pagoPA
    for paid in facts["paid"]:
        way = "MP23" if paid.get("by_notice") else "MP05" if paid["by_bank"] else way
    return fattura.DatiPagamento(
        "TP02",
        [fattura.DettaglioPagamento(modalita_pagamento=way, importo_pagamento=_euros(document.total_cents))],
    )


def _sender(issuer: dict[str, Any]) -> str:
    return str(issuer["tax_code"] or issuer["vat_number"])


def _euros(cents: int) -> Decimal:
    return (Decimal(abs(cents)) / 100).quantize(Decimal("0.01"))


def _latin(words: str, longest: int) -> str:
    """Words in the letters that an invoice may hold: accents of other alphabets fall, what has no letter is `?`."""
    kept = []
    for letter in words:
        plain = letter if ord(letter) < 256 else unicodedata.normalize("NFKD", letter)[0]
        kept.append(plain if ord(plain) < 256 else "?")
    return "".join(kept)[:longest]
