"""Reports of danger and what was answered: sealed, append-only, and behind a policy seen by the city's staff alone."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from marketplace.accounts.models import Role
from marketplace.db import Row, choice, refers
from marketplace.sealed import SealedText


class DangerReport(Row, table=True):
    """What somebody saw: `about` whom or where in their words, `provider_id` if it is one that they know.

    Without `by_user_id` it came from a stranger; `contact` is how to reach whoever wrote, if they said.
    """

    __tablename__ = "danger_report"
    __table_args__ = (refers("provider"), Index("danger_report_by_time", "municipality_id", "reported_at"))

    provider_id: UUID | None = None
    about: str = Field(sa_type=SealedText)
    words: str = Field(sa_type=SealedText)
    contact: str = Field(sa_type=SealedText)
    by_user_id: UUID | None = None
    by_role: Role | None = Field(default=None, sa_type=choice(Role))
    reported_at: datetime
    answer_by: datetime


class DangerAnswer(Row, table=True):
    """What an officer found and did; `suspended_id` is the provider that it suspended."""

    __tablename__ = "danger_answer"
    __table_args__ = (refers("danger_report", "report_id"), refers("provider", "suspended_id"))

    report_id: UUID = Field(index=True)
    words: str = Field(sa_type=SealedText)
    suspended_id: UUID | None = None
    by_user_id: UUID | None = None
    answered_at: datetime
