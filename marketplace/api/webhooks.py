"""A change of state is told to the municipality's programs: written down with the change, signed, sent until taken.

The database's trigger writes a delivery in the transaction that changed the state; it names rows and states, nobody.
A delivery may arrive twice, with the same id.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from procrastinate import RetryStrategy
from sqlalchemy import delete, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Actor
from marketplace.accounts.operations import record
from marketplace.api.models import Webhook, WebhookDelivery
from marketplace.api.posting import NotTaken, Poster
from marketplace.errors import Conflict, NotFound, Rejected
from marketplace.jobs import defer, defer_each, every, job
from marketplace.words import N_

WEBHOOKS_MAX: Final = 10
ATTEMPTS_MAX: Final = 9  # the last a day after the first
KEPT: Final = timedelta(days=30)
AT_ONCE: Final = 1000
PREFIX: Final = "whsec_"
EVENTS: Final[Mapping[str, str]] = {
    "need": N_("Esigenze"),
    "proposal": N_("Proposte"),
    "slot": N_("Gruppi"),
    "meeting": N_("Incontri"),
    "round": N_("Abbinamenti"),
    "statement": N_("Estratti conto"),
    "payment": N_("Pagamenti"),
    "refund": N_("Rimborsi"),
    "contest": N_("Contestazioni"),
    "means_test": N_("ISEE"),
}
_poster: list[Poster] = [Poster()]


def post_by(poster: Poster) -> None:
    """From now on deliveries of this process go through `poster`."""
    _poster[:] = [poster]


def register_webhook(
    session: Session, by: Actor, now: datetime, url: str, events: Sequence[str]
) -> tuple[Webhook, str]:
    """From now on `url` is told of `events`; with it the secret that signs, which nobody can see again.

    Raises Rejected for an address that is not public or unknown events, Conflict for too many.
    """
    if not events or not set(events) <= set(EVENTS):
        raise Rejected(field="events")
    _poster[0].require_good(url)
    if len(list_webhooks(session, by)) >= WEBHOOKS_MAX:
        raise Conflict(N_("Ci sono già %(num)s indirizzi: togline uno."), num=WEBHOOKS_MAX)
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    hook = Webhook(
        municipality_id=by.municipality_id, url=url, events=sorted(set(events)), secret=secret, created_at=now
    )
    session.add(hook)
    record(session, by, now, "register_webhook", "webhook", hook.id, events=hook.events)
    session.flush()
    return hook, secret


def list_webhooks(session: Session, by: Actor) -> list[Webhook]:
    """Those that are told, newest first; at most ten."""
    return list(session.exec(webhooks_of(by).order_by(col(Webhook.created_at).desc(), col(Webhook.id).desc())))


def webhooks_of(by: Actor) -> SelectOfScalar[Webhook]:
    """The municipality's addresses that are told."""
    return select(Webhook).where(Webhook.municipality_id == by.municipality_id, col(Webhook.ended_at).is_(None))


def end_webhook(session: Session, by: Actor, now: datetime, webhook_id: UUID) -> Webhook:
    """The address is told nothing more, not even what waits; ended twice is ended once. Raises NotFound."""
    hook = session.get(Webhook, (by.municipality_id, webhook_id), with_for_update=True)
    if hook is None:
        raise NotFound
    if hook.ended_at is None:
        hook.ended_at = now
        record(session, by, now, "end_webhook", "webhook", hook.id)
    session.flush()
    return hook


def deliveries_of(by: Actor) -> SelectOfScalar[WebhookDelivery]:
    """All that was written to the municipality's addresses in the last 30 days."""
    return select(WebhookDelivery).where(WebhookDelivery.municipality_id == by.municipality_id)


def list_troubled(session: Session, by: Actor, limit: int = 50) -> list[WebhookDelivery]:
    """What a receiver has not taken yet, though it was tried; newest first."""
    waiting = deliveries_of(by).where(col(WebhookDelivery.delivered_at).is_(None), WebhookDelivery.attempts > 0)
    return list(session.exec(waiting.order_by(col(WebhookDelivery.id).desc()).limit(limit)))


def get_delivery(session: Session, by: Actor, delivery_id: UUID) -> WebhookDelivery:
    """One delivery. Raises NotFound."""
    found = session.get(WebhookDelivery, (by.municipality_id, delivery_id))
    if found is None:
        raise NotFound
    return found


def replay_delivery(session: Session, by: Actor, now: datetime, delivery_id: UUID) -> WebhookDelivery:
    """Send it once more, taken or not, with its own id. Raises NotFound, Conflict when its address has ended."""
    found = get_delivery(session, by, delivery_id)
    session.refresh(found, with_for_update=True)
    hook = session.get_one(Webhook, (by.municipality_id, found.webhook_id))
    if hook.ended_at is not None:
        raise Conflict(N_("Questo indirizzo non c'è più: registralo di nuovo."))
    found.delivered_at, found.queued_at = None, now
    name = f"webhook {found.id}"
    defer(session, deliver, by.municipality_id, once=name, lock=name, delivery_id=str(found.id))
    record(session, by, now, "replay_delivery", "webhook_delivery", found.id)
    session.flush()
    return found


@job("api.spread")
def spread(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Put a job in the queue for each delivery that has none yet."""
    waiting = (
        select(WebhookDelivery)
        .where(WebhookDelivery.municipality_id == municipality_id, col(WebhookDelivery.queued_at).is_(None))
        .order_by(col(WebhookDelivery.id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = session.exec(waiting).all()
    for one in found:
        one.queued_at = now
    session.flush()
    defer_each(session, deliver, municipality_id, [{"delivery_id": str(one.id)} for one in found])
    old = col(WebhookDelivery.at) <= now - KEPT
    mine = col(WebhookDelivery.municipality_id) == municipality_id
    session.connection().execute(delete(WebhookDelivery).where(mine, old))


every("* * * * *", spread)


@job("api.deliver", retry=RetryStrategy(max_attempts=ATTEMPTS_MAX - 1, exponential_wait=4))
def deliver(session: Session, municipality_id: str, now: datetime, **arguments: Any) -> None:
    """Send one delivery, unless it is taken already; what is not taken is tried again, later and later.

    No transaction is open meanwhile: a slow receiver keeps no row from anybody.
    """
    found = session.get(WebhookDelivery, (municipality_id, UUID(arguments["delivery_id"])))
    if found is None or found.delivered_at is not None:
        return
    hook = session.get_one(Webhook, (municipality_id, found.webhook_id))
    if hook.ended_at is not None:
        return
    url, body, delivery_id = hook.url, body_of(found), found.id
    headers = signed(hook.secret, str(delivery_id), now, body)
    session.commit()
    failure = ""
    try:
        _poster[0](url, body, headers)
    except NotTaken as problem:
        failure = problem.words
    tried = update(WebhookDelivery).where(
        col(WebhookDelivery.municipality_id) == municipality_id, col(WebhookDelivery.id) == delivery_id
    )
    count = {"attempts": col(WebhookDelivery.attempts) + 1, "failure": failure}
    session.connection().execute(tried.values(**count, **({} if failure else {"delivered_at": now})))
    if failure:
        session.commit()
        raise NotTaken(failure)


def body_of(one: WebhookDelivery) -> bytes:
    """What is sent: which row came from which state to which, and when; the same bytes each time."""
    told = {
        "id": str(one.id),
        "type": f"{one.subject}.{one.after}",
        "subject": one.subject,
        "subject_id": str(one.subject_id),
        "before": one.before,
        "after": one.after,
        "at": one.at.isoformat(),
        "municipality_id": one.municipality_id,
    }
    return json.dumps(told).encode()


def signed(secret: str, delivery_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: the signature is of `id.seconds.body`, by HMAC-SHA256."""
    seconds = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{delivery_id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "Condiviso",
        "Webhook-Id": delivery_id,
        "Webhook-Timestamp": seconds,
        "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }
