"""The payment stand-in as tests use it: a real server on the loopback, webhooks kept instead of sent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from billing.gateway import Gateway
from marketplace.demo.payments import behaviour, hosted
from marketplace.demo.payments.app import create_app
from marketplace.demo.payments.store import Store


@dataclass
class StandIn:
    """Its address, its memory and a gateway that talks to it."""

    url: str
    store: Store
    gateway: Gateway

    def set(self, **switches: Any) -> None:
        with self.store.transaction():
            for name, value in switches.items():
                self.store.set_switch(name, value)

    def save_method(self, customer_id: str, choice: str) -> str:
        """What a family does on the hosted page; the method's id."""
        page = self.gateway.open_setup_page(
            f"{customer_id}-{time.monotonic_ns()}",
            customer_id=customer_id,
            reference="test",
            done_url="http://x/ok",
            cancel_url="http://x/no",
        )
        with self.store.transaction():
            hosted.complete_session(self.store, page.id, choice)
        saved = self.gateway.find_saved_method(page.id)
        assert saved is not None
        return saved.method_id

    def open_account(self, key: str) -> str:
        """A provider's account that can be paid."""
        account = self.gateway.create_account(key, municipality_id="035033", email=None)
        with self.store.transaction():
            hosted.complete_onboarding(self.store, account)
        return account

    def settle_debits(self) -> None:
        with self.store.transaction():
            behaviour.advance_debits(self.store, time.time() + 3600)


@contextmanager
def running(folder: Path) -> Iterator[StandIn]:
    store = Store(folder / "payments.sqlite")
    server = make_server("127.0.0.1", 0, create_app(store), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    gateway = Gateway("sk_test_local", base_url=url, timeout_seconds=5)
    try:
        yield StandIn(url, store, gateway)
    finally:
        gateway.close()
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()
