"""Whatever an older key has sealed gets the newest one's head, while web and workers run: a value is never unreadable.

Each batch is a transaction, so that whoever is killed leaves whole rows, and the next one goes on from them.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from marketplace.messages.choices import indexes_of
from marketplace.sealed import FORM, HEAD_BYTES, MARK_BYTES, CannotOpen, IndexOf, SealedBytes, SealedText, keyring

BATCH: Final = 200
FILES_A_BATCH: Final = 4  # of many megabytes each
PASSES: Final = 20
PAUSE_SECONDS: Final = 0.5  # for whoever holds a row that was passed over
ADDRESSES: Final = (
    "select email from user_account union select email from household where email is not null"
    " union select email from provider where email is not null"
)
CARRIED: Final = """
with known as (delete from mail_choice where municipality_id = :city and address_index = :old returning *)
insert into mail_choice (municipality_id, address_index, is_daily, no_optional, changed_at)
select municipality_id, :new, is_daily, no_optional, changed_at from known
on conflict on constraint one_mail_choice do update set no_optional = mail_choice.no_optional or excluded.no_optional
"""


@dataclass(frozen=True)
class Sealed:
    """A table's sealed columns, and of those that have one the column of the blind index, with its type."""

    table: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    indexes: dict[str, tuple[str, IndexOf]]
    batch: int
    is_global: bool

    @property
    def old(self) -> str:
        """SQL: whether a row has a value that the newest key has not sealed."""
        return "(" + " or ".join(f"substring({one}, 1, {MARK_BYTES}) <> :mark" for one in self.columns) + ")"

    @property
    def of(self) -> str:
        """SQL: the rows of one municipality."""
        return "true" if self.is_global else "municipality_id = :city"


def sealed_tables() -> list[Sealed]:
    """Every table with a sealed column, as the models say."""
    import_module("marketplace.models")  # by name, as it knows the rooms above this one
    found = []
    for table in SQLModel.metadata.sorted_tables:
        columns = [one for one in table.columns if isinstance(one.type, (SealedText, SealedBytes))]
        if columns:
            found.append(
                Sealed(
                    table.name,
                    tuple(one.name for one in table.primary_key),
                    tuple(one.name for one in columns),
                    {one.type.column: (one.name, one.type) for one in table.columns if isinstance(one.type, IndexOf)},
                    FILES_A_BATCH if any(isinstance(one.type, SealedBytes) for one in columns) else BATCH,
                    "municipality_id" not in table.columns,
                )
            )
    return found


def rotate(owner_url: str, say: Callable[[str], None]) -> int:
    """Seal anew what the newest key has not sealed, saying how many values of each column; 1 if some are left.

    Left are those that no key of SECRET_KEYS opens, and rows that somebody held all the time.
    """
    done: Counter[str] = Counter()
    with create_engine(owner_url, poolclass=NullPool).connect() as owner:
        for one in sealed_tables():
            for city in _cities(owner, one):
                done += _rotate_table(owner, one, city)
        for city in _cities(owner):
            _carry_choices(owner, city)
        left = count_old(owner, keyring.mark)
    for name, count in sorted(done.items()):
        say(f"{name}: {count}")
    for name, count in left.items():
        say(f"!!  {name}: {count} ancora con un'altra chiave: non è in SECRET_KEYS, o le righe erano occupate")
    return 1 if left else 0


def count_old(owner: Connection, mark: bytes) -> dict[str, int]:
    """How many values of each sealed column need another key than that of `mark`; only where there are any."""
    counts: Counter[str] = Counter()
    for one in sealed_tables():
        numbers = (f"count(*) filter (where substring({name}, 1, {MARK_BYTES}) <> :mark)" for name in one.columns)
        query = text(f"select {', '.join(numbers)} from {one.table} where {one.of}")  # noqa: S608 (our own names)
        for city in _cities(owner, one):
            with _seeing(owner, city):
                row = owner.execute(query, {"mark": mark} | ({} if one.is_global else {"city": city})).one()
            counts.update({f"{one.table}.{name}": count for name, count in zip(one.columns, row, strict=True)})
    return {name: count for name, count in counts.items() if count}


def _rotate_table(owner: Connection, one: Sealed, city: str) -> Counter[str]:
    """Pass over the table until nothing is old; rows that others hold wait for the next pass, and nobody for us."""
    done: Counter[str] = Counter()
    is_old = text(f"select exists (select 1 from {one.table} where {one.of} and {one.old})")  # noqa: S608
    for _ in range(PASSES):
        last: dict[str, Any] | None = None
        while True:
            with _seeing(owner, city):
                rows = _take(owner, one, city, last)
                sealed = Counter(name for row in rows for name in _reseal(owner, one, row))
            if not rows:
                break
            done += sealed
            last = {key: rows[-1][key] for key in one.keys}
        with _seeing(owner, city):
            if not owner.execute(is_old, _values(one, city)).scalar_one():
                break
        time.sleep(PAUSE_SECONDS)
    return done


def _take(owner: Connection, one: Sealed, city: str, last: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The next rows with an old value, locked: of each value the head, or all of it where all is needed."""
    parts = list(one.keys)
    for name in one.columns:
        whole = "true" if name in one.indexes else f"substring({name}, 1, {len(FORM)}) <> :form"
        parts.append(
            f"case when substring({name}, 1, {MARK_BYTES}) = :mark then null"
            f" when {whole} then {name} else substring({name}, 1, {HEAD_BYTES}) end as {name}"
        )
    after = f"({', '.join(one.keys)}) > ({', '.join(f':{key}' for key in one.keys)})" if last else "true"
    query = (
        f"select {', '.join(parts)} from {one.table} where {one.of} and {one.old} and {after}"  # noqa: S608
        f" order by {', '.join(one.keys)} limit {one.batch} for update skip locked"
    )
    found = owner.execute(text(query), _values(one, city) | {"form": FORM} | (last or {}))
    return [dict(row) for row in found.mappings()]


def _reseal(owner: Connection, one: Sealed, row: dict[str, Any]) -> Iterator[str]:
    """Give a row's old values the newest head; one that no key opens stays as it is. The names of what was done."""
    sets: list[str] = []
    values = {f"key_{key}": row[key] for key in one.keys}
    for name in one.columns:
        if row[name] is None:
            continue
        sealed = bytes(row[name])
        try:
            plain = keyring.open(sealed) if name in one.indexes or not sealed.startswith(FORM) else b""
            is_envelope = sealed.startswith(FORM)
            values[name] = keyring.rewrap(sealed[:HEAD_BYTES]) if is_envelope else keyring.seal(plain)
        except CannotOpen:
            continue
        sets.append(f"{name} = :{name}" + (f" || substring({name}, {HEAD_BYTES + 1})" if is_envelope else ""))
        if name in one.indexes:
            index, kind = one.indexes[name]
            sets.append(f"{index} = :{index}")
            values[index] = kind.index(plain.decode())
        yield f"{one.table}.{name}"
    if sets:
        mine = " and ".join(f"{key} = :key_{key}" for key in one.keys)
        owner.execute(text(f"update {one.table} set {', '.join(sets)} where {mine}"), values)  # noqa: S608


def _values(one: Sealed, city: str) -> dict[str, Any]:
    return {"mark": keyring.mark} if one.is_global else {"mark": keyring.mark, "city": city}


def _carry_choices(owner: Connection, city: str) -> None:
    """What people chose for their mail stands under an index of the address alone: it follows each address we know."""
    with _seeing(owner, city):
        for email in owner.execute(text(ADDRESSES)).scalars().all():
            new, *older = indexes_of(email)
            for old in older:
                owner.execute(text(CARRIED), {"new": new, "old": old, "city": city})


def _cities(owner: Connection, one: Sealed | None = None) -> list[str]:
    """Whose rows a table has, each in its turn: an owner who is no superuser is held by row-level security too."""
    if one is not None and one.is_global:
        return [""]
    with owner.begin():
        return list(owner.execute(text("select id from municipality order by id")).scalars())


@contextmanager
def _seeing(owner: Connection, city: str) -> Iterator[None]:
    """A transaction that sees one municipality."""
    with owner.begin():
        owner.execute(text("select set_config('app.municipality', :city, true)"), {"city": city})
        yield
