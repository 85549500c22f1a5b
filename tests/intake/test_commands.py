"""The two commands, as an officer's technician runs them."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.installation import Installation
from matching.formats import read_instance
from tests.conftest import KEYS
from tests.intake.city import FAULTS, FOLDER, ISTAT


@pytest.fixture
def run(installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs `marketplace` on this test's database."""
    monkeypatch.setenv("DATABASE_URL", installation.owner_url)
    monkeypatch.setenv("VAR", str(tmp_path / "var"))
    monkeypatch.setenv("SECRET_KEYS", KEYS[0])

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


def importing(folder: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("import", folder, "--municipality", ISTAT, "--today", "2026-11-22", *more)


def test_a_city_goes_in_and_its_needs_come_out(run, tmp_path: Path) -> None:
    report = tmp_path / "r.csv"
    first = run(*importing(FOLDER, "--report", report))
    assert first.exit_code == 0, first.output
    assert [line.rsplit(";", 1)[0] for line in report.read_text("utf-8").splitlines()] == FAULTS
    assert "bisogni.csv: 300 righe; 283 nuove, 0 aggiornate, 0 invariate, 17 con errori, 0 avvisi." in first.stdout
    assert first.stdout.count("annotazioni ufficio") == 4
    assert "Leggo indirizzi.csv.\n" in first.stderr
    again = run(*importing(FOLDER))
    assert again.exit_code == 0
    assert "bisogni.csv: 300 righe; 0 nuove, 0 aggiornate, 283 invariate, 17 con errori, 0 avvisi." in again.stdout
    assert "riga 274, email: " in again.stdout
    for name in ("i.json", "i.json.gz"):
        out = tmp_path / name
        exported = run("export-instance", "--municipality", ISTAT, "--today", "2026-11-22", "--out", out)
        assert exported.exit_code == 0, exported.output
        assert len(read_instance(out).needs) == 283
    assert json.loads(gzip.decompress((tmp_path / "i.json.gz").read_bytes()))["format"] == "instance/1"


def test_a_dry_run_writes_nothing(run, tmp_path: Path) -> None:
    assert "283 nuove" in run(*importing(FOLDER, "--dry-run")).stdout
    refused = run("export-instance", "--municipality", ISTAT, "--out", tmp_path / "i.json")
    assert refused.exit_code == 1
    assert "marketplace import" in refused.stderr


def test_a_file_that_cannot_be_read_is_exit_1_and_the_others_go_in(run, tmp_path: Path) -> None:
    (tmp_path / "INDIRIZZI.CSV").write_bytes((FOLDER / "indirizzi.csv").read_bytes())
    (tmp_path / "bisogni.csv").write_bytes(b"<html><body>404</body></html>")
    (tmp_path / "altro.txt").write_text("x")
    result = run(*importing(tmp_path))
    assert result.exit_code == 1
    assert "INDIRIZZI.CSV: 453 righe; 453 nuove" in result.stdout
    assert "bisogni.csv: non letto. È una pagina web" in result.stdout


def test_what_cannot_be_done_is_one_line_and_nothing_goes_in(run, tmp_path: Path) -> None:
    for arguments, words in (
        (importing(tmp_path), "nessuno dei file"),
        (importing(tmp_path / "nowhere"), "nessuno dei file"),
        (("import", FOLDER, "--municipality", "999999"), "999999"),
        (importing(FOLDER, "--report", tmp_path / "no" / "r.csv"), "Non si può scrivere"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert "283 nuove" in run(*importing(FOLDER)).stdout
