"""Every night what signing in leaves behind is forgotten: spent links, ended sessions, tries, unsigned challenges."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from marketplace.accounts.identity import forget_old_questions
from marketplace.accounts.passkeys import forget_old_challenges
from marketplace.accounts.sessions import forget_old_sessions
from marketplace.accounts.sign_in import forget_old_links
from marketplace.accounts.throttle import forget_old_attempts
from marketplace.jobs import every, job


@job("accounts.forget")
def forget(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """These tables are global: whichever municipality's night comes first does it for all."""
    forget_old_links(session, now)
    forget_old_sessions(session, now)
    forget_old_attempts(session, now)
    forget_old_challenges(session, now)
    forget_old_questions(session, now)


every("23 2 * * *", forget)
