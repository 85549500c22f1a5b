"""`tell` writes an e-mail, SMS or letter and defers its sending in the caller's transaction; the job sends it once.

A letter waits for somebody to print it.
"""

import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

from procrastinate import RetryStrategy
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select
from uuid_utils.compat import uuid7

from marketplace.jobs import defer, job
from marketplace.messages.choices import find_choice, stop_secret
from marketplace.messages.models import Channel, Kind, Message, MessageState
from marketplace.messages.quiet import QuietHours, free_from
from marketplace.messages.sms import SmsTransport, in_gsm
from marketplace.sealed import keyring
from marketplace.words import N_, in_language

ATTEMPTS_MAX = 8
STOP = N_("Se non vuoi più questi messaggi: %(url)s")


@dataclass(frozen=True, slots=True)
class Recipient:
    """An e-mail address and the language (`it`, `en`) that its owner reads; who has a `mobile` gets SMS instead.

    Who has neither, or wants letters, has a `postal` address: name, street and town, a line each.
    """

    email: str
    locale: str = "it"
    mobile: str = ""
    postal: str = ""

    @property
    def address(self) -> str:
        """Where a message goes."""
        return self.postal or self.mobile or self.email

    @property
    def channel(self) -> Channel:
        """By which way."""
        return Channel.LETTER if self.postal else Channel.SMS if self.mobile else Channel.EMAIL

    @property
    def mark(self) -> str:
        """The address in the key of a message, which anybody at the database may read: it says nothing."""
        return keyring.index(f"message to {self.address}").hex()[:24]


def tell(
    session: Session,
    municipality_id: str,
    now: datetime,
    to: Recipient,
    key: str,
    subject: str,
    body: str,
    values: Mapping[str, Any] | None = None,
    sms: str | None = None,
    letter: str | None = None,
    about: UUID | None = None,
    kind: Kind = Kind.ORDINARY,
) -> bool:
    """Send `subject` and `body` (Italian msgids with %(name)s places, marked by N_) to somebody, once per `key`.

    By SMS it is `sms`, or the subject and where to read on; by letter `letter`, or the body. `about`: the proposal
    that a letter's slip answers. Only an urgent `kind` is sent at night. Nothing is sent unless the session's
    transaction commits.
    No child's name and no address belong in a message. Whether it was asked for the first time.
    """
    by_sms = to.channel is Channel.SMS
    row = {
        "municipality_id": municipality_id,
        "id": uuid7(),
        "key": key,
        "channel": to.channel,
        "kind": kind,
        "locale": to.locale,
        "recipient": to.address,
        "subject": "" if by_sms else in_language(subject, to.locale, values),
        "body": _short(sms, subject, to, values) if by_sms else in_language(_long(to, body, letter), to.locale, values),
        "state": MessageState.QUEUED,
        "created_at": now,
        "failure": "",
        "about_id": about,
    }
    written = session.execute(
        insert(Message).values(row).on_conflict_do_nothing(constraint="message_once").returning(col(Message.id))
    ).scalar_one_or_none()
    if written is not None and to.channel is not Channel.LETTER:
        defer(session, deliver, municipality_id, message_id=str(written))
    return written is not None


def _long(to: Recipient, body: str, letter: str | None) -> str:
    """The words of a letter where there are some, else those of the e-mail."""
    return letter if letter and to.channel is Channel.LETTER else body


def _short(sms: str | None, subject: str, to: Recipient, values: Mapping[str, Any] | None) -> str:
    """An SMS's words: those made for it, else the subject and the way to the site."""
    words = in_language(sms or subject, to.locale, values)
    return in_gsm(words if sms else f"Condiviso: {words}. {link_to('/')}")


def list_sent(session: Session, municipality_id: str, limit: int = 50) -> list[Message]:
    """The newest messages of a municipality (the demo's mailbox)."""
    return list(
        session.exec(
            select(Message)
            .where(Message.municipality_id == municipality_id)
            .order_by(col(Message.created_at).desc(), col(Message.id).desc())
            .limit(limit)
        )
    )


class Transport(Protocol):
    """Something that carries an e-mail; raises OSError or SMTPException when it cannot."""

    def __call__(self, message: EmailMessage) -> None: ...


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server, as smtp://user:password@host:port or smtps://..."""

    url: str

    def __call__(self, message: EmailMessage) -> None:
        parts = urlsplit(self.url)
        server_class = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
        with server_class(parts.hostname or "localhost", parts.port or 0, timeout=20) as server:
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)


@dataclass(frozen=True, slots=True)
class Folder:
    """The local stand-in: each e-mail is a file of the folder, named by its Message-ID, so that twice is once."""

    path: Path

    def __call__(self, message: EmailMessage) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = message["Message-ID"].strip("<>").split("@")[0]
        draft = self.path / f".{name}.draft"
        draft.write_bytes(message.as_bytes())
        draft.replace(self.path / f"{name}.eml")


_transport: list[tuple[Transport, str]] = []
_sms_transport: list[SmsTransport] = []
_site = ["http://localhost"]
_quiet_by: list[Callable[[Session, str, datetime], QuietHours | None]] = []


def quiet_by(find: Callable[[Session, str, datetime], QuietHours | None]) -> None:
    """From now on `find` says in which hours a municipality sends nothing that is not urgent; None is never."""
    _quiet_by[:] = [find]


def links_to(address: str) -> None:
    """From now on links in messages of this process begin with `address` (https://host)."""
    _site[:] = [address.rstrip("/")]


def link_to(path: str) -> str:
    """A page of the site (`/...`) as a message names it."""
    return _site[0] + path


def send_by(transport: Transport, sender: str) -> None:
    """From now on messages of this process go through `transport`, from the address `sender`."""
    _transport[:] = [(transport, sender)]


def send_sms_by(transport: SmsTransport) -> None:
    """From now on SMS of this process go through `transport`."""
    _sms_transport[:] = [transport]


@job("messages.deliver", retry=RetryStrategy(max_attempts=ATTEMPTS_MAX, exponential_wait=3))
def deliver(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Send one queued message; a failure is tried again, later and later."""
    message = session.get(Message, (municipality_id, UUID(arguments["message_id"])), with_for_update=True)
    if message is None or message.state != MessageState.QUEUED:
        return
    message.state = _state_by_choice(session, message)
    if message.state != MessageState.QUEUED:
        return
    at = _when(session, message, now)
    if at > now:
        defer(session, deliver, municipality_id, at=at, message_id=str(message.id))
        return
    if message.channel == Channel.SMS:
        _sms_transport[0](message.recipient, message.body, str(message.id))
    else:
        transport, sender = _transport[0]
        transport(_email(message, sender, now))
    message.state = MessageState.SENT
    message.sent_at = now


def quiet_hours_of(session: Session, municipality_id: str, now: datetime) -> QuietHours | None:
    """When a municipality is quiet; None is never."""
    return next((find(session, municipality_id, now) for find in _quiet_by), None)


def _state_by_choice(session: Session, message: Message) -> MessageState:
    """HELD for the daily digest or DROPPED, if the reader has so chosen; else QUEUED."""
    if message.channel is not Channel.EMAIL or message.kind not in (Kind.ORDINARY, Kind.OPTIONAL):
        return MessageState.QUEUED
    chosen = find_choice(session, message.municipality_id, message.recipient)
    if chosen is None:
        return MessageState.QUEUED
    if message.kind is Kind.OPTIONAL and chosen.no_optional:
        return MessageState.DROPPED
    return MessageState.HELD if chosen.is_daily else MessageState.QUEUED


def _when(session: Session, message: Message, now: datetime) -> datetime:
    """When a message may go: now, but in quiet hours if it can wait."""
    if message.kind is Kind.URGENT:
        return now
    quiet = quiet_hours_of(session, message.municipality_id, now)
    return free_from(now, quiet) if quiet else now


def _email(message: Message, sender: str, now: datetime) -> EmailMessage:
    email = EmailMessage()
    email["From"] = sender
    email["To"] = message.recipient
    email["Subject"] = message.subject
    email["Date"] = format_datetime(now)
    email["Message-ID"] = f"<{message.id}@{sender.partition('@')[2].rstrip('>')}>"
    email["Auto-Submitted"] = "auto-generated"
    if message.kind is Kind.OPTIONAL:
        stop = link_to(f"/avvisi/basta/{stop_secret(message.municipality_id, message.recipient)}")
        email["List-Unsubscribe"] = f"<{stop}>"
        email["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        email.set_content(f"{message.body}\n\n-- \n{in_language(STOP, message.locale, {'url': stop})}\n")
        return email
    email.set_content(message.body)
    return email
