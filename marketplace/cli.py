"""The command line: every command works on the installation of VAR or DATABASE_URL, and makes it if it is not there."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from marketplace.config import settings_from
from marketplace.errors import MarketplaceError
from marketplace.installation import Installation, open_installation
from marketplace.postgres import DatabaseUnavailable
from marketplace.web import Application


@click.group()
def main() -> None:
    """Condiviso: a city's needs become shared slots."""


@contextmanager
def application() -> Iterator[tuple[Application, Installation]]:
    """The application inside its context, on a running, migrated database; a refusal becomes one line and exit 1."""
    from marketplace import create_app

    settings = settings_from()
    try:
        with open_installation(settings, say) as installation:
            app = create_app(settings, installation.app_url)
            with app.app_context():
                yield app, installation
    except (DatabaseUnavailable, MarketplaceError) as problem:
        say(str(problem))
        sys.exit(1)


def say(line: str) -> None:
    """A line for whoever waits, on standard error: standard output is for results."""
    click.echo(line, err=True)


@main.command()
def migrate() -> None:
    """Make the database, or bring it to the newest schema."""
    with application():
        say("Il database è pronto.")
