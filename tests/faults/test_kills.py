"""A few of the points of `make faults`, one of each kind, in every run of the tests."""

import subprocess
import sys

import pytest

from tests.faults.kills import MODES, choose, faults_of
from tests.faults.story import STAGES


@pytest.mark.slow
def test_whatever_is_killed_the_story_ends_as_it_would_have() -> None:
    """In a process of its own: it forks, which a process with threads may not."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.kills", "--points", "7", "--seed", "4"],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout


def test_a_seed_s_points_meet_every_stage_and_every_kind_of_blow() -> None:
    points = choose(240, 1, [50] * len(STAGES))
    assert points == choose(240, 1, [50] * len(STAGES))
    assert {point.stage for point in points} == set(range(len(STAGES)))
    assert {point.mode for point in points} == set(MODES)


def test_what_is_lost_or_done_twice_is_a_fault() -> None:
    well = {"differences": [], "at_stripe": 300, "mails": 2, "again": 0, "counted": [["message", "sent", "2"]]}
    point = choose(1, 1, [50] * len(STAGES))[0]
    assert faults_of(well, well, point) == []
    for change in (
        {"differences": ["a cent"]},
        {"at_stripe": 600},
        {"mails": 1},
        {"again": 3},
        {"counted": [["message", "queued", "1"], ["message", "sent", "1"]]},
        {"counted": []},
    ):
        assert faults_of(well, well | change, point)
