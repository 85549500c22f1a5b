"""Every code of the report, on the column that earns it; the sample city's faults and nothing else."""

import datetime as dt
from collections.abc import Mapping

import pytest

from marketplace.intake.reading import Reading
from marketplace.intake.report import Finding
from marketplace.intake.rows import (
    Defaults,
    NeedRow,
    ProgrammeRow,
    ProviderRow,
    VenueRow,
    read_need,
    read_programme,
    read_provider,
    read_venue,
)
from marketplace.intake.tables import read_table
from marketplace.places.register import HouseNumber, Register
from matching.instance import Window

TODAY = dt.date(2026, 11, 22)
REGISTER = Register(
    [
        HouseNumber("VIA DAZIO", "VALLE", 90, "H", 44.9, 8.6),
        HouseNumber("VIA ROMA", "CENTRO", 5, "", 44.9, 8.6),
        HouseNumber("VIA ROMA", "LOBBI", 5, "", 44.9, 8.6),
    ]
)
GOOD: Mapping[str, Mapping[str, str]] = {
    "programmi": {"codice": "P1", "nome": "Buono", "servizio": "ripetizioni", "budget_settimana": "900",
                  "isee_max": "15.000", "percentuale": "60"},
    "sedi": {"codice": "S1", "nome": "Scuola", "indirizzo": "via dazio 90h", "posti": "8", "servizi": "ripetizioni",
             "apertura": "lun-ven 14-19:30"},
    "professionisti": {"codice": "Q1", "nome": "Alice Ricci", "indirizzo": "via dazio 90h", "servizi": "ripetizioni",
                       "posti_max": "5", "tariffa_ora": "18", "disponibilita": "lun 14-20"},
    "bisogni": {"codice": "B1", "cognome": "Greco", "nome": "Elena", "indirizzo": "via dazio 90h",
                "servizio": "ripetizioni", "durata": "1,5 h", "disponibilita": "lun 15-19"},
}  # fmt: skip
Record = ProgrammeRow | VenueRow | ProviderRow | NeedRow


def read(kind: str, *rows: Mapping[str, str]) -> tuple[list[Record], list[tuple[int, str, str]]]:
    """The records of a file with these cells changed in good rows, and its findings."""
    columns = list(dict.fromkeys([*GOOD[kind], *(column for row in rows for column in row)]))
    lines = [columns, *([{**GOOD[kind], **row}.get(column, "") for column in columns] for row in rows)]
    table = read_table(f"{kind}.csv", "\n".join("\t".join(cells) for cells in lines).encode())
    seen: set[str] = set()
    records: list[Record] = []
    findings: list[Finding] = []
    for row in table.rows:
        reading = Reading(table, row).keyed(seen)
        record: Record
        if kind == "programmi":
            record = read_programme(reading)
        elif kind == "sedi":
            record = read_venue(reading, REGISTER, Defaults())
        elif kind == "professionisti":
            record = read_provider(reading, REGISTER, Defaults(), {"S1"}, TODAY)
        else:
            record = read_need(reading, REGISTER, Defaults())
        findings += reading.findings
        if not reading.stopped:
            records.append(record)
    return records, [(finding.row, finding.column, finding.code.value) for finding in findings]


@pytest.mark.parametrize(
    ("kind", "column", "cell", "code"),
    [
        ("bisogni", "cognome", "", "missing_value"),
        ("bisogni", "durata", "\xa0", "missing_value"),
        ("bisogni", "indirizzo", "Contrada Inesistente 4", "unknown_address"),
        ("bisogni", "indirizzo", "via roma 5", "ambiguous_address"),
        ("bisogni", "prezzo_max_ora", "poco", "invalid_number"),
        ("bisogni", "classe", "6 primaria", "invalid_number"),
        ("bisogni", "lingue", "italiano", "invalid_number"),
        ("bisogni", "eta", "111", "out_of_range"),
        ("bisogni", "persone", "7", "out_of_range"),
        ("bisogni", "incontri_settimana", "0", "out_of_range"),
        ("bisogni", "distanza_km", "50,5", "out_of_range"),
        ("bisogni", "durata", "15", "out_of_range"),
        ("bisogni", "disponibilita", "lun 18:00-15:00", "invalid_time"),
        ("bisogni", "servizio", "dog sitter", "unknown_service"),
        ("bisogni", "materia", "musica", "unknown_subject"),
        ("bisogni", "codice_fiscale", "RSSMRA85D41A794X", "invalid_tax_code"),
        ("bisogni", "email", "nome@", "invalid_email"),
        ("bisogni", "isee", "12.00.000", "invalid_number"),
        ("programmi", "percentuale", "101", "out_of_range"),
        ("programmi", "budget_settimana", "-1", "out_of_range"),
        ("programmi", "tetto_ora", "200,5", "out_of_range"),
        ("sedi", "posti", "31", "out_of_range"),
        ("sedi", "costo_ora", "gratis", "invalid_number"),
        ("sedi", "apertura", "sempre", "invalid_time"),
        ("professionisti", "sedi", "S1, S9", "unknown_venue"),
        ("professionisti", "scadenza_casellario", "31/02/2027", "invalid_date"),
        ("professionisti", "tariffa_ora", "201", "out_of_range"),
        ("professionisti", "supplemento_posto", "19", "out_of_range"),
        ("professionisti", "posti_min", "6", "out_of_range"),
        ("professionisti", "classe_a", "0", "invalid_number"),
        ("professionisti", "a_domicilio", "forse", "invalid_number"),
        ("professionisti", "materie", "matematica, cucito", "unknown_subject"),
    ],
)
def test_each_fault_stops_its_row(kind: str, column: str, cell: str, code: str) -> None:
    records, findings = read(kind, {column: cell}, {"codice": "other"})
    assert findings == [(2, column, code)]
    assert len(records) == 1


@pytest.mark.parametrize(
    ("kind", "column", "cell", "code"),
    [
        ("bisogni", "indirizzo", "via dazio 91", "address_guessed"),
        ("bisogni", "disponibilita", "lun 15-16 | mar 15-19", "window_too_short"),
        ("bisogni", "disponibilita", "lun 15-16", "window_too_short"),
        ("sedi", "apertura", "lun 9:05-9:10 | mar 9-12", "window_too_short"),
        ("professionisti", "scadenza_casellario", "21/11/2026", "expired_certificate"),
    ],
)
def test_a_warning_lets_the_row_in(kind: str, column: str, cell: str, code: str) -> None:
    records, findings = read(kind, {column: cell})
    assert findings == [(2, column, code)]
    assert len(records) == 1


def test_the_second_of_two_rows_with_one_code_is_stopped_even_if_the_first_was() -> None:
    records, findings = read("bisogni", {"eta": "x"}, {}, {"codice": "b1"})
    assert findings == [(2, "eta", "invalid_number"), (3, "codice", "duplicate_code")]
    assert len(records) == 1


def test_each_column_of_a_row_has_its_own_finding() -> None:
    _, findings = read("bisogni", {"eta": "x", "isee": "y", "disponibilita": "z", "indirizzo": "via dazio 91"})
    assert sorted(column for _, column, _ in findings) == ["disponibilita", "eta", "indirizzo", "isee"]


def test_empty_cells_take_the_defaults() -> None:
    need = read("bisogni", {})[0][0]
    assert isinstance(need, NeedRow)
    assert (need.seats, need.sessions, need.languages, need.host_seats, need.group_max) == (1, 1, ("it",), 0, 6)
    assert (str(need.travel_km_max), need.price_max_cents_per_hour, need.isee_cents) == ("1.5", None, None)
    assert need.windows == (Window(0, 900, 1140),)
    provider = read("professionisti", {})[0][0]
    assert isinstance(provider, ProviderRow)
    assert (provider.level_min, provider.level_max, provider.age_min, provider.age_max) == (1, 13, 0, 110)
    assert (provider.seats_min, provider.extra_seat_cents_per_hour, provider.minutes_min) == (1, 0, 60)
    assert (provider.minutes_max_per_week, str(provider.travel_km_max), provider.visits_homes) == (2400, "5", False)
    assert not provider.accredited


def test_a_certificate_holds_on_its_last_day() -> None:
    provider = read("professionisti", {"scadenza_casellario": "22/11/2026"})[0][0]
    assert isinstance(provider, ProviderRow)
    assert provider.accredited


def test_codes_stay_text() -> None:
    assert [record.code for record in read("bisogni", {"codice": "001"}, {"codice": "1"})[0]] == ["001", "1"]


def test_a_row_with_more_cells_than_the_header_is_stopped() -> None:
    columns = list(GOOD["programmi"])
    line = ",".join([*GOOD["programmi"].values(), "50"])
    table = read_table("programmi.csv", f"{','.join(columns)}\n{line}\n".encode())
    reading = Reading(table, table.rows[0])
    read_programme(reading)
    assert reading.stopped


def test_a_cell_of_any_size_is_only_a_fault() -> None:
    for column in ("durata", "indirizzo", "disponibilita", "lingue", "nome", "email", "note", "codice", "classe"):
        assert len(read("bisogni", {column: "a1 " * 40_000})[1]) == 1
