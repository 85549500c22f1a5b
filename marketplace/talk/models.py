"""Messages within a group: sealed, and behind a mark as soon as somebody in it complains."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row, check, choice, refers
from marketplace.sealed import SealedText

WORDS_MAX = 1000


class Standing(StrEnum):
    """Whether a message is to be read: a complaint hides it until an officer has decided."""

    SHOWN = "shown"
    REPORTED = "reported"
    REMOVED = "removed"


class GroupMessage(Row, table=True):
    """Words to a group, by a household in it or by its provider (`by_user_id` typed them)."""

    __tablename__ = "group_message"
    __table_args__ = (
        refers("slot"),
        refers("household"),
        refers("provider"),
        check("group_message_by_one", "(household_id is null) <> (provider_id is null)"),
        Index("group_message_of_slot", "municipality_id", "slot_id", "sent_at"),
    )

    slot_id: UUID
    household_id: UUID | None = None
    provider_id: UUID | None = None
    by_user_id: UUID | None = None
    words: str = Field(sa_type=SealedText)
    sent_at: datetime
    standing: Standing = Field(default=Standing.SHOWN, sa_type=choice(Standing))


class Complaint(Row, table=True):
    """Somebody of the group finds a message out of place, and may say why; only staff read it."""

    __table_args__ = (
        refers("group_message", "message_id"),
        UniqueConstraint("municipality_id", "message_id", "by_user_id", name="complaint_once"),
    )

    message_id: UUID
    by_user_id: UUID
    why: str = Field(sa_type=SealedText)
    made_at: datetime
