"""`python -m marketplace.demo.payments --port P --var DIR --webhook-url URL`: the stand-in, until it is stopped."""

import argparse
import logging
import os
import signal
import threading
from pathlib import Path

from werkzeug.serving import make_server

from marketplace.config import PAYMENTS_ADDRESS_FILE as ADDRESS_FILE
from marketplace.demo.payments.app import create_app
from marketplace.demo.payments.store import Store
from marketplace.demo.payments.webhooks import Sender


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m marketplace.demo.payments", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--var", type=Path, required=True, help="the folder that keeps its memory")
    parser.add_argument("--webhook-url", required=True, help="where events are sent")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    secret = os.environ["STRIPE_WEBHOOK_SECRET"]
    store = Store(arguments.var / "payments.sqlite")
    server = make_server("127.0.0.1", arguments.port, create_app(store), threaded=True)
    sender = Sender(store, arguments.webhook_url, secret)
    sender.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    address = arguments.var / ADDRESS_FILE
    address.write_text(f"http://127.0.0.1:{server.server_port}")
    print(f"payment stand-in on http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    finally:
        address.unlink(missing_ok=True)
        sender.stop()
        store.close()


if __name__ == "__main__":
    main()
