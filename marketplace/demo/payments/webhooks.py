"""Events reach the application signed, at least once, in no promised order, and are sent again until they are taken."""

import hmac
import json
import logging
import random
import threading
import time
import urllib.error
import urllib.request

from marketplace.demo.payments.behaviour import advance_debits
from marketplace.demo.payments.store import Store, timestamp

logger = logging.getLogger(__name__)
WAIT_SECONDS = 0.2
TRY_AGAIN_SECONDS = (1, 2, 5, 15, 60)


def signature(payload: bytes, secret: str, at: int) -> str:
    """The header that Stripe sends: a time stamp, and an HMAC-SHA256 over it and the body."""
    digest = hmac.digest(secret.encode(), f"{at}.".encode() + payload, "sha256").hex()
    return f"t={at},v1={digest}"


class Sender(threading.Thread):
    """Delivers what is due until it is told to stop."""

    def __init__(self, store: Store, url: str, secret: str) -> None:
        super().__init__(daemon=True, name="webhooks")
        self._store, self._url, self._secret = store, url, secret
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(WAIT_SECONDS):
            self.deliver_due(time.time())

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def deliver_due(self, now: float) -> int:
        """Sends what is due at `now`; how many were taken."""
        with self._store.transaction():
            advance_debits(self._store, now)
        if self._store.switch("hold_webhooks"):
            return 0
        events = self._store.due_events(now)
        if self._store.switch("reorder_webhooks"):
            random.shuffle(events)
        return sum(self._deliver(*event, now) for event in events)

    def _deliver(self, event_id: str, body: str, tries: int, now: float) -> bool:
        event = json.loads(body)
        event["id"] = event["id"].removesuffix("_again")
        payload = json.dumps(event).encode()
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": signature(payload, self._secret, timestamp()),
        }
        taken = False
        try:
            request = urllib.request.Request(self._url, payload, headers)  # noqa: S310 - the operator's own address
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                taken = 200 <= response.status < 300
        except (urllib.error.URLError, OSError) as error:
            logger.info("event %s not taken: %s", event_id, error)
        wait = TRY_AGAIN_SECONDS[min(tries, len(TRY_AGAIN_SECONDS) - 1)]
        self._store.mark_event(event_id, delivered=taken, due=now + wait)
        return taken
