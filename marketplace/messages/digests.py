"""Once a day, in the morning, what was held for somebody goes as one e-mail: each message in one digest, once."""

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from procrastinate import RetryStrategy
from sqlmodel import Session, col, select

from marketplace.jobs import every, job
from marketplace.messages.choices import find_choice
from marketplace.messages.models import Kind, Message, MessageState
from marketplace.messages.operations import Recipient, link_to, quiet_hours_of, tell
from marketplace.messages.quiet import ROME
from marketplace.words import N_

MORNING: Final = 8
DIGEST: Final = (
    N_("Le tue novità di oggi (%(count)s)"),
    N_("%(parts)s\n\n-- \nRicevi un messaggio al giorno. Per cambiare: %(url)s"),
)


def morning_before(now: datetime, hour: int) -> datetime:
    """The last instant up to `now` at which the clocks of Italy showed this full hour (the first of two)."""
    day = now.astimezone(ROME).date()
    at = (datetime.combine(day - timedelta(days=back), time(hour), ROME).astimezone(UTC) for back in (0, 1))
    return next(one for one in at if one <= now)


def send_digests(session: Session, now: datetime, municipality_id: str) -> int:
    """Write the digests that the morning asks for; how many. What is held in between waits for the next morning.

    A digest and the state of what it holds change in one transaction: done again it finds nothing left.
    """
    quiet = quiet_hours_of(session, municipality_id, now)
    morning = morning_before(now, quiet.until_hour if quiet else MORNING)
    held = session.exec(
        select(Message)
        .where(
            Message.municipality_id == municipality_id,
            Message.state == MessageState.HELD,
            Message.created_at < morning,
        )
        .order_by(col(Message.created_at), col(Message.id))
        .with_for_update(skip_locked=True)
    ).all()
    of: dict[str, list[Message]] = defaultdict(list)
    for message in held:
        of[message.recipient].append(message)
    return sum(_send(session, now, morning, messages) for messages in of.values())


def _send(session: Session, now: datetime, morning: datetime, messages: list[Message]) -> bool:
    first = messages[0]
    chosen = find_choice(session, first.municipality_id, first.recipient)
    silent = chosen is not None and chosen.no_optional
    wanted = [one for one in messages if not (silent and one.kind is Kind.OPTIONAL)]
    to = Recipient(first.recipient, messages[-1].locale)
    parts = "\n\n".join(f"* {one.subject}\n\n{one.body}" for one in wanted)
    values = {"count": len(wanted), "parts": parts, "url": link_to("/avvisi")}
    key = f"digest {morning.astimezone(ROME).date()} {to.mark}"
    sent = bool(wanted) and tell(session, first.municipality_id, now, to, key, *DIGEST, values, kind=Kind.TIMELY)
    if wanted and not sent:
        return False  # this morning's has gone already: they wait for tomorrow's
    for one in messages:
        one.state = MessageState.GATHERED if one in wanted else MessageState.DROPPED
    session.flush()
    return sent


@job("messages.digest", retry=RetryStrategy(max_attempts=5, exponential_wait=3))
def digest(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Send the digests that are due."""
    send_digests(session, now, municipality_id)


every("3 * * * *", digest)
