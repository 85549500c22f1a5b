"""Annealing: after any number of moves a plan keeps every rule, and what is taken back leaves no trace."""

import numpy as np
import pytest

from matching.anneal import anneal
from matching.annealing import Annealing, build_greedily, make_work
from matching.assemble import assemble
from matching.choice import Choice
from matching.enumeration import Limits
from matching.formats import instance_from_json
from matching.groups import NEED
from matching.lattice import EMPTY, NONE, make_lattice
from matching.moves import columns_of, restore
from matching.objective import objective_cents
from matching.problem import SCALE, Problem, make_problem
from matching.progress import Watch
from matching.rules import broken
from matching.steps import WEIGHT
from matching.week import Week
from tests.benchmarks.cities import KINDS, make_city
from tests.matching.tiny import tiny_instance

ALL = Limits(1 << 40, 1 << 20)


def problem_of(kind: str, needs: int, seed: int) -> Problem:
    return make_problem(instance_from_json(make_city(kind, needs, seed)), ALL)


def faults(problem: Problem, choice: Choice) -> list[str]:
    return list(broken(Week(problem.instance, assemble(problem, choice))))


def members(problem: Problem, column: int) -> list[int]:
    rows = problem.rows_of(column)
    return sorted(problem.columns.members[rows.start : rows.stop, NEED].tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_an_annealed_plan_keeps_every_rule_and_is_no_worse_than_the_greedy_one(kind):
    problem = problem_of(kind, 80, 1)
    lattice = make_lattice(problem)
    greedy = build_greedily(problem, lattice)
    assert faults(problem, greedy) == []
    annealing, rounds = Annealing(problem, lattice, greedy, 0), []
    watch = Watch(1e6)
    annealing.run(watch, -1e9, 1e-3 + watch.seconds, 2, lambda: rounds.append(annealing.choice))
    while len(rounds) < 5:
        annealing.run(watch, -1e9, watch.seconds + 0.2, 2, lambda: rounds.append(annealing.choice))
    assert all(faults(problem, choice) == [] for choice in rounds)
    costs = [objective_cents(problem.instance, assemble(problem, choice)) for choice in (greedy, rounds[-1])]
    assert costs[1] <= costs[0]


@pytest.mark.parametrize("seed", range(25))
def test_moves_on_tiny_instances_of_every_rule_leave_a_valid_plan_and_its_true_weight(seed):
    problem = make_problem(instance_from_json(tiny_instance(seed)), ALL)
    if not len(problem.columns):
        return
    lattice, work = make_lattice(problem), make_work(problem)
    ours = np.unique(problem.columns.provider).astype(np.int64)
    for warmth in (1e9, 1e7, 1.0):
        arrays = (lattice, work, problem.weight, problem.value, ours)
        anneal(problem.city, problem.columns, *arrays, 200, warmth)
        chosen = np.sort(columns_of(work, np.arange(len(work.head))))
        assert faults(problem, Choice(tuple(chosen.tolist()))) == []
        assert work.numbers[WEIGHT] == problem.weight[chosen].sum() + problem.value[work.server < 0].sum()


def test_what_is_taken_back_leaves_no_trace():
    problem = problem_of("clustered", 80, 2)
    lattice, works = make_lattice(problem), [make_work(problem) for _ in range(2)]
    chosen = np.array(build_greedily(problem, lattice).columns, np.int64)
    for work in works:
        restore(problem.city, problem.columns, work, problem.weight, problem.value, chosen)
    ours = np.unique(problem.columns.provider).astype(np.int64)
    refuse_all = -1e30
    arrays = (lattice, works[0], problem.weight, problem.value, ours)
    anneal(problem.city, problem.columns, *arrays, 500, refuse_all)
    for one, other in zip(works[0].room, works[1].room, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(works[0].server, works[1].server)
    assert np.array_equal(works[0].spent, works[1].spent)
    assert works[0].numbers[WEIGHT] == works[1].numbers[WEIGHT]


def test_the_lattice_knows_which_column_is_left_when_a_member_leaves():
    problem = problem_of("nurseries", 80, 3)
    lattice = make_lattice(problem)
    seen = {EMPTY: 0, NONE: 0, 1: 0}
    for row, rest in enumerate(lattice.without.tolist()):
        column = int(lattice.column[row])
        leaver = int(problem.columns.members[row, NEED])
        seen[min(1, rest)] = seen.get(min(1, rest), 0) + 1
        if rest >= 0:
            assert members(problem, rest) == [need for need in members(problem, column) if need != leaver]
            assert problem.columns.provider[rest] == problem.columns.provider[column]
        elif rest == EMPTY:
            assert members(problem, column) == [leaver]
    assert seen[EMPTY] and seen[1]


def test_two_threads_find_the_same_columns_as_one():
    instance = instance_from_json(make_city("clustered", 150, 4))
    one, two = (make_problem(instance, Limits(1 << 40, 1 << 20, workers=workers)).columns for workers in (1, 2))
    assert np.array_equal(one.table, two.table)
    assert np.array_equal(one.members, two.members)
    assert one.complete
    assert two.complete


def test_the_same_seed_cuts_the_city_and_moves_alike():
    problem = problem_of("clustered", 80, 5)
    lattice = make_lattice(problem)
    works = [Annealing(problem, lattice, build_greedily(problem, lattice), 7)._part(2) for _ in range(2)]
    for (work, ours), (other, others) in zip(*works, strict=True):
        assert np.array_equal(ours, others)
        for one, providers in ((work, ours), (other, others)):
            arrays = (lattice, one, problem.weight, problem.value, providers)
            anneal(problem.city, problem.columns, *arrays, 300, 1000.0 * SCALE)
        assert np.array_equal(columns_of(work, ours), columns_of(other, others))
