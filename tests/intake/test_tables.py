"""Spreadsheets are read in every form that people save them in, and what is no table is refused with a reason."""

import datetime as dt
import io
import zipfile

import openpyxl
import pytest

from marketplace.intake.tables import Table, Unreadable, read_table

HEADER = "codice;nome;servizio;budget_settimana;isee_max;percentuale;tetto_ora"
ROW = "P1;Perché no;ripetizioni;900;15000;60;6"


def programmes(text: str, encoding: str = "utf-8") -> Table:
    return read_table("programmi.csv", text.encode(encoding))


def values(table: Table, column: str) -> list[str]:
    return [table.cell(row, column) for row in table.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_encoding_delimiter_and_line_ending(encoding: str, delimiter: str, ending: str) -> None:
    text = f"{HEADER}\n{ROW}\n".replace(";", delimiter).replace("\n", ending)
    table = programmes(text, encoding)
    assert values(table, "nome") == ["Perché no"]
    assert values(table, "tetto_ora") == ["6"]


def test_headers_come_in_any_order_and_case_and_extra_columns_are_listed_once() -> None:
    table = programmes(
        "Annotazioni\xa0ufficio; CODICE ;Nome;Isee Max;servizio;percentuale;budget_settimana;;note;note\n"
        "x;P1;A;15000;ripetizioni;60;900;;;\n"
    )
    assert table.extra == ("Annotazioni ufficio", "note")
    assert values(table, "isee_max") == ["15000"]
    assert values(table, "codice") == ["P1"]


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    table = programmes(f'{HEADER}\n\n;;;;;;\nP1;"due\nrighe; e un separatore";ripetizioni\n{ROW}\n\n')
    assert [row.number for row in table.rows] == [4, 5]
    assert values(table, "nome") == ["due\nrighe; e un separatore", "Perché no"]
    assert values(table, "percentuale") == ["", "60"]


def test_excels_separator_line_is_no_row() -> None:
    table = programmes(f"sep=,\r\n{HEADER}\r\n{ROW}\r\n".replace(";", ","))
    assert [row.number for row in table.rows] == [2]


def test_quotes_and_decimal_commas_do_not_fool_the_delimiter() -> None:
    table = programmes(
        'codice,nome,servizio,budget_settimana,isee_max,percentuale\nP1,"a; b; c",ripetizioni,"900,50",1,2\n'
    )
    assert values(table, "budget_settimana") == ["900,50"]
    assert values(table, "nome") == ["a; b; c"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "vuoto"),
        (b"\xef\xbb\xbf \r\n\r\n", "vuoto"),
        (b"<!DOCTYPE html><html><body>codice;nome</body></html>", "pagina web"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x81", "caratteri"),
        (b"codice\nP1\n", "mancano le colonne"),
        (b"P1;Buono;ripetizioni;900;15000;60;6\n", "mancano le colonne"),
        (f"{HEADER};codice\n{ROW};P2\n".encode(), "due volte"),
        (f'{HEADER}\nP1;"aperto;ripetizioni;1;2;3;4\n{ROW}\n'.encode(), "virgolette"),
        (b"\xef\xbb\xbf" + HEADER.encode() + b"\nP1;\xe8", "caratteri"),
        ((HEADER + "\nP1;" + "x" * 1_100_000).encode(), "troppo lunga"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_table("programmi.csv", data)


def test_an_archive_called_csv_is_refused() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("programmi.csv", f"{HEADER}\n{ROW}\n")
    for name in ("programmi.csv", "programmi.xlsx"):
        with pytest.raises(Unreadable):
            read_table(name, archive.getvalue())
    with pytest.raises(Unreadable):
        read_table("programmi.xlsx", f"{HEADER}\n{ROW}\n".encode())


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active
    for row in rows:
        book.active.append(row)
    for cells in book.active.iter_rows():
        for cell in cells:
            if cell.value == 0.6:
                cell.number_format = "0%"
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def test_rows_formatted_to_the_end_of_the_sheet_are_no_wider_than_what_they_hold() -> None:
    book = openpyxl.Workbook()
    book.active.append(HEADER.split(";"))
    for number in range(2, 5):
        book.active.append(ROW.split(";"))
        book.active.cell(number, 16384).number_format = "0.00"
    file = io.BytesIO()
    book.save(file)
    table = read_table("programmi.xlsx", file.getvalue())
    assert [len(row.cells) for row in table.rows] == [7, 7, 7]
    assert values(table, "tetto_ora") == ["6", "6", "6"]


def test_a_workbook_reads_as_its_cells_show() -> None:
    data = workbook(
        ["Codice", "Nome", "SERVIZIO", "budget_settimana", "isee_max", "percentuale", "tetto_ora", None],
        [5.0, dt.date(2027, 3, 15), True, 12.5, 14.125, 0.6, dt.time(1, 30), None],
        [],
        ["001", dt.datetime(2027, 3, 15, 9, 30), False, 900, 0.1 + 0.2, dt.timedelta(hours=26), 1e6, None],  # noqa: DTZ001 - a sheet has no zone
    )
    table = read_table("programmi.xlsx", data)
    assert [row.number for row in table.rows] == [2, 4]
    assert [table.cell(table.rows[0], column) for column in ("codice", "nome", "servizio")] == ["5", "2027-03-15", "si"]
    assert values(table, "budget_settimana") == ["12,5", "900"]
    assert values(table, "isee_max") == ["14,1250", "0,3"]
    assert values(table, "percentuale") == ["60", "26:00"]
    assert values(table, "tetto_ora") == ["1:30", "1000000"]
    assert values(table, "codice") == ["5", "001"]


def test_a_file_of_another_name_is_known_by_its_header() -> None:
    assert read_table("elenco novembre.csv", f"{HEADER}\n{ROW}\n".encode()).kind.name == "programmi"
    assert read_table("BISOGNI.CSV", b"codice;cognome;nome;indirizzo;servizio;durata;disponibilita").rows == ()
