"""Letters wait until somebody prints them: a batch is marked once, and may be printed again as it was."""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import segno
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from sqlmodel import Session, col, func, select
from uuid_utils.compat import uuid7

from marketplace.accounts.models import Actor, Municipality, Role
from marketplace.accounts.operations import record
from marketplace.documents.paper import TEMPLATE, compiled
from marketplace.errors import Forbidden, NotFound
from marketplace.messages.models import Channel, Message, MessageState
from marketplace.slots.calendar import ROME
from marketplace.slots.models import Proposal
from marketplace.slots.slips import slip_code, spaced
from marketplace.words import N_, in_language

LETTER: Final = TEMPLATE.with_name("letter.typ")
BATCH_MAX: Final = 200
BATCHES_SHOWN: Final = 20
MOMENT: Final = "EEEE d MMMM, HH:mm"
OFFICE: Final = (Role.OPERATOR, Role.OFFICER)
GREETING: Final = N_("Buongiorno %(name)s,")
CLOSING: Final = N_("Un saluto dallo sportello di Condiviso.")
PHONE: Final = N_("Per telefonare: %(phone)s")
SLIP: Final = N_("Tagliando di risposta")
CUT: Final = N_("Staccare qui")
BY: Final = N_("Da restituire allo sportello entro %(deadline)s")
YES: Final = N_("SÌ, accetto e pago al massimo %(cap)s la settimana")
NO: Final = N_("NO, non accetto")
SIGNED: Final = N_("Data e firma")
CODE: Final = N_("Codice: %(code)s")
FROM: Final = N_("Comune di %(city)s")
TITLE: Final = N_("Lettere da spedire")


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters that were printed together."""

    id: UUID
    printed_at: datetime
    count: int


def list_unprinted(session: Session, by: Actor) -> list[Message]:
    """The letters that wait to be printed, the oldest first. Raises Forbidden."""
    _require_office(by)
    waiting = (*_letters(by), Message.state == MessageState.QUEUED)
    return list(session.exec(select(Message).where(*waiting).order_by(col(Message.created_at), col(Message.id))))


def list_batches(session: Session, by: Actor) -> list[Batch]:
    """What was printed, the newest first. Raises Forbidden."""
    _require_office(by)
    rows = session.exec(
        select(col(Message.batch_id), func.max(col(Message.sent_at)), func.count())
        .where(*_letters(by), col(Message.batch_id).is_not(None))
        .group_by(col(Message.batch_id))
        .order_by(func.max(col(Message.sent_at)).desc())
        .limit(BATCHES_SHOWN)
    )
    return [Batch(batch_id, at, count) for batch_id, at, count in rows if batch_id is not None and at is not None]


def households_of(session: Session, by: Actor, batch_id: UUID | None) -> list[UUID]:
    """The families whose proposals the letters of a batch (None: those that wait) are about."""
    which = Message.batch_id == batch_id if batch_id else Message.state == MessageState.QUEUED
    about = select(Message.about_id).where(*_letters(by), which)
    asked = (Proposal.municipality_id == by.municipality_id, col(Proposal.id).in_(about))
    return list(session.exec(select(Proposal.household_id).where(*asked)))


def print_batch(session: Session, by: Actor, now: datetime) -> UUID:
    """Make a batch of the letters that wait, and mark them as sent: two at once never take the same letter.

    Raises Forbidden; NotFound where none waits.
    """
    _require_office(by)
    letters = session.exec(
        select(Message)
        .where(*_letters(by), Message.state == MessageState.QUEUED)
        .order_by(col(Message.created_at), col(Message.id))
        .limit(BATCH_MAX)
        .with_for_update(skip_locked=True)
    ).all()
    if not letters:
        raise NotFound(N_("Non c'è nessuna lettera da stampare: forse le ha già stampate qualcun altro."))
    batch_id = uuid7()
    for letter in letters:
        letter.state, letter.sent_at, letter.batch_id = MessageState.SENT, now, batch_id
    record(session, by, now, "print_letters", "message", batch_id, letters=len(letters))
    session.flush()
    return batch_id


def batch_pdf(session: Session, by: Actor, batch_id: UUID, phone: str, locale: str = "it") -> bytes:
    """A batch as PDF/UA-1, each letter on a page of its own, in the language of its reader. Forbidden, NotFound.

    `phone` is the desk's; `locale` is that of who prints.
    """
    _require_office(by)
    letters = session.exec(
        select(Message).where(*_letters(by), Message.batch_id == batch_id).order_by(col(Message.id))
    ).all()
    if not letters:
        raise NotFound
    asked = session.exec(
        select(Proposal).where(
            Proposal.municipality_id == by.municipality_id, col(Proposal.id).in_([one.about_id for one in letters])
        )
    )
    proposals = {one.id: one for one in asked}
    city = session.get_one(Municipality, by.municipality_id).name
    pages = [_page(one, city, phone, proposals.get(one.about_id) if one.about_id else None) for one in letters]
    return compiled(LETTER, {"title": in_language(TITLE, locale), "lang": locale, "letters": pages})


def _require_office(by: Actor) -> None:
    if by.role not in OFFICE:
        raise Forbidden


def _letters(by: Actor) -> tuple[Any, ...]:
    return (Message.municipality_id == by.municipality_id, Message.channel == Channel.LETTER)


def _page(letter: Message, city: str, phone: str, proposal: Proposal | None) -> dict[str, Any]:
    lines = letter.recipient.splitlines()
    locale = letter.locale
    day = format_date(letter.created_at.astimezone(ROME).date(), "d MMMM y", locale=locale)
    return {
        "lang": locale,
        "from": in_language(FROM, locale, {"city": city}),
        "date": f"{city}, {day}",
        "to": lines,
        "subject": letter.subject,
        "greeting": in_language(GREETING, locale, {"name": lines[0]}),
        "paragraphs": [part for part in letter.body.split("\n\n") if part],
        "closing": [in_language(CLOSING, locale), *([in_language(PHONE, locale, {"phone": phone})] if phone else [])],
        "slip": None if proposal is None else _slip(proposal, lines[0], locale),
    }


def _slip(proposal: Proposal, name: str, locale: str) -> dict[str, Any]:
    code = slip_code(proposal.municipality_id, proposal.id)
    svg = io.BytesIO()
    segno.make(code, error="m", micro=False).save(svg, kind="svg", border=4, scale=4)
    deadline = format_datetime(proposal.deadline.astimezone(ROME), MOMENT, locale=locale)
    cap = format_currency(proposal.cap_cents / 100, "EUR", locale=locale)
    words = in_language(CODE, locale, {"code": spaced(code)})
    return {
        "cut": in_language(CUT, locale),
        "title": in_language(SLIP, locale),
        "by": in_language(BY, locale, {"deadline": deadline}),
        "name": name,
        "answers": [in_language(YES, locale, {"cap": cap}), in_language(NO, locale)],
        "signed": in_language(SIGNED, locale),
        "code": words,
        "svg": svg.getvalue().decode(),
    }
