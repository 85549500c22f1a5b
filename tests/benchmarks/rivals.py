"""The matcher's rivals: greedy, CP-SAT and HiGHS on all columns at once, CP-SAT on assignments, without columns."""

import time
from collections.abc import Callable
from math import floor, inf, isfinite
from typing import NamedTuple

import numpy as np
from ortools.linear_solver.python import model_builder
from ortools.sat.python import cp_model

from matching.annealing import build_greedily
from matching.assemble import assemble
from matching.choice import Choice
from matching.enumeration import Limits
from matching.exact import solve_model
from matching.instance import Instance
from matching.lattice import make_lattice
from matching.model import Model
from matching.objective import objective_cents
from matching.problem import SCALE, Problem, make_problem
from matching.progress import Watch
from matching.solve import solve
from tests.benchmarks.assignments import Assignments

BIG = 1 << 60


class Outcome(NamedTuple):
    """Objective and proved bound, in cents; plans on the way, as seconds and cents; how long columns took."""

    objective_cents: int
    bound_cents: int | None
    way: tuple[tuple[float, int], ...] = ()
    columns_seconds: float | None = None


def engine(instance: Instance, seconds: float) -> Outcome:
    """This engine."""
    way: list[tuple[float, int]] = []
    plan = solve(instance, seconds=seconds, progress=lambda at: way.append((at.seconds, at.objective_cents)))
    return Outcome(plan.objective_cents, plan.bound_cents, tuple(way))


def greedy(instance: Instance, seconds: float) -> Outcome:
    """The best saving first."""
    begun = time.monotonic()
    problem = _problem(instance, Watch(seconds))
    took = time.monotonic() - begun
    return _outcome(problem, build_greedily(problem, make_lattice(problem)), None)._replace(columns_seconds=took)


def cp_sat(instance: Instance, seconds: float) -> Outcome:
    """CP-SAT on one model of all columns, with the greedy plan as a hint."""
    watch = Watch(seconds)
    problem = _problem(instance, watch)
    standing = build_greedily(problem, make_lattice(problem))
    model = Model(problem, np.arange(len(problem.columns)))
    model.hint(standing)
    answer = solve_model(model, watch, watch.left, 0)
    return _outcome(problem, answer.choice or Choice(), answer.bound)


def highs(instance: Instance, seconds: float) -> Outcome:
    """HiGHS on the same model as CP-SAT."""
    watch = Watch(seconds)
    problem = _problem(instance, watch)
    model = Model(problem, np.arange(len(problem.columns)))
    mip, variables = _as_mip(model)
    solver = model_builder.Solver("highs")
    solver.set_time_limit_in_seconds(max(0.1, watch.left))
    status = solver.solve(mip)
    if status not in (model_builder.SolveStatus.OPTIMAL, model_builder.SolveStatus.FEASIBLE):
        return _outcome(problem, Choice(), None)
    values = [round(solver.value(variable)) for variable in variables]
    bound = solver.best_objective_bound
    return _outcome(problem, model.choice(_Values(values)), floor(bound) if isfinite(bound) else None)


def assignments(instance: Instance, seconds: float) -> Outcome:
    """CP-SAT on one model of who comes to which session; the columns that tell its plan's price are not timed."""
    watch = Watch(seconds)
    model, solver = Assignments(instance), cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = max(0.1, watch.left)
    solver.parameters.num_workers = 2
    status = solver.solve(model.cp)
    problem = _problem(instance, Watch(inf))
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return _outcome(problem, model.choice(solver, problem) if found else Choice(), None)


class _Values:
    """A solution, asked as CP-SAT's is."""

    def __init__(self, values: list[int]) -> None:
        self.values = values

    def value(self, variable: cp_model.IntVar) -> int:
        """The variable's value."""
        return self.values[variable.index]


def _as_mip(model: Model) -> tuple[model_builder.Model, list[model_builder.Variable]]:
    """The same model with linear rows only."""
    cp, mip = model.cp.proto, model_builder.Model()
    variables = [mip.new_int_var(min(one.domain), max(one.domain), "") for one in cp.variables]

    def term(literal: int) -> model_builder.LinearExpr:
        return variables[literal] if literal >= 0 else 1 - variables[-literal - 1]

    for one in cp.constraints:
        if one.has_at_most_one():
            mip.add(model_builder.LinearExpr.sum([term(literal) for literal in one.at_most_one.literals]) <= 1)
        elif one.has_exactly_one():
            mip.add(model_builder.LinearExpr.sum([term(literal) for literal in one.exactly_one.literals]) == 1)
        elif one.has_bool_or():  # an implication: its conditions are literals too
            literals = [*one.bool_or.literals, *(-literal - 1 for literal in one.enforcement_literal)]
            mip.add(model_builder.LinearExpr.sum([term(literal) for literal in literals]) >= 1)
        elif one.has_bool_and():
            for literal in one.bool_and.literals:
                mip.add(model_builder.LinearExpr.sum([term(-one.enforcement_literal[0] - 1), term(literal)]) >= 1)
        elif one.has_linear():
            row = model_builder.LinearExpr.weighted_sum(
                [variables[v] for v in one.linear.vars], list(one.linear.coeffs)
            )
            low, high = min(one.linear.domain), max(one.linear.domain)
            mip.add_linear_constraint(row, low if low > -BIG else -inf, high if high < BIG else inf)
        else:
            raise ValueError(f"no linear row for {one}")
    objective = cp.objective
    terms = [variables[v] for v in objective.vars]
    mip.minimize(model_builder.LinearExpr.weighted_sum(terms, list(objective.coeffs)))
    return mip, variables


def _problem(instance: Instance, watch: Watch) -> Problem:
    return make_problem(instance, Limits(1 << 40, 20_000_000, watch, workers=2))


def _outcome(problem: Problem, choice: Choice, bound: int | None) -> Outcome:
    """What a choice costs; `bound` is on the model's objective, which leaves out what serving nobody costs."""
    cents = None if bound is None else (int(problem.value.sum()) + bound) // SCALE
    return Outcome(objective_cents(problem.instance, assemble(problem, choice)), cents)


RIVALS: dict[str, Callable[[Instance, float], Outcome]] = {
    "engine": engine, "greedy": greedy, "CP-SAT on all columns": cp_sat, "HiGHS on all columns": highs,
    "CP-SAT on assignments": assignments,
}  # fmt: skip
