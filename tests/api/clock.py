"""The site's clock and its jobs', which the tests set."""

from datetime import datetime
from typing import Any

import pytest

from marketplace import jobs, web
from tests.city import NOW


class Clock(datetime):
    """It says what `at` says."""

    at = NOW

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """It stands at NOW."""
    monkeypatch.setattr(Clock, "at", NOW)
    for room in (web, jobs):
        monkeypatch.setattr(room, "datetime", Clock)
    return Clock
