"""Where an address as people write it is: exactly, as choices when unsure, or nowhere; nothing is guessed silently."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, text
from sqlmodel import Session, col, select

from marketplace.accounts.models import Municipality
from marketplace.errors import NotFound, Rejected
from marketplace.places.models import Address
from marketplace.places.register import (
    TEXT_CHARACTERS_MAX,
    AmbiguousAddress,
    HouseNumber,
    Register,
    UnknownAddress,
    capitalise,
    fold_street,
)

STREETS_MAX = 8
CHOICES_MAX = 5
LETTERS_MIN = 2
# A municipality's streets, jumping from one to the next in the index: those of whose name each typed word begins a
# word, and those that are like what was typed (pg_trgm's threshold).
LIKE_STREETS = text("""
    with recursive street(name) as (
        select min(street_key) from address where municipality_id = :city
        union all
        select (select min(street_key) from address where municipality_id = :city and street_key > name)
        from street where name is not null
    )
    select name, begins
    from street, lateral (
        select ' ' || name like all(:beginnings) as begins, similarity(name, :typed) as likeness
    ) as it
    where begins or likeness > 0.3
    order by begins desc, likeness desc, name
    limit :most
""")


@dataclass(frozen=True, slots=True)
class Choice:
    """A house number of the register: `id` is its row's."""

    id: UUID
    words: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class LookUp:
    """`exact`, or else the `choices` to ask about (the likeliest first) and, when there is one, what is wrong."""

    exact: Choice | None = None
    choices: tuple[Choice, ...] = ()
    problem: Rejected | None = None


def has_register(session: Session, municipality_id: str) -> bool:
    """Whether the municipality's addresses were ever brought in."""
    return (
        session.exec(select(Address.id).where(Address.municipality_id == municipality_id).limit(1)).first() is not None
    )


def get_address(session: Session, municipality_id: str, address_id: UUID) -> Choice:
    """A house number by its row. Raises NotFound."""
    found = session.get(Address, (municipality_id, address_id))
    if found is None:
        raise NotFound
    return _choice(found)


def look_up_address(session: Session, municipality: Municipality, text: str) -> LookUp:
    """The address in the municipality's register that `text` names, or those that it may mean."""
    rows = _near_streets(session, municipality.id, text)
    houses = {_house(row): row for row in rows}
    try:
        found = Register(houses, municipality=municipality.name).find(text)
    except AmbiguousAddress as problem:
        return LookUp(choices=_nearest(rows, text), problem=problem)
    except UnknownAddress as problem:
        return LookUp(choices=_nearest(rows, text), problem=problem)
    likeliest = _choice(houses[found.address])
    if not found.guessed:
        return LookUp(exact=likeliest)
    others = (one for one in _nearest(rows, text) if one.id != likeliest.id)
    return LookUp(choices=(likeliest, *others)[:CHOICES_MAX])


def suggest_addresses(session: Session, municipality_id: str, typed: str) -> list[str]:
    """What an address that is being typed may become, the likeliest first, at most STREETS_MAX.

    Streets (with a space after, ready for the number) until there is a number; then house numbers that begin with it.
    """
    plain = fold_street(typed[:TEXT_CHARACTERS_MAX])
    street, number = re.fullmatch(r"(.*?)(?: ([0-9]{1,6})[^ ]*)?", plain).groups()  # type: ignore[union-attr]
    if len(street) < LETTERS_MIN:
        return []
    names = _like_streets(session, municipality_id, street)
    here = (Address.municipality_id == municipality_id, col(Address.street_key).in_(names))
    if number is None:
        each = select(Address.street_key, func.min(Address.street)).where(*here).group_by(col(Address.street_key))
        spelt = dict(session.exec(each).all())
        return [f"{capitalise(spelt[name])} " for name in names]
    order = {name: rank for rank, name in enumerate(names)}
    houses = session.exec(select(Address).where(*here, col(Address.number).startswith(number))).all()
    likeliest = sorted(houses, key=lambda row: (order[row.street_key], _number(row), row.exponent, row.locality))
    return [_house(row).words() for row in likeliest[:STREETS_MAX]]


def _like_streets(session: Session, municipality_id: str, typed: str) -> list[str]:
    beginnings = [f"% {word}%" for word in typed.split()]
    values = {"city": municipality_id, "typed": typed, "beginnings": beginnings, "most": STREETS_MAX}
    found = session.execute(LIKE_STREETS, values).all()
    begun = [name for name, begins in found if begins]
    return begun or [name for name, _begins in found]


def _near_streets(session: Session, municipality_id: str, text: str) -> Sequence[Address]:
    """Every house number of the streets whose names are most like the one written (trigrams, by index)."""
    plain = fold_street(text)
    without_number = re.sub(r" [0-9]{1,6}(?![0-9]).*$", "", plain)
    names = {plain, without_number} - {""}
    likeness = func.greatest(*(func.similarity(Address.street_key, name) for name in sorted(names)), 0)
    streets = session.exec(
        select(Address.street_key)
        .where(
            Address.municipality_id == municipality_id,
            or_(False, *(col(Address.street_key).op("%")(name) for name in names)),
        )
        .group_by(Address.street_key)
        .order_by(likeness.desc(), Address.street_key)
        .limit(STREETS_MAX)
    ).all()
    order = {street: rank for rank, street in enumerate(streets)}
    rows = session.exec(
        select(Address).where(Address.municipality_id == municipality_id, col(Address.street_key).in_(streets))
    )
    return sorted(rows, key=lambda row: (order[row.street_key], row.locality, _number(row), row.exponent))


def _nearest(rows: Iterable[Address], text: str) -> tuple[Choice, ...]:
    """In each street and locality, in the order of `rows`, the house number nearest to the one written."""
    numbers = re.findall(r"(?<![^\W_])[0-9]{1,6}(?![0-9])", fold_street(text))
    wanted = int(numbers[-1]) if numbers else 1
    best: dict[tuple[str, str], Address] = {}
    for row in rows:
        street = (row.street_key, row.locality)
        if street not in best or abs(_number(row) - wanted) < abs(_number(best[street]) - wanted):
            best[street] = row
    return tuple(_choice(row) for row in best.values())[:CHOICES_MAX]


def _number(row: Address) -> int:
    return int(row.number) if row.number.isdecimal() else 0


def _house(row: Address) -> HouseNumber:
    return HouseNumber(row.street, row.locality, _number(row), row.exponent, row.lat, row.lon)


def _choice(row: Address) -> Choice:
    return Choice(row.id, str(_house(row)), row.lat, row.lon)
