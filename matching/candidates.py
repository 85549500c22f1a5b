"""Which needs a provider may serve, where and when; from there every column, provider by provider, compiled."""

import numpy as np

from matching.arrays import CLASS, HOMES, NO_LIMIT, NOTHING, PRESENCE, ROUND, City, Flags, Ints
from matching.classes import seek_classes
from matching.compiled import inner, lean
from matching.groups import (
    C_CEILING,
    C_FORCED,
    C_LANGUAGES,
    C_NEED,
    C_OFFERS,
    CANDIDATE_FIELDS,
    Effort,
    Found,
    Site,
    clear_of_pins,
    seek_groups,
)
from matching.pairs import Bits, distance_km
from matching.pricing import net_of

DAYS = 7
BITS = 62
CROWD = 100
"""So many candidates of one place and day are a crowd."""


@lean
def offers_for(city: City, provider: int, service: int, need: int) -> int:
    """The provider's offers for the service that cover the need alone, as bits in their order (rule 2)."""
    needs, offers = city.needs, city.offers
    for i in range(needs[need].without_from, needs[need].without_to):
        if city.lists[i] == provider:
            return 0
    for i in range(needs[need].requires_from, needs[need].requires_to):
        if not city.held[provider, city.lists[i]]:
            return 0
    found, bit = 0, 0
    for offer in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
        if offers[offer].service != service or bit == BITS:
            continue
        topic, level, age = needs[need].topic, needs[need].level, needs[need].age
        if (
            (topic == NOTHING or city.taught[offer, topic])
            and (level == NOTHING or offers[offer].level_min <= level <= offers[offer].level_max)
            and (age == NOTHING or offers[offer].age_min <= age <= offers[offer].age_max)
            and needs[need].seats <= min(offers[offer].seats_max, needs[need].group_max)
        ):
            found |= 1 << bit
        bit += 1
    return found


@lean
def languages_with(city: City, provider: int, need: int) -> int:
    """The provider's languages that the need speaks, as bits in their order."""
    spoken, own = city.needs[need], city.providers[provider]
    found, bit = 0, 0
    for i in range(own.languages_from, own.languages_to):
        for j in range(spoken.languages_from, spoken.languages_to):
            if city.lists[i] == city.lists[j] and bit < BITS:
                found |= 1 << bit
        bit += 1
    return found


@lean
def ceiling_with(city: City, provider: int, service: int, offers: int, need: int) -> int:
    """What the need can pay at most for one slot, if its others cost the least that any slot here could (rule 11)."""
    needs, table = city.needs, city.offers
    limit, sessions = needs[need].limit, needs[need].sessions
    if limit >= NO_LIMIT or sessions == 1:
        return int(limit)
    least, bit = NO_LIMIT, 0
    for offer in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
        if table[offer].service != service or bit == BITS:
            continue
        if (offers >> bit) & 1:
            seats = needs[need].seats
            most = seats if city.services[service].mode == ROUND else min(needs[need].group_max, table[offer].seats_max)
            cost = city.grid * needs[need].length * (table[offer].rate + table[offer].extra_seat * (most - 1))
            least = min(least, net_of(needs, need, cost * seats // (60 * most)))
        bit += 1
    return int(limit - (sessions - 1) * least)


@inner
def cover(city: City, provider: int, service: int) -> Ints:
    """All needs that the provider may serve, each alone, wherever; those pinned elsewhere or complete left out."""
    needs, first, last = city.needs, city.services[service].needs_from, city.services[service].needs_to
    all_, count = np.zeros((CANDIDATE_FIELDS, last - first), np.int64), 0
    for i in range(first, last):
        need = city.lists[i]
        if needs[need].pinned_provider >= 0:
            pinned = 0
            for day in range(DAYS):
                pinned += (needs[need].pinned_days >> day) & 1
            if needs[need].pinned_provider != provider or pinned >= needs[need].sessions:
                continue
        offers = offers_for(city, provider, service, need)
        languages = languages_with(city, provider, need) if offers else 0
        if not languages or needs[need].sessions * needs[need].length > city.providers[provider].week_max:
            continue
        all_[C_NEED, count], all_[C_OFFERS, count], all_[C_LANGUAGES, count] = need, offers, languages
        all_[C_CEILING, count] = ceiling_with(city, provider, service, offers, need)
        count += 1
    return all_[:, :count].copy()


@inner
def starts_by_day(city: City, provider: int, all_: Ints) -> Flags:
    """`[day, row, start]`: the session fits into a window of the need and one of the provider."""
    fits = np.zeros((DAYS, all_.shape[1], city.units), np.bool_)
    own = city.providers[provider]
    for row in range(all_.shape[1]):
        need = all_[C_NEED, row]
        length = city.needs[need].length
        for i in range(city.needs[need].windows_from, city.needs[need].windows_to):
            day, start, end = city.windows[i]
            if city.needs[need].pinned_provider >= 0 and (city.needs[need].pinned_days >> day) & 1:
                continue
            for j in range(own.windows_from, own.windows_to):
                if city.windows[j, 0] == day:
                    first, last = max(start, city.windows[j, 1]), min(end, city.windows[j, 2])
                    for t in range(first, last - length + 1):
                        fits[day, row, t] = True
    return fits


@inner
def common_windows(city: City, provider: int, place: int, day: int) -> Ints:
    """The stretches `(start, end)` of one day inside one window of the provider and, at a venue, one of the venue's."""
    own, at_venue = city.providers[provider], 0 <= place < len(city.venues)
    room = own.windows_to - own.windows_from
    if at_venue:
        room *= city.venues[place].windows_to - city.venues[place].windows_from
    stretches, count = np.zeros((room, 2), np.int64), 0
    for i in range(own.windows_from, own.windows_to):
        if city.windows[i, 0] != day:
            continue
        if not at_venue:
            stretches[count, 0], stretches[count, 1] = city.windows[i, 1], city.windows[i, 2]
            count += 1
            continue
        for j in range(city.venues[place].windows_from, city.venues[place].windows_to):
            start, end = max(city.windows[i, 1], city.windows[j, 1]), min(city.windows[i, 2], city.windows[j, 2])
            if city.windows[j, 0] == day and start < end:
                stretches[count, 0], stretches[count, 1] = start, end
                count += 1
    return stretches[:count]


@inner
def choose(city: City, all_: Ints, rows: Ints, forced: int) -> Ints:
    """The candidates `rows`, of which the first `forced` must be in every group."""
    here = np.zeros((CANDIDATE_FIELDS, len(rows)), np.int64)
    for i in range(len(rows)):
        for field in range(CANDIDATE_FIELDS):
            here[field, i] = all_[field, rows[i]]
        here[C_FORCED, i] = i < forced
    return here


@lean
def _is_start(city: City, fits: Flags, start: int, starts: int, tiling: int) -> bool:
    """Whether a start is among those that the effort allows: the first and the last, or so many units after the first.

    `tiling` is 0 or how long sessions are: of a crowd who all want the same hours, one group can follow the other.
    """
    if tiling:
        first = start
        while first > 0 and fits[first - 1]:
            first -= 1
        return (start - first) % tiling == 0
    if starts == 0 or (starts == 1 and start * city.grid % 60 == 0):
        return True
    return not (start > 0 and fits[start - 1] and start + 1 < city.units and fits[start + 1])


@inner
def sessions_at(city: City, site: Site, here: Ints, rows: Ints, fits: Flags, stretches: Ints) -> Ints:
    """The sessions that may be at a site: (candidate, start) by start; in a stretch, and clear of pinned slots."""
    times, found = np.zeros((len(rows) * city.units, 2), np.int64), 0
    presence = city.services[site.service].mode == PRESENCE
    for start in range(city.units):
        for i in range(len(rows)):
            length = city.needs[here[C_NEED, i]].length
            tiling = length if site.effort.starts == 2 and len(rows) >= CROWD else 0
            if not fits[rows[i], start]:
                continue
            if presence and not _is_start(city, fits[rows[i]], start, site.effort.starts, tiling):
                continue
            end = start + length
            inside = False
            for j in range(len(stretches)):
                inside = inside or (stretches[j, 0] <= start and end <= stretches[j, 1])
            if inside and clear_of_pins(city, site.provider, site.place, site.day, start, end, site.pin):
                times[found, 0], times[found, 1] = i, start
                found += 1
    return times[:found].copy()


@inner
def seek(city: City, site: Site, here: Ints, times: Ints, stretches: Ints, found: Found) -> None:
    """The site's groups; around a host (candidate 0) inside its session, for each start that it may take."""
    if site.host < 0 or city.services[site.service].mode == CLASS:
        for i in range(len(stretches)):
            seek_groups(city, site, here, times, stretches[i], stretches[:i], found)
        return
    session, inside = np.zeros(2, np.int64), np.zeros(times.shape, np.int64)
    for i in range(len(times)):
        if times[i, 0] != 0:
            continue
        session[0] = times[i, 1]
        session[1] = session[0] + city.needs[site.host].length
        count = 0
        for j in range(len(times)):
            end = times[j, 1] + city.needs[here[C_NEED, times[j, 0]]].length
            if (times[j, 0] != 0 and session[0] <= times[j, 1] and end <= session[1]) or j == i:
                inside[count, 0], inside[count, 1] = times[j, 0], times[j, 1]
                count += 1
        seek_groups(city, site, here, inside[:count], session, stretches[:0], found)


@inner
def seek_at(city: City, site: Site, here: Ints, rows: Ints, fits: Flags, stretches: Ints, found: Found) -> None:
    """The groups of the candidates `here`, which are the rows `rows` of `fits`."""
    if city.services[site.service].mode == CLASS:
        seek_classes(city, site, here, rows, fits, stretches, found)
    else:
        seek(city, site, here, sessions_at(city, site, here, rows, fits, stretches), stretches, found)


@lean
def seats_of(city: City, provider: int, service: int, venue: int) -> int:
    """The most seats present that any offer for the service and the venue (none: -1) allow."""
    most = 0
    for offer in range(city.providers[provider].offers_from, city.providers[provider].offers_to):
        if city.offers[offer].service == service:
            most = max(most, city.offers[offer].seats_max)
    return most if venue < 0 else min(most, city.venues[venue].seats)


@inner
def seek_venues(
    city: City, pairs: Bits, provider: int, service: int, all_: Ints, fits: Flags, effort: Effort, found: Found
) -> None:
    """Columns of one provider and service at its venues."""
    needs, venues = city.needs, city.venues
    for i in range(city.providers[provider].venues_from, city.providers[provider].venues_to):
        venue = city.lists[i]
        if not city.allowed[venue, service]:
            continue
        near = np.zeros(all_.shape[1], np.bool_)
        for row in range(all_.shape[1]):
            need = all_[C_NEED, row]
            km = distance_km(needs[need].lat, needs[need].lon, venues[venue].lat, venues[venue].lon)
            near[row] = km <= needs[need].travel_km + 1e-9
        seats = seats_of(city, provider, service, venue)
        rows = np.flatnonzero(near)
        here = choose(city, all_, rows, 0)
        for day in range(DAYS):
            stretches = common_windows(city, provider, venue, day)
            if len(stretches) == 0:
                continue
            day_max = city.providers[provider].day_max
            site = Site(pairs, provider, service, venue, day, -1, seats, venues[venue].cost, -1, day_max, effort)
            seek_at(city, site, here, rows, fits[day], stretches, found)


@lean
def reaches(city: City, provider: int, need: int) -> bool:
    """Whether the provider goes to the need's home (rule 4)."""
    providers, needs = city.providers, city.needs
    km = distance_km(providers[provider].lat, providers[provider].lon, needs[need].lat, needs[need].lon)
    return bool(providers[provider].visits and km <= providers[provider].travel_km + 1e-9)


@inner
def seek_homes(
    city: City, pairs: Bits, provider: int, service: int, all_: Ints, fits: Flags, effort: Effort, found: Found
) -> None:
    """Columns of one provider and service at the homes of hosts, and of needs alone."""
    needs = city.needs
    seats, day_max = seats_of(city, provider, service, -1), city.providers[provider].day_max
    for row in range(all_.shape[1]):
        host = all_[C_NEED, row]
        if not reaches(city, provider, host):
            continue
        guests = np.zeros(all_.shape[1], np.int64)
        guests[0] = row
        count = 1
        for other in range(all_.shape[1]):
            need = all_[C_NEED, other]
            if other == row or needs[host].host_seats <= needs[host].seats:
                continue
            km = distance_km(needs[need].lat, needs[need].lon, needs[host].lat, needs[host].lon)
            if km <= needs[need].travel_km + 1e-9:
                guests[count] = other
                count += 1
        rows = guests[:count]
        here = choose(city, all_, rows, 1)
        for day in range(DAYS):
            if not fits[day, row].any():
                continue
            place = len(city.venues) + host
            site = Site(pairs, provider, service, place, day, -1, seats, 0, host, day_max, effort)
            stretches = common_windows(city, provider, place, day)
            seek_at(city, site, here, rows, fits[day], stretches, found)


@inner
def seek_rounds(
    city: City, pairs: Bits, provider: int, service: int, all_: Ints, fits: Flags, effort: Effort, found: Found
) -> None:
    """Rounds of one provider and service."""
    near = np.zeros(all_.shape[1], np.bool_)
    for row in range(all_.shape[1]):
        near[row] = reaches(city, provider, all_[C_NEED, row])
    rows = np.flatnonzero(near)
    here = choose(city, all_, rows, 0)
    seats, day_max = seats_of(city, provider, service, -1), city.providers[provider].day_max
    for day in range(DAYS):
        stretches = common_windows(city, provider, HOMES, day)
        if len(stretches) and len(rows):
            site = Site(pairs, provider, service, HOMES, day, -1, seats, 0, -1, day_max, effort)
            times = sessions_at(city, site, here, rows, fits[day], stretches)
            seek(city, site, here, times, stretches, found)
