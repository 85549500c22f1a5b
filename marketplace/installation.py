"""An installation is a database at the newest schema, found or made by whichever command comes first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url

from marketplace.config import Settings
from marketplace.postgres import ensure_server
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
        yield _migrated(Installation(settings.database_url, as_app(settings.database_url)), say)
        return
    with ensure_server(settings.var, say=say) as server:
        yield _migrated(Installation(server.url("owner"), server.url("app")), say)


def as_app(owner_url: str) -> str:
    """The address of a given server, in the role `app` from the start of each connection.

    Without a space in it, which SQLAlchemy writes as a plus that libpq does not read.
    """
    return make_url(owner_url).update_query_dict({"options": "-crole=app"}).render_as_string(hide_password=False)


def _migrated(installation: Installation, say: Callable[[str], None]) -> Installation:
    if migrate(installation.owner_url):
        say(N_("Il database ha lo schema più recente."))
    return installation
