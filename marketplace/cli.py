"""The command line: every command works on the installation of VAR or DATABASE_URL, and makes it if it is not there."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.exc import IntegrityError

from marketplace.config import settings_from
from marketplace.db import db, set_author
from marketplace.errors import MarketplaceError
from marketplace.filters import CITY
from marketplace.installation import Installation, open_installation
from marketplace.web import Application, conflict_of


@click.group()
def main() -> None:
    """Condiviso: a city's needs become shared slots."""


@contextmanager
def application() -> Iterator[tuple[Application, Installation]]:
    """The application inside its context, on a running, migrated database."""
    from marketplace import create_app

    with refusals(), open_installation(settings := settings_from(), say) as installation:
        app = create_app(settings, installation.app_url)
        with app.app_context():
            set_author(db.session, click.get_current_context().command_path)
            try:
                yield app, installation
            finally:
                db.session.close()
                for engine in db.engines.values():
                    engine.dispose()


@contextmanager
def refusals() -> Iterator[None]:
    """Within, a refusal becomes one line and exit 1."""
    try:
        yield
    except MarketplaceError as problem:
        say(str(problem))
        sys.exit(1)
    except IntegrityError as problem:
        say(str(conflict_of(problem)))
        sys.exit(1)


def say(line: str) -> None:
    """A line for whoever waits, on standard error: standard output is for results."""
    click.echo(line, err=True)


@main.command()
@click.option("--back-to", metavar="REVISION", help="Instead, undo what came after; stop web and worker before.")
def migrate(back_to: str | None) -> None:
    """Make the database, or bring it to the newest schema."""
    from marketplace.schema import migrate_back

    with refusals(), open_installation(settings_from(), say) as installation:
        if back_to:
            migrate_back(installation.owner_url, back_to)
        say("Il database è pronto.")


@main.command()
def web() -> None:
    """Serve the site on 127.0.0.1:PORT until SIGTERM."""
    from marketplace import create_app
    from marketplace.serving import bind, serve

    with refusals():
        settings = settings_from()
        with bind(settings.port) as listener, open_installation(settings, say) as installation:
            serve(create_app(settings, installation.app_url), listener)


@main.command()
def worker() -> None:
    """Run the jobs that are due, on this machine, until SIGTERM."""
    from marketplace.jobs import work_for_ever

    with application() as (app, installation):
        work_for_ever(app, installation.app_url)


@main.command()
def demo() -> None:
    """Run a synthetic city with all its stand-ins on 127.0.0.1:PORT until Ctrl-C."""
    from marketplace.demo import supervisor

    with refusals():
        supervisor.run(settings_from(), say)


TODAY = click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="The day that decides what has expired.")
MUNICIPALITY = click.option("--municipality", required=True, help="Six-digit ISTAT code.")


@main.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@MUNICIPALITY
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Where the findings go, as CSV.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, write nothing.")
@TODAY
def import_city(folder: Path, municipality: str, report: Path | None, dry_run: bool, today: datetime | None) -> None:
    """Bring in a city's spreadsheets: addresses, programmes, venues, professionals, needs."""
    from marketplace.intake.commands import import_folder

    with application():
        now = datetime.now(UTC)
        day = today.date() if today else now.astimezone(CITY).date()
        sys.exit(import_folder(db.session, now, day, folder, municipality, click.echo, report, dry_run, say))


@main.command()
@click.argument("email")
@click.option("--role", type=click.Choice(["officer", "operator", "administrator"]), required=True)
@click.option("--name", default="", help="Name and family name, for somebody new.")
@MUNICIPALITY
def appoint(email: str, role: str, name: str, municipality: str) -> None:
    """Give somebody a role in a municipality's office; they get in by a link to EMAIL."""
    from marketplace.accounts.commands import appoint_staff
    from marketplace.accounts.models import Role

    with application():
        appoint_staff(db.session, datetime.now(UTC), municipality, email, name, Role(role), click.echo)


@main.command("reset-second-step")
@click.argument("email")
@click.option("--reason", required=True, help="How the person was recognised; it stays in the audit log.")
@MUNICIPALITY
def reset_second_step(email: str, reason: str, municipality: str) -> None:
    """Let somebody who has lost the phone and the recovery codes set up the second step again."""
    from marketplace.accounts.commands import reset_second_step

    with application():
        reset_second_step(db.session, datetime.now(UTC), municipality, email, reason, click.echo)


@main.command("identity-keys")
@click.option("--rotate", "kind", type=click.Choice(["federation", "sig", "enc"]), help="A new key, beside the others.")
@click.option("--retire", "old", type=click.Choice(["federation", "sig", "enc"]), help="Only the newest key stays.")
def identity_keys(kind: str | None, old: str | None) -> None:
    """Make the keys for SPID and CIE, or change them; print the public ones that the federation has to know."""
    import json

    from marketplace.accounts import identity_keys as keys

    with refusals():
        settings, now = settings_from(), datetime.now(UTC)
        folder = settings.identity.keys if settings.identity else settings.var / "identity"
        found = keys.make_keys(folder, now)
        if kind:
            found = keys.rotate(folder, now, kind)
        if old:
            found = keys.retire(folder, old)
        click.echo(json.dumps(found.published(keys.FEDERATION), indent=2))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", type=click.IntRange(1), default=7, show_default=True, help="Whole copies that stay.")
def backup(folder: Path, keep: int) -> None:
    """Copy the installation of VAR into FOLDER; from then on all that is written follows, a minute late at most."""
    from marketplace.backup import back_up

    with refusals():
        say(str(back_up(settings_from(), folder, datetime.now(UTC), keep, say)))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="As it was then: 2026-11-27T09:30:00+0100.")
def restore(folder: Path, at: datetime | None) -> None:
    """Make in VAR, which has no database yet, what a backup in FOLDER holds."""
    from marketplace.backup import restore as restore_from

    with refusals():
        restore_from(settings_from().var, folder, at, say)


@main.command()
@click.option("--retry", "again", metavar="NUMBER|all", help="Have it done again.")
def jobs(again: str | None) -> None:
    """List the jobs that have failed for good, or have one or all of them done again; exit 1 if any is listed."""
    from marketplace.operating.commands import list_or_retry

    with application():
        sys.exit(list_or_retry(db.session, datetime.now(UTC), again, click.echo))


@main.command()
def doctor() -> None:
    """Say what is wrong with this installation, and what to do about it: exit 1 if anything is."""
    from marketplace.operating.doctor import examine

    with refusals():
        settings = settings_from()
        with open_installation(settings, say) as installation:
            sys.exit(examine(settings, installation.owner_url, installation.app_url, datetime.now(UTC), click.echo))


@main.command("rotate-keys")
def rotate_keys() -> None:
    """Seal with the first of SECRET_KEYS whatever an older one has sealed; then the older ones may go."""
    from marketplace.operating.rotation import rotate
    from marketplace.sealed import keyring

    with refusals(), open_installation(settings := settings_from(), say) as installation:
        keyring.unlock(list(settings.keys))
        sys.exit(rotate(installation.owner_url, click.echo))


@main.command("close-month")
@MUNICIPALITY
@click.option("--month", type=click.DateTime(["%Y-%m"]), required=True, help="The month to close, as 2026-11.")
@TODAY
def close_month(municipality: str, month: datetime, today: datetime | None) -> None:
    """Close a month: lines, vouchers, ledger, statements, payments. `--today` is refused in production."""
    from marketplace.errors import Forbidden
    from marketplace.statements.commands import close_city_month

    with application() as (app, _installation):
        if today is not None and app.config["SETTINGS"].production:
            raise Forbidden
        now = today.replace(hour=12, tzinfo=CITY).astimezone(UTC) if today else datetime.now(UTC)
        close_city_month(db.session, now, municipality, month.date(), click.echo)


@main.command()
@click.option("--municipality", help="Six-digit ISTAT code; all municipalities without it.")
@click.option("--without-stripe", is_flag=True, help="Compare everything but Stripe's own list.")
def audit(municipality: str | None, without_stripe: bool) -> None:
    """Check every balance against meetings, rules and Stripe: one line a difference, exit 1 if there is any."""
    from marketplace.statements.commands import audit_books

    with application():
        sys.exit(audit_books(db.session, municipality, click.echo, say, not without_stripe))


@main.command("settlement-report")
@MUNICIPALITY
@click.option("--month", type=click.DateTime(["%Y-%m"]), required=True, help="The closed month, as 2026-11.")
def settlement_report(municipality: str, month: datetime) -> None:
    """Print a closed month's report as CSV, derived again; exit 1 if it does not follow from the statements' lines."""
    from marketplace.documents.commands import print_settlement

    with application():
        sys.exit(print_settlement(db.session, municipality, month.date(), click.echo, say))


@main.command("export-instance")
@MUNICIPALITY
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="instance.json, or .gz.")
@TODAY
def export_instance(municipality: str, out: Path, today: datetime | None) -> None:
    """Write a city's open needs as an instance for the matcher."""
    from marketplace.intake.commands import export_instance

    with application():
        day = today.date() if today else datetime.now(CITY).date()
        count = export_instance(db.session, municipality, day, out)
        click.echo(f"{out}: {count} esigenze.")


@main.command("round")
@MUNICIPALITY
@click.option("--seconds", type=click.IntRange(1, 3600), help="How long it may take (default: the city's policy).")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--propose", "send", is_flag=True, help="Send the proposals to families and providers.")
def run_round(municipality: str, seconds: int | None, seed: int, send: bool) -> None:
    """Match a city's open needs with its professionals, in this process."""
    from marketplace.rounds.commands import run_round

    with application():
        sys.exit(run_round(db.session, datetime.now(UTC), municipality, seconds, seed, send, click.echo))


@main.command()
@MUNICIPALITY
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Its meetings take place, with absences.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--close", is_flag=True, help="Then the month is closed, on the fourth day of the next.")
def play(municipality: str, month: datetime | None, seed: int, close: bool) -> None:
    """On a trial city: everybody accepts what is proposed; then a month of meetings. Refused in production."""
    from marketplace.demo.play import accept_all, close_played, play_month
    from marketplace.errors import Forbidden

    with application() as (app, _installation):
        if app.config["SETTINGS"].production:
            raise Forbidden
        click.echo(f"{accept_all(db.session, datetime.now(UTC), municipality)} proposte accettate.")
        if month is not None:
            happened = play_month(db.session, municipality, month.date(), seed)
            click.echo(", ".join(f"{what} {count}" for what, count in sorted(happened.items())))
            if close:
                totals = close_played(db.session, municipality, month.date())
                click.echo(", ".join(f"{what} {count}" for what, count in totals.items()))
