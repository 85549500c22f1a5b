"""The smallest change of a need's own wishes with which it could be served beside a plan, tried out before it is told.

A change is `{"price_cents_per_hour": more}`, `{"seats": more}` (in the largest group that it accepts), `{"travel_km":
more}` or `{"windows_minutes": more, "day": day}`. The kinds that are found fastest are tried first; a change of the
first kind that helps is told.
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
from matching.plan import NO_COMMON_TIME, NO_PROVIDER, TOO_FAR

TRAVEL_STEPS_PER_KM = 10
TRAVEL_TRIED = 4
MINUTES_TRIED = (30, 60)
MINUTES_A_DAY = 1440

SEATS_TRIED = 3
PRICE, SEATS, TRAVEL, WINDOWS = KINDS = ("price_cents_per_hour", "seats", "travel_km", "windows_minutes")
KINDS_AGAINST = {NO_PROVIDER: (), TOO_FAR: (TRAVEL,), NO_COMMON_TIME: (WINDOWS,), "not_worth_it": ()}
"""Which kinds can help against a reason, where not all of them can."""

Change = tuple[dict[str, Any], Need]
"""What is told, and the need with it."""


class Changes:
    """A plan, to which one changed need is added at a time."""

    def __init__(self, instance: Instance, beside: Beside, has_time: Callable[[], bool]) -> None:
        self._instance = instance
        self._beside = beside
        self._has_time = has_time

    def of(self, need: Need, reason: str) -> dict[str, Any]:
        """For a reason's detail: the smallest `change` of the first kind that helps; or the kinds `not_tried` in time.

        Empty where none of the changes that can help against the reason does.
        """
        kinds = KINDS_AGAINST.get(reason, KINDS)
        for number, kind in enumerate(kinds):
            if not self._has_time():  # even the first candidate of a kind takes looking
                return {"not_tried": list(kinds[number:])}
            for told, changed in self._candidates(kind, need):
                if not self._has_time():
                    return {"not_tried": list(kinds[number:])}
                if self._addition(changed) is not None:
                    return {"change": told}
        return {}

    def _candidates(self, kind: str, need: Need) -> Iterator[Change]:
        if kind == PRICE:
            return self._dearer(need)
        if kind == SEATS:
            return self._larger(need)
        return self._farther(need) if kind == TRAVEL else self._longer(need)

    def _larger(self, need: Need) -> Iterator[Change]:
        """A larger group."""
        for more in range(1, SEATS_TRIED + 1) if need.group_max is not None else ():
            yield {"seats": more}, replace(need, group_max=(need.group_max or 0) + more)

    def _addition(self, need: Need) -> Addition | None:
        """How the changed need could be served beside the plan."""
        beside = self._beside.with_need(need)
        return beside.cheapest(need, beside.openings_for(need))

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
