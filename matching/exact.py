"""Running a CP-SAT model so that it ends in time, on request, and always the same way."""

import threading
from dataclasses import dataclass
from math import ceil

from ortools.sat.python import cp_model

from matching.choice import Choice
from matching.model import Model
from matching.progress import Watch

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Answer:
    """What came of a model: a choice, and with it a proved lower bound of the objective, in weights."""

    choice: Choice | None
    bound: int | None
    is_optimal: bool
    is_infeasible: bool


def solve_model(model: Model, watch: Watch, seconds: float, seed: int) -> Answer:
    """Solve for at most `seconds`; an interruption of `watch` ends it early. Deterministic if neither ends it."""
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.max_time_in_seconds = max(0.01, seconds)
    parameters.random_seed = seed
    parameters.num_workers = 1  # one is the fastest on these models, and deterministic
    parameters.linearization_level = 2
    parameters.catch_sigint_signal = False
    status = cp_model.UNKNOWN

    def run() -> None:
        nonlocal status
        status = solver.solve(model.cp)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(POLL_SECONDS)
        if watch.interrupted:
            solver.stop_search()
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return Answer(
        model.choice(solver) if found else None,
        round_up(solver.best_objective_bound) if found else None,
        status == cp_model.OPTIMAL,
        status in (cp_model.INFEASIBLE, cp_model.MODEL_INVALID),
    )


def round_up(bound: float) -> int:
    """The least whole number that a bound on whole numbers, told as a double, proves."""
    return ceil(bound - 1e-6 - abs(bound) * 1e-15)
