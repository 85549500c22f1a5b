"""Alembic's environment: runs on the connection that marketplace.schema hands over, as the owner of the tables."""

from typing import Any

from alembic import context
from sqlmodel import SQLModel

from marketplace import models


def ours(name: str | None, kind: str, parents: Any) -> bool:
    """Procrastinate's tables are its own business."""
    return kind != "table" or name in SQLModel.metadata.tables


assert models  # imported so that every table is known
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_name=ours,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
