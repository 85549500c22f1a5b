"""Whether a plan is what it says: a line for everything that is not, and never an exception.

Lines are `form: ...`, `rule N: ...`, `objective: ...`, `pinned: ...` and `unserved: ...`.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, starmap

from matching.fields import shown
from matching.instance import Instance, PlaceAtHost, PlaceAtVenue
from matching.objective import exact_objective, is_objective
from matching.pins import pin_faults, unpinned
from matching.plan import NO_COMMON_TIME, NO_PROVIDER, TOO_FAR, Plan, Unserved
from matching.rules import broken
from matching.week import Week

GAP_TOLERANCE = 1e-4
REASONS_ALONE = (NO_PROVIDER, TOO_FAR, NO_COMMON_TIME)
DETAILS = {
    "group_too_small": ("short_by", 1),
    "too_expensive": ("price_cents_per_hour", 0),
    "not_worth_it": ("extra_cents", 0),
}
"""What stands in the detail of a reason, and the least that it can be."""
REASONS = (*REASONS_ALONE, *DETAILS, "budget_exhausted", "outcompeted")


def check(instance: Instance, plan: Plan) -> list[str]:
    """Everything that is wrong with the plan, a line each; empty if it is valid."""
    form = [f"form: {line}" for line in _form(instance, plan)]
    unknown = [f"form: {line}" for line in _unknown(instance, plan)]
    if unknown:  # the rules cannot be asked about what is not there
        return form + unknown
    week = Week(instance, plan.slots)
    return [
        *form,
        *broken(week),
        *(f"objective: {line}" for line in _objective(week, plan)),
        *pin_faults(instance),
        *unpinned(week),
        *(f"unserved: {line}" for line in _unserved(week, plan)),
    ]


def _form(instance: Instance, plan: Plan) -> Iterator[str]:
    if plan.instance != instance.digest:
        yield f"the plan is for the instance {shown(plan.instance)}, this one is {instance.digest}"


def _unknown(instance: Instance, plan: Plan) -> Iterator[str]:
    """Ids that the instance does not have."""
    for index, slot in enumerate(plan.slots):
        path = f"slots[{index}]"
        named = [
            (f"{path}.provider", slot.provider, slot.provider in instance.providers),
            (f"{path}.service", slot.service, slot.service in instance.services),
            *(
                (f"{path}.members[{number}].need", member.need, member.need in instance.needs)
                for number, member in enumerate(slot.members)
            ),
        ]
        if isinstance(slot.place, PlaceAtVenue):
            named.append((f"{path}.place.venue", slot.place.venue, slot.place.venue in instance.venues))
        if isinstance(slot.place, PlaceAtHost):
            named.append((f"{path}.place.host", slot.place.need, slot.place.need in instance.needs))
        yield from (f"{where}: unknown {shown(name)}" for where, name, known in named if not known)
    for index, one in enumerate(plan.unserved):
        if one.need not in instance.needs:
            yield f"unserved[{index}].need: unknown {shown(one.need)}"


def _objective(week: Week, plan: Plan) -> Iterator[str]:
    """The stated objective, and what bound, gap and status say about it."""
    exact = exact_objective(week.instance, plan.slots)
    stated, bound = plan.objective_cents, plan.bound_cents
    if not is_objective(stated, exact):
        yield f"the plan comes to {float(exact):.6f} cents, not {stated}"
    if not week.instance.pinned and exact > exact_objective(week.instance, ()) + 1:
        yield "the plan is worse than serving nobody"
    if bound is None:
        if plan.gap is not None:
            yield "a gap without a bound"
        if plan.status == "OPTIMAL":
            yield "OPTIMAL without a bound"
        return
    if bound > stated:
        yield f"the bound {bound} is above the objective {stated}"
    if plan.status == "OPTIMAL" and bound != stated:
        yield f"OPTIMAL, and the bound {bound} is not the objective {stated}"
    gap = (stated - bound) / stated if stated else 0.0
    if plan.gap is None:
        yield "a bound without its gap"
    elif abs(plan.gap - gap) > GAP_TOLERANCE:
        yield f"the gap is {gap:.6f}, not {plan.gap}"


def _unserved(week: Week, plan: Plan) -> Iterator[str]:
    """Every need is served or listed once, with a reason that can be given."""
    listed = Counter(one.need for one in plan.unserved)
    for name in week.instance.needs:
        if name in week.sessions and name in listed:
            yield f"{name} is served"
        if name not in week.sessions and name not in listed:
            yield f"{name} is neither served nor listed"
    yield from (f"{name} is listed {times} times" for name, times in listed.items() if times > 1)
    if not plan.unserved:
        return
    from matching.arrays import flatten  # compiled: loaded when it is needed
    from matching.first_reasons import first_reasons

    index = {name: number for number, name in enumerate(week.instance.needs)}
    right = first_reasons(flatten(week.instance), (index[one.need] for one in plan.unserved))
    yield from chain.from_iterable(starmap(_reason, zip(plan.unserved, right, strict=True)))


def _reason(one: Unserved, right: str | None) -> Iterator[str]:
    if one.reason not in REASONS:
        yield f"{one.need}: unknown reason {shown(one.reason)}"
        return
    if right != (one.reason if one.reason in REASONS_ALONE else None):
        yield f"{one.need}: the reason is {right}, not {one.reason}" if right else f"{one.need}: not {one.reason}"
    if one.reason in DETAILS:
        field, least = DETAILS[one.reason]
        value: object = one.detail.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f"{one.need}: detail.{field} must be a whole number of at least {least}, not {shown(value)}"
