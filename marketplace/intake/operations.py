"""A city's files go in, in their order: each row in a savepoint of its own, good ones whole, bad ones reported."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from sqlmodel import Session

from marketplace.accounts.models import Actor, Municipality
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.db import Scope, set_scope
from marketplace.errors import Rejected
from marketplace.intake.families import Families
from marketplace.intake.reading import Reading
from marketplace.intake.report import Finding, Severity
from marketplace.intake.rows import (
    NeedRow,
    ProviderRow,
    VenueRow,
    is_in,
    read_house,
    read_need,
    read_programme,
    read_provider,
    read_venue,
)
from marketplace.intake.storing import Change, Intake, Programmes, Providers, Venues
from marketplace.intake.tables import KINDS, Source, Table, Unreadable, find_kind, read_table
from marketplace.places.atlas import find_city
from marketplace.places.operations import save_register
from marketplace.places.register import HouseNumber
from marketplace.words import N_

T = TypeVar("T")


class UnknownMunicipality(Rejected):
    """No municipality has that ISTAT code."""

    default = N_("Nessun comune ha il codice ISTAT «%(code)s»: scrivi le sei cifre, per esempio 006003.")


@dataclass(slots=True)
class FileOutcome:
    """What one file did: `codes` of the rows that went in, by change; `refusal` if it could not be read at all."""

    name: str
    table: Table | None = None
    refusal: Unreadable | None = None
    counts: Counter[Change] = field(default_factory=Counter)
    changed_codes: list[str] = field(default_factory=list)
    kept_codes: list[str] = field(default_factory=list)
    stopped: int = 0
    elsewhere: int = 0
    repeated: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def warnings(self) -> int:
        """How many findings stop nothing."""
        return sum(finding.severity is Severity.WARNING for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import did, file by file."""

    files: Sequence[FileOutcome]

    @property
    def findings(self) -> list[Finding]:
        """The lines of the report."""
        return [finding for file in self.files for finding in file.findings]

    @property
    def readable(self) -> bool:
        """Whether every file was a table."""
        return not any(file.refusal for file in self.files)


def ensure_municipality(session: Session, now: datetime, istat: str) -> Municipality:
    """The municipality of an ISTAT code, made with its name and outline if it is new; the session is scoped to it.

    Raises UnknownMunicipality.
    """
    found = session.get(Municipality, istat)
    if found is None:
        city = find_city(istat)
        if city is None:
            raise UnknownMunicipality(code=istat)
        found = Municipality(
            id=city.istat,
            name=city.name,
            cadastral_code=city.cadastral_code,
            lat=city.lat,
            lon=city.lon,
            outline=city.outline,
            created_at=now,
        )
        session.add(found)
        session.flush()
    set_scope(session, Scope(istat))
    return found


def read_sources(sources: Iterable[Source]) -> list[FileOutcome]:
    """Each file as a table or a refusal, in the order in which they must go in; two files of one kind are refused."""
    files = []
    for source in sources:
        try:
            files.append(FileOutcome(source.name, read_table(source.name, source.data)))
        except Unreadable as refusal:
            files.append(FileOutcome(source.name, refusal=refusal))
    kinds = Counter(_kind_name(file) for file in files)
    for file in files:
        if file.table and kinds[_kind_name(file)] > 1:
            file.table = None
            file.refusal = Unreadable(N_("Ci sono due file dello stesso tipo: lasciane uno solo."))
    order = [kind.name for kind in KINDS]
    return sorted(files, key=lambda file: order.index(_kind_name(file)) if _kind_name(file) in order else len(order))


def _kind_name(file: FileOutcome) -> str:
    kind = file.table.kind if file.table else find_kind(file.name)
    return kind.name if kind else file.name


def import_files(
    session: Session,
    by: Actor,
    now: datetime,
    today: date,
    sources: Iterable[Source],
    begins: Callable[[FileOutcome], None] = lambda file: None,
) -> Outcome:
    """Bring files into the actor's municipality; `today` decides which certificates have expired.

    The caller commits or rolls back. A file that cannot be read is refused whole; the others go in. `begins` hears of
    each file before it goes in.
    """
    # Two imports of one city at once would both make what neither has seen of the other's.
    session.connection().exec_driver_sql("select pg_advisory_xact_lock(7202, %s)", (int(by.municipality_id),))
    files = read_sources(sources)
    intake = Intake(session, by, now, today, get_policy(session, by.municipality_id, today))
    for file in files:
        if file.table:
            begins(file)
            _IMPORTS[file.table.kind.name](intake, file, file.table)
            new, changed = file.counts[Change.NEW], file.counts[Change.CHANGED]
            if new or changed:
                record(
                    session, by, now, "import_file", "municipality", file=file.table.kind.name, new=new, changed=changed
                )
    session.flush()
    return Outcome(files)


def preview_files(session: Session, by: Actor, now: datetime, today: date, sources: Iterable[Source]) -> Outcome:
    """What `import_files` would do; nothing stays."""
    with session.begin_nested() as attempt:
        outcome = import_files(session, by, now, today, sources)
        attempt.rollback()
    return outcome


def _import_register(intake: Intake, file: FileOutcome, table: Table) -> None:
    houses: list[HouseNumber] = []
    here = is_in(intake.municipality_id)
    for row in table.rows:
        if not here(table, row):
            file.elsewhere += 1
            continue
        reading = Reading(table, row)
        house = read_house(reading)
        file.findings += reading.findings
        if reading.stopped:
            file.stopped += 1
        else:
            houses.append(house)
    done = save_register(intake.session, intake.municipality_id, houses)
    file.repeated = len(houses) - done.new - done.changed - done.same
    file.counts.update({Change.NEW: done.new, Change.CHANGED: done.changed, Change.SAME: done.same})


def _import_rows(
    intake: Intake, file: FileOutcome, table: Table, read: Callable[[Reading], T], put: Callable[[T], Change]
) -> None:
    """Every row by itself: read it, and if nothing stops it, write it within a savepoint."""
    seen: set[str] = set()
    for row in table.rows:
        reading = Reading(table, row).keyed(seen)
        record_ = read(reading)
        file.findings += reading.findings
        if reading.stopped:
            file.stopped += 1
            continue
        with intake.session.begin_nested():
            done = put(record_)
        file.counts[done] += 1
        if done is Change.CHANGED:
            file.changed_codes.append(reading.code)
        elif done is Change.KEPT:
            file.kept_codes.append(reading.code)


def _import_programmes(intake: Intake, file: FileOutcome, table: Table) -> None:
    _import_rows(intake, file, table, read_programme, Programmes(intake).put)


def _import_venues(intake: Intake, file: FileOutcome, table: Table) -> None:
    def read(reading: Reading) -> VenueRow:
        return read_venue(reading, intake.register, intake.defaults)

    _import_rows(intake, file, table, read, Venues(intake).put)


def _import_providers(intake: Intake, file: FileOutcome, table: Table) -> None:
    providers = Providers(intake)

    def read(reading: Reading) -> ProviderRow:
        return read_provider(reading, intake.register, intake.defaults, providers.venue_ids, intake.today)

    _import_rows(intake, file, table, read, providers.put)


def _import_needs(intake: Intake, file: FileOutcome, table: Table) -> None:
    def read(reading: Reading) -> NeedRow:
        return read_need(reading, intake.register, intake.defaults)

    _import_rows(intake, file, table, read, Families(intake).put)


_IMPORTS: Mapping[str, Callable[[Intake, FileOutcome, Table], None]] = {
    "indirizzi": _import_register,
    "programmi": _import_programmes,
    "sedi": _import_venues,
    "professionisti": _import_providers,
    "bisogni": _import_needs,
}
