"""Messages within a group, behind a mark as soon as somebody complains; and how families found a month in it."""

from datetime import date, datetime
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


class Feedback(Row, table=True):
    """How a month in a group went for a family: one to five stars, and words that only officers read."""

    __table_args__ = (
        refers("slot"),
        refers("household"),
        refers("provider"),
        UniqueConstraint("municipality_id", "household_id", "slot_id", "month", name="feedback_once"),
        Index("feedback_of_provider", "municipality_id", "provider_id"),
        check("feedback_stars", "stars between 1 and 5"),
    )

    household_id: UUID
    slot_id: UUID
    provider_id: UUID
    month: date
    stars: int
    words: str = Field(sa_type=SealedText)
    given_at: datetime
