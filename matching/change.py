"""The smallest change of a need's own wishes with which it could be served beside a plan, tried out before it is told.

A change is `{"price_cents_per_hour": more}`, `{"travel_km": more}` or `{"windows_minutes": more, "day": day}`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

from matching.beside import Addition, Beside
from matching.company import price_per_hour
from matching.distance import Address, distance_km
from matching.instance import Instance, Need, Window
from matching.plan import NO_COMMON_TIME, TOO_FAR

TRAVEL_STEPS_PER_KM = 10
TRAVEL_TRIED = 4
MINUTES_TRIED = (30, 60)
MINUTES_A_DAY = 1440

Change = tuple[dict[str, Any], Need]
"""What is told, and the need with it."""


class Changes:
    """A plan, to which one changed need is added at a time."""

    def __init__(self, instance: Instance, beside: Beside, has_time: Callable[[], bool]) -> None:
        self._instance = instance
        self._beside = beside
        self._has_time = has_time

    def smallest(self, need: Need, reason: str) -> dict[str, Any] | None:
        """The smallest change of the kinds that can help against the reason; None if none is found in time."""
        for told, changed in self._candidates(need, reason):
            if not self._has_time():
                return None
            if self._addition(changed) is not None:
                return told
        return None

    def _candidates(self, need: Need, reason: str) -> Iterator[Change]:
        if reason == TOO_FAR:
            yield from self._farther(need)
        elif reason == NO_COMMON_TIME:
            yield from self._longer(need)
        elif reason in {"too_expensive", "budget_exhausted", "outcompeted", "group_too_small"}:
            yield from self._dearer(need)
            if reason != "too_expensive":
                yield from self._farther(need)
                yield from self._longer(need)

    def _addition(self, need: Need) -> Addition | None:
        """How the changed need could be served beside the plan."""
        beside = self._beside.with_need(need)
        return beside.cheapest(need, beside.providers_for(need))

    def _dearer(self, need: Need) -> Iterator[Change]:
        """A higher price limit: as high as the cheapest addition without one asks."""
        limit = need.price_max_cents_per_hour
        if limit is None:
            return
        addition = self._addition(replace(need, price_max_cents_per_hour=None))
        if addition is not None and (price := price_per_hour(need, addition.net_cents)) > limit:
            yield {"price_cents_per_hour": price - limit}, replace(need, price_max_cents_per_hour=price)

    def _farther(self, need: Need) -> Iterator[Change]:
        """A longer way, as far as the next places, nearest first."""
        places: list[Address] = [
            *(venue for venue in self._instance.venues.values() if need.service in venue.services),
            *(
                host
                for host in self._instance.needs.values()
                if host.host_seats and host.service == need.service and host.id != need.id
            ),
        ]
        steps = {
            ceil((distance_km(need.lat, need.lon, one.lat, one.lon) - float(need.travel_km_max)) * TRAVEL_STEPS_PER_KM)
            for one in places
        }
        for step in sorted(step for step in steps if step > 0)[:TRAVEL_TRIED]:
            more = Fraction(step, TRAVEL_STEPS_PER_KM)
            yield {"travel_km": float(more)}, replace(need, travel_km_max=need.travel_km_max + more)

    def _longer(self, need: Need) -> Iterator[Change]:
        """One day's windows longer, at one end or the other."""
        for minutes in MINUTES_TRIED:
            if minutes % self._instance.grid_minutes:
                continue
            for day in sorted({window.day for window in need.windows}):
                windows = tuple(longer for window in need.windows for longer in _longer_windows(window, day, minutes))
                yield {"windows_minutes": minutes, "day": day}, replace(need, windows=windows)


def _longer_windows(window: Window, day: int, minutes: int) -> Iterator[Window]:
    """The window, or on its day the two that are longer at one end each."""
    if window.day != day:
        yield window
        return
    yield Window(day, max(0, window.start - minutes), window.end)
    yield Window(day, window.start, min(MINUTES_A_DAY, window.end + minutes))
