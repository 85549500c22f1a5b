"""A comparison is worth what the rivals are: each keeps the rules, and none finds more than there is."""

import pytest
from ortools.sat.python import cp_model

from matching.assemble import assemble
from matching.enumeration import Limits
from matching.formats import instance_from_json
from matching.objective import objective_cents
from matching.problem import make_problem
from matching.rules import broken
from matching.solve import solve
from matching.week import Week
from tests.benchmarks.assignments import Assignments
from tests.benchmarks.cities import KINDS, make_city
from tests.benchmarks.rivals import RIVALS


@pytest.mark.parametrize("kind", KINDS)
def test_no_rival_finds_a_cheaper_plan_than_the_proved_optimum(kind: str) -> None:
    instance = instance_from_json(make_city(kind, 40, 3))
    best = solve(instance, seconds=60)
    assert best.status == "OPTIMAL"
    found = {name: rival(instance, 20.0).objective_cents for name, rival in RIVALS.items()}
    assert min(found.values()) == best.objective_cents
    assert max(found.values()) < objective_cents(instance, ())
    assert found["CP-SAT on all columns"] == found["HiGHS on all columns"] == best.objective_cents


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_of_assignments_keeps_every_rule(kind: str) -> None:
    instance = instance_from_json(make_city(kind, 60, 4))
    model, solver = Assignments(instance), cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = 5.0
    solver.solve(model.cp)
    problem = make_problem(instance, Limits(1 << 40, 1_000_000))
    slots = assemble(problem, model.choice(solver, problem))
    assert broken(Week(instance, slots)) == []
    assert slots
