"""The site is served by gunicorn, on a socket that was bound before anything else was started."""

import errno
import os
import socket

from gunicorn.app.base import BaseApplication

from marketplace import metrics
from marketplace.errors import CannotRun
from marketplace.logs import SiteLogger, log_to_stderr
from marketplace.web import Application
from marketplace.words import N_

HOST = "127.0.0.1"
WORKERS = 2
THREADS = 8
TIMEOUT_SECONDS = 60
KEPT_OPEN_SECONDS = 75  # longer than a proxy keeps its end (60): who closes first resets what is on its way
GRACE_SECONDS = 30  # for what is being answered when the end is asked for
GRACE_SECONDS_ON_TRIAL = 3  # somebody waits at a terminal


class PortUnavailable(CannotRun):
    """Nobody can listen there."""


def bind(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1:`port` (0: any free one) and keeps callers waiting; raises PortUnavailable.

    It listens at once: a port that is only bound another one could still bind, while the first makes its city.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        _refuse_if_somebody_listens(port)
        bound.listen()
    except (OSError, OverflowError) as problem:
        bound.close()
        if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
            raise PortUnavailable(
                N_("La porta %(port)s è già in uso: scegline un'altra con PORT=..."), port=port
            ) from None
        raise PortUnavailable(N_("La porta %(port)s non si può usare: %(reason)s"), port=port, reason=problem) from None
    return bound


def _refuse_if_somebody_listens(port: int) -> None:
    """A server on all addresses leaves ours free to bind, but we would take its calls."""
    if not port:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        if probe.connect_ex((HOST, port)) == 0:
            raise OSError(errno.EADDRINUSE, "in use")


class _Site(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    def __init__(self, app: Application, listener: socket.socket) -> None:
        self._app = app
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        production = self._app.config["SETTINGS"].production
        for name, value in {
            "bind": f"fd://{os.dup(self._listener.fileno())}",  # gunicorn closes it, we close ours
            "workers": WORKERS,
            "threads": THREADS,
            "worker_class": "gthread",
            "preload_app": True,
            "timeout": TIMEOUT_SECONDS,
            "keepalive": KEPT_OPEN_SECONDS,
            "graceful_timeout": GRACE_SECONDS if production else GRACE_SECONDS_ON_TRIAL,
            "child_exit": lambda _server, process: metrics.forget_process(process.pid),
            "logger_class": SiteLogger,
            "loglevel": "warning",
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return self._app


def serve(app: Application, listener: socket.socket) -> None:
    """Answer requests on `listener` until SIGTERM. Open no database connection before: the workers are forked."""
    log_to_stderr(app.config["SETTINGS"].log_json)
    with metrics.counting():
        _Site(app, listener).run()
