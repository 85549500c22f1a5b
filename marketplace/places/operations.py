"""The register of addresses goes in whole and is read whole: an address is known by street, locality and number."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col

from marketplace.accounts.models import Municipality
from marketplace.places.models import Address
from marketplace.places.register import HouseNumber, Register, fold_exponent, fold_street

_COLUMNS = "street, locality, number, exponent, street_key, number_key, lat, lon"
_FILE_TABLE = f"create temp table register_file on commit drop as select {_COLUMNS} from address where false"  # noqa: S608
_SAME = """a.municipality_id = :municipality and a.street_key = f.street_key
    and a.number_key = f.number_key and a.locality = f.locality"""
_UPDATE = f"""update address a set street = f.street, number = f.number, exponent = f.exponent, lat = f.lat, lon = f.lon
    from register_file f where {_SAME} and (a.street, a.number, a.exponent, a.lat, a.lon)
    is distinct from (f.street, f.number, f.exponent, f.lat, f.lon)"""  # noqa: S608
_INSERT = f"""insert into address (municipality_id, {_COLUMNS}) select cast(:municipality as varchar), {_COLUMNS}
    from register_file f where not exists (select from address a where {_SAME})"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class RegisterChange:
    """What a file did to the register."""

    new: int
    changed: int
    same: int


def number_key(number: int | str, exponent: str) -> str:
    """A house number as it is looked up: `90/h`, `2/1`, `5`."""
    folded = fold_exponent(exponent)
    return f"{number}/{folded}" if folded else f"{number}"


def save_register(session: Session, municipality_id: str, houses: Iterable[HouseNumber]) -> RegisterChange:
    """Put a file's addresses into the register by COPY: new ones go in, moved ones are updated, none is taken out.

    COPY cannot write to a table with row-level security, so it fills a temporary one.
    """
    connection = session.connection()
    connection.execute(sa.text(_FILE_TABLE))
    count = 0
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the session has no connection")
    with driver.cursor() as cursor, cursor.copy(f"copy register_file ({_COLUMNS}) from stdin") as copy:
        keys: dict[str, str] = {}
        seen: set[tuple[str, str, str]] = set()
        for house in houses:
            street_key = keys.get(house.street) or keys.setdefault(house.street, fold_street(house.street))
            key = (street_key, house.locality, number_key(house.number, house.exponent))
            if key in seen:
                continue
            seen.add(key)
            count += 1
            copy.write_row(
                (house.street, house.locality, str(house.number), house.exponent, key[0], key[2], house.lat, house.lon)
            )
    parameters = {"municipality": municipality_id}
    changed = connection.execute(sa.text(_UPDATE), parameters).rowcount
    new = connection.execute(sa.text(_INSERT), parameters).rowcount
    connection.execute(sa.text("drop table register_file"))
    return RegisterChange(new, changed, count - new - changed)


def load_register(session: Session, municipality_id: str) -> Register:
    """The municipality's register in memory, to find what people write."""
    rows = session.connection().execute(
        sa.select(
            col(Address.street), col(Address.locality), col(Address.number),
            col(Address.exponent), col(Address.lat), col(Address.lon),
        ).where(col(Address.municipality_id) == municipality_id).order_by(col(Address.id))
    )  # fmt: skip
    houses = (
        HouseNumber(street, locality, int(number) if number.isdecimal() else 0, exponent, lat, lon)
        for street, locality, number, exponent, lat, lon in rows
    )
    municipality = session.get_one(Municipality, municipality_id)
    return Register(houses, municipality.name)
