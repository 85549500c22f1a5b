"""An officer uploads, sees each bad cell in its row, and decides; before that nothing goes in."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from marketplace.accounts.models import Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, db, set_scope
from marketplace.intake.models import Upload, UploadedFile
from marketplace.intake.operations import ensure_municipality
from marketplace.intake.uploads import check_upload
from marketplace.needs.models import Need
from marketplace.providers.models import Provider
from marketplace.vouchers.models import Programme
from marketplace.web import Application
from tests.intake.city import FOLDER, ISTAT, NOW, needs

PAGE = "/comune/importa"


@pytest.fixture
def officer(app: Application, client: FlaskClient) -> FlaskClient:
    """An officer of Alessandria in front of a browser."""
    with app.app_context():
        set_scope(db.session, Scope())
        ensure_municipality(db.session, NOW, ISTAT)
        user = add_user(db.session, NOW, "ufficio@example.org", "Ufficio")
        appoint(db.session, NOW, user.id, ISTAT, Role.OFFICER)
        db.session.commit()
        token = user.fs_uniquifier
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["_fresh"] = token, True
    return client


def count(app: Application, *models: type) -> list[int]:
    with app.app_context():
        set_scope(db.session, Scope(ISTAT))
        return [len(db.session.exec(select(model)).all()) for model in models]


def send(officer: FlaskClient, **files: bytes) -> str:
    """Upload files called `<name>.csv`; the address of what will be found."""
    data = {"files": [(io.BytesIO(content), f"{name}.csv") for name, content in files.items()]}
    answer = officer.post(PAGE, data=data, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text
    return str(answer.location)


@pytest.fixture
def hand_in(officer: FlaskClient, work: Callable[[], None]) -> Callable[..., str]:
    """Upload files and have the worker check them."""

    def sent_and_checked(**files: bytes) -> str:
        where = send(officer, **files)
        work()
        return where

    return sent_and_checked


def the_sample(*names: str) -> dict[str, bytes]:
    return {name: (FOLDER / f"{name}.csv").read_bytes() for name in names}


def test_a_city_is_checked_shown_and_then_brought_in(
    app: Application, officer: FlaskClient, hand_in: Callable[..., str]
) -> None:
    assert "Manca lo stradario" in officer.get(PAGE).text
    where = hand_in(**the_sample("bisogni", "professionisti", "sedi", "programmi", "indirizzi"))
    assert count(app, Need, Provider, UploadedFile) == [0, 0, 5]
    page = officer.get(where).text
    assert "Importa 788 righe" in page
    marked = re.findall(r'<li class="is-error">.*?</li>', page, re.DOTALL)
    assert len(marked) == 17
    assert "prezzo_max_ora" in marked[0]
    assert "-5" in marked[0]
    assert "Riga 18" in page
    assert "Annotazioni" not in page
    assert "Colonne che non usiamo: annotazioni ufficio." in page
    assert len(re.findall(r'<li class="is-warning">', page)) == 3
    answer = officer.post(f"{where}/conferma", follow_redirects=True)
    assert "Fatto: le righe senza errori sono dentro." in answer.text
    assert "Importa 788 righe" not in answer.text
    assert count(app, Need, Provider, UploadedFile) == [283, 42, 0]
    report = officer.get(f"{where}/rapporto.csv")
    assert report.mimetype == "text/csv"
    rows = [line.rsplit(";", 1)[0] for line in report.text.splitlines()]
    assert rows == (FOLDER / "expected.csv").read_text().splitlines()
    assert "Importato" in officer.get(PAGE).text


def test_an_upload_is_decided_once(app: Application, officer: FlaskClient, hand_in: Callable[..., str]) -> None:
    where = hand_in(**the_sample("programmi"))
    assert officer.post(f"{where}/scarta").status_code == 303
    assert count(app, UploadedFile) == [0]
    for decision in ("conferma", "scarta"):
        answer = officer.post(f"{where}/{decision}")
        assert answer.status_code == 409
        assert "già stati importati o scartati" in answer.text
    assert "Scartato" in officer.get(where).text


def test_the_same_files_again_have_nothing_to_bring_in(officer: FlaskClient, hand_in: Callable[..., str]) -> None:
    files = the_sample("programmi")
    officer.post(f"{hand_in(**files)}/conferma")
    page = officer.get(hand_in(**files)).text
    assert "Non c'è nulla di nuovo da importare." in page or "Non c&#39;è nulla di nuovo da importare." in page
    assert "/conferma" not in page


def test_a_file_that_is_no_table_is_refused_in_words_and_the_others_are_not(
    officer: FlaskClient, hand_in: Callable[..., str]
) -> None:
    page = officer.get(hand_in(bisogni=b"\x89PNG\r\n\x00", **the_sample("programmi"))).text
    assert "Questo file non si legge: non ne entra nulla" in page
    assert "I caratteri del file non si leggono" in page
    assert "Importa 4 righe" in page


@pytest.mark.parametrize("data", [{}, {"files": (io.BytesIO(b""), "")}])
def test_no_file_is_a_fault_in_the_form(officer: FlaskClient, data: dict[str, object]) -> None:
    answer = officer.post(PAGE, data=data, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "Scegli almeno un file CSV o Excel" in answer.text


def test_what_a_file_says_is_shown_as_text(officer: FlaskClient, hand_in: Callable[..., str]) -> None:
    row = "N1;;<script>alert(1)</script> %(cell)s {{ 7 * 7 }};x;;;90;"
    page = officer.get(hand_in(bisogni=needs(row).encode())).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7 * 7 }}" in page


@pytest.mark.parametrize("decision", ["conferma", None])
def test_after_a_day_only_numbers_are_left(
    app: Application, officer: FlaskClient, work: Callable[[], None], decision: str | None, hand_in: Callable[..., str]
) -> None:
    where = hand_in(bisogni=needs("N1;;Contrada Segreta 4;;;;90;").encode())
    if decision:
        officer.post(f"{where}/{decision}")
    work()
    assert "Contrada Segreta" in officer.get(where).text
    with app.app_context():
        set_scope(db.session, Scope(ISTAT))
        upload = db.session.exec(select(Upload)).one()
        mine = "procrastinate_jobs where task_name = 'intake.forget'"
        due = db.session.connection().exec_driver_sql(f"select scheduled_at from {mine}").scalar_one()
        assert due == upload.created_at + timedelta(hours=24)
        db.session.connection().exec_driver_sql(
            "update procrastinate_jobs set scheduled_at = now() where task_name = 'intake.forget'"
        )
        db.session.commit()
    work()
    page = officer.get(where).text
    assert "Contrada Segreta" not in page
    assert "I dettagli sono stati cancellati dopo 24 ore" in page
    assert count(app, UploadedFile) == [0]
    assert ("Importato" if decision else "Scartato") in page


def test_the_report_speaks_the_officers_language(officer: FlaskClient, hand_in: Callable[..., str]) -> None:
    where = hand_in(bisogni=needs("N1;;Via Dazio 90;x;;;90;").encode())
    officer.get("/lingua/en")
    assert officer.get(where).status_code == 200
    assert officer.get(f"{where}/rapporto.csv").text.startswith("file;row;column;severity;code;message\n")


def test_files_are_checked_by_a_job_and_the_page_waits_for_it(
    app: Application, officer: FlaskClient, work: Callable[[], None]
) -> None:
    where = send(officer, **the_sample("programmi"))
    page = officer.get(where).text
    assert "Controllo in corso" in page and "programmi.csv" in page and 'http-equiv="refresh"' in page
    assert "<html" not in officer.get(where, headers={"HX-Request": "true"}).text
    assert "In controllo" in officer.get(PAGE).text and "programmi.csv" in officer.get(PAGE).text
    early = officer.post(f"{where}/conferma")
    assert early.status_code == 409 and "non è finito" in early.text
    work()
    assert officer.get(where, headers={"HX-Request": "true"}).headers["HX-Redirect"] == where
    assert "Importa 4 righe" in officer.get(where).text


def test_files_are_thrown_away_while_they_wait_and_the_check_finds_nothing_to_do(
    app: Application, officer: FlaskClient, work: Callable[[], None]
) -> None:
    where = send(officer, **the_sample("programmi"))
    assert officer.post(f"{where}/scarta").status_code == 303
    work()
    assert count(app, UploadedFile) == [0] and "Scartato" in officer.get(where).text


def test_a_check_that_is_killed_or_run_twice_says_the_same(app: Application, officer: FlaskClient) -> None:
    where = send(officer, **the_sample("programmi"))
    upload_id = UUID(where.rpartition("/")[2])
    outcomes = []
    with app.app_context():
        set_scope(db.session, Scope(ISTAT))
        for ends in (db.session.rollback, db.session.commit, db.session.commit):  # killed before its end, then not
            check_upload(db.session, NOW, ISTAT, upload_id)
            outcomes.append(db.session.get_one(Upload, (ISTAT, upload_id)).outcome)
            ends()
    assert outcomes[0] == outcomes[1] == outcomes[2] != "[]"
    assert count(app, UploadedFile, Programme) == [1, 0] and "Importa 4 righe" in officer.get(where).text
