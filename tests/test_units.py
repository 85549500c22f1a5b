"""The units that the documentation offers are read by systemd's rules and start commands that there are."""

import configparser
from pathlib import Path

import pytest

from marketplace.cli import main
from marketplace.serving import GRACE_SECONDS

UNITS = Path(__file__).parents[1] / "docs" / "systemd"


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=True, interpolation=None)
    found.optionxform = str  # type: ignore[method-assign,assignment]
    found.read_string((UNITS / name).read_text())
    return found


@pytest.mark.parametrize("path", sorted(UNITS.glob("*.service")), ids=lambda path: path.name)
def test_each_service_starts_a_command_that_there_is(path: Path) -> None:
    service = unit(path.name)["Service"]
    for key in ("ExecStart", "ExecStartPost"):
        if key in service:
            assert service[key].split("/.venv/bin/marketplace ")[1].split()[0] in main.commands
    assert service["User"] != "root"


def test_the_site_has_its_time_to_finish() -> None:
    service = unit("condiviso-web.service")["Service"]
    assert int(service["TimeoutStopSec"]) > GRACE_SECONDS
    assert service["KillMode"] == "process"  # gunicorn tells its own workers, and the database may be in use


def test_every_timer_has_its_service() -> None:
    for path in UNITS.glob("*.timer"):
        assert path.with_suffix(".service").exists()
