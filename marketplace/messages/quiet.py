"""Hours in which nobody is disturbed, by the clocks on the walls of Italy: also on the days on which they change."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ROME: Final = ZoneInfo("Europe/Rome")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one hour of the clock (0 to 23) to another, over midnight where the second is not later; equal is never."""

    from_hour: int
    until_hour: int

    def holds(self, hour: int) -> bool:
        """Whether it is quiet at this hour of the clock."""
        if self.from_hour <= self.until_hour:
            return self.from_hour <= hour < self.until_hour
        return hour >= self.from_hour or hour < self.until_hour


def free_from(now: datetime, quiet: QuietHours) -> datetime:
    """The first instant from `now` on (aware) that is not quiet, in UTC where it is not `now` itself."""
    local = now.astimezone(ROME)
    if not quiet.holds(local.hour):
        return now
    day = local.date() + timedelta(days=int(local.hour >= quiet.until_hour))
    ends = (datetime.combine(day, time(quiet.until_hour, fold=fold), ROME).astimezone(UTC) for fold in (0, 1))
    return next(end for end in ends if end > now)
