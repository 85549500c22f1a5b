"""The municipality's program of docs/api.md runs as it stands, and a second start does nothing twice."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import select
from werkzeug.serving import make_server

from marketplace.accounts.models import Role
from marketplace.db import Scope, db, set_scope
from marketplace.providers.models import Provider
from marketplace.rounds.models import Round
from marketplace.vouchers.models import Programme
from marketplace.web import Application
from tests.api.keys import key_of
from tests.city import CITY, add_need, found_city

SHEET = "codice;nome;servizio;budget_settimana;isee_max;percentuale\nCENTRI;Centri estivi;ripetizioni;500,00;15000;50\n"


@pytest.mark.slow
def test_the_municipalitys_night_runs_as_it_stands_and_twice_is_once(
    app: Application, work: Callable[[], None], tmp_path: Path
) -> None:
    with app.app_context():
        found_city(db.session)
        db.session.exec(select(Provider)).one().certificate_expires = date(2099, 12, 31)
        for code in ("n1", "n2"):
            add_need(db.session, code)
        key = key_of(Role.OFFICER)["Authorization"].removeprefix("Bearer ")
        db.session.commit()
    (program,) = re.findall(r"```python\n(\"\"\"A municipality's night.*?)```", Path("docs/api.md").read_text(), re.S)
    (tmp_path / "programmi.csv").write_text(SHEET)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        env = {"CONDIVISO": f"http://127.0.0.1:{server.port}", "KEY": key, "NIGHT": "monday", "MONTH": "2026-01"}
        told = [run(program, tmp_path, env, work) for _ in range(2)]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    for said in told:
        assert re.search(r"programmes: 1\nserved: \d of 2\nthe municipality owes: 0 cents\naccredited ", said), said
    assert (tmp_path / "report-2026-01.csv").read_text().startswith("kind,name,meetings,cents")
    with app.app_context():
        set_scope(db.session, Scope(CITY))
        assert len(db.session.exec(select(Round)).all()) == 1
        assert [one.code for one in db.session.exec(select(Programme))] == ["CENTRI"]


def run(program: str, folder: Path, env: dict[str, str], work: Callable[[], None]) -> str:
    """What the program says, while the city's jobs are done."""
    started = subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for _ in range(100):
        work()
        try:
            out, err = started.communicate(timeout=0.3)
        except subprocess.TimeoutExpired:
            continue
        assert started.returncode == 0, err
        return out
    started.kill()
    raise AssertionError("it has not ended")
