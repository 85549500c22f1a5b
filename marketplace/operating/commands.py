"""The dead letters on the command line, for whoever is at the machine and not at the page."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from marketplace.accounts.models import Actor
from marketplace.errors import Rejected
from marketplace.operating.dead_letters import list_dead_letters, retry_all, retry_dead_letter
from marketplace.words import N_

NO_NUMBER = N_("Serve il numero di un lavoro, o all.")


def list_or_retry(session: Session, now: datetime, again: str | None, say: Callable[[str], None]) -> int:
    """Without `again` one line a dead job, and 1 if there is any; else have it done again. Commits. Raises Rejected."""
    everywhere = Actor("", reason="marketplace jobs")
    if again is None:
        dead = list_dead_letters(session, "")
        for one in dead:
            say(f"{one.id}\t{one.failed_at or '-'}\t{one.municipality_id or '-'}\t{one.task}\t{one.error or '-'}")
        return 1 if dead else 0
    if again != "all" and not again.isdecimal():
        raise Rejected(NO_NUMBER)
    if again == "all":
        say(f"{retry_all(session, everywhere, now)} lavori di nuovo in coda.")
    else:
        retry_dead_letter(session, everywhere, now, int(again))
    session.commit()
    return 0
