"""The sample city in the tests: its files, and what was put wrong into them."""

from datetime import UTC, date, datetime
from pathlib import Path

from marketplace.accounts.models import Actor
from marketplace.intake.tables import KINDS, Source

FOLDER = Path(__file__).parent / "alessandria"
ISTAT = "006003"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
BY = Actor(ISTAT)
FAULTS = (FOLDER / "expected.csv").read_text().splitlines()


def sources(**changed: str | None) -> list[Source]:
    """The city's five files; `bisogni=text` puts another text in the place of one, None leaves it out."""
    files = []
    for kind in KINDS:
        text = changed.get(kind.name, "")
        if text is not None:
            path = FOLDER / f"{kind.name}.csv"
            files.append(Source(path.name, text.encode() if text else path.read_bytes()))
    return files


def needs(*rows: str) -> str:
    """A small bisogni.csv; each row is `codice;cf;indirizzo;eta;classe;isee;durata;prezzo_max_ora`."""
    header = "cognome;nome;servizio;disponibilita;codice;codice_fiscale;indirizzo;eta;classe;isee;durata;prezzo_max_ora"
    return "\n".join([header, *(f"Rossi;Maria;ripetizioni;lun 15-19;{row}" for row in rows)])
