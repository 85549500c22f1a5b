"""Why needs are unserved: the first reason of the contract's table that holds, with its detail.

What can be found at once is always said: the reasons that do not depend on a plan. Looking for room beside the plan
takes time: where it runs out, the last reason of the table stands, and no change is told.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from matching.all_else_empty import NO_WEEK, AllElseEmpty, Said
from matching.assemble import subsidise
from matching.beside import Addition, Beside, Opening, with_addition
from matching.change import Changes
from matching.company import is_affordable
from matching.instance import Need
from matching.objective import exact_objective, round_half_up
from matching.plan import Slot, Unserved
from matching.problem import Problem
from matching.rules import broken
from matching.week import Week

SLOTS_CHECKED_MAX = 1000
"""In larger plans nothing is added: every addition is checked with the whole plan."""
EMPTY_PART, BESIDE_PART = 0.4, 0.8
"""Of the time, so much has passed when no more company is looked for, and when no more room beside the plan is."""


@dataclass
class Settled:
    """A plan's slots, some needs added that cost nothing more, and the reasons of those that stay unserved."""

    slots: tuple[Slot, ...]
    unserved: tuple[Unserved, ...]


def settle(
    problem: Problem, slots: Sequence[Slot], seconds: float, is_over: Callable[[], bool] = lambda: False
) -> Settled:
    """Add to a plan what raises its objective by nothing, and say why the rest is unserved; in about `seconds`.

    Or sooner, once it `is_over`.
    """
    explainer = Explainer(problem, tuple(slots), seconds, is_over)
    unserved = explainer.unserved()
    while explainer.has_grown and explainer.has_time(BESIDE_PART):  # what was said of the others may no longer hold
        explainer.has_grown = False
        unserved = explainer.unserved()
    return Settled(explainer.slots, explainer.with_changes(unserved))


class Explainer:
    """A plan's slots and the columns that it was chosen from, indexed for asking about one need at a time."""

    def __init__(self, problem: Problem, slots: tuple[Slot, ...], seconds: float, is_over: Callable[[], bool]) -> None:
        self._problem = problem
        self._instance = problem.instance
        self._begun, self._seconds, self._is_over = time.monotonic(), seconds, is_over
        self._empty = AllElseEmpty(problem, lambda: self.has_time(EMPTY_PART))
        self.has_grown = False
        self._stand(slots)
        self._said = self._empty.reasons(index for index, _ in self._left_out())

    def has_time(self, part: float = 1) -> bool:
        """Whether the time, or a part of it, has not passed yet."""
        return not self._is_over() and time.monotonic() - self._begun < part * self._seconds

    def _stand(self, slots: tuple[Slot, ...]) -> None:
        self.slots = slots
        self._week = Week(self._instance, slots)
        self._beside = Beside(self._instance, slots, self._problem.city)
        self._exact = exact_objective(self._instance, slots)

    def _left_out(self) -> list[tuple[int, Need]]:
        """The needs that no slot takes, each with its index."""
        needs = enumerate(self._instance.needs.values())
        return [(index, need) for index, need in needs if need.id not in self._week.sessions]

    def unserved(self) -> tuple[Unserved, ...]:
        """The needs that no slot takes, in the instance's order, each with its reason."""
        left_out = self._left_out()
        having_room = self._beside.having_room(index for index, _ in left_out if index not in self._said)
        reasons = [(need.id, self._reason(index, need, having_room.get(index, []))) for index, need in left_out]
        return tuple(Unserved(name, *reason) for name, reason in reasons if name not in self._week.sessions)

    def with_changes(self, unserved: tuple[Unserved, ...]) -> tuple[Unserved, ...]:
        """The same with the smallest change that would help, for as many as there is time for."""
        changes = Changes(self._instance, self._beside, self.has_time)
        told = []
        for one in unserved:
            found = changes.of(self._instance.needs[one.need], one.reason)
            told.append(replace(one, detail=dict(one.detail) | found) if found else one)
        return tuple(told)

    def _reason(self, index: int, need: Need, openings: list[Opening]) -> Said:
        """The reason and its detail for the need, the `index`-th of the instance; these openings may have room."""
        if index in self._said:
            return self._said[index]
        share_cents, subsidy_cents = int(self._empty.share_cents[index]), int(self._empty.subsidy_cents[index])
        if (
            need.subsidy is not None
            and share_cents != NO_WEEK
            and not is_affordable(need, share_cents)
            and subsidy_cents > self._beside.left_cents(need.subsidy.programme)
        ):
            return "budget_exhausted", {}
        addition = self._beside.cheapest(need, openings, lambda: self.has_time(BESIDE_PART))
        if addition is not None:
            cents = round_half_up(self._exact + addition.extra_cents) - round_half_up(self._exact)
            if cents > 0:
                return "not_worth_it", {"extra_cents": cents}
            self._add(addition)
        return "outcompeted", {}

    def _add(self, addition: Addition) -> None:
        """Serve the need after all, if the whole plan stays valid."""
        if len(self.slots) > SLOTS_CHECKED_MAX:
            return
        slots = subsidise(self._problem, with_addition(self.slots, addition))
        if not broken(Week(self._instance, slots)):
            self._stand(slots)
            self.has_grown = True
