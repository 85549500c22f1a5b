"""Parts of an instance that have nothing in common are solved apart, on any executor; the plan is the same on each."""

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, wait
from dataclasses import replace
from itertools import count
from math import cos, inf, radians

import numpy as np

from matching.alone import SIEVE_KM
from matching.arrays import Degrees, flatten
from matching.distance import EARTH_RADIUS_KM, Address
from matching.fields import InstanceFaults
from matching.first_reasons import first_reasons
from matching.formats import with_digest
from matching.instance import Instance
from matching.objective import exact_objective, round_half_up
from matching.pins import pin_faults
from matching.plan import Plan, Slot, Unserved
from matching.problem import cents_of
from matching.progress import Watch, gap_between
from matching.solve import Proved, solve, solve_proved

KM_PER_DEGREE = EARTH_RADIUS_KM * radians(1)
SAFE = 1.02
"""Distances are taken on a flat map here, and ways so much longer: a part may be too large, never too small."""
IN_A_HURRY_SECONDS = 0.1
POLL_SECONDS = 0.1


def solve_apart(
    instance: Instance, *, seconds: float = 60.0, seed: int = 0, workers: int = 1, executor: Executor | None = None
) -> Plan:
    """A plan whose independent parts are solved apart, each in about `seconds` with so many `workers`.

    On the executor, which must know this package and may start processes; by default on processes of this machine, as
    many as it has cores. The same instance, seed and workers give the same plan on any executor, unless time ran out.
    SIGINT ends it with what is there. Fairness looks at all needs together, so that an instance with it is one part.
    Raises `InstanceFaults` as `solve` does.
    """
    if faults := pin_faults(instance):
        raise InstanceFaults(faults)
    if instance.policy.fairness is not None:
        return solve(instance, seconds=seconds, seed=seed, workers=workers)
    with Watch(inf) as watch:
        parts = list(independent_parts(instance))
        if executor is not None:
            proved = _solved(parts, executor, watch, seconds, seed, workers)
        else:
            own = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(min(len(parts), os.cpu_count() or 1), own, _ignore_interrupts) as processes:
                proved = _solved(parts, processes, watch, seconds, seed, workers, _interrupt_children)
        return _together(instance, proved, watch.seconds, seed)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _solved(
    parts: list[Instance],
    executor: Executor,
    watch: Watch,
    seconds: float,
    seed: int,
    workers: int,
    hurry: Callable[[], None] = lambda: None,
) -> list[Proved]:
    """The plan of each part; after an interruption, of those that were not begun, the first that is found."""
    jobs = [executor.submit(solve_proved, part, seconds, seed, workers) for part in parts]
    try:
        while wait(jobs, POLL_SECONDS).not_done and not watch.interrupted:
            pass
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
        needs = list(self._instance.needs.values())
        homes = np.array([(one.lat, one.lon, float(one.travel_km_max)) for one in needs]).reshape(-1, 3)
        service = np.array([one.service for one in needs])
        for provider in self._instance.providers.values():
            offered = np.isin(service, sorted({offer.service for offer in provider.offers}))
            near = np.zeros(len(needs), np.bool_)
            if provider.visits_homes:
                near |= _km(homes, provider) <= (homes[:, 2] + float(provider.travel_km_max)) * SAFE + SIEVE_KM
            for venue in (self._instance.venues[name] for name in provider.venues):
                near |= _km(homes, venue) <= homes[:, 2] * SAFE + SIEVE_KM
            met = [f"need {needs[index].id}" for index in np.flatnonzero(offered & near)]
            self._tie([f"provider {provider.id}", *met])

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


def _km(homes: Degrees, place: Address) -> Degrees:
    """How far each home (latitude, longitude, ...) is from a place, on a flat map."""
    north = homes[:, 0] - place.lat
    east = (homes[:, 1] - place.lon) * cos(radians(place.lat))
    km: Degrees = np.hypot(north, east) * KM_PER_DEGREE
    return km


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
