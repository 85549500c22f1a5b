"""An upload waits, sealed, for a decision: it goes in or is thrown away, and its files do not outlive that."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Field

from marketplace.db import Row, choice, refers
from marketplace.sealed import SealedBytes, SealedText


class UploadState(StrEnum):
    """What became of an upload; CHECKING until a job has read it."""

    CHECKING = "checking"
    CHECKED = "checked"
    IMPORTED = "imported"
    DISCARDED = "discarded"


class Upload(Row, table=True):
    """Files that came together; `outcome` is the JSON of their check, or of their import once they went in."""

    by_user_id: UUID | None = None
    state: UploadState = Field(default=UploadState.CHECKING, sa_type=choice(UploadState))
    outcome: str = Field(sa_type=SealedText)
    created_at: datetime
    decided_at: datetime | None = None


class UploadedFile(Row, table=True):
    """One file as it came, kept until its upload is decided."""

    __tablename__ = "uploaded_file"
    __table_args__ = (refers("upload"),)

    upload_id: UUID = Field(index=True)
    name: str = Field(max_length=200)
    content: bytes = Field(sa_type=SealedBytes)
