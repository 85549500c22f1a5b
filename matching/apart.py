"""Parts of an instance that have nothing in common are solved apart, on any executor; the plan is the same on each."""

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, wait
from dataclasses import replace
from fractions import Fraction
from itertools import count
from math import cos, inf, radians

import numpy as np

from matching.alone import SIEVE_KM
from matching.arrays import Degrees, Ints, flatten
from matching.distance import EARTH_RADIUS_KM, Address
from matching.fields import InstanceFaults
from matching.first_reasons import first_reasons
from matching.formats import with_digest
from matching.instance import Instance
from matching.objective import exact_objective, round_half_up
from matching.pins import pin_faults
from matching.plan import Plan, Slot, Unserved
from matching.problem import cents_of
from matching.progress import Listener, Progress, Watch, gap_between
from matching.solve import Proved, solve, solve_proved

KM_PER_DEGREE = EARTH_RADIUS_KM * radians(1)
SAFE = 1.02
"""Distances are taken on a flat map here, and ways so much longer: a part may be too large, never too small."""
IN_A_HURRY_SECONDS = 0.1
POLL_SECONDS = 0.1


def solve_apart(
    instance: Instance,
    *,
    seconds: float = 60.0,
    seed: int = 0,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Listener | None = None,
) -> Plan:
    """A plan whose independent parts are solved apart, each in about `seconds` with so many `workers`.

    On the executor, which must know this package and may start processes; by default on processes of this machine, as
    many as it has cores. The same instance, seed and workers give the same plan on any executor, unless time ran out.
    `progress` is called when a part ends, of the others as if they served nobody. SIGINT ends it with what is there.
    Fairness looks at all needs together, so that an instance with it is one part.
    Raises `InstanceFaults` as `solve` does.
    """
    if faults := pin_faults(instance):
        raise InstanceFaults(faults)
    if instance.policy.fairness is not None:
        return solve(instance, seconds=seconds, seed=seed, workers=workers, progress=progress)
    with Watch(inf) as watch:
        parts = list(independent_parts(instance))
        account = _Account(instance, watch, progress)
        if executor is not None:
            proved = _solved(parts, executor, watch, seconds, seed, workers, account.tell)
        else:
            own = multiprocessing.get_context("spawn")
            count = max(1, min(len(parts), os.cpu_count() or 1))  # without needs there is no part
            with ProcessPoolExecutor(count, own, _ignore_interrupts) as processes:
                proved = _solved(parts, processes, watch, seconds, seed, workers, account.tell, _interrupt_children)
        return _together(instance, proved, watch.seconds, seed)


class _Account:
    """What all parts cost together, as one after the other ends; no bound before `_together` adds them up."""

    def __init__(self, instance: Instance, watch: Watch, listener: Listener | None) -> None:
        self._watch, self._listener = watch, listener
        self._served, self._cents = 0, Fraction(0) if listener is None else exact_objective(instance, ())

    def tell(self, part: Instance, plan: Plan) -> None:
        """A part has ended with this plan."""
        if self._listener is None:
            return
        self._served += len(part.needs) - len(plan.unserved)
        self._cents += exact_objective(part, plan.slots) - exact_objective(part, ())
        self._listener(Progress(self._watch.seconds, self._served, round_half_up(self._cents), None, None))


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _solved(
    parts: list[Instance],
    executor: Executor,
    watch: Watch,
    seconds: float,
    seed: int,
    workers: int,
    tell: Callable[[Instance, Plan], None],
    hurry: Callable[[], None] = lambda: None,
) -> list[Proved]:
    """The plan of each part, told as it comes; after an interruption, of those not begun, the first that is found."""
    jobs = [executor.submit(solve_proved, part, seconds, seed, workers) for part in parts]
    try:
        running, part_of = set(jobs), dict(zip(jobs, parts, strict=True))
        while running and not watch.interrupted:
            done, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            for job in done:
                tell(part_of[job], job.result().plan)
        begun = [not (watch.interrupted and job.cancel()) for job in jobs]
        if watch.interrupted:
            hurry()
        return [
            job.result() if is_begun else solve_proved(part, IN_A_HURRY_SECONDS, seed, workers)
            for part, job, is_begun in zip(parts, jobs, begun, strict=True)
        ]
    finally:
        for job in jobs:
            job.cancel()


def _interrupt_children() -> None:
    """Pass SIGINT on: those that solve end with what they have, the others ignore it."""
    for child in multiprocessing.active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGINT)


def independent_parts(instance: Instance) -> Iterator[Instance]:
    """The parts in the instance's order, each an instance: no slot, venue, budget, person or exclusion ties two.

    Needs that no provider reaches are a part of their own.
    """
    ties = _Ties(instance)
    members: dict[int, set[str]] = defaultdict(set)
    for name, number in ties.number.items():
        members[ties.root(number)].add(name)
    alone: set[str] = set()
    for names in members.values():
        if any(name.startswith("provider ") for name in names):
            yield _part(instance, names)
        else:
            alone |= names
    if any(name.startswith("need ") for name in alone):
        yield _part(instance, alone)


def _part(instance: Instance, names: set[str]) -> Instance:
    needs = {name: one for name, one in instance.needs.items() if f"need {name}" in names}
    providers = {name: one for name, one in instance.providers.items() if f"provider {name}" in names}
    venues = {name: one for name, one in instance.venues.items() if f"venue {name}" in names}
    pinned = tuple(slot for slot in instance.pinned if slot.provider in providers)
    return with_digest(replace(instance, needs=needs, providers=providers, venues=venues, pinned=pinned))


class _Ties:
    """Needs, providers and venues, each tied to all that it could ever meet (a forest of sets)."""

    def __init__(self, instance: Instance) -> None:
        names = [f"need {name}" for name in instance.needs]
        names += [f"provider {name}" for name in instance.providers]
        names += [f"venue {name}" for name in instance.venues]
        self.number = {name: number for number, name in enumerate(names)}
        self._parent = list(range(len(names)))
        self._instance = instance
        for provider in instance.providers.values():
            own = f"provider {provider.id}"
            self._tie([own, *(f"venue {name}" for name in provider.venues)])
        self._tie_in_reach()
        self._tie_by_promise()

    def root(self, number: int) -> int:
        """The number that stands for the set."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def _tie(self, names: Iterable[str]) -> None:
        roots = [self.root(self.number[name]) for name in names]
        for root in roots:
            self._parent[root] = min(roots)

    def _tie_in_reach(self) -> None:
        """Tie each provider to the needs of its services that it could meet somewhere, at whoever's home."""
        needs = sorted(self._instance.needs.values(), key=lambda one: one.lat)
        homes = np.array([(one.lat, one.lon, float(one.travel_km_max)) for one in needs]).reshape(-1, 3)
        service = np.array([one.service for one in needs])
        for provider in self._instance.providers.values():
            places: list[tuple[Address, float]] = [(self._instance.venues[name], 0.0) for name in provider.venues]
            if provider.visits_homes:
                places.append((provider, float(provider.travel_km_max)))
            near = [_within(homes, place, km) for place, km in places]
            met = np.unique(np.concatenate([*near, np.zeros(0, np.int64)]))
            offered = np.isin(service[met], sorted({offer.service for offer in provider.offers}))
            self._tie([f"provider {provider.id}", *(f"need {needs[index].id}" for index in met[offered])])

    def _tie_by_promise(self) -> None:
        """Tie needs of one person or budget, and those that exclude each other; what is pinned together stays so."""
        tied: dict[tuple[str, str], list[str]] = defaultdict(list)
        for need in self._instance.needs.values():
            if need.person is not None:
                tied["person", need.person].append(f"need {need.id}")
            if need.subsidy is not None and need.subsidy.programme in self._instance.programmes:
                tied["programme", need.subsidy.programme].append(f"need {need.id}")
            self._tie([f"need {name}" for name in (need.id, *need.excludes) if name in self._instance.needs])
        for slot in self._instance.pinned:
            self._tie([f"provider {slot.provider}", *(f"need {member.need}" for member in slot.members)])
        for names in tied.values():
            self._tie(names)


def _within(homes: Degrees, place: Address, km: float) -> Ints:
    """Which homes (latitude, longitude, km that they travel), sorted by latitude, are within their km and these."""
    band = ((float(homes[:, 2].max(initial=0.0)) + km) * SAFE + SIEVE_KM) / KM_PER_DEGREE
    first, last = np.searchsorted(homes[:, 0], (place.lat - band, place.lat + band))
    north = homes[first:last, 0] - place.lat
    east = (homes[first:last, 1] - place.lon) * cos(radians(place.lat))
    reach = (homes[first:last, 2] + km) * SAFE + SIEVE_KM
    within: Ints = first + np.flatnonzero(np.hypot(north, east) * KM_PER_DEGREE <= reach)
    return within


def _together(instance: Instance, proved: list[Proved], seconds: float, seed: int) -> Plan:
    """One plan of the parts' plans; reasons that look at all providers are found again with all of them."""
    pinned = {slot.id for slot in instance.pinned}
    fresh = (name for name in map("s{}".format, count(1)) if name not in pinned)
    slots = [slot for one in proved for slot in one.plan.slots]
    slots.sort(key=lambda slot: (slot.day, slot.start, slot.provider, slot.id))
    numbered: tuple[Slot, ...] = tuple(slot if slot.id in pinned else replace(slot, id=next(fresh)) for slot in slots)
    objective = round_half_up(exact_objective(instance, numbered))
    weights = [one.bound_weight for one in proved if one.bound_weight is not None]
    bound = cents_of(sum(weights)) if len(weights) == len(proved) else None
    proofs = sorted({one.plan.proof for one in proved if one.plan.proof is not None})
    gap = gap_between(objective, bound)
    return Plan(
        instance.digest,
        "OPTIMAL" if bound == objective else "FEASIBLE",
        numbered,
        _unserved(instance, proved),
        objective,
        bound,
        None if gap is None else round(gap, 6),
        round(seconds, 3),
        seed,
        None if bound is None else f"{len(proved)} independent parts: {'; '.join(proofs)}",
    )


def _unserved(instance: Instance, proved: list[Proved]) -> tuple[Unserved, ...]:
    """In the instance's order; who has a provider elsewhere lacks a place near enough, not a provider."""
    told = {one.need: one for part in proved for one in part.plan.unserved}
    left_out = [(index, told[name]) for index, name in enumerate(instance.needs) if name in told]
    firsts = first_reasons(flatten(instance), (index for index, _ in left_out))
    return tuple(
        one if first in (None, one.reason) else Unserved(one.need, first)
        for (_, one), first in zip(left_out, firsts, strict=True)
    )
