"""`make load`: requests a second and their times on a city of 20,000 families and 2,000 providers, beside a bare page.

The site is `marketplace web` as it is served; the bare page is served the same way, from the same database, in the same
run; locust runs beside both, on the same machine, which costs them some of it.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from sqlalchemy import create_engine
from sqlmodel import Session, col, select

from marketplace import create_app
from marketplace.accounts.models import Role, User, Way
from marketplace.accounts.sessions import begin_session
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.accounts.signing import SEEN, TOKEN
from marketplace.config import Settings, settings_from
from marketplace.db import Scope, set_scope
from marketplace.households.models import Household
from marketplace.installation import open_installation
from marketplace.jobs import plain
from marketplace.providers.models import Provider

ROOT = Path(__file__).parents[2]
CITY = "035033"
FAMILIES, GROUPS = 20_000, 32_000  # sixteen groups a provider
PEOPLE = 200
SITE_PORT, BARE_PORT = 8139, 8138


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=300)
    arguments = parser.parse_args()
    folder = ROOT / "build" / "load"
    settings = settings_from({"VAR": str(folder / "var"), "PORT": str(SITE_PORT), "SECRET_KEYS": "k" * 40})
    with open_installation(settings) as installation:
        make_city(installation.owner_url)
        people, someone = sign_in(settings, installation.app_url)
        (folder / "people.json").write_text(json.dumps(people))
        environment = os.environ | {
            "VAR": str(settings.var),
            "PORT": str(SITE_PORT),
            "SECRET_KEYS": "k" * 40,
            "LOAD_PEOPLE": str(folder / "people.json"),
            "LOAD_USER": someone,
            "LOAD_URL": installation.app_url,
        }
        with served([sys.executable, "-c", "from marketplace.cli import main; main(['web'])"], SITE_PORT, environment):
            say(run(folder, environment, SITE_PORT, arguments.users, arguments.minutes, "locustfile.py"))
        bare = ["gunicorn", "--workers=2", "--threads=8", "--worker-class=gthread", f"--bind=127.0.0.1:{BARE_PORT}"]
        code = "import os; from tests.load.bare import bare_app; app = bare_app(os.environ['LOAD_URL'])"
        (folder / "bare_site.py").write_text(f"{code}\n")
        bare = [str(Path(sys.executable).with_name("gunicorn")), *bare[1:], f"--pythonpath={folder}", "bare_site:app"]
        with served(bare, BARE_PORT, environment | {"PYTHONPATH": str(ROOT)}):
            say(run(folder, environment, BARE_PORT, 16, min(1, arguments.minutes), "locustfile_bare.py"))


def make_city(owner_url: str) -> None:
    """The city of the benchmark of closings, if it is not there yet; nothing of it is real."""
    with psycopg.connect(plain(owner_url), autocommit=True) as connection:
        if connection.execute("select 1 from municipality").fetchone():
            return
        script = (ROOT / "tests" / "benchmarks" / "city.sql").read_text()
        for name, number in (("families", FAMILIES), ("groups", GROUPS)):
            script = script.replace(f":{name}", str(number))
        connection.execute(script)  # type: ignore[arg-type]
        connection.execute("analyze")


def sign_in(settings: Settings, app_url: str) -> tuple[dict[str, list[str]], str]:
    """Cookies of people of each role who are signed in, and somebody's id."""
    app, engine, now = create_app(settings, app_url), create_engine(app_url), datetime.now(UTC)
    signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookies: dict[str, list[str]] = {"family": [], "provider": [], "officer": []}
    user: User | None = None
    with Session(engine) as session:
        set_scope(session, Scope(CITY))
        households = session.exec(select(Household.id).order_by(col(Household.id)).limit(PEOPLE)).all()
        providers = session.exec(select(Provider.id).order_by(col(Provider.id)).limit(PEOPLE)).all()
        wanted = [(Role.FAMILY, one, None) for one in households]
        wanted += [(Role.PROVIDER, None, one) for one in providers]
        wanted += [(Role.OFFICER, None, None)] * 5
        for number, (role, household_id, provider_id) in enumerate(wanted):
            user = add_user(session, now, f"load{number}.{now.timestamp():.0f}@example.org", "Load")
            appoint(session, now, user.id, CITY, role, household_id=household_id, provider_id=provider_id)
            _row, token = begin_session(session, now, user, Way.LINK, True)
            cookie = {"_user_id": user.fs_uniquifier, "_fresh": True, TOKEN: token, SEEN: int(now.timestamp())}
            cookies[role.value].append(signer.dumps(cookie))
        session.commit()
        assert user is not None
        return cookies, str(user.id)


@contextmanager
def served(command: Sequence[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """A site in processes of its own, until the end."""
    with (ROOT / "build" / "load" / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def run(
    folder: Path, environment: dict[str, str], port: int, users: int, minutes: float, file: str
) -> list[dict[str, str]]:
    """One run of locust; its table."""
    locust = shutil.which("locust", path=str(ROOT / "build" / "tools" / "bin"))
    assert locust, "make load"
    with (folder / "locust.log").open("wb") as log:
        subprocess.run(
        [locust, "--headless", "--only-summary", "--locustfile", ROOT / "tests" / "load" / file,
         "--host", f"http://127.0.0.1:{port}", "--users", str(users), "--spawn-rate", str(max(1, users // 10)),
         "--run-time", f"{round(minutes * 60)}s", "--csv", folder / f"{port}", "--reset-stats",
         "--exit-code-on-error", "0"],
        env=environment, check=True, stdout=log, stderr=log,
        )  # fmt: skip
    with (folder / f"{port}_stats.csv").open() as table:
        return list(csv.DictReader(table))


def say(table: list[dict[str, str]]) -> None:
    """One line a page: requests, failures, requests a second, milliseconds at 50, 95 and 99 per cent."""
    for row in table:
        rate = float(row["Requests/s"])
        line = f"{row['Name']:28} {row['Request Count']:>7} {row['Failure Count']:>5} {rate:8.1f}/s"
        sys.stdout.write(f"{line} {row['50%']:>6} {row['95%']:>6} {row['99%']:>6} ms\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
