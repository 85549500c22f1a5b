"""The demo is one command: database, city, site, worker and payment double; when it ends, nothing is left running."""

import dataclasses
import json
import os
import secrets
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from sqlmodel import col, select

from marketplace import create_app
from marketplace.accounts.models import Municipality
from marketplace.config import Settings
from marketplace.db import db
from marketplace.demo import identity, inps
from marketplace.demo.city import REGGIO_EMILIA
from marketplace.demo.history import make_demo
from marketplace.demo.payments.seed import save_ways_to_pay
from marketplace.errors import CannotRun
from marketplace.installation import open_installation
from marketplace.jobs import work_for_ever
from marketplace.postgres import ensure_server
from marketplace.processes import Child, Ended, Tree, ends_by_signal
from marketplace.serving import bind, serve
from marketplace.web import Application
from marketplace.words import N_

WEBHOOK_PATH = "/stripe/eventi"
SITE_SECONDS = 60
WORKER_SECONDS = 15
LOOK_SECONDS = 0.25
HEAL_SECONDS = 5

Say = Callable[[str], None]


class NotHere(CannotRun):
    """A demo signs anybody in: never in production."""

    default = N_("La dimostrazione fa entrare chiunque: non si avvia con PRODUCTION.")


def run(settings: Settings, say: Say) -> None:
    """Run the demo on 127.0.0.1 until Ctrl-C, SIGTERM or a fault that restarting does not cure; raises CannotRun."""
    if settings.production:
        raise NotHere
    with suppress(Ended), ends_by_signal(), bind(settings.port) as listener:
        settings = with_stand_ins(settings)
        with open_installation(settings, say) as installation:
            app = create_app(settings, installation.app_url)
            make_city_once(app, say)
            tree = Tree(
                [
                    Child("web", lambda: serve(app, listener), orphaned=signal.SIGTERM),
                    Child("worker", lambda: work_for_ever(app, installation.app_url)),
                    Child("payments", lambda: stand_in_for_payments(settings)),
                    Child("inps", lambda: stand_in_for_inps(settings)),
                    Child("identity", lambda: stand_in_for_identity(settings)),
                ],
                settings.var / "log",
            )
            try:
                tree.start()
                _wait_until_ready(settings, tree, say)
                _tend_for_ever(settings, tree)
            finally:
                with suppress(OSError):  # the terminal may be gone
                    say(N_("Fermo tutto ..."))
                tree.stop()


def make_city_once(app: Application, say: Say) -> None:
    """Make the synthetic city and its past in a database without municipalities, or go on where that was stopped."""
    with app.app_context():
        real = select(Municipality.id).where(col(Municipality.is_demo).is_(False))
        if db.session.exec(real).first() is None:
            make_demo(db.session, datetime.now(UTC), say)
            save_ways_to_pay(db.session, app.config["SETTINGS"].var, REGGIO_EMILIA)
            inps.write_known(db.session, app.config["SETTINGS"].var, REGGIO_EMILIA)
            identity.write_known(db.session, app.config["SETTINGS"].var, REGGIO_EMILIA)
        db.session.close()
        db.engine.dispose()  # connections may not be shared with the processes that are forked next


def with_stand_ins(settings: Settings) -> Settings:
    """The same installation as a demo: payments go to the local double, mail stays here."""
    with bind(0) as free, bind(0) as another, bind(0) as third:
        payments_port, inps_port, identity_port = (one.getsockname()[1] for one in (free, another, third))
    identity.anchor_key(settings.var)
    return dataclasses.replace(
        settings,
        demo=True,
        smtp_url=None,
        stripe_secret_key="sk_test_demo",  # noqa: S106 - the double takes any
        stripe_webhook_secret=f"whsec_{secrets.token_urlsafe(24)}",
        stripe_base_address=f"http://127.0.0.1:{payments_port}",
        base_url=f"http://127.0.0.1:{settings.port}",
        inps=inps.settings_of(settings.var, inps_port),
        identity=identity.settings_of(settings.var, f"http://127.0.0.1:{identity_port}"),
    )


def stand_in_for_payments(settings: Settings) -> None:
    """Run the payment double in this process."""
    from marketplace.demo.payments.__main__ import main

    os.environ["STRIPE_WEBHOOK_SECRET"] = settings.stripe_webhook_secret or ""
    port = (settings.stripe_base_address or "").rpartition(":")[2]
    sys.argv = ["payments", "--port", port, "--var", str(settings.var)]
    sys.argv += ["--webhook-url", settings.base_url + WEBHOOK_PATH]
    main()


def stand_in_for_inps(settings: Settings) -> None:
    """Run INPS's double in this process."""
    assert settings.inps is not None
    inps.serve(settings.inps)


def stand_in_for_identity(settings: Settings) -> None:
    """Run the double of SPID and CIE in this process."""
    assert settings.identity is not None
    identity.serve(settings.identity, settings.var)


def _wait_until_ready(settings: Settings, tree: Tree, say: Say) -> None:
    """Wait for a page and for the worker's first sign of life; go on without the latter, /health says it."""
    say(N_("Avvio il sito ..."))
    began = time.monotonic()
    while (state := _health(settings)) != "ok":
        tree.tend()
        if time.monotonic() - began > (WORKER_SECONDS if state else SITE_SECONDS):
            break
        time.sleep(LOOK_SECONDS)
    if not state:
        raise CannotRun(N_("Il sito non risponde: %(log)s dice perché."), log=tree.logs / "web.log")
    say(N_("Condiviso è pronto: %(address)s (Ctrl-C per finire)") % {"address": settings.base_url})


def _health(settings: Settings) -> str:
    """`status` of /health, "" while nobody answers."""
    try:
        with urllib.request.urlopen(f"{settings.base_url}/health", timeout=5) as answer:  # noqa: S310 - our own
            return str(json.load(answer)["status"])
    except (OSError, ValueError):
        return ""


def _tend_for_ever(settings: Settings, tree: Tree) -> None:
    healed = time.monotonic()
    while True:
        tree.tend()
        if not settings.database_url and time.monotonic() > healed + HEAL_SECONDS:
            ensure_server(settings.var).close()
            healed = time.monotonic()
        time.sleep(LOOK_SECONDS)
