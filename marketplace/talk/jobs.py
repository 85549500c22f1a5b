"""Every night the talk of groups that are long over is forgotten."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from marketplace.jobs import every, job
from marketplace.talk.operations import forget_old_talk


@job("talk.forget")
def forget(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Messages go three months after the group."""
    forget_old_talk(session, municipality_id, now)


every("41 2 * * *", forget)
