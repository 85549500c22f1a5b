"""Fifty processes at once: one wins, the others are told; nothing is given twice."""

import json
import subprocess
import sys
from typing import Any

import pytest

from marketplace.installation import Installation


def race(name: str, installation: Installation) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.races", name, installation.app_url],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_last_seat_is_proposed_to_one_of_fifty(installation: Installation) -> None:
    ended = race("last_seat", installation)
    assert ended == {"ends": {"won": 1, "Conflict": 49}, "seats": 5, "limit": 5, "proposed": 1}


@pytest.mark.slow
def test_the_last_euros_of_a_budget_are_held_by_one_of_fifty(installation: Installation) -> None:
    assert race("last_euro", installation) == {"ends": {"won": 1, "Conflict": 49}, "used": 600}


@pytest.mark.slow
def test_a_proposal_accepted_fifty_times_is_accepted_once(installation: Installation) -> None:
    assert race("same_proposal", installation) == {"ends": {"answered": 50}, "state": True, "lines": 1}


@pytest.mark.slow
def test_an_event_delivered_fifty_times_is_taken_once(installation: Installation) -> None:
    assert race("same_webhook", installation) == {"ends": {"won": 1, "known": 49}, "events": 1, "jobs": 1}


@pytest.mark.slow
def test_a_month_closed_by_fifty_is_closed_once(installation: Installation) -> None:
    ended = race("same_month", installation)
    assert ended == {"ends": {"closed": 50}, "closings": 1, "lines": 12, "audit": 1, "slots": 1}
