"""Why a job failed, by class and place of the exception: never its message, which may repeat what somebody wrote."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7


class JobFailure(SQLModel, table=True):
    """One run of a job that ended in an exception (global); it goes with its job."""

    __tablename__ = "job_failure"

    id: UUID = Field(default_factory=uuid7, primary_key=True, sa_column_kwargs={"server_default": text("uuidv7()")})
    job_id: int = Field(sa_type=BigInteger, index=True)
    at: datetime
    error: str = Field(max_length=500)
