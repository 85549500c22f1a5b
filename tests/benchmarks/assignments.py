"""A rival without columns: one CP-SAT model of which need comes to which session, as such models are usually written.

A session is an offer, a place, a day, a start and a length. Whoever comes stays from its start to its end: members of
`presence` share equal times only, and a `round` is a single visit. Whom a price limit binds comes only where the group
is large enough in that very session. So its plans are valid, the best one may be out of its reach, and its bound says
nothing of the whole problem.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import ceil

import numpy as np
from ortools.sat.python import cp_model

from billing.split import exact_cost, subsidy_cents
from matching.arrays import HOMES, flatten
from matching.choice import Choice
from matching.distance import Address, distance_km, is_within
from matching.groups import BEGIN, COLUMN_FIELDS, DAY, END, FINISH, NEED, PLACE, START
from matching.instance import Instance, Mode, Need, Offer, Provider
from matching.objective import unserved_cost
from matching.pairs import Bits, find_pairs
from matching.problem import SCALE, Problem
from matching.provider_week import add_provider_days
from matching.quotes import offers_that_cover
from matching.week import lies_in_one

Key = tuple[int, int, int, int, int]
"""Provider, place, day, start and end of a session, as the matcher's arrays number them."""


@dataclass
class Session:
    """What may take place: `members[n]` says that need n comes, if it is held."""

    offer: Offer
    seats_max: int
    venue_cents: int
    held: cp_model.IntVar
    members: dict[int, cp_model.IntVar] = field(default_factory=dict)
    hosts: set[int] = field(default_factory=set)


class Assignments:
    """The model of an instance without pinned slots."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.city, self.cp = instance, flatten(instance), cp_model.CpModel()
        self.pairs: Bits = find_pairs(self.city)
        self.needs, self.venues = list(instance.needs.values()), list(instance.venues.values())
        self.addresses: list[Address] = [*self.venues, *self.needs]
        self.sizes: dict[tuple[int, int, int, int], tuple[int, int]] = {}
        self.sessions: dict[tuple[Key, int], Session] = {}
        self.cost: list[cp_model.LinearExprT] = []
        for index, provider in enumerate(instance.providers.values()):
            self._open_to_all(index, provider)
        for (key, _), session in self.sessions.items():
            self._group(key, session)
        self._whole_or_none()
        self._weeks()
        self._venues()
        self._people()
        self._budgets()
        self.cp.minimize(sum(self.cost))

    def choice(self, solver: cp_model.CpSolver, problem: Problem) -> Choice:
        """What was chosen, as columns; whoever's group is none (for a language, or an odd cent) is left out."""
        wanted: dict[tuple[Key, frozenset[int]], int] = {}
        for (key, _), session in self.sessions.items():
            group = frozenset(need for need, comes in session.members.items() if solver.value(comes))
            if group:
                wanted[key, group] = -1
        columns = problem.columns
        for column, (row, provider) in enumerate(zip(columns.table.tolist(), columns.provider.tolist(), strict=True)):
            rows = columns.members[columns.offsets[column] : columns.offsets[column + 1]]
            whole = (rows[:, BEGIN] == row[START]) & (rows[:, FINISH] == row[END])
            group_key = ((provider, row[PLACE], row[DAY], row[START], row[END]), frozenset(rows[:, NEED].tolist()))
            if whole.all() and group_key in wanted:
                wanted[group_key] = column
        return Choice(tuple(self._whole(wanted)))

    def _whole(self, wanted: dict[tuple[Key, frozenset[int]], int]) -> list[int]:
        """The columns of needs that have all their sessions."""
        broken = {need for (_, group), column in wanted.items() if column < 0 for need in group}
        while any(broken & group and not group <= broken for _, group in wanted):
            broken |= {need for _, group in wanted if broken & group for need in group}
        return [column for (_, group), column in wanted.items() if not group & broken]

    def _open_to_all(self, own: int, provider: Provider) -> None:
        """Every session of a provider, with everybody who may come to it."""
        hosts = [index for index, one in enumerate(self.needs) if one.host_seats and _visits(provider, one)]
        for index, need in enumerate(self.needs):
            service = self.instance.services[need.service]
            for offer in offers_that_cover(provider, need.service, service, [need])[:1]:
                for place, seats, cents in self._places(provider, hosts, index, service.mode):
                    most = min(offer.seats_max, seats)
                    if not self._may_ever_come(offer, most, cents, index):
                        continue
                    for day, start in self._starts(provider, need, place):
                        key = (own, place, day, start, start + need.minutes // self.city.grid)
                        found = self.sessions.get((key, id(offer)))
                        if found is None:
                            found = Session(offer, most, cents, self.cp.new_bool_var(""))
                            self.sessions[key, id(offer)] = found
                        found.members[index] = self.cp.new_bool_var("")

    def _places(self, provider: Provider, hosts: list[int], index: int, mode: Mode) -> Iterator[tuple[int, int, int]]:
        """Places where the need may be served, the seats there and what they cost an hour (rule 4)."""
        need = self.needs[index]
        if _visits(provider, need):
            yield HOMES if mode == Mode.ROUND else len(self.venues) + index, max(need.host_seats, need.seats), 0
        if mode == Mode.ROUND:
            return
        for number, venue in enumerate(self.venues):
            may = venue.id in provider.venues and need.service in venue.services
            if may and is_within(need, venue, float(need.travel_km_max)):
                yield number, venue.seats, venue.cost_cents_per_hour
        for other in hosts:
            host = self.needs[other]
            if other != index and self._may_meet(index, other) and is_within(need, host, float(need.travel_km_max)):
                yield len(self.venues) + other, host.host_seats, 0

    def _may_meet(self, need: int, other: int) -> bool:
        return bool((self.pairs[need, other >> 3] >> (other & 7)) & 1)

    def _starts(self, provider: Provider, need: Need, place: int) -> Iterator[tuple[int, int]]:
        """Days and starts, in units of the grid (rule 3)."""
        grid = self.city.grid
        for window in need.windows:
            for start in range(window.start, window.end - need.minutes + 1, grid):
                end = start + need.minutes
                venue = self.venues[place] if 0 <= place < len(self.venues) else None
                if lies_in_one(provider.windows, window.day, start, end) and (
                    venue is None or lies_in_one(venue.windows, window.day, start, end)
                ):
                    yield window.day, start // grid

    def _group(self, key: Key, session: Session) -> None:
        """Rules 4, 5, 8 and 11 within a session, and what it costs."""
        members, place = session.members, key[1]
        seats = sum(self.needs[need].seats * comes for need, comes in members.items())
        self.cp.add(seats <= session.seats_max * session.held)
        self.cp.add(seats >= max(1, session.offer.seats_min) * session.held)
        if place == HOMES:
            self.cp.add(sum(members.values()) <= 1)
        elif place >= len(self.venues):
            self.cp.add_implication(session.held, members.get(place - len(self.venues), self.cp.new_constant(0)))
        for need, comes in members.items():
            least, most = self._sizes(session.offer, session.seats_max, session.venue_cents, need)
            self.cp.add(seats >= least).only_enforce_if(comes)
            self.cp.add(seats <= most).only_enforce_if(comes)
            for other, also in members.items():
                if other > need and not self._may_meet(need, other):
                    self.cp.add_at_most_one(comes, also)
        self._price(key, session)

    def _may_ever_come(self, offer: Offer, seats_max: int, venue_cents: int, index: int) -> bool:
        least, most = self._sizes(offer, seats_max, venue_cents, index)
        return least <= most

    def _sizes(self, offer: Offer, seats_max: int, venue_cents: int, index: int) -> tuple[int, int]:
        """The fewest and the most seats with which the need may pay and wishes to come; found once each."""
        key = (id(offer), seats_max, venue_cents, index)
        if key not in self.sizes:
            self.sizes[key] = self._sizes_of(offer, seats_max, venue_cents, self.needs[index])
        return self.sizes[key]

    def _sizes_of(self, offer: Offer, seats_max: int, venue_cents: int, need: Need) -> tuple[int, int]:
        most = min(seats_max, seats_max if need.group_max is None else need.group_max)
        if need.price_max_cents_per_hour is None:
            return need.seats, most
        for size in range(need.seats, most + 1):
            share = _cents(offer, venue_cents, need.minutes, size) * need.seats / size
            net = share - self._subsidy(need, share)
            if 60 * net <= need.price_max_cents_per_hour * need.seats * need.minutes:
                return size, most
        return most + 1, most

    def _subsidy(self, need: Need, share: Fraction) -> int:
        if need.subsidy is None:
            return 0
        own = need.subsidy
        return subsidy_cents(ceil(share), own.percent, own.cap_cents_per_hour, need.minutes, need.seats)

    def _price(self, key: Key, session: Session) -> None:
        """The cost is the first seat's, and as much more for each further seat."""
        minutes = (key[-1] - key[-2]) * self.city.grid
        first = _cents(session.offer, session.venue_cents, minutes, 1)
        more = _cents(session.offer, session.venue_cents, minutes, 2) - first
        self.cost.append(round((first - more) * SCALE) * session.held)
        place = key[1]
        for need, comes in session.members.items():
            own = self.needs[need]
            cents = more * own.seats
            if place != HOMES:
                there = self.addresses[place]
                km = distance_km(own.lat, own.lon, there.lat, there.lon)
                cents += Fraction(km * self.instance.policy.travel_cents_per_km)
            self.cost.append(round(cents * SCALE) * comes)

    def _comings(self) -> Iterator[tuple[int, Key, Session, cp_model.IntVar]]:
        for (key, _), session in self.sessions.items():
            for need, comes in session.members.items():
                yield need, key, session, comes

    def _whole_or_none(self) -> None:
        """Rule 1, and what it costs to leave a need unserved."""
        with_: dict[int, dict[int, dict[int, list[cp_model.IntVar]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        for need, (provider, _, day, _, _), _, comes in self._comings():
            with_[need][provider][day].append(comes)
        for need, providers in with_.items():
            own, served = self.needs[need], []
            for days in providers.values():
                served.append(self.cp.new_bool_var(""))
                self.cp.add(sum(comes for day in days.values() for comes in day) == own.sessions * served[-1])
                for day in days.values():
                    self.cp.add(sum(day) <= served[-1])
            self.cp.add_at_most_one(served)
            self.cost.append(-round(unserved_cost(self.instance, own) * SCALE) * sum(served))

    def _weeks(self) -> None:
        """Rule 6, as the engine's own model has it."""
        held = [session.held for session in self.sessions.values()]
        table = np.zeros((len(held), COLUMN_FIELDS), np.int32)
        provider = np.zeros(len(held), np.int32)
        for index, ((own, place, day, start, end), _) in enumerate(self.sessions):
            table[index, [PLACE, DAY, START, END]] = place, day, start, end
            provider[index] = own
        add_provider_days(self.cp, self.city, held, table, provider)

    def _venues(self) -> None:
        """Rule 7, and the part of rule 2 that keeps needs apart at a venue."""
        at: dict[tuple[int, int], list[tuple[int, Key, cp_model.IntVar]]] = defaultdict(list)
        for need, key, _, comes in self._comings():
            if 0 <= key[1] < len(self.venues):
                at[key[1], key[2]].append((need, key, comes))
        for (venue, _), rows in at.items():
            for moment in sorted({key[3] for _, key, _ in rows}):
                on = [(need, comes) for need, key, comes in rows if key[3] <= moment < key[4]]
                self.cp.add(sum(self.needs[need].seats * comes for need, comes in on) <= self.venues[venue].seats)
            for need, key, comes in rows:
                for other, other_key, also in rows:
                    apart = self.needs[other].id in self.needs[need].excludes
                    if apart and key[3] < other_key[4] and other_key[3] < key[4]:
                        self.cp.add_at_most_one(comes, also)

    def _people(self) -> None:
        """Rule 12."""
        busy: dict[tuple[str, int], list[tuple[int, int, int, cp_model.IntVar]]] = defaultdict(list)
        for need, (_, _, day, start, end), _, comes in self._comings():
            person = self.needs[need].person
            if person is not None:
                busy[person, day].append((start, end, need, comes))
        for rows in busy.values():
            if len({need for _, _, need, _ in rows}) > 1:
                for moment in sorted({start for start, _, _, _ in rows}):
                    self.cp.add_at_most_one(comes for start, end, _, comes in rows if start <= moment < end)

    def _budgets(self) -> None:
        """Rule 10, held with the most that each subsidy can be."""
        spent: dict[str, list[cp_model.LinearExprT]] = defaultdict(list)
        for need, _, session, comes in self._comings():
            own = self.needs[need]
            if own.subsidy is not None:
                least, _ = self._sizes(session.offer, session.seats_max, session.venue_cents, need)
                share = _cents(session.offer, session.venue_cents, own.minutes, least) * own.seats / least
                spent[own.subsidy.programme].append((self._subsidy(own, share)) * comes)
        for programme, terms in spent.items():
            known = self.instance.programmes.get(programme)
            self.cp.add(sum(terms) <= (known.weekly_budget_cents if known else 0))


def _visits(provider: Provider, need: Need) -> bool:
    return provider.visits_homes and is_within(provider, need, float(provider.travel_km_max))


@cache
def _cents(offer: Offer, venue_cents: int, minutes: int, seats: int) -> Fraction:
    """What a session costs with so many seats."""
    prices = (offer.rate_cents_per_hour, offer.extra_seat_cents_per_hour, venue_cents, offer.minutes_min)
    return exact_cost(*prices, [(0, minutes, seats)])
