"""A family that wants SMS gives its number, and shows that it has the telephone by the code that is sent there."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.accounts.throttle import count_attempt
from marketplace.db import Scope, seeing
from marketplace.errors import NotFound, Rejected
from marketplace.households.models import Household, MobileNumber
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, tell
from marketplace.messages.sms import mobile_number
from marketplace.sealed import keyring
from marketplace.words import N_

LASTS: Final = timedelta(minutes=30)
CODES_A_DAY: Final = 5
TRIES: Final = 5
CODE = N_("Condiviso: il codice per ricevere gli avvisi su questo numero è %(code)s. Vale 30 minuti.")
SUBJECT = N_("Il codice per gli avvisi")


def find_number(session: Session, by: Actor) -> MobileNumber | None:
    """The household's number, whether or not it has been verified."""
    return session.exec(
        select(MobileNumber).where(
            MobileNumber.municipality_id == by.municipality_id, MobileNumber.household_id == by.household_id
        )
    ).first()


def ask_code(session: Session, by: Actor, now: datetime, text: str, locale: str = "it") -> MobileNumber:
    """Send a code to a number; until it comes back nothing else is sent there. Rejected, TooMany, NotFound.

    Two at once take turns: the second waits for the row that counts the household's tries, then finds the number.
    """
    number = mobile_number(text)
    if by.household_id is None:
        raise NotFound
    if number is None:
        raise Rejected(N_("Scrivi un numero di cellulare, per esempio 347 1234567."), field="number")
    for whose in (str(by.household_id), number):
        count_attempt(session, now, "sms code", whose, CODES_A_DAY, timedelta(days=1))
    code = f"{secrets.randbelow(1_000_000):06}"
    row = find_number(session, by) or MobileNumber(
        municipality_id=by.municipality_id, household_id=by.household_id, number="", number_index=b"", code_hash=b"",
        asked_at=now,
    )  # fmt: skip
    row.number, row.number_index, row.asked_at, row.verified_at = number, keyring.index(number), now, None
    row.code_hash = keyring.index(_coded(number, code))
    session.add(row)
    record(session, by, now, "ask_sms_code", "mobile_number", row.id)
    session.flush()
    to = Recipient("", locale, number)
    key = f"sms code {row.id} {now.isoformat()}"
    tell(session, by.municipality_id, now, to, key, SUBJECT, SUBJECT, {"code": code}, sms=CODE, kind=Kind.URGENT)
    return row


def confirm_number(session: Session, by: Actor, now: datetime, code: str) -> None:
    """From now on the household's messages go to its number. Rejected for a wrong or old code; TooMany."""
    row = find_number(session, by)
    if row is None:
        raise NotFound
    count_attempt(session, now, "sms confirm", str(row.id), TRIES, LASTS)
    given = _coded(row.number, "".join(code.split()))
    if now > row.asked_at + LASTS or not keyring.is_index(row.code_hash, given):
        raise Rejected(N_("Il codice non è giusto, o è scaduto: fattene mandare un altro."), field="code")
    row.verified_at = row.verified_at or now
    session.get_one(Household, (by.municipality_id, row.household_id)).by_letter = False
    record(session, by, now, "confirm_number", "mobile_number", row.id)
    session.flush()


def stop_sms(session: Session, by: Actor, now: datetime) -> None:
    """From now on by e-mail again; the number is forgotten."""
    row = find_number(session, by)
    if row is not None:
        session.delete(row)
        record(session, by, now, "stop_sms", "mobile_number", row.id)
        session.flush()


def households_of_number(session: Session, municipality_id: str, text: str) -> list[MobileNumber]:
    """Whose verified number it is; two households may share a telephone."""
    number = mobile_number(text)
    if number is None:
        return []
    with seeing(session, Scope(municipality_id)):
        found = session.exec(
            select(MobileNumber).where(
                MobileNumber.municipality_id == municipality_id,
                col(MobileNumber.number_index).in_(keyring.indexes(number)),
            )
        ).all()
        return [one for one in found if one.verified_at is not None]


def _coded(number: str, code: str) -> str:
    return f"sms code {number} {code}"
