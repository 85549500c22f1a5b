"""A day before a deadline whoever has not answered is reminded, once, however often it is looked for.

Who was asked a short time ago is not: the question is reminder enough. No letter is sent, as it would come too late.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from babel.dates import format_date, format_datetime
from sqlmodel import Session, col, select

from marketplace.households.addresses import addresses_of
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, link_to, tell
from marketplace.providers.addresses import addresses_of_provider
from marketplace.providers.models import Provider
from marketplace.slots.calendar import ROME
from marketplace.slots.extra_models import ExtraSeat, ExtraSession, ExtraState
from marketplace.slots.models import Answer, Membership, Proposal, ProposalState, Slot, SlotState
from marketplace.slots.notices import DAY, MOMENT, tell_proposals
from marketplace.words import N_

BEFORE: Final = timedelta(hours=24)
ASKED_SINCE: Final = timedelta(hours=12)
TO_PROVIDER: Final = (
    N_("Manca poco: un gruppo aspetta la tua risposta entro %(deadline)s"),
    N_(
        "Non hai ancora risposto a tutti i gruppi che ti abbiamo proposto. Il tempo finisce %(deadline)s; poi quelli"
        " senza risposta si sciolgono.\n\nPer rispondere:\n%(url)s"
    ),
)
EXTRA_TO_PROVIDER: Final = (
    N_("Manca poco: rispondi sull'incontro in più entro %(deadline)s"),
    N_(
        "Una famiglia aspetta di sapere se tieni un incontro in più %(day)s. Se non rispondi entro %(deadline)s non si"
        " fa.\n\n%(url)s"
    ),
)
EXTRA_TO_MEMBERS: Final = (
    N_("Manca poco: vieni all'incontro in più? Dillo entro %(deadline)s"),
    N_(
        "Il tuo gruppo ha un incontro in più %(day)s. Se vuoi venire dillo entro %(deadline)s; se non rispondi non"
        " vieni e non paghi nulla.\n\n%(url)s"
    ),
)


def remind(session: Session, now: datetime, municipality_id: str) -> None:
    """Remind families of their proposals and extra sessions, providers of the slots and sessions that wait for them."""
    soon = session.exec(
        select(Proposal)
        .where(Proposal.municipality_id == municipality_id, Proposal.state == ProposalState.PROPOSED)
        .where(col(Proposal.deadline).between(now, now + BEFORE), col(Proposal.created_at) < now - ASKED_SINCE)
        .order_by(col(Proposal.id))
    ).all()
    tell_proposals(session, now, soon, again=True)
    _remind_providers(session, now, municipality_id)
    _remind_of_extras(session, now, municipality_id)


def _remind_providers(session: Session, now: datetime, municipality_id: str) -> None:
    """Each provider once for a round and deadline, however many of its slots wait."""
    slots = session.exec(
        select(Slot)
        .where(
            Slot.municipality_id == municipality_id,
            Slot.state == SlotState.PROPOSED,
            Slot.provider_answer == Answer.ASKED,
        )
        .where(col(Slot.deadline).between(now, now + BEFORE), col(Slot.created_at) < now - ASKED_SINCE)
        .order_by(col(Slot.id))
    ).all()
    for slot in slots:
        key = f"remind provider {slot.provider_id} {slot.round_id} {slot.deadline.isoformat()}"
        for to in _provider(session, slot):
            values = {"deadline": _moment(slot.deadline, to), "url": link_to("/lavoro/proposte")}
            _tell(session, municipality_id, now, to, key, TO_PROVIDER, values)


def _remind_of_extras(session: Session, now: datetime, municipality_id: str) -> None:
    """The provider who has not answered, then the members who have not said whether they come."""
    for deadline, state in ((ExtraSession.answer_by, ExtraState.ASKED), (ExtraSession.join_until, ExtraState.ACCEPTED)):
        for extra in session.exec(
            select(ExtraSession)
            .where(ExtraSession.municipality_id == municipality_id, ExtraSession.state == state)
            .where(col(deadline).between(now, now + BEFORE), col(ExtraSession.created_at) < now - ASKED_SINCE)
            .order_by(col(ExtraSession.id))
        ).all():
            if state == ExtraState.ASKED:
                told = _provider(session, session.get_one(Slot, (municipality_id, extra.slot_id)))
                words, by, path = EXTRA_TO_PROVIDER, extra.answer_by, "/lavoro/incontri-in-piu"
            else:
                told = _undecided(session, extra)
                words, by, path = EXTRA_TO_MEMBERS, extra.join_until, f"/incontri-in-piu/{extra.id}"
            for to in told:
                day = format_date(extra.held_on, DAY, locale=to.locale)
                values = {"deadline": _moment(by, to), "day": day, "url": link_to(path)}
                _tell(session, municipality_id, now, to, f"remind extra {state.value} {extra.id}", words, values)


def _undecided(session: Session, extra: ExtraSession) -> list[Recipient]:
    """Those of the group who have no seat in the extra session, and have given none back."""
    decided = select(ExtraSeat.membership_id).where(
        ExtraSeat.municipality_id == extra.municipality_id, ExtraSeat.extra_id == extra.id
    )
    households: Iterable[UUID] = session.exec(
        select(Membership.household_id).where(
            Membership.municipality_id == extra.municipality_id,
            Membership.slot_id == extra.slot_id,
            Membership.state == ProposalState.CONFIRMED,
            col(Membership.id).not_in(decided),
            Membership.household_id != extra.household_id,
        )
    ).all()
    found = addresses_of(session, {extra.municipality_id}, set(households))
    return [to for one in sorted(found) for to in found[one]]


def _provider(session: Session, slot: Slot) -> list[Recipient]:
    return addresses_of_provider(session, session.get_one(Provider, (slot.municipality_id, slot.provider_id)))


def _moment(at: datetime, to: Recipient) -> str:
    return str(format_datetime(at.astimezone(ROME), MOMENT, locale=to.locale))


def _tell(
    session: Session,
    municipality_id: str,
    now: datetime,
    to: Recipient,
    key: str,
    words: tuple[str, str],
    values: dict[str, str],
) -> None:
    if not to.postal:
        tell(session, municipality_id, now, to, f"{key} {to.mark}"[:200], *words, values, kind=Kind.TIMELY)
