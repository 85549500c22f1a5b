"""A write under a key is done once: what was asked is kept with its answer. A delivery is written with its change."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from marketplace.db import Row, json_list, refers
from marketplace.sealed import SealedBytes, SealedText


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


class Webhook(Row, table=True):
    """An address of the municipality's that is told of changes of state; `secret` signs and is shown once."""

    url: str = Field(max_length=500)
    events: list[str] = json_list()
    secret: str = Field(sa_type=SealedText)
    created_at: datetime
    ended_at: datetime | None = None


class WebhookDelivery(Row, table=True):
    """One change of state for one address, written by the database with the change; ids and states, no names.

    `queued_at` None: no job for it yet; `failure`: why the last attempt was not taken.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        refers("webhook"),
        UniqueConstraint("municipality_id", "webhook_id", "change_id", name="delivery_once"),
        Index("delivery_unqueued", "municipality_id", "id", postgresql_where=text("queued_at is null")),
    )

    webhook_id: UUID
    change_id: UUID
    subject: str = Field(max_length=60)
    subject_id: UUID
    before: str = Field(max_length=40)
    after: str = Field(max_length=40)
    at: datetime
    queued_at: datetime | None = None
    delivered_at: datetime | None = None
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    failure: str = Field(default="", max_length=60, sa_column_kwargs={"server_default": ""})
