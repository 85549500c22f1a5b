"""A plan that stands is opened again where something changed: whatever is not touched stays as it is.

A member is moved only where that pays: for each one the objective must fall by the price of the disturbance.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from matching.alone import Alone
from matching.fields import Fields, InstanceFaults, by_id, shown
from matching.formats import read_json, with_digest
from matching.instance import Instance, Need, PinnedMember, PinnedSlot, PlaceAtHost
from matching.instance_format import read_need
from matching.objective import exact_objective, unserved_cost
from matching.plan import Plan, Slot
from matching.progress import Listener, Watch
from matching.solve import solve
from matching.standing import stands

FIRST_PART, MOVE_PART, TRIAL_PART = 0.4, 0.8, 0.05
"""Of the time, so much has passed when nobody is moved, and when no more moves are tried; one trial takes so much."""
SECONDS_MIN = 0.5


@dataclass(frozen=True)
class Changes:
    """What happened since a plan was made: ids of needs that are gone and of providers who are ill, and new needs."""

    gone: frozenset[str] = frozenset()
    ill: frozenset[str] = frozenset()
    new: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Reopened:
    """The changed instance, which pins what nothing happened to, its plan, and who of the old plan meets otherwise."""

    instance: Instance
    plan: Plan
    moved: tuple[str, ...]


def reopen(
    instance: Instance,
    plan: Plan,
    changes: Changes,
    *,
    seconds: float = 60.0,
    seed: int = 0,
    workers: int = 2,
    disturbance_cents: int | None = None,
    progress: Listener | None = None,
) -> Reopened:
    """The plan of an instance after some changes, in about `seconds`; `plan` must be valid for the instance.

    Slots keep their members, times and places; those of ill providers end, and members who could not stay without one
    who is gone (too few, too dear) are free again. With `disturbance_cents`, confirmed members of one provider at a
    time are moved too, where the objective falls by more than that for each. Raises `InstanceFaults` for unknown ids.
    `progress` is called as by `solve`. SIGINT ends it with the best so far.
    """
    _refuse_unknown(instance, changes)
    with Watch(seconds) as watch:
        changed = changed_instance(instance, changes)
        kept = stands(changed, _without(plan.slots, changes), plan.slots)
        first = seconds * (FIRST_PART if disturbance_cents is not None else 1)

        def solved(slots: tuple[Slot, ...], time: float) -> Reopened:
            return _solved(changed, slots, time, seed, workers, progress)

        best = solved(kept, first)
        if disturbance_cents is not None:
            mover = _Mover(plan, disturbance_cents, watch, TRIAL_PART * seconds, seed)
            better = mover.improve(changed, best.plan.slots)
            if better != best.plan.slots:
                best = solved(better, watch.left)
    return replace(best, moved=moved(changed, plan.slots, best.plan.slots))


def read_changes(path: str | os.PathLike[str], instance: Instance) -> Changes:
    """The changes in a JSON file, `{"gone": [need ids], "ill": [provider ids], "new": [needs]}`, each may be absent.

    Raises `InstanceFaults`.
    """
    faults: list[str] = []
    fields = Fields(read_json(path, InstanceFaults), "", faults)
    changes = Changes(
        frozenset(fields.texts("gone")) if fields.has("gone") else frozenset(),
        frozenset(fields.texts("ill")) if fields.has("ill") else frozenset(),
        tuple(by_id(fields.objects("new"), lambda one: _new_need(one, instance)).values()) if fields.has("new") else (),
    )
    faults += [f"unknown field {shown(key)}" for key in fields.values() if key not in ("gone", "ill", "new")]
    if faults:
        raise InstanceFaults(faults)
    return changes


def _new_need(fields: Fields, instance: Instance) -> Need:
    return read_need(fields, instance.grid_minutes, instance.services)


def changed_instance(instance: Instance, changes: Changes) -> Instance:
    """The instance after the changes, with nothing pinned."""
    needs = {name: need for name, need in instance.needs.items() if name not in changes.gone}
    needs |= {need.id: need for need in changes.new}
    providers = {name: one for name, one in instance.providers.items() if name not in changes.ill}
    return replace(instance, needs=needs, providers=providers, pinned=())


def moved(instance: Instance, before: Iterable[Slot], after: Iterable[Slot]) -> tuple[str, ...]:
    """Who was served before, is still there, and is not served at the same times, by the same provider and place."""
    was, now = _sessions(before), _sessions(after)
    return tuple(name for name in instance.needs if name in was and now.get(name) != was[name])


def pinned(slots: Iterable[Slot]) -> tuple[PinnedSlot, ...]:
    """Slots of a plan as pinned slots."""
    return tuple(
        PinnedSlot(
            slot.id,
            slot.provider,
            slot.service,
            slot.place,
            slot.day,
            slot.start,
            slot.end,
            tuple(PinnedMember(one.need, one.start, one.end, one.subsidy_cents > 0) for one in slot.members),
        )
        for slot in slots
    )


def _refuse_unknown(instance: Instance, changes: Changes) -> None:
    faults = [f"gone: unknown need {name}" for name in sorted(changes.gone) if name not in instance.needs]
    faults += [f"ill: unknown provider {name}" for name in sorted(changes.ill) if name not in instance.providers]
    faults += [
        f"new: {need.id} is there already"
        for need in changes.new
        if need.id in instance.needs and need.id not in changes.gone
    ]
    if faults:
        raise InstanceFaults(faults)


def _without(slots: Sequence[Slot], changes: Changes) -> Iterator[Slot]:
    """The slots that are left: without those of ill providers, at the home of who is gone, or with nobody left."""
    for slot in slots:
        members = tuple(one for one in slot.members if one.need not in changes.gone)
        has_place = not isinstance(slot.place, PlaceAtHost) or slot.place.need not in changes.gone
        if slot.provider not in changes.ill and has_place and members:
            yield replace(slot, members=members)


def _solved(
    changed: Instance,
    kept: tuple[Slot, ...],
    seconds: float,
    seed: int,
    workers: int,
    progress: Listener | None,
) -> Reopened:
    """The best plan around the slots that are kept."""
    instance = with_digest(replace(changed, pinned=pinned(kept)))
    plan = solve(instance, seconds=max(seconds, SECONDS_MIN), seed=seed, workers=workers, progress=progress)
    return Reopened(instance, plan, ())


def _sessions(slots: Iterable[Slot]) -> dict[str, set[tuple[object, ...]]]:
    """By need: provider, place, day and start of each of its sessions."""
    found: dict[str, set[tuple[object, ...]]] = {}
    for slot in slots:
        for member in slot.members:
            found.setdefault(member.need, set()).add((slot.provider, slot.place, slot.day, member.start))
    return found


@dataclass
class _Mover:
    """Tries, provider by provider, whether serving one more need is worth moving those that the provider has."""

    old: Plan
    disturbance_cents: int
    watch: Watch
    trial_seconds: float
    seed: int

    def improve(self, changed: Instance, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """The best slots found in time; every step moves members of one provider only, and pays for itself."""
        least = self._cents(changed, slots)
        for need, provider in self._trials(changed, slots):
            if self.watch.interrupted or self.watch.seconds > MOVE_PART * self.watch.limit_seconds:
                break
            if any(member.need == need.id for slot in slots for member in slot.members):
                continue
            found = self._moving(changed, slots, need, provider)
            if found is not None and (cents := self._cents(changed, found)) < least:
                slots, least = found, cents
        return slots

    def _cents(self, changed: Instance, slots: tuple[Slot, ...]) -> Fraction:
        """The objective and what the disturbance costs."""
        return exact_objective(changed, slots) + self.disturbance_cents * len(moved(changed, self.old.slots, slots))

    def _trials(self, changed: Instance, slots: tuple[Slot, ...]) -> Iterator[tuple[Need, str]]:
        """Needs that are not served, the dearest to leave out first, each with the providers who could serve it."""
        served = {member.need for slot in slots for member in slot.members}
        busy = dict.fromkeys(slot.provider for slot in slots)
        alone = Alone(changed)
        left_out = [need for need in changed.needs.values() if need.id not in served]
        left_out.sort(key=lambda need: -unserved_cost(changed, need))
        for need in left_out:
            for name in busy:
                provider = changed.providers[name]
                if alone.covers(provider, need) and alone.places(provider, need):
                    yield need, name

    def _moving(self, changed: Instance, slots: tuple[Slot, ...], need: Need, provider: str) -> tuple[Slot, ...] | None:
        """The slots with the need served by the provider, its own members free to move; None if there is no way."""
        free = {member.need for slot in slots if slot.provider == provider for member in slot.members}
        others = tuple(slot for slot in slots if slot.provider != provider)
        wanted = free | {need.id} | {member.need for slot in others for member in slot.members}
        needs = {name: one for name, one in changed.needs.items() if name in wanted}
        trial = replace(changed, needs=needs, pinned=pinned(others))
        try:
            return solve(trial, seconds=self.trial_seconds, seed=self.seed).slots
        except InstanceFaults:
            return None
