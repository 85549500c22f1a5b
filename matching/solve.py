"""`solve`: an instance in, a valid plan out, within the time that it is given; what it says of its bound is proved."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np

from matching.annealing import Annealing, build_greedily
from matching.assemble import assemble
from matching.bounds import Bound, relax
from matching.choice import Choice
from matching.enumeration import Limits
from matching.exact import solve_model
from matching.explain import settle
from matching.fairness import be_fair
from matching.fields import InstanceFaults
from matching.first_reasons import first_reasons
from matching.groups import MEMBERS, NEED, PIN
from matching.instance import Fairness, Instance
from matching.lattice import Lattice, make_lattice
from matching.model import Model
from matching.objective import objective_cents
from matching.pins import pin_faults
from matching.plan import Plan, Slot
from matching.problem import SCALE, Problem, cents_of, make_problem
from matching.progress import Listener, Progress, Watch, gap_between
from matching.search import Search
from matching.weeks import tie_weeks

EXACT_COLUMNS_MAX = 20_000
"""Up to so many columns all of them are put into one model, which proves the optimum."""
STEPS_A_SECOND = 1_000_000
COLUMNS_MAX = 9_000_000
EXACT_PART, RELAX_PART, TIE_PART, TELL_PART = 0.7, 0.12, 0.2, 0.03
"""So much of the time is for the exact model at most; until these parts of the search bounds of days, then weeks."""
RELAX_ROUNDS = TIE_ROUNDS = 400
HURRY_PART, STOP_PART = 0.3, 0.4
"""Of the time, so much passes before enumerating hurries, and before it stops."""
SEARCH_PART = 0.95
"""Of the time, so much is for the search; the rest is for writing the plan and its reasons."""
CLOSING_SECONDS_PER_NEED, SEARCH_PART_MIN = 0.0003, 0.3
"""What writing the plan and its reasons takes besides, and the part of the time that the search has all the same."""
EXPLAIN_PART = 0.1
"""Of the time, so much is spent on looking for the reasons that take looking for."""
INTERRUPTED_SECONDS = 1.0
"""So much at most after an interruption."""
PINS_SECONDS_MIN = 2.0
"""What is pinned stands in every plan: to see that, there is always so much time (it takes some hundredths)."""
ANNEAL_PART, ANNEAL_PART_MAX, NEEDS_A_SECOND = 0.25, 0.6, 300
"""Of the search, so much is annealing, and more the more needs there are a second; then neighbourhoods are solved."""


@dataclass
class Incumbent:
    """The best plan so far and the best proved bound, both told to the listener as they come."""

    problem: Problem
    watch: Watch
    listener: Listener | None
    choice: Choice = field(default_factory=Choice)
    slots: tuple[Slot, ...] = ()
    objective_cents: int = 0
    bound_weight: int | None = None
    bound_cents: int | None = None
    proof: str | None = None

    @cached_property
    def lattice(self) -> Lattice:
        """How the problem's columns hang together."""
        return make_lattice(self.problem)

    def offer(self, choice: Choice) -> bool:
        """Take the choice if it is better than the best so far."""
        slots = assemble(self.problem, choice)
        cents = objective_cents(self.problem.instance, slots)
        if self.slots and cents >= self.objective_cents:
            return False
        self.choice, self.slots, self.objective_cents = choice, slots, cents
        self.tell()
        return True

    def prove(self, weight: int, proof: str) -> None:
        """Take a lower bound, in weights, and how it was proved."""
        if self.bound_weight is None or weight > self.bound_weight:
            self.bound_weight, self.bound_cents, self.proof = weight, cents_of(weight), proof
            self.tell()

    def tell(self) -> None:
        """Tell the listener how things stand."""
        if self.listener is not None:
            served = len({member.need for slot in self.slots for member in slot.members})
            gap = gap_between(self.objective_cents, self.bound_cents)
            self.listener(Progress(self.watch.seconds, served, self.objective_cents, self.bound_cents, gap, self.proof))


@dataclass(frozen=True)
class Proved:
    """A plan, and what was proved of its bound in weights, which add up over parts where rounded cents do not."""

    plan: Plan
    bound_weight: int | None


def solve(
    instance: Instance,
    *,
    seconds: float = 60.0,
    seed: int = 0,
    workers: int = 2,
    progress: Listener | None = None,
) -> Plan:
    """A plan for the instance in about `seconds`; raises `InstanceFaults` where its pins cannot stand or be completed.

    `progress` is called with each better plan or bound. The same instance, seed and workers give the same plan, unless
    the time ran out. SIGINT ends the search with the best plan.
    """
    if faults := pin_faults(instance):
        raise InstanceFaults(faults)
    if instance.policy.fairness is not None:
        return _solve_fairly(instance, instance.policy.fairness, seconds, seed, workers)
    return solve_proved(instance, seconds, seed, workers, progress).plan


def solve_proved(
    instance: Instance, seconds: float, seed: int, workers: int, progress: Listener | None = None
) -> Proved:
    """The same for an instance whose pins stand, without a look at fairness."""
    with Watch(seconds) as watch:
        if progress is not None and not instance.pinned:  # serving nobody is a plan
            progress(Progress(watch.seconds, 0, objective_cents(instance, ()), None, None))
        limits = Limits(int(STEPS_A_SECOND * seconds), COLUMNS_MAX, watch, HURRY_PART, STOP_PART, workers)
        problem = make_problem(instance, limits)
        best = Incumbent(problem, watch, progress)
        if instance.pinned:
            _start_from_pins(best, seconds, seed)
        else:
            best.offer(build_greedily(problem, best.lattice))
        _prove_at_once(best)
        closing_seconds = CLOSING_SECONDS_PER_NEED * len(instance.needs)
        _improve(best, max(SEARCH_PART * seconds - closing_seconds, SEARCH_PART_MIN * seconds), seed, workers)
        return Proved(_plan(best, seed), best.bound_weight)


def _prove_at_once(best: Incumbent) -> None:
    """A bound without a search: whoever no provider could ever serve costs what it costs to leave it unserved."""
    problem = best.problem
    reasons = first_reasons(problem.city, range(len(problem.value)))
    never = np.array([reason is not None for reason in reasons], np.bool_)
    if problem.columns.complete:
        never = np.ones(len(never), np.bool_)
        never[problem.columns.members[:, NEED]] = False
    best.prove(int(problem.value[never].sum()), "needs that no slot can serve")


def _solve_fairly(instance: Instance, fairness: Fairness, seconds: float, seed: int, workers: int) -> Plan:
    """The plan that `matching.fairness` finds, with the bound of the plan without fairness: no fair plan is cheaper."""

    def search(one: Instance, time: float) -> Plan:
        return solve(one, seconds=time, seed=seed, workers=workers)

    with Watch(seconds) as watch:
        fair = be_fair(instance, fairness, watch, search)
        limits = Limits(int(STEPS_A_SECOND * seconds), COLUMNS_MAX, watch)
        best = Incumbent(
            make_problem(instance, limits),
            watch,
            None,
            slots=fair.slots,
            bound_cents=fair.plain.bound_cents,
            proof=fair.plain.proof,
        )
        return replace(_plan(best, seed), fairness=fair.report)


def prepare(problem: Problem) -> None:
    """Do once, on a small problem, all that is compiled and searches for plans."""
    watch = Watch(inf)  # compiling may take a busy machine minutes
    lattice = make_lattice(problem)
    annealing = Annealing(problem, lattice, build_greedily(problem, lattice), 0)
    annealing.run(watch, 0, inf, 1, lambda: setattr(watch, "interrupted", True))
    worst = int(problem.value.sum())
    tie_weeks(problem, relax(problem, worst, Watch(inf), inf, 2), worst, Watch(inf), inf, 2)
    Search(problem, annealing.choice, np.zeros(len(problem.columns), np.int64), 0)


def _improve(best: Incumbent, seconds: float, seed: int, workers: int) -> None:
    """Prove the optimum if all columns fit into one model; search part by part if that is not done in time."""
    problem, watch = best.problem, best.watch
    if len(problem.columns.table) <= EXACT_COLUMNS_MAX:
        model = Model(problem, np.arange(len(problem.columns.table)))
        model.hint(best.choice)
        answer = solve_model(model, watch, EXACT_PART * (seconds - watch.seconds), seed)
        if answer.choice is not None:
            best.offer(answer.choice)
        if problem.columns.complete and answer.bound is not None:
            best.prove(int(problem.value.sum()) + answer.bound, "CP-SAT on all columns")
        if answer.is_optimal:
            return
    if watch.seconds < seconds and not watch.interrupted:
        _search(best, seconds, seed, workers)


def _search(best: Incumbent, seconds: float, seed: int, workers: int) -> None:
    """Anneal, while a bound is sought beside it; then solve neighbourhoods exactly."""
    problem, watch = best.problem, best.watch
    begin, told = watch.seconds, watch.seconds
    crowd = len(problem.value) / max(1.0, seconds - begin) / NEEDS_A_SECOND
    end = begin + min(ANNEAL_PART_MAX, ANNEAL_PART + crowd) * (seconds - begin)
    annealing = Annealing(problem, best.lattice, best.choice, seed)

    def tell(choice: Choice) -> None:
        nonlocal told
        if watch.seconds - told > TELL_PART * watch.limit_seconds:
            best.offer(choice)
            told = watch.seconds

    with ThreadPoolExecutor(1) as pool:
        relaxing = pool.submit(_relax, problem, best.objective_cents * SCALE, watch, begin, seconds)
        annealing.run(watch, begin, end, max(1, workers - 1), lambda: tell(annealing.choice), relaxing.done)
        bound = relaxing.result()
    if problem.columns.complete:
        best.prove(bound.weight, "Lagrangian relaxation of all columns by provider")
    annealing.run(watch, begin, end, workers, lambda: tell(annealing.choice))
    best.offer(annealing.choice)
    if watch.seconds < seconds and not watch.interrupted:
        search = Search(problem, best.choice, bound.regret, seed)
        search.run(watch, seconds, workers, lambda: tell(search.standing.choice()))
        best.offer(search.standing.choice())


def _relax(problem: Problem, weight: int, watch: Watch, begin: float, seconds: float) -> Bound:
    """The bound that is found in its part of the search; `weight` is a plan's."""
    relax_until, tie_until = (begin + part * (seconds - begin) for part in (RELAX_PART, TIE_PART))
    bound = relax(problem, weight, watch, relax_until, RELAX_ROUNDS)
    return tie_weeks(problem, bound, weight, watch, tie_until, TIE_ROUNDS)


def _start_from_pins(best: Incumbent, seconds: float, seed: int) -> None:
    """The pinned slots as they stand, each pinned need made whole: what every plan must have."""
    problem, watch = best.problem, best.watch
    columns = problem.columns
    found = columns.table[:, PIN]
    if len(np.unique(found[found >= 0])) < len(problem.instance.pinned):  # a member lacks a session elsewhere
        raise InstanceFaults([_incomplete(columns.complete)])
    pinned = (problem.city.needs["pinned_provider"] >= 0).astype(np.int64)
    complete = np.add.reduceat(pinned[columns.members[:, NEED]], columns.offsets[:-1]) == columns.table[:, MEMBERS]
    for ids in (np.flatnonzero(complete), np.arange(len(columns.table))):
        answer = solve_model(Model(problem, ids), watch, max(PINS_SECONDS_MIN, seconds - watch.seconds), seed)
        if answer.choice is not None:
            best.offer(build_greedily(problem, best.lattice, answer.choice))
            return
    raise InstanceFaults([_incomplete(answer.is_infeasible)])


def _incomplete(is_infeasible: bool) -> str:
    return f"pinned: the pinned slots {'cannot be completed' if is_infeasible else 'were not completed in time'}"


def _plan(best: Incumbent, seed: int) -> Plan:
    instance = best.problem.instance
    watch = best.watch
    seconds = EXPLAIN_PART * watch.limit_seconds
    if watch.interrupted:  # somebody waits; a second interruption ends the looking for reasons too
        seconds, watch.interrupted = min(seconds, INTERRUPTED_SECONDS), False
    settled = settle(best.problem, best.slots, seconds, lambda: watch.interrupted)
    objective = objective_cents(instance, settled.slots)
    gap = gap_between(objective, best.bound_cents)
    return Plan(
        instance.digest,
        "OPTIMAL" if best.bound_cents == objective else "FEASIBLE",
        settled.slots,
        settled.unserved,
        objective,
        best.bound_cents,
        None if gap is None else round(gap, 6),
        round(best.watch.seconds, 3),
        seed,
        best.proof,
    )
