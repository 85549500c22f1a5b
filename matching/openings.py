"""Where a need may have room beside a plan, compiled: a sieve that never leaves out a provider or a slot that has.

It looks at one provider at a time: hours that are free for the need alone, and slots that it may join. What passes
is looked at with the rules themselves (`matching.beside`).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from matching.arrays import CLASS, HOMES, NO_LIMIT, NOTHING, PRESENCE, ROUND, City, Ints
from matching.candidates import DAYS
from matching.company import NONE, session_cents
from matching.compiled import compiled, inner, lean
from matching.first_reasons import Nearby, count_days, covers, is_near, near_venues, nearby, own_places, those_near
from matching.instance import Instance, Place, PlaceAtHost, PlaceAtVenue
from matching.plan import Slot

SLOT_FIELDS = 13
(PROVIDER, SERVICE, PLACE, DAY, START, END, LOW_LEVEL, HIGH_LEVEL, LOW_AGE, HIGH_AGE, TOPIC, PEAK, SEATS_MAX) = range(
    SLOT_FIELDS
)
FREE = -2
ALONE = -1


class Standing(NamedTuple):
    """A plan's slots as rows; by provider and day, where it is at each time (or `FREE`); the time that it has left."""

    slots: Ints
    at: Ints
    day_left: Ints
    week_left: Ints


def stand(instance: Instance, city: City, slots: Sequence[Slot]) -> Standing:
    """The arrays of a plan's slots."""
    coder = _Coder(instance)
    table = np.array([coder.row(slot) for slot in slots], np.int64).reshape(-1, SLOT_FIELDS)
    at = np.full((len(city.providers), DAYS, city.units), FREE, np.int64)
    day_left: Ints = np.repeat(city.providers["day_max"][:, None], DAYS, axis=1)
    week_left: Ints = city.providers["week_max"].copy()
    _fill(table, at, day_left, week_left)
    return Standing(table, at, day_left, week_left)


class _Coder:
    def __init__(self, instance: Instance) -> None:
        self._instance, self._grid = instance, instance.grid_minutes
        self._services, self._providers, self._venues, self._needs = (
            {name: index for index, name in enumerate(names)}
            for names in (instance.services, instance.providers, instance.venues, instance.needs)
        )
        topics = {topic for one in instance.providers.values() for offer in one.offers for topic in offer.topics}
        topics.update(need.topic for need in instance.needs.values() if need.topic)
        self._topics = {name: index for index, name in enumerate(sorted(topics))}

    def row(self, slot: Slot) -> list[int]:
        """What of a slot decides who may join it."""
        needs = [self._instance.needs[member.need] for member in slot.members]
        levels = [need.level for need in needs if need.level is not None]
        ages = [need.age for need in needs if need.age is not None]
        topics = [self._topics[need.topic] for need in needs if need.topic]
        return [
            self._providers[slot.provider],
            self._services[slot.service],
            self._place(slot.place),
            slot.day,
            slot.start // self._grid,
            slot.end // self._grid,
            min(levels, default=NO_LIMIT),
            max(levels, default=-NO_LIMIT),
            min(ages, default=NO_LIMIT),
            max(ages, default=-NO_LIMIT),
            topics[0] if topics else NOTHING,
            sum(need.seats for need in needs),
            min((need.group_max for need in needs if need.group_max is not None), default=NO_LIMIT),
        ]

    def _place(self, place: Place) -> int:
        if isinstance(place, PlaceAtVenue):
            return self._venues[place.venue]
        return len(self._venues) + self._needs[place.need] if isinstance(place, PlaceAtHost) else HOMES


@compiled
def _fill(table: Ints, at: Ints, day_left: Ints, week_left: Ints) -> None:
    """Take each slot's time from its provider."""
    for i in range(len(table)):
        provider, day, length = table[i, PROVIDER], table[i, DAY], table[i, END] - table[i, START]
        day_left[provider, day] -= length
        week_left[provider] -= length
        for t in range(table[i, START], table[i, END]):
            at[provider, day, t] = table[i, PLACE]


def openings(city: City, standing: Standing, needs: Iterable[int]) -> dict[int, dict[int, list[int]]]:
    """By need (its index), for those that may have room: the providers with which it may, and the slots it may join.

    Providers are in their order; slots are indices of the plan's, in its order.
    """
    wanted = np.fromiter(needs, np.int64)
    found = np.zeros((128 * len(wanted) + len(city.providers), 3), np.int64)
    while (count := _find(city, standing, wanted, found)) > len(found):
        found = np.zeros((2 * count, 3), np.int64)
    by_need: dict[int, dict[int, list[int]]] = {}
    for need, provider, slot in found[:count].tolist():
        slots = by_need.setdefault(need, {}).setdefault(provider, [])
        if slot != ALONE:
            slots.append(slot)
    return by_need


@compiled
def _find(city: City, standing: Standing, wanted: Ints, found: Ints) -> int:
    """Rows of need, provider and slot (or `ALONE`); how many there are, `found` may be too short for them."""
    count = 0
    may_join = np.zeros(len(standing.slots), np.bool_)
    seen, near_by = np.full(len(city.providers), -1, np.int64), np.zeros(len(city.providers), np.int64)
    days = np.zeros(len(city.providers), np.int64)
    for service in range(len(city.services)):
        if not (city.needs[wanted].service == service).any():
            continue
        all_ = nearby(city, service)
        rows = np.flatnonzero(standing.slots[:, SERVICE] == service)
        for need in wanted:
            if city.needs[need].service != service:
                continue
            for provider in range(len(days)):
                days[provider] = 0
            for row in rows:
                slot = standing.slots[row]
                may_join[row] = _may_join(city, slot, need)
                if may_join[row]:
                    days[slot[PROVIDER]] |= 1 << slot[DAY]
            _add_days_alone(city, standing, all_, need, seen, near_by, days)
            for provider in range(len(days)):
                if count_days(days[provider]) < max(1, city.needs[need].sessions):
                    days[provider] = 0
                else:
                    count = _note(found, count, need, provider, ALONE)
            for row in rows:
                if may_join[row] and days[standing.slots[row, PROVIDER]]:
                    count = _note(found, count, need, standing.slots[row, PROVIDER], int(row))
    return count


@lean
def _note(found: Ints, count: int, need: int, provider: int, slot: int) -> int:
    """Write the row if there is room for it; how many rows there are then."""
    if count < len(found):
        found[count, 0], found[count, 1], found[count, 2] = need, provider, slot
    return count + 1


@lean
def _may_join(city: City, slot: Ints, need: int) -> bool:
    """Whether nothing that is quickly seen keeps the need out of the slot."""
    asked, service = city.needs[need], city.services[slot[SERVICE]]
    if not _may_come(city, slot, need):
        return False
    if asked.level != NOTHING:
        if asked.level - slot[LOW_LEVEL] > service.level_gap or slot[HIGH_LEVEL] - asked.level > service.level_gap:
            return False
    if asked.age != NOTHING:
        if asked.age - slot[LOW_AGE] > service.age_gap or slot[HIGH_AGE] - asked.age > service.age_gap:
            return False
    if service.same_topic and asked.topic != NOTHING and slot[TOPIC] != NOTHING and asked.topic != slot[TOPIC]:
        return False
    place, venues = slot[PLACE], city.venues
    if service.mode == CLASS and slot[PEAK] + asked.seats > min(slot[SEATS_MAX], asked.group_max):
        return False
    if place >= len(venues):
        host = city.needs[place - len(venues)]
        if not is_near(asked.lat, asked.lon, host.lat, host.lon, asked.travel_km):
            return False
    elif place >= 0:
        if service.mode == CLASS and slot[PEAK] + asked.seats > venues[place].seats:
            return False
        if not is_near(asked.lat, asked.lon, venues[place].lat, venues[place].lon, asked.travel_km):
            return False
    return covers(city, slot[PROVIDER], need)


@lean
def _may_come(city: City, slot: Ints, need: int) -> bool:
    """Whether a session of the need fits in time: with a class, in a host's hours, touching others, next in a round."""
    asked, service = city.needs[need], city.services[slot[SERVICE]]
    length = asked.length
    first, last = slot[START], slot[END]
    if service.mode == CLASS and length != last - first:
        return False
    if service.mode == PRESENCE and slot[PLACE] < len(city.venues):
        first, last = first - length, last + length
    for i in range(asked.windows_from, asked.windows_to):
        day, start, end = city.windows[i]
        if day != slot[DAY]:
            continue
        if service.mode == ROUND:
            before, after = first - service.walk - length, last + service.walk
            if (start <= before and before + length <= end) or (start <= after and after + length <= end):
                return True
        elif min(end, last) - max(start, first) >= length:
            return True
    return False


@inner
def _add_days_alone(
    city: City, standing: Standing, all_: Nearby, need: int, seen: Ints, near_by: Ints, days: Ints
) -> None:
    """Add, by provider, the days as bits on which the need may have a slot of its own that it can pay."""
    asked = city.needs[need]
    near, room = near_venues(city, need), np.zeros(len(city.venues) + 1, np.int64)
    for provider in near_by[: those_near(city, all_, need, near, seen, near_by)]:
        if standing.week_left[provider] < asked.length or not covers(city, provider, need):
            continue
        for place in room[: own_places(city, provider, need, near, room)]:
            cents = session_cents(city, provider, need, place, 0)
            if cents == NONE or cents * asked.sessions > asked.limit:
                continue
            for i in range(asked.windows_from, asked.windows_to):
                day = city.windows[i, 0]
                if not (days[provider] >> day) & 1 and standing.day_left[provider, day] >= asked.length:
                    if _is_free(city, standing, provider, need, place, city.windows[i]):
                        days[provider] |= 1 << day


@lean
def _is_free(city: City, standing: Standing, provider: int, need: int, place: int, window: Ints) -> bool:
    """Whether the provider is free for a session somewhere in a window of the need, the way from place to place too."""
    own, length, day = city.providers[provider], city.needs[need].length, window[0]
    for j in range(own.windows_from, own.windows_to):
        if city.windows[j, 0] != day:
            continue
        for start in range(max(window[1], city.windows[j, 1]), min(window[2], city.windows[j, 2]) - length + 1):
            if place >= 0:
                opened = False
                for k in range(city.venues[place].windows_from, city.venues[place].windows_to):
                    if city.windows[k, 0] == day:
                        if city.windows[k, 1] <= start and start + length <= city.windows[k, 2]:
                            opened = True
                if not opened:
                    continue
            free = True
            for t in range(max(0, start - own.gap), min(city.units, start + length + own.gap)):
                where = standing.at[provider, day, t]
                if where != FREE and ((start <= t < start + length) or where != place or place == HOMES):
                    free = False
                    break
            if free:
                return True
    return False
