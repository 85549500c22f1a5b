"""`python -m tests.benchmarks.billing`: a month of 100,000 meetings and 30,000 families closed, audited, printed.

Beside the closing, in the same run, the floor: the bare SQL that adds up who came to what, which any closing must do.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, event, text
from sqlmodel import Session

from marketplace.accounts.models import Actor, Role
from marketplace.db import Scope, set_scope
from marketplace.installation import Installation
from marketplace.jobs import plain
from marketplace.sealed import keyring
from marketplace.statements.audit import audit
from marketplace.statements.operations import close_month
from tests import database

CITY, NOVEMBER, CLOSED_AT = "035033", date(2026, 11, 1), datetime(2026, 12, 1, 8, tzinfo=UTC)
FLOOR = """
    select m.household_id, count(*), sum(s.rate_cents_per_hour * (m.end_minute - m.start_minute) / 60)
    from meeting mt join slot s on s.municipality_id = mt.municipality_id and s.id = mt.slot_id
    join membership m on m.municipality_id = mt.municipality_id and m.slot_id = mt.slot_id
    join attendance a on a.municipality_id = mt.municipality_id and a.meeting_id = mt.id and a.membership_id = m.id
    where mt.municipality_id = '035033' and mt.held_on < '2026-12-01' and a.presence <> 'absent_notified' group by 1"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meetings", type=int, default=100_000)
    parser.add_argument("--families", type=int, default=30_000)
    parser.add_argument("--receipts", type=int, default=10_000)
    arguments = parser.parse_args()
    keyring.unlock(list(database.KEYS))
    with database.running_server() as server, database.copied(server, database.migrated_template(server)) as mine:
        with timed("city made"):
            make_city(mine, arguments.meetings, arguments.families)
        measure(mine)
    if arguments.receipts:
        measure_receipts(arguments.receipts)


def make_city(mine: Installation, meetings: int, families: int) -> None:
    """A city of that size, by the set."""
    script = Path(__file__).with_name("city.sql").read_text()
    for name, number in (("meetings", meetings), ("families", families), ("groups", meetings // 4)):
        script = script.replace(f":{name}", str(number))
    with psycopg.connect(plain(mine.owner_url), autocommit=True) as connection:
        connection.execute(script)  # type: ignore[arg-type]


def measure(mine: Installation) -> None:
    """Floor, closing and audit, with their queries and memory."""
    engine = create_engine(mine.app_url)
    asked = [0]

    @event.listens_for(engine, "before_cursor_execute")
    def count(*_: Any) -> None:
        asked[0] += 1

    with Session(engine) as session:
        set_scope(session, Scope(CITY))
        for _ in range(2):
            with timed("floor: the bare aggregate"):
                families = len(session.connection().execute(text(FLOOR)).all())
        asked[0], before = 0, peak_mb()
        with timed(f"month closed ({families} families)"):
            closing = close_month(session, Actor(CITY, Role.OFFICER), CLOSED_AT, CITY, NOVEMBER)
            session.commit()
        say(f"  {closing.totals}")
        say(f"  {asked[0]} queries, memory {before:.0f} -> {peak_mb():.0f} MB")
        with timed("books audited"):
            found = list(audit(session, CITY))
        say(f"  {len(found)} differences, memory {peak_mb():.0f} MB")
        for one in found[:5]:
            say(f"  {one}")
    engine.dispose()


def measure_receipts(count: int) -> None:
    """Receipts as PDF on two processes."""
    from tests.benchmarks.receipts import print_receipts

    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        sizes = list(pool.map(print_receipts, [count // 2, count - count // 2]))
    seconds = time.perf_counter() - began
    size = sum(sizes) / count / 1024
    say(f"{count} receipts as PDF: {seconds:.1f} s, {count / seconds:.0f} a second, {size:.0f} kB each")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long it took, and how much of that this process itself computed (the rest is the database's)."""
    began, computed = time.perf_counter(), time.process_time()
    yield
    say(f"{what}: {time.perf_counter() - began:.1f} s, {time.process_time() - computed:.1f} s of CPU here")


def peak_mb() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


say: Callable[[str], None] = lambda line: print(line, flush=True)  # noqa: E731, T201


if __name__ == "__main__":
    main()
