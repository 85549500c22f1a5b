"""A round keeps its instance, plan, hashes, seed and solver version: anyone entitled can check it again."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, text
from sqlmodel import Field

from marketplace.db import Row, check, choice, json_list, json_object


class RoundState(StrEnum):
    """States of product.md."""

    PREPARING = "preparing"
    SOLVING = "solving"
    SOLVED = "solved"
    PROPOSED = "proposed"
    SETTLED = "settled"
    FAILED = "failed"


class Round(Row, table=True):
    """One run of the matcher; `instance_gz`, `plan_gz` are gzipped canonical JSON, `progress` its events in order."""

    __table_args__ = (
        Index(
            "one_active_round",
            "municipality_id",
            unique=True,
            postgresql_where=text("state in ('preparing', 'solving', 'solved')"),
        ),
        check("round_seconds", "seconds_limit between 1 and 3600"),
    )

    state: RoundState = Field(default=RoundState.PREPARING, sa_type=choice(RoundState))
    started_by: UUID | None = None
    started_at: datetime
    seconds_limit: int = 60
    seed: int = 0
    instance_gz: bytes | None = Field(default=None, sa_type=LargeBinary)
    instance_sha256: str | None = Field(default=None, max_length=64)
    plan_gz: bytes | None = Field(default=None, sa_type=LargeBinary)
    plan_sha256: str | None = Field(default=None, max_length=64)
    solver: str = Field(default="", max_length=120)
    progress: list[dict[str, Any]] = json_list()
    summary: dict[str, Any] = json_object()
    failure: str = Field(default="", max_length=500)
    solved_at: datetime | None = None
    proposed_at: datetime | None = None
    settled_at: datetime | None = None
