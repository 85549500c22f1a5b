"""A flow is read whole or not at all, and adds up."""

from datetime import date

import pytest

from billing.pagopa_flow import FlowError, FlowRow, read_flow
from tests.billing.test_bank import BOMB

CREDITOR = "00145920351"
NAMED = "2026-12-08PSPXX-S000000001"
Paid = tuple[str, str, str, str]


def flow(*paid: Paid, total: str = "", count: int | None = None, name: str = NAMED, creditor: str = CREDITOR) -> bytes:
    """A flow's XML; each payment is (IUV, receipt, euros, outcome)."""
    sums = [round(float(euros) * 100) * (-1 if outcome == "3" else 1) for _, _, euros, outcome in paid]
    rows = "".join(
        f"""<datiSingoliPagamenti><identificativoUnivocoVersamento>{iuv}</identificativoUnivocoVersamento>
        <identificativoUnivocoRiscossione>{receipt}</identificativoUnivocoRiscossione>
        <singoloImportoPagato>{euros}</singoloImportoPagato>
        <codiceEsitoSingoloPagamento>{outcome}</codiceEsitoSingoloPagamento>
        <dataEsitoSingoloPagamento>2026-12-07</dataEsitoSingoloPagamento></datiSingoliPagamenti>"""
        for iuv, receipt, euros, outcome in paid
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <p:FlussoRiversamento xmlns:p="http://www.digitpa.gov.it/schemas/2011/Pagamenti/">
      <versioneOggetto>1.0</versioneOggetto><identificativoFlusso>{name}</identificativoFlusso>
      <dataOraFlusso>2026-12-08T06:00:00</dataOraFlusso>
      <identificativoUnivocoRegolamento>TRN0001</identificativoUnivocoRegolamento>
      <dataRegolamento>2026-12-08</dataRegolamento>
      <istitutoRicevente><identificativoUnivocoRicevente><tipoIdentificativoUnivoco>G</tipoIdentificativoUnivoco>
        <codiceIdentificativoUnivoco>{creditor}</codiceIdentificativoUnivoco></identificativoUnivocoRicevente>
      </istitutoRicevente>
      <numeroTotalePagamenti>{len(paid) if count is None else count}</numeroTotalePagamenti>
      <importoTotalePagamenti>{total or f"{sum(sums) / 100:.2f}"}</importoTotalePagamenti>{rows}
    </p:FlussoRiversamento>""".encode()


def test_a_flow_is_its_payments_and_the_transfer_they_add_up_to() -> None:
    found = read_flow(flow(("01260000000000144", "R1", "108.00", "0"), ("01260000000000245", "R2", "8.00", "3")))
    assert (found.identifier, found.transfer, found.settled_on) == (NAMED, "TRN0001", date(2026, 12, 8))
    assert (found.creditor, found.total_cents) == (CREDITOR, 10_000)
    assert found.rows == (
        FlowRow("01260000000000144", "R1", 1, 10800, date(2026, 12, 7)),
        FlowRow("01260000000000245", "R2", 1, -800, date(2026, 12, 7)),
    )
    assert found.rows[0].reference == "pagopa:01260000000000144/R1/1"


ONE = ("01", "R1", "1.00", "0")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" " * (5 * 1024 * 1024 + 1), "too_large"),
        (BOMB, "forbidden_xml"),
        (b"<a>", "not_xml"),
        (b"<Document/>", "not_a_flow"),
        (flow(), "empty"),
        (flow(ONE, count=2), "other_count"),
        (flow(ONE, total="2.00"), "other_total"),
        (flow(ONE, ONE), "told_twice"),
        (flow(("01", "R1", "1.001", "0"), total="1.00"), "bad_row"),
        (flow(("01", "R1", "1.00", "7")), "bad_row"),
        (flow(("", "R1", "1.00", "0")), "bad_row"),
        (flow(ONE, name="x" * 36), "bad_row"),
    ],
)
def test_what_is_no_flow_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(FlowError) as refused:
        read_flow(data)
    assert refused.value.code == code
