"""What a new need could join now, beside the slots of a plan that stands; nothing of the plan moves."""

from dataclasses import dataclass

from matching.arrays import flatten
from matching.beside import Beside, Joining
from matching.instance import Instance, Need
from matching.plan import Plan


@dataclass
class _Last:
    """The plan that was asked about last, indexed: asking again about the same objects takes milliseconds."""

    instance: Instance | None = None
    plan: Plan | None = None
    beside: Beside | None = None


_last = _Last()


def offers(instance: Instance, plan: Plan, need: Need) -> tuple[Joining, ...]:
    """Every slot of the plan that the need could join now, with the price of each member, the cheapest first.

    The need may be one that the instance does not have; the plan must be valid. A slot is offered if the need would
    keep every rule in it, and finds its other sessions with the same provider; `presence` and `round` members come at
    the time that costs least. The first call for a plan indexes it; the index of the last one is kept.
    """
    if need.service not in instance.services:
        return ()
    beside = _indexed(instance, plan).with_need(need)
    found = list(beside.joinings(need))
    found.sort(key=lambda one: (_own_cents(one), one.slot.day, one.slot.start, one.slot.id))
    return tuple(found)


def _own_cents(joining: Joining) -> int:
    return sum(slot.members[-1].share_cents - slot.members[-1].subsidy_cents for slot in joining.week)


def _indexed(instance: Instance, plan: Plan) -> Beside:
    if _last.beside is None or _last.instance is not instance or _last.plan is not plan:
        _last.instance, _last.plan = instance, plan
        _last.beside = Beside(instance, plan.slots, flatten(instance))
    return _last.beside
