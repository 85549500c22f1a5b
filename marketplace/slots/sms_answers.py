"""SI or NO by SMS: from a household's verified number, with the code of the one proposal that it answers."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import sign_as
from marketplace.accounts.throttle import TooMany, count_attempt, forget_attempts
from marketplace.db import NOBODY, Scope, set_scope
from marketplace.errors import MarketplaceError
from marketplace.households.addresses import addresses_of
from marketplace.households.models import MobileNumber
from marketplace.households.sms import households_of_number
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, tell
from marketplace.slots.answer_links import is_answer_code
from marketplace.slots.models import Proposal, ProposalState
from marketplace.slots.operations import accept_proposal, decline_proposal
from marketplace.words import N_, in_language

BY_SMS: Final = "by SMS from the verified number"
ANSWER: Final = re.compile(r"\W*(?P<word>si|sì|sí|s|yes|y|no|n)\W*(?P<code>\d{4})\W*", re.IGNORECASE)
TRIES_A_DAY: Final = 10
YES: Final = ("s", "y")
SUBJECT: Final = N_("La tua risposta")
ACCEPTED: Final = N_("Condiviso: hai accettato. Ti scriviamo appena hanno risposto tutti; fino ad allora non paghi.")
DECLINED: Final = N_("Condiviso: hai rifiutato, e non paghi niente. La tua esigenza resta in attesa.")
UNCLEAR: Final = N_("Condiviso: non abbiamo capito. Rispondi SI o NO e le quattro cifre, per esempio SI 1234.")
UNKNOWN: Final = N_("Condiviso: nessuna proposta aperta ha questo codice. O hai già risposto, o il tempo è scaduto.")
REFUSED: Final = N_("Condiviso: %(reason)s")


def answer_by_sms(
    session: Session, now: datetime, municipality_id: str, number: str, text: str, message_id: str
) -> None:
    """Take an SMS that came in, and answer it by another, once for each `message_id`.

    A number that nobody has verified gets no answer, nor one that sends too many: a sender can be forged, a code has
    four digits, and two machines that answer each other must stop. The session is left seeing the municipality.
    """
    senders = households_of_number(session, municipality_id, number)
    if not senders:
        return
    try:
        count_attempt(session, now, "sms answer", senders[0].number, TRIES_A_DAY, timedelta(days=1))
    except TooMany:
        return
    known = addresses_of(session, {municipality_id}, {senders[0].household_id})[senders[0].household_id]
    to = Recipient("", known[0].locale if known else "it", senders[0].number)
    words = _taken(session, now, municipality_id, senders, text, to.locale)
    set_scope(session, Scope(municipality_id))
    key = f"sms answer {message_id}"[:200]
    tell(session, municipality_id, now, to, key, SUBJECT, SUBJECT, None, sms=words, kind=Kind.URGENT)


def _taken(
    session: Session, now: datetime, municipality_id: str, senders: Sequence[MobileNumber], text: str, locale: str
) -> str:
    """What becomes of it, in words for whoever sent it."""
    found = ANSWER.fullmatch(text.strip())
    if found is None:
        return UNCLEAR
    proposal = _open_proposal(session, municipality_id, [one.household_id for one in senders], found["code"])
    if proposal is None:
        return UNKNOWN
    set_scope(session, Scope(municipality_id, proposal.household_id, NOBODY))
    by = Actor(municipality_id, Role.FAMILY, household_id=proposal.household_id, reason=BY_SMS)
    sign_as(session, by)
    yes = found["word"].lower().startswith(YES)
    try:
        with session.begin_nested():
            if yes:
                accept_proposal(session, by, now, proposal.id, proposal.cap_cents)
            else:
                decline_proposal(session, by, now, proposal.id)
    except MarketplaceError as refusal:
        reason = in_language(refusal.message, locale, refusal.values)
        return in_language(REFUSED, locale, {"reason": reason})
    forget_attempts(session, "sms answer", senders[0].number)
    return ACCEPTED if yes else DECLINED


def _open_proposal(session: Session, municipality_id: str, household_ids: Sequence[UUID], code: str) -> Proposal | None:
    set_scope(session, Scope(municipality_id))
    waiting = session.exec(
        select(Proposal)
        .where(
            Proposal.municipality_id == municipality_id,
            col(Proposal.household_id).in_(household_ids),
            Proposal.state == ProposalState.PROPOSED,
        )
        .order_by(col(Proposal.deadline), col(Proposal.id))
    ).all()
    return next((one for one in waiting if is_answer_code(municipality_id, one.id, code)), None)
