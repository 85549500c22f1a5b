"""An electronic invoice validates, reads back as it was meant, and is refused where it cannot be one."""

import defusedxml.ElementTree as ElementTree
import pytest
from a38.fattura import FatturaPrivati12
from a38.validation import Validation

from marketplace.documents.fatturapa import NotAnInvoice, PayerUnknown, file_name, invoice_xml
from marketplace.documents.issuing import issue_for_statements
from marketplace.documents.models import Document, TaxRegime
from marketplace.households.models import Household
from marketplace.slots.models import Presence
from tests.documents.paid import PAYER, VAT_NUMBER, a_group, close_and_pay, documents, says
from tests.documents.test_issuing import CLOSED_AGAIN, DECEMBER
from tests.stand_in import StandIn
from tests.statements.test_payments import DUE
from tests.statements.world import CITY, City


def a_receipt(city: City, stand_in: StandIn, regime: TaxRegime) -> Document:
    group = a_group(city, at_venue=True)
    city.groups.append(group)
    says(city.session, group.provider, regime)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    return documents(city.session)[0]


def read(xml: bytes) -> FatturaPrivati12:
    """The invoice as a receiver reads it, validated; the library's rule 00426 is not one of consumers' invoices."""
    invoice = FatturaPrivati12()
    invoice.from_etree(ElementTree.fromstring(xml))
    found = Validation()
    invoice.validate(found)
    assert [error.code for error in found.errors] == ["00426", "00426"]
    return invoice


@pytest.mark.parametrize(
    ("regime", "fiscal", "summary", "stamp"),
    [
        (TaxRegime.EXEMPT, "RF01", [("N4", 10800, 0), ("N1", 1200, 0)], True),
        (TaxRegime.FLAT, "RF19", [("N2.2", 10800, 0), ("N1", 1200, 0)], True),
        (TaxRegime.ORDINARY, "RF01", [(None, 10286, 514), ("N1", 1200, 0)], False),
    ],
)
def test_a_receipt_is_an_electronic_invoice_to_a_consumer(
    city: City,
    stand_in: StandIn,
    regime: TaxRegime,
    fiscal: str,
    summary: list[tuple[str | None, int, int]],
    stamp: bool,
) -> None:
    receipt = a_receipt(city, stand_in, regime)
    invoice = read(invoice_xml(receipt, "Reggio Emilia"))
    header, (body,) = invoice.fattura_elettronica_header, invoice.fattura_elettronica_body
    seller, buyer = header.cedente_prestatore, header.cessionario_committente
    assert header.dati_trasmissione.codice_destinatario == "0000000"
    assert seller.dati_anagrafici.id_fiscale_iva.id_codice == VAT_NUMBER
    assert seller.dati_anagrafici.regime_fiscale == fiscal
    assert buyer.dati_anagrafici.codice_fiscale == PAYER
    general = body.dati_generali.dati_generali_documento
    assert (general.tipo_documento, general.numero) == ("TD01", "1/2026")
    rows = body.dati_beni_servizi.dati_riepilogo
    assert [(one.natura, one.imponibile_importo * 100, one.imposta * 100) for one in rows] == summary
    assert general.importo_totale_documento * 100 == receipt.total_cents
    assert general.dati_bollo.has_value() == stamp
    assert file_name(receipt).endswith("_60001.xml")


def test_a_credit_note_names_the_invoice_that_it_corrects(city: City, stand_in: StandIn) -> None:
    receipt = a_receipt(city, stand_in, TaxRegime.ORDINARY)
    group = city.groups[0]
    city.attend(group.meetings[0], {group.memberships[0].id: Presence.ABSENT_NOTIFIED}, at=DUE)
    close_and_pay(city, stand_in, DECEMBER, CLOSED_AGAIN)
    issue_for_statements(city.session, CITY, CLOSED_AGAIN)
    note = next(one for one in documents(city.session) if one.original_id)
    (body,) = read(invoice_xml(note, "Reggio Emilia")).fattura_elettronica_body
    assert body.dati_generali.dati_generali_documento.tipo_documento == "TD04"
    assert [one.id_documento for one in body.dati_generali.dati_fatture_collegate] == [f"{receipt.number}/2026"]
    assert body.dati_generali.dati_generali_documento.importo_totale_documento * 100 == -note.total_cents > 0


def test_letters_that_an_invoice_may_not_hold_are_written_with_those_that_it_may(city: City, stand_in: StandIn) -> None:
    group = a_group(city)
    city.groups.append(group)
    city.session.get_one(Household, (CITY, group.memberships[0].household_id)).family_name = "Dumitrașcu Đ €"
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    invoice = read(invoice_xml(documents(city.session)[0], "Forlì"))
    buyer = invoice.fattura_elettronica_header.cessionario_committente
    assert buyer.dati_anagrafici.anagrafica.cognome == "Dumitrascu ? ?"
    assert buyer.sede.comune == "Forlì"


def test_without_a_vat_number_there_is_no_invoice(city: City, stand_in: StandIn) -> None:
    with pytest.raises(NotAnInvoice):
        invoice_xml(a_receipt(city, stand_in, TaxRegime.OCCASIONAL), "Reggio Emilia")


def test_without_the_payers_tax_code_there_is_no_invoice(city: City, stand_in: StandIn) -> None:
    group = a_group(city)
    city.groups.append(group)
    city.session.get_one(Household, (CITY, group.memberships[0].household_id)).tax_code = None
    says(city.session, group.provider)
    close_and_pay(city, stand_in)
    issue_for_statements(city.session, CITY, DUE)
    with pytest.raises(PayerUnknown):
        invoice_xml(documents(city.session)[0], "Reggio Emilia")
