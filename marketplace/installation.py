"""An installation is a database at the newest schema, found or made by whichever command comes first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from marketplace.config import Settings
from marketplace.postgres import ensure_server, unavailable
from marketplace.schema import migrate
from marketplace.words import N_


@dataclass(frozen=True, slots=True)
class Installation:
    """Addresses of one database: `owner_url` migrates and sees all rows, `app_url` obeys row-level security."""

    owner_url: str
    app_url: str


@contextmanager
def open_installation(settings: Settings, say: Callable[[str], None] = lambda line: None) -> Iterator[Installation]:
    """The database of `settings`, migrated, kept running while the context is open. Raises DatabaseUnavailable."""
    if settings.database_url:
        given = Installation(settings.database_url, as_app(settings.database_url))
        yield _migrated(given, str(make_url(given.owner_url).set(query={})), say)
        return
    with ensure_server(settings.var, say=say) as server:
        yield _migrated(Installation(server.url("owner"), server.url("app")), str(settings.var), say)


def as_app(owner_url: str) -> str:
    """The address of a given server, in the role `app` from the start of each connection.

    Without a space in it, which SQLAlchemy writes as a plus that libpq does not read.
    """
    return make_url(owner_url).update_query_dict({"options": "-crole=app"}).render_as_string(hide_password=False)


def _migrated(installation: Installation, where: str, say: Callable[[str], None]) -> Installation:
    """The same, at the newest schema; `where` names it in a refusal."""
    try:
        if migrate(installation.owner_url):
            say(N_("Il database ha lo schema più recente."))
    except OperationalError as problem:  # nobody there, no such database, a disk that filled up meanwhile
        raise unavailable(where, " ".join(str(problem.orig).split())) from problem
    return installation
