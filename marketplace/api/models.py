"""What a program asked for under a key of its own is done once: the answer is kept with what was asked."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field

from marketplace.db import Row
from marketplace.sealed import SealedBytes


class ApiRequest(Row, table=True):
    """A write that succeeded, by its Idempotency-Key; `fingerprint` is a hash of all that was asked, `body` sealed."""

    __tablename__ = "api_request"
    __table_args__ = (
        ForeignKeyConstraint(["token_id"], ["api_token.id"], name="token_id_exists"),
        UniqueConstraint("municipality_id", "token_id", "key", name="request_once"),
    )

    token_id: UUID
    key: str = Field(max_length=255)
    fingerprint: bytes
    status: int
    media_type: str = Field(max_length=80)
    body: bytes = Field(sa_type=SealedBytes)
    at: datetime = Field(index=True)
