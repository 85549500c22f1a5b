"""The report is a CSV that no spreadsheet takes for formulas."""

from marketplace.intake.report import Code, Finding, Severity, write_report


def finding(row: int, column: str, cell: str = "x") -> Finding:
    return Finding("bisogni.csv", row, column, Severity.ERROR, Code.INVALID_NUMBER, "%(cell)s: scrivi", {"cell": cell})


def test_the_report_is_sorted_by_file_row_and_column_and_quotes_what_it_must() -> None:
    text = write_report([finding(12, "isee"), finding(3, "eta", 'a;"b"'), finding(3, "classe")])
    assert text.splitlines() == [
        "file;row;column;severity;code;message",
        "bisogni.csv;3;classe;error;invalid_number;x: scrivi",
        'bisogni.csv;3;eta;error;invalid_number;"a;""b"": scrivi"',
        "bisogni.csv;12;isee;error;invalid_number;x: scrivi",
    ]


def test_cells_that_begin_like_a_formula_are_escaped() -> None:
    for start in "=+-@":
        assert f";'{start}1: scrivi\n" in write_report([finding(2, "eta", f"{start}1")])


def test_messages_are_translated_and_long_cells_cut() -> None:
    text = write_report([finding(2, "eta", "y" * 500 + "\n")], translate=lambda msgid: f"EN {msgid}")
    assert text.splitlines()[1].endswith(f"EN {'y' * 60}…: scrivi")
