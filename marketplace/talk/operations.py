"""Writing to one's group, complaining about a message, and deciding about it: never a contact, never a stranger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import list_staff, record
from marketplace.db import insert_once
from marketplace.errors import Conflict, Forbidden, NotFound, Rejected
from marketplace.households.addresses import addresses_of
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, link_to, tell
from marketplace.providers.addresses import addresses_of_provider
from marketplace.providers.models import Provider
from marketplace.slots.calendar import ROME
from marketplace.slots.facts import NAMED, MemberRow, SlotFacts, read_slots
from marketplace.slots.models import Slot, SlotState
from marketplace.talk.models import WORDS_MAX, Complaint, GroupMessage, Standing
from marketplace.words import N_

OPEN = (SlotState.CONFIRMED, SlotState.RUNNING)
SHOWN_MAX = 100
A_DAY = 30  # of one household or provider in one group
KEPT_AFTER_END = timedelta(days=90)
NEW = (
    N_("C'è un messaggio nel tuo gruppo"),
    N_("Qualcuno del tuo gruppo ti ha scritto. Per leggere e rispondere:\n%(url)s"),
)
TO_CHECK = (
    N_("Un messaggio di un gruppo è stato segnalato"),
    N_("Un messaggio è nascosto finché non decidi. Leggilo qui:\n%(url)s"),
)


class Over(Conflict):
    """A group that is not confirmed, or that is over, has nothing to say."""

    default = N_("In questo gruppo non si scrive: non è confermato, o è finito.")


class TooMuch(Rejected):
    """More in a day than others can read."""

    default = N_("Oggi hai già scritto molti messaggi a questo gruppo: riprova domani, o chiama lo sportello.")


@dataclass(frozen=True, slots=True)
class Said:
    """A message as one member sees it: `name` is a first name or the provider's; no `words` while it is hidden."""

    message_id: UUID
    name: str
    by_provider: bool
    is_mine: bool
    sent_at: datetime
    words: str | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class Talk:
    """A group's newest messages, the oldest of them first."""

    slot: SlotFacts
    said: tuple[Said, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A message that somebody complained about, for staff: its words, who wrote them, and the complaints."""

    message: GroupMessage
    slot: SlotFacts
    name: str
    whys: tuple[str, ...]
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class _Group:
    """A slot with those who talk in it."""

    slot: SlotFacts
    members: tuple[MemberRow, ...]

    @property
    def is_open(self) -> bool:
        return self.slot.state in OPEN

    @property
    def households(self) -> set[UUID]:
        """Who is in it."""
        return {row.household.id for row in self.members}

    def name_of(self, message: GroupMessage) -> str:
        """As the group knows the writer."""
        if message.provider_id is not None:
            return self.slot.provider_name
        return next((row.first_name for row in self.members if row.household.id == message.household_id), "")


def read_talk(session: Session, by: Actor, now: datetime, slot_id: UUID) -> Talk:
    """The messages of a group, for whoever is in it. Raises NotFound."""
    group = _group_of(session, by, now, slot_id)
    newest = (
        select(GroupMessage)
        .where(GroupMessage.municipality_id == by.municipality_id, GroupMessage.slot_id == slot_id)
        .order_by(col(GroupMessage.sent_at).desc(), col(GroupMessage.id).desc())
        .limit(SHOWN_MAX)
    )
    found = session.exec(newest).all()
    return Talk(group.slot, tuple(_said(group, by, one) for one in reversed(found)), group.is_open)


def _said(group: _Group, by: Actor, message: GroupMessage) -> Said:
    is_mine = message.household_id == by.household_id if message.household_id else message.provider_id == by.provider_id
    return Said(
        message.id,
        group.name_of(message),
        message.provider_id is not None,
        is_mine,
        message.sent_at,
        message.words if message.standing == Standing.SHOWN else None,
        message.standing,
    )


def write(session: Session, by: Actor, now: datetime, slot_id: UUID, message_id: UUID, words: str) -> None:
    """Say something to the group; the others are told, once a day at most. The same `message_id` twice is one message.

    Raises NotFound, Over, TooMuch; Rejected without words.
    """
    group = _group_of(session, by, now, slot_id)
    if not group.is_open:
        raise Over
    if not words.strip() or len(words) > WORDS_MAX:
        raise Rejected(N_("Scrivi il messaggio, al massimo 1000 caratteri."), field="words")
    _require_room(session, by, now, slot_id, message_id)
    row = {
        "municipality_id": by.municipality_id,
        "id": message_id,
        "slot_id": slot_id,
        "household_id": by.household_id,
        "provider_id": None if by.household_id else by.provider_id,
        "by_user_id": by.user_id,
        "words": words.strip(),
        "sent_at": now,
        "standing": Standing.SHOWN,
    }
    if insert_once(session, GroupMessage, row):
        record(session, by, now, "write", "group_message", message_id, slot=str(slot_id))
        _tell_others(session, by, now, group)


def _require_room(session: Session, by: Actor, now: datetime, slot_id: UUID, message_id: UUID) -> None:
    mine = (
        GroupMessage.household_id == by.household_id
        if by.household_id
        else (GroupMessage.provider_id == by.provider_id)
    )
    count = select(func.count()).where(
        GroupMessage.municipality_id == by.municipality_id,
        GroupMessage.slot_id == slot_id,
        GroupMessage.id != message_id,
        col(GroupMessage.sent_at) > now - timedelta(days=1),
        mine,
    )
    if session.exec(count).one() >= A_DAY:
        raise TooMuch


def _tell_others(session: Session, by: Actor, now: datetime, group: _Group) -> None:
    """One e-mail a day and person, without a word of what was said."""
    others = group.households - {by.household_id}
    addresses = addresses_of(session, {by.municipality_id}, others)
    told = [(to, f"/gruppi/{group.slot.slot_id}/messaggi") for one in others for to in addresses[one]]
    if by.provider_id != group.slot.provider_id:
        provider = session.get_one(Provider, (by.municipality_id, group.slot.provider_id))
        path = f"/lavoro/gruppi/{group.slot.slot_id}/messaggi"
        told += [(to, path) for to in addresses_of_provider(session, provider)]
    for to, path in told:
        key = f"talk {group.slot.slot_id} {now.astimezone(ROME).date()} {to.mark}"
        tell(session, by.municipality_id, now, to, key[:200], *NEW, {"url": link_to(path)}, kind=Kind.OPTIONAL)


def find_said(session: Session, by: Actor, now: datetime, message_id: UUID) -> tuple[UUID, Said]:
    """A message that the actor may read, and its group. Raises NotFound."""
    message = session.get(GroupMessage, (by.municipality_id, message_id))
    if message is None:
        raise NotFound
    said = _said(_group_of(session, by, now, message.slot_id), by, message)
    if said.words is None:
        raise NotFound
    return message.slot_id, said


def complain(session: Session, by: Actor, now: datetime, message_id: UUID, why: str) -> None:
    """Hide another's message until an officer has decided. Twice is once. Raises NotFound; Rejected of one's own."""
    message = session.get(GroupMessage, (by.municipality_id, message_id), with_for_update=True)
    if message is None or by.user_id is None:
        raise NotFound
    group = _group_of(session, by, now, message.slot_id)
    if _said(group, by, message).is_mine:
        raise Rejected(N_("È un messaggio tuo."))
    row = {
        "municipality_id": by.municipality_id,
        "message_id": message_id,
        "by_user_id": by.user_id,
        "why": why.strip(),
        "made_at": now,
    }
    if not insert_once(session, Complaint, row):
        return
    if message.standing == Standing.SHOWN:
        message.standing = Standing.REPORTED
    record(session, by, now, "complain", "group_message", message_id)
    session.flush()
    for user in list_staff(session, by.municipality_id, (Role.OFFICER,)):
        values = {"url": link_to(f"/comune/messaggi/{message_id}")}
        to = Recipient(user.email, user.locale)
        tell(session, by.municipality_id, now, to, f"complaint {message_id} {user.id}", *TO_CHECK, values)


def count_to_check(session: Session, by: Actor) -> int:
    """How many messages wait for an officer."""
    reported = (GroupMessage.municipality_id == by.municipality_id, GroupMessage.standing == Standing.REPORTED)
    return session.exec(select(func.count()).where(*reported)).one()


def list_to_check(session: Session, by: Actor) -> list[Case]:
    """Messages that wait for an officer, the oldest first. Raises Forbidden."""
    _require_officer(by)
    waiting = session.exec(
        select(GroupMessage)
        .where(GroupMessage.municipality_id == by.municipality_id, GroupMessage.standing == Standing.REPORTED)
        .order_by(col(GroupMessage.sent_at), col(GroupMessage.id))
    ).all()
    return [_case(session, one) for one in waiting]


def get_case(session: Session, by: Actor, message_id: UUID) -> Case:
    """One message that was complained about, for an officer. Raises Forbidden, NotFound."""
    _require_officer(by)
    message = session.get(GroupMessage, (by.municipality_id, message_id))
    if message is None or not _complaints(session, message):
        raise NotFound
    return _case(session, message)


def decide(session: Session, by: Actor, now: datetime, message_id: UUID, keep: bool) -> None:
    """Show the message again, or never more. Raises Forbidden, NotFound."""
    _require_officer(by)
    message = session.get(GroupMessage, (by.municipality_id, message_id), with_for_update=True)
    if message is None or not _complaints(session, message):
        raise NotFound
    message.standing = Standing.SHOWN if keep else Standing.REMOVED
    record(session, by, now, "keep" if keep else "remove", "group_message", message_id)
    session.flush()


def forget_old_talk(session: Session, municipality_id: str, now: datetime) -> None:
    """Messages of groups that ended three months ago are deleted, complaints with them."""
    over = select(Slot.id).where(
        Slot.municipality_id == municipality_id, col(Slot.last_date) < now.astimezone(ROME).date() - KEPT_AFTER_END
    )
    old = select(GroupMessage.id).where(
        GroupMessage.municipality_id == municipality_id, col(GroupMessage.slot_id).in_(over)
    )
    complaints = delete(Complaint).where(
        col(Complaint.municipality_id) == municipality_id, col(Complaint.message_id).in_(old)
    )
    messages = delete(GroupMessage).where(
        col(GroupMessage.municipality_id) == municipality_id, col(GroupMessage.slot_id).in_(over)
    )
    for statement in (complaints, messages):
        session.connection().execute(statement)


def _require_officer(by: Actor) -> None:
    if by.role != Role.OFFICER:
        raise Forbidden


def _case(session: Session, message: GroupMessage) -> Case:
    complaints = _complaints(session, message)
    facts, rows = read_slots(session, message.municipality_id, {message.slot_id})
    group = _Group(facts[message.slot_id], tuple(rows[message.slot_id]))
    return Case(
        message,
        group.slot,
        group.name_of(message),
        tuple(one.why for one in complaints if one.why),
        min(one.made_at for one in complaints),
    )


def _complaints(session: Session, message: GroupMessage) -> list[Complaint]:
    return list(
        session.exec(
            select(Complaint)
            .where(Complaint.municipality_id == message.municipality_id, Complaint.message_id == message.id)
            .order_by(col(Complaint.made_at), col(Complaint.id))
        )
    )


def _group_of(session: Session, by: Actor, now: datetime, slot_id: UUID) -> _Group:
    """The group with those who have their place in it today, if the actor is one of them. Raises NotFound."""
    facts, rows = read_slots(session, by.municipality_id, {slot_id})
    slot, day = facts.get(slot_id), now.astimezone(ROME).date()
    if slot is None:
        raise NotFound
    there = tuple(
        row for row in rows[slot_id] if row.membership.state in NAMED and (row.left_on is None or day < row.left_on)
    )
    group = _Group(slot, there)
    is_provider = by.household_id is None and by.provider_id == slot.provider_id and bool(there)
    if not (is_provider or by.household_id in group.households):
        raise NotFound
    return group
