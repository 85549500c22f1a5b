"""A city goes in once, whole where it is good; what is bad stays out and is reported; again, it changes nothing."""

import io
import re
from datetime import date, datetime

import openpyxl
import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Appointment, AuditEntry, Municipality, Role, User
from marketplace.households.models import Household, MeansTest, MeansTestState, Person
from marketplace.intake.operations import (
    Outcome,
    UnknownMunicipality,
    ensure_municipality,
    import_files,
    preview_files,
)
from marketplace.intake.report import write_report
from marketplace.intake.storing import Change
from marketplace.intake.tables import Source, read_table
from marketplace.needs.models import Need, NeedState
from marketplace.places.models import Address, Venue
from marketplace.places.operations import load_register
from marketplace.places.register import fold_street, trigrams
from marketplace.providers.models import Accreditation, AccreditationDecision, Offer, Provider, ProviderVenue
from marketplace.rounds.instances import build_instance
from marketplace.vouchers.models import Programme
from matching.formats import instance_from_json
from tests.intake.city import BY, FAULTS, ISTAT, NOW, TODAY, needs, sources

HOME = "Via Dazio 98r"
ELSEWHERE = "Via Novi 19"
NUMBERS = ("eta", "persone", "tariffa_ora", "isee", "telefono", "civico")


@pytest.fixture
def city(session: Session) -> Session:
    """A session that sees Alessandria."""
    ensure_municipality(session, NOW, ISTAT)
    return session


def bring(session: Session, today: date = TODAY, **changed: str | None) -> Outcome:
    return import_files(session, BY, NOW, today, sources(**changed))


def counts(outcome: Outcome, change: Change) -> list[int]:
    return [file.counts[change] for file in outcome.files]


def the(session: Session, code: str) -> Need:
    return session.exec(select(Need).where(Need.code == code)).one()


def test_a_new_municipality_has_its_name_and_outline(city: Session) -> None:
    found = city.get_one(Municipality, ISTAT)
    assert (found.name, found.cadastral_code) == ("Alessandria", "A182")
    assert found.outline is not None
    assert found.outline["type"] == "MultiPolygon"
    assert ensure_municipality(city, NOW, ISTAT) is found


@pytest.mark.parametrize("istat", ["999999", "6003", "", "00600x", "../etc"])
def test_no_municipality_is_made_of_a_code_that_is_none(session: Session, istat: str) -> None:
    with pytest.raises(UnknownMunicipality):
        ensure_municipality(session, NOW, istat)


def test_the_sample_city_gives_exactly_its_faults_and_all_the_rest_goes_in(city: Session) -> None:
    outcome = bring(city)
    report = write_report(outcome.findings).splitlines()
    assert [line.rsplit(";", 1)[0] for line in report] == FAULTS
    assert outcome.readable
    assert counts(outcome, Change.NEW) == [453, 4, 6, 42, 283]
    assert {file.table.extra for file in outcome.files[1:] if file.table} == {("annotazioni ufficio",)}
    sizes = [len(city.exec(select(model)).all()) for model in (Programme, Venue, Provider, Need)]
    assert sizes == [4, 6, 42, 283]
    assert len(city.exec(select(Household)).all()) == 283


def as_workbook(source: Source) -> Source:
    """A file as somebody retypes it into a spreadsheet: numbers, dates and percentages as such, a sheet before it."""
    table = read_table(source.name, source.data)
    book = openpyxl.Workbook()
    book.create_sheet("Dati")
    sheet = book["Dati"]
    sheet.append([name.upper() for name in table.columns])
    for row in table.rows:
        cells: list[object] = []
        for name in table.columns:
            cell = table.cell(row, name)
            if name in NUMBERS and re.fullmatch(r"\d+(,\d+)?", cell):
                cells.append(float(cell.replace(",", ".")))
            elif re.fullmatch(r"\d\d/\d\d/\d{4}", cell):
                cells.append(datetime.strptime(cell, "%d/%m/%Y"))  # noqa: DTZ007 - a sheet has no zone
            else:
                cells.append(cell or None)
        sheet.append(cells)
    data = io.BytesIO()
    book.save(data)
    return Source(source.name.replace(".csv", ".xlsx"), data.getvalue())


def test_workbooks_give_what_the_same_tables_in_csv_give(city: Session) -> None:
    outcome = import_files(city, BY, NOW, TODAY, map(as_workbook, sources()))
    report = write_report(outcome.findings).replace(".xlsx;", ".csv;").splitlines()
    assert [line.rsplit(";", 1)[0] for line in report] == FAULTS
    again = bring(city)
    assert counts(again, Change.NEW) == counts(again, Change.CHANGED) == [0, 0, 0, 0, 0]


def test_the_same_files_again_change_nothing(city: Session) -> None:
    bring(city)
    before = city.connection().execute(text("select count(*), max(xmin::text::bigint) from audit_entry")).one()
    again = bring(city)
    assert counts(again, Change.NEW) == counts(again, Change.CHANGED) == [0, 0, 0, 0, 0]
    assert counts(again, Change.SAME) == [453, 4, 6, 42, 283]
    assert not city.dirty
    assert city.connection().execute(text("select count(*), max(xmin::text::bigint) from audit_entry")).one() == before


def test_a_changed_row_is_an_update_and_shown_as_such(city: Session) -> None:
    bring(city, bisogni=needs(f"N1;;{HOME};15;2 superiore;9000;90;12", f"N2;;{HOME};;;;60;"))
    outcome = bring(city, bisogni=needs(f"N1;;{HOME};16;3 superiore;9000;90;12,50", f"N2;;{HOME};;;;60;"))
    assert outcome.files[-1].changed_codes == ["N1"]
    assert counts(outcome, Change.CHANGED) == [0, 0, 0, 0, 1]
    need = the(city, "N1")
    assert (need.price_max_cents_per_hour, need.age, need.level) == (1250, 16, 11)
    person = city.get_one(Person, (ISTAT, need.person_id))
    assert (person.age, person.level) == (16, 11)
    assert len(city.exec(select(Person)).all()) == 2


@pytest.mark.parametrize("state", [NeedState.PROPOSED, NeedState.SERVED])
def test_a_file_leaves_what_a_family_was_offered_or_has_accepted(city: Session, state: NeedState) -> None:
    bring(city, bisogni=needs(f"N1;;{HOME};15;2 superiore;9000;90;12", f"N2;;{HOME};;;;60;"))
    the(city, "N1").state = state
    city.flush()
    before = the(city, "N1").model_dump()
    household = city.get_one(Household, (ISTAT, before["household_id"]))
    home = (household.address, household.lat, household.lon)
    rows = f"N1;;{ELSEWHERE};16;3 superiore;8000;60;9", f"N2;;{ELSEWHERE};;;;60;"
    outcome = bring(city, bisogni=needs(*rows))
    file = outcome.files[-1]
    assert (file.kept_codes, file.changed_codes, file.findings) == (["N1"], ["N2"], [])
    assert the(city, "N1").model_dump() == before
    assert (household.address, household.lat, household.lon) == home
    assert {test.isee_cents for test in city.exec(select(MeansTest))} == {"900000", "800000"}  # that counts later
    city.get_one(Need, (ISTAT, before["id"])).state = NeedState.OPEN
    assert bring(city, bisogni=needs(*rows)).files[-1].changed_codes == ["N1"]
    assert the(city, "N1").minutes == 60


def test_a_preview_says_the_same_and_leaves_nothing(city: Session) -> None:
    outcome = preview_files(city, BY, NOW, TODAY, sources())
    assert counts(outcome, Change.NEW) == [453, 4, 6, 42, 283]
    for model in (Address, Programme, Venue, Provider, Need, Household, AuditEntry):
        assert city.exec(select(model)).first() is None
    assert counts(bring(city), Change.NEW) == [453, 4, 6, 42, 283]


def test_of_a_file_that_cannot_be_read_nothing_goes_in_and_the_others_do(city: Session) -> None:
    outcome = bring(city, professionisti="codice;nome\nQ0;Alice\n")
    assert not outcome.readable
    refused = outcome.files[3]
    assert str(refused.refusal).startswith("Nella prima riga mancano le colonne indirizzo, servizi")
    assert city.exec(select(Provider)).first() is None
    assert len(city.exec(select(Need)).all()) == 283


def test_two_files_of_one_kind_are_refused(city: Session) -> None:
    files = [*sources(), sources()[1]]
    outcome = import_files(city, BY, NOW, TODAY, files)
    assert [file.refusal is not None for file in outcome.files] == [False, True, True, False, False, False]


def test_equal_tax_codes_are_one_household_and_equal_people_one_person(city: Session) -> None:
    one, other = "RSSMRA85D41A794Y", "FGNPFF78S23A182B"
    bring(
        city,
        bisogni=needs(
            f"N1;{one};{HOME};9;4 primaria;;90;", f"N2;{one.lower()};{HOME};9;4 primaria;;60;",
            f"N3;{one};{HOME};12;2 media;;60;", f"N4;{other};{HOME};9;4 primaria;;60;", f"N5;;{HOME};9;4 primaria;;60;",
        ),
    )  # fmt: skip
    found = {code: the(city, code) for code in ("N1", "N2", "N3", "N4", "N5")}
    assert len({need.household_id for need in found.values()}) == 3
    assert found["N1"].person_id == found["N2"].person_id != found["N3"].person_id
    assert found["N1"].household_id == found["N3"].household_id
    assert city.exec(select(Household).where(Household.id == found["N1"].household_id)).one().tax_code == one


def test_one_family_may_want_care_at_two_places(city: Session) -> None:
    file = needs(f"N1;RSSMRA85D41A794Y;{HOME};9;;;90;", f"N2;RSSMRA85D41A794Y;{ELSEWHERE};80;;;60;")
    bring(city, bisogni=file)
    assert counts(bring(city, bisogni=file), Change.SAME)[-1] == 2
    instance = build_instance(city, ISTAT, TODAY)
    places = {need["id"]: (need["lat"], need["lon"]) for need in instance["needs"]}
    assert places["N1"] != places["N2"]
    assert the(city, "N2").address == "Via Novi 19, San Giuliano Vecchio"


def test_a_declared_isee_is_dated_changed_by_a_new_row_and_lapses_when_it_is_not_declared(city: Session) -> None:
    for isee in ("9.000", "9000,00", "14500", "", ""):
        bring(city, bisogni=needs(f"N1;;{HOME};15;;{isee};90;"))
    tests = city.exec(select(MeansTest).order_by(col(MeansTest.created_at), col(MeansTest.id))).all()
    assert [(test.isee_cents, test.state) for test in tests] == [
        ("900000", MeansTestState.DECLARED), ("1450000", MeansTestState.DECLARED), ("1450000", MeansTestState.REFUSED),
    ]  # fmt: skip
    assert {test.valid_until for test in tests} == {date(2026, 12, 31)}


def test_a_file_does_not_undo_what_a_family_declared_by_itself(city: Session) -> None:
    bring(city, bisogni=needs(f"N1;;{HOME};15;;9000;90;"))
    user = User(email="m@example.org", fs_uniquifier="m", create_datetime=NOW, password="-")
    city.add(user)
    city.flush()
    home = the(city, "N1").household_id
    city.add(Appointment(user_id=user.id, municipality_id=ISTAT, role=Role.FAMILY, household_id=home, created_at=NOW))
    bring(city, bisogni=needs(f"N1;;{HOME};15;;;90;"))
    assert len(city.exec(select(MeansTest)).all()) == 1


def test_a_certificate_decides_on_accreditation_and_an_office_overrules_the_file(city: Session) -> None:
    bring(city)
    states = {row.code: row for row in city.exec(select(Provider))}
    assert (states["Q0"].accreditation, states["Q9"].accreditation) == (Accreditation.ACCREDITED, Accreditation.EXPIRED)
    states["Q0"].accreditation = Accreditation.SUSPENDED
    outcome = bring(city)
    assert states["Q0"].accreditation is Accreditation.SUSPENDED
    assert counts(outcome, Change.CHANGED)[3] == 0
    late = bring(city, today=date(2027, 4, 1))
    assert counts(late, Change.CHANGED)[3] > 20
    decisions = city.exec(select(AccreditationDecision).where(AccreditationDecision.provider_id == states["Q1"].id))
    assert [decision.state for decision in decisions] == [Accreditation.ACCREDITED]


def test_a_professionals_offers_and_venues_follow_the_file(city: Session) -> None:
    header = "codice;nome;indirizzo;servizi;posti_max;tariffa_ora;disponibilita;sedi;scadenza_casellario"
    for services, venues in (
        ("ripetizioni, babysitter", "S0, S1"),
        ("babysitter | assistenza", "S1"),
        ("babysitter", ""),
    ):
        row = f"\nX1;Alice;{HOME};{services};3;18;lun 14-20;{venues};30/04/2027"
        outcome = bring(city, professionisti=header + row)
        assert len(city.exec(select(ProviderVenue)).all()) == (venues.count("S"))
        assert len(city.exec(select(Offer)).all()) == len(services.replace("|", ",").split(","))
    assert outcome.files[3].changed_codes == ["X1"]


def test_rows_of_another_municipality_and_repeated_ones_are_only_counted(city: Session) -> None:
    header = "CODICE_ISTAT;ODONIMO;LOCALITA';CIVICO;ESPONENTE;COORD_X_COMUNE;COORD_Y_COMUNE"
    rows = [
        "6003;VIA X;;1;;8,6;44,9",
        "006003;VIA X;;1;;8,6;44,9",
        "015146;VIA Y;;1;;9,1;45,4",
        "006003;VIA X;;2;;;44,9",
    ]
    outcome = bring(city, indirizzi="\n".join([header, *rows]))
    register = outcome.files[0]
    assert (register.counts[Change.NEW], register.repeated, register.elsewhere, register.stopped) == (1, 1, 1, 1)
    assert [(one.row, one.column, one.code.value) for one in register.findings] == [
        (5, "coord_x_comune", "missing_value")
    ]
    moved = bring(city, indirizzi="\n".join([header, "006003;VIA X;;1;;8,7;44,9"]))
    assert moved.files[0].counts[Change.CHANGED] == 1


def test_nothing_of_a_city_is_seen_from_another(city: Session) -> None:
    bring(city)
    ensure_municipality(city, NOW, "015146")
    assert city.exec(select(Need)).all() == []
    again = import_files(city, Actor("015146"), NOW, TODAY, sources(indirizzi=None))
    assert [file.counts[Change.NEW] for file in again.files] == [4, 0, 0, 0]
    assert {one.code.value for one in again.files[1].findings} == {"unknown_address"}


def test_the_exported_instance_is_one_that_the_matcher_reads(city: Session) -> None:
    bring(city)
    the(city, "B0").state = NeedState.WITHDRAWN
    city.flush()
    instance = instance_from_json(build_instance(city, ISTAT, TODAY))
    assert len(instance.needs) == 282
    assert len(instance.providers) == 39
    subsidised = [need for need in instance.needs.values() if need.subsidy]
    assert {need.subsidy.programme for need in subsidised if need.subsidy} == {"P1", "P2", "P3", "P4"}
    for provider in instance.providers.values():
        for offer in provider.offers:
            assert offer.seats_max <= (2 if offer.age_min < 3 else 4 if offer.age_min < 6 else 6)


def test_similarity_is_that_of_postgres(city: Session) -> None:
    bring(city, programmi=None, sedi=None, professionisti=None, bisogni=None)
    streets = sorted(load_register(city, ISTAT)._streets)
    for one, other in zip(streets, streets[7:], strict=False):
        mine = len(trigrams(one) & trigrams(other)) / len(trigrams(one) | trigrams(other))
        theirs = city.connection().execute(text("select similarity(:a, :b)"), {"a": one, "b": other}).scalar_one()
        assert mine == pytest.approx(theirs, abs=1e-6)
    assert fold_street("Sant'Agnès") == "sant agnes"
