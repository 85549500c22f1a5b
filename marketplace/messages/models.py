"""A message is known by its key: asking for it twice sends it once. Recipient and words are sealed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from marketplace.db import Row, choice
from marketplace.sealed import SealedText


class MessageState(StrEnum):
    """How far a message has come; HELD for a digest, GATHERED in one, DROPPED as its reader wants none of its kind."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    HELD = "held"
    GATHERED = "gathered"
    DROPPED = "dropped"


class Channel(StrEnum):
    """By which way a message goes."""

    EMAIL = "email"
    SMS = "sms"
    LETTER = "letter"


class Kind(StrEnum):
    """How soon a message must come, and whether one may do without it.

    URGENT at once, even at night; TIMELY in the morning at the latest, as it asks for something by a deadline;
    ORDINARY may wait for a daily digest; OPTIONAL too, and it ends when its reader says so.
    """

    URGENT = "urgent"
    TIMELY = "timely"
    ORDINARY = "ordinary"
    OPTIONAL = "optional"


class Message(Row, table=True):
    """One e-mail, SMS or letter to one person, in that person's language; an SMS has no subject.

    A letter is sent once it is printed, in the batch `batch_id`; `about_id` is the proposal that its slip answers.
    """

    __table_args__ = (
        UniqueConstraint("municipality_id", "key", name="message_once"),
        Index("message_letters", "municipality_id", "state", postgresql_where=text("channel = 'letter'")),
        Index("message_held", "municipality_id", "created_at", postgresql_where=text("state = 'held'")),
    )

    key: str = Field(max_length=200)
    channel: Channel = Field(default=Channel.EMAIL, sa_type=choice(Channel))
    kind: Kind = Field(default=Kind.ORDINARY, sa_type=choice(Kind))
    locale: str = Field(default="it", max_length=2)
    recipient: str = Field(sa_type=SealedText)
    subject: str = Field(sa_type=SealedText)
    body: str = Field(sa_type=SealedText)
    state: MessageState = Field(default=MessageState.QUEUED, sa_type=choice(MessageState))
    created_at: datetime
    sent_at: datetime | None = None
    failure: str = Field(default="", max_length=300)
    about_id: UUID | None = None
    batch_id: UUID | None = None


class MailChoice(Row, table=True):
    """How the owner of an e-mail address wants messages: once a day, and whether the optional ones at all."""

    __tablename__ = "mail_choice"
    __table_args__ = (UniqueConstraint("municipality_id", "address_index", name="one_mail_choice"),)

    address_index: bytes
    is_daily: bool = False
    no_optional: bool = False
    changed_at: datetime
