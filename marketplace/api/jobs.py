"""What is kept for programs is forgotten when its time is over."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from marketplace.api.operations import forget_requests
from marketplace.jobs import every, job


@job("api.forget")
def forget(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Answers of more than a day ago."""
    forget_requests(session, municipality_id, now)


every("17 * * * *", forget)
