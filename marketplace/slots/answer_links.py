"""A link, or a code by SMS, that answers one proposal and does nothing else; it ends with answer or deadline."""

import base64
import hmac
from uuid import UUID

from sqlmodel import Session

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import sign_as
from marketplace.db import NOBODY, Scope, set_scope
from marketplace.errors import NotFound
from marketplace.sealed import keyring
from marketplace.slots.models import Proposal

BYTES = 20
BY_LINK = "by the link of a message"


def answer_secret(municipality_id: str, proposal_id: UUID) -> str:
    """What the link to a proposal ends in: whom it is for and its seal, which only this installation can make."""
    return f"{municipality_id}{proposal_id.hex}{_seals(municipality_id, proposal_id)[0]}"


def answer_code(municipality_id: str, proposal_id: UUID) -> str:
    """The four digits that answer a proposal from the household's own verified number, and from no other."""
    return _codes(municipality_id, proposal_id)[0]


def is_answer_code(municipality_id: str, proposal_id: UUID, code: str) -> bool:
    """Whether it answers the proposal: it may have been sent before the key was changed."""
    return code in _codes(municipality_id, proposal_id)


def open_by_secret(session: Session, secret: str) -> tuple[Proposal, Actor]:
    """The proposal of a link, and its family as who answers; the session then sees that family alone. NotFound."""
    municipality_id, identity, seal = secret[:6], secret[6:38], secret[38:]
    try:
        proposal_id = UUID(hex=identity)
    except ValueError:
        raise NotFound from None
    seals = _seals(municipality_id, proposal_id)
    if not sum(hmac.compare_digest(seal.encode(), one.encode()) for one in seals):
        raise NotFound
    set_scope(session, Scope(municipality_id))
    proposal = session.get(Proposal, (municipality_id, proposal_id))
    if proposal is None:
        raise NotFound
    set_scope(session, Scope(municipality_id, proposal.household_id, NOBODY))
    by = Actor(municipality_id, Role.FAMILY, household_id=proposal.household_id, reason=BY_LINK)
    sign_as(session, by)
    return proposal, by


def _seals(municipality_id: str, proposal_id: UUID) -> list[str]:
    """Under every key, newest first."""
    sealed = keyring.indexes(f"answer {municipality_id} {proposal_id.hex}")
    return [base64.urlsafe_b64encode(one[:BYTES]).decode().rstrip("=") for one in sealed]


def _codes(municipality_id: str, proposal_id: UUID) -> list[str]:
    sealed = keyring.indexes(f"answer by sms {municipality_id} {proposal_id.hex}")
    return [f"{int.from_bytes(one[:8]) % 10_000:04}" for one in sealed]
