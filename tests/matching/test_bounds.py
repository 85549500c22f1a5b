"""Bounds without a solver: below every plan, also with a column that must be; tied weeks are tighter than days."""

import numpy as np
import pytest

from matching.bounds import relax
from matching.enumeration import Limits
from matching.exact import solve_model
from matching.formats import instance_from_json
from matching.model import Model
from matching.problem import make_problem
from matching.progress import Watch
from matching.weeks import tie_weeks
from tests.benchmarks.cities import make_city
from tests.matching.tiny import tiny_instance

CITIES = [tiny_instance(seed) for seed in (0, 4, 6, 9, 10, 11)] + [
    make_city(kind, 60, seed) for kind in ("uniform", "elders", "nurseries", "volunteers") for seed in (1, 2)
]


@pytest.mark.parametrize("content", CITIES, ids=range(len(CITIES)))
def test_no_plan_is_below_the_bound_nor_below_it_and_the_regret_of_any_of_its_columns(content):
    problem, watch = make_problem(instance_from_json(content), Limits(1 << 40, 1 << 20)), Watch(1e6)
    assert len(problem.columns)
    answer = solve_model(Model(problem, np.arange(len(problem.columns))), watch, 60, 0)
    assert answer.choice is not None
    assert answer.is_optimal
    nobody = int(problem.value.sum())
    best = nobody + answer.bound
    by_day = relax(problem, nobody, watch, 1e6, 100)
    by_week = tie_weeks(problem, by_day, nobody, watch, 1e6, 60)
    assert by_day.weight <= by_week.weight <= best
    assert (by_week.regret >= 0).all()
    for bound in (by_day, by_week):
        assert bound.weight + max(bound.regret[list(answer.choice.columns)], default=0) <= best


def test_tied_weeks_are_tighter_where_needs_come_on_several_days():
    problem, watch = (
        make_problem(instance_from_json(make_city("clustered", 150, 1)), Limits(1 << 40, 1 << 20)),
        Watch(1e6),
    )
    nobody = int(problem.value.sum())
    by_day = relax(problem, nobody, watch, 1e6, 200)
    assert tie_weeks(problem, by_day, nobody, watch, 1e6, 20).weight > by_day.weight
