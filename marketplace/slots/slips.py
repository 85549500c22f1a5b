"""The reply slip of a letter: twelve digits that name one proposal, the last of them a check against mistyping.

Whoever types the code at the desk acts for the family, on record as such, and the family is told.
"""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record, sign_as
from marketplace.errors import Forbidden, Rejected
from marketplace.messages.models import Channel, Message
from marketplace.sealed import keyring
from marketplace.slots.models import Proposal
from marketplace.slots.notices import tell_answer_taken
from marketplace.slots.operations import accept_proposal, decline_proposal
from marketplace.words import N_

DIGITS: Final = 12
BY_SLIP: Final = "by the slip of a letter"
MISTYPED: Final = N_("Il codice non torna: sono dodici cifre, ricontrollale sul tagliando.")
UNKNOWN: Final = N_("Nessuna lettera ha questo codice: cerca la famiglia per nome.")
DESK: Final = (Role.OPERATOR, Role.OFFICER)


def slip_code(municipality_id: str, proposal_id: UUID) -> str:
    """The twelve digits of a proposal's slip, which only this installation can make."""
    return _slip_codes(municipality_id, proposal_id)[0]


def _slip_codes(municipality_id: str, proposal_id: UUID) -> list[str]:
    """Under every key, newest first: a letter takes its time."""
    sealed = keyring.indexes(f"slip {municipality_id} {proposal_id.hex}")
    bodies = [f"{int.from_bytes(one[:8]) % 10 ** (DIGITS - 1):0{DIGITS - 1}}" for one in sealed]
    return [body + _check_digit(body) for body in bodies]


def spaced(code: str) -> str:
    """`123456789012` as people read it: `1234 5678 9012`."""
    return " ".join(code[start : start + 4] for start in range(0, DIGITS, 4))


def is_well_typed(code: str) -> bool:
    """Whether twelve digits carry their check digit: one wrong digit, or two neighbours swapped (but 09), never do."""
    return re.fullmatch(rf"\d{{{DIGITS}}}", code, re.ASCII) is not None and _check_digit(code[:-1]) == code[-1]


def _check_digit(digits: str) -> str:
    """Luhn's (ISO/IEC 7812-1, annex B)."""
    doubled = [int(one) * (2 if place % 2 == 0 else 1) for place, one in enumerate(reversed(digits))]
    return str(-sum(one - 9 if one > 9 else one for one in doubled) % 10)


def find_by_slip(session: Session, by: Actor, typed: str) -> Proposal:
    """The proposal that a slip's code names. Forbidden but for the desk; Rejected for a code that is none."""
    if by.role not in DESK:
        raise Forbidden
    code = re.sub(r"[\s.-]", "", typed)
    if not is_well_typed(code):
        raise Rejected(MISTYPED, field="codice")
    asked = session.exec(
        select(Message.about_id)
        .where(
            Message.municipality_id == by.municipality_id,
            Message.channel == Channel.LETTER,
            col(Message.about_id).is_not(None),
        )
        .distinct()
    )
    found = [one for one in asked if one is not None and code in _slip_codes(by.municipality_id, one)]
    proposal = session.get(Proposal, (by.municipality_id, found[0])) if len(found) == 1 else None
    if proposal is None:
        raise Rejected(UNKNOWN, field="codice")
    return proposal


def answer_by_slip(session: Session, by: Actor, now: datetime, typed: str, *, accept: bool) -> Proposal:
    """Record the answer that a family has ticked on its slip, for the cap that the letter named; twice is once.

    What is refused: as in `find_by_slip`, and Conflict as in `accept_proposal`.
    """
    found = find_by_slip(session, by, typed)
    acting = replace(
        by, role=Role.FAMILY, household_id=found.household_id, on_behalf_of=found.household_id, reason=BY_SLIP
    )
    sign_as(session, acting)
    if accept:
        proposal = accept_proposal(session, acting, now, found.id, found.cap_cents)
    else:
        proposal = decline_proposal(session, acting, now, found.id)
    record(session, acting, now, "take_slip", "proposal", proposal.id, accept=accept)
    session.flush()
    tell_answer_taken(session, now, proposal, accept)
    sign_as(session, by)
    return proposal
