"""Bank files: CAMT.053 and CSV say the same; bombs and half files are refused; a line has one name in every file."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso11649

from billing.bank import BankFileError, creditor_reference, read_bank_file, references_in

REFERENCE = creditor_reference("0350332026000012")


def camt(*entries: str) -> bytes:
    return (
        '<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt>'
        "<Acct><Id><IBAN>IT60X0542811101000000123456</IBAN></Id></Acct>"
        f"{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def entry(amount: str = "45.50", way: str = "CRDT", text: str = REFERENCE, more: str = "", status: str = "BOOK") -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd><Sts>{status}</Sts>{more}'
        "<BookgDt><Dt>2026-12-09</Dt></BookgDt><NtryDtls><TxDtls>"
        "<RltdPties><Dbtr><Nm>Maria Rossi</Nm></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def test_an_entry_is_read_with_its_sign_day_payer_and_words() -> None:
    [line, out] = read_bank_file(camt(entry(more="<AcctSvcrRef>A1</AcctSvcrRef>"), entry("1200.00", "DBIT")))
    assert (line.account, line.reference, line.booked_on, line.cents) == (
        "IT60X0542811101000000123456",
        "A1",
        date(2026, 12, 9),
        4550,
    )
    assert line.name == "Maria Rossi" and references_in(line.text) == [REFERENCE]
    assert out.cents == -120_000


def test_an_entry_of_several_transactions_is_as_many_lines() -> None:
    parts = "".join(
        f'<TxDtls><Amt Ccy="EUR">{cents}</Amt><RmtInf><Strd><CdtrRefInf><Ref>{REFERENCE}</Ref></CdtrRefInf></Strd>'
        "</RmtInf></TxDtls>"
        for cents in ("10.00", "5.50")
    )
    batch = (
        '<Ntry><Amt Ccy="EUR">15.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><DtTm>2026-12-09T10:00:00</DtTm></BookgDt><NtryDtls>{parts}</NtryDtls></Ntry>"
    )
    assert [line.cents for line in read_bank_file(camt(batch))] == [1000, 550]


def test_what_is_not_booked_yet_is_left_out() -> None:
    with pytest.raises(BankFileError, match="empty"):
        read_bank_file(camt(entry(status="PDNG")))


def test_equal_lines_have_names_of_their_own_and_the_same_in_every_file() -> None:
    first = read_bank_file(camt(entry(), entry(), entry("1.00")))
    again = read_bank_file(camt(entry(), entry()))
    assert len({line.reference for line in first}) == 3
    assert [line.reference for line in again] == [line.reference for line in first[:2]]


def test_a_csv_of_an_italian_bank_says_the_same() -> None:
    words = f"Estratto {REFERENCE[:8]} {REFERENCE[8:]}"
    text = f"Data contabile;Importo;Ordinante;Causale\r\n09/12/2026;1.045,50;Maria Rossi;{words}\r\n"
    [line] = read_bank_file(text.encode("cp1252"))
    assert (line.cents, line.booked_on, references_in(line.text)) == (104_550, date(2026, 12, 9), [REFERENCE])
    [both] = read_bank_file(b"data,entrate,uscite,descrizione\n2026-12-09,,12.30,x\n")
    assert both.cents == -1230


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Document>&b;</Document>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BOMB, "forbidden_xml"),
        (OUTSIDE, "forbidden_xml"),
        (b"<Document>", "not_xml"),
        (b"<Document/>", "not_camt053"),
        (b"", "not_a_statement"),
        (b"name;age\nx;1\n", "not_a_statement"),
        (b"data;importo\n2026-12-09;12,345\n", "bad_line"),
        (b"data;importo\n2026-02-30;12\n", "bad_line"),
        (b"data;importo\n2026-12-09;NaN\n", "bad_line"),
        (camt(entry("x")), "bad_line"),
        (camt(entry(way="??")), "bad_line"),
        (b"<" + b" " * (5 * 1024 * 1024), "too_large"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(BankFileError) as refused:
        read_bank_file(data)
    assert refused.value.code == code


@given(st.from_regex(r"[0-9A-Z]{10,21}", fullmatch=True), st.sampled_from(["", "fattura ", "IT ", "pagamento di "]))
def test_a_reference_is_valid_and_found_in_any_words(body: str, before: str) -> None:
    reference = creditor_reference(body)
    assert iso11649.is_valid(reference)
    assert reference in references_in(f"{before}{reference[:6]} {reference[6:]}")


@given(st.binary(max_size=300))
def test_no_bytes_are_worse_than_refused(data: bytes) -> None:
    with suppress(BankFileError):
        read_bank_file(data)
