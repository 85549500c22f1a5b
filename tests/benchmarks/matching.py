"""`python -m tests.benchmarks.matching`: this engine beside its rivals on the same cities, as a table and a chart.

Each run is a process of its own, and is killed with its children if it does not end in time; its memory is the most
that they held, pages in common counted once.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import dataclass
from math import log
from multiprocessing.connection import Connection
from pathlib import Path

from matching.formats import instance_from_json, read_instance
from matching.objective import objective_cents
from tests.benchmarks.chart import draw
from tests.benchmarks.cities import KINDS, make_city
from tests.benchmarks.rivals import RIVALS, Outcome

KB_A_GB = 1 << 20
GOOD_PART = 0.9
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Run:
    """One rival on one city. Money in cents; `captured` is measured by the best bound of all runs on the city."""

    city: str
    needs: int
    rival: str
    unserved_cents: int
    objective_cents: int | None
    bound_cents: int | None
    seconds: float
    gigabytes: float
    ended: str = "in time"
    way: tuple[tuple[float, int], ...] = ()
    columns_seconds: float | None = None

    def captured(self, bound_cents: int) -> float:
        """How much of the value that any plan could have is taken."""
        objective = self.unserved_cents if self.objective_cents is None else self.objective_cents
        most = self.unserved_cents - bound_cents
        return (self.unserved_cents - objective) / most if most else 1.0

    def seconds_to(self, part: float) -> float | None:
        """When the run had so large a part of what it saved in the end; None if nothing is known of its way."""
        saved = self.unserved_cents - (self.objective_cents or self.unserved_cents)
        reached = (at for at, cents in self.way if self.unserved_cents - cents >= part * saved)
        return min(reached, default=None)


def main() -> None:
    """Measure and write."""
    options = _parser().parse_args()
    cities: list[tuple[str, Path | tuple[str, int, int]]] = [(path.name, path) for path in options.files]
    cities += [
        (f"{kind}-{size}-{options.seed}", (kind, size, options.seed))
        for kind in options.kinds
        for size in options.sizes
    ]
    groups = []
    for name, source in cities:
        runs = [measure(name, source, rival, options.seconds, options.grace) for rival in options.rivals]
        groups.append(runs)
        sys.stdout.write("\n".join(lines(runs)) + "\n")
        sys.stdout.flush()
    sys.stdout.write("\n".join(growth([run for runs in groups for run in runs])) + "\n")
    if options.chart:
        options.chart.write_text(
            draw([(run.city, run.rival, share) for runs in groups for run, share in _shares(runs)])
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.matching", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="instances; none: only made ones")
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS], default=[])
    parser.add_argument("--sizes", nargs="*", type=int, default=[200, 1000])
    parser.add_argument("--rivals", nargs="*", choices=[*RIVALS], default=[*RIVALS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each run")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds beyond those after which a run is killed")
    parser.add_argument("--chart", type=Path, help="where the chart goes (SVG)")
    return parser


def measure(city: str, source: Path | tuple[str, int, int], rival: str, seconds: float, grace: float) -> Run:
    """One run in a process of its own, which is killed `grace` seconds after its limit."""
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(source, rival, seconds, there))
    process.start()
    there.close()
    needs, unserved_cents = here.recv()  # now its time begins
    begun, most = time.monotonic(), 0
    while not here.poll(POLL_SECONDS) and process.is_alive() and time.monotonic() - begun < seconds + grace:
        most = max(most, _proportional_kb(process.pid or 0))
    took, ended, outcome = time.monotonic() - begun, "in time", Outcome(unserved_cents, None)
    try:
        if here.poll():
            outcome, took = here.recv()
        else:
            ended = "killed" if process.is_alive() else "died"
    except EOFError:
        ended = "died"
    if ended == "killed":
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    objective = outcome.objective_cents if ended == "in time" else None
    return Run(
        city, needs, rival, unserved_cents, objective, outcome.bound_cents, took, most / KB_A_GB, ended, outcome.way,
        outcome.columns_seconds,
    )  # fmt: skip


def _run(source: Path | tuple[str, int, int], rival: str, seconds: float, answer: Connection) -> None:
    os.setpgid(0, 0)  # so that it can be killed with its children
    instance = read_instance(source) if isinstance(source, Path) else instance_from_json(make_city(*source))
    answer.send((len(instance.needs), objective_cents(instance, ())))
    begun = time.monotonic()
    outcome = RIVALS[rival](instance, seconds)
    answer.send((outcome, time.monotonic() - begun))


def _proportional_kb(pid: int) -> int:
    """The resident memory of a process and its children, each page divided by those who share it."""
    total, stack = 0, [pid]
    while stack:
        at = Path(f"/proc/{stack.pop()}")
        try:
            rollup = (at / "smaps_rollup").read_text()
            children = (at / "task" / at.name / "children").read_text().split()
        except OSError:  # it has ended
            continue
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        stack.extend(int(child) for child in children)
    return total


def _shares(runs: list[Run]) -> list[tuple[Run, float]]:
    bound = max((run.bound_cents for run in runs if run.bound_cents is not None), default=0)
    return [(run, run.captured(bound)) for run in runs]


def lines(runs: list[Run]) -> list[str]:
    """The rows of one city, as a table in Markdown."""
    rows = [f"| {runs[0].city} | objective | captured | gap | seconds | GB | ended |", "|---|---|---|---|---|---|---|"]
    for run, share in _shares(runs):
        gap = "-"
        if run.objective_cents and run.bound_cents is not None:
            gap = f"{(run.objective_cents - run.bound_cents) / run.objective_cents:.4f}"
        objective = "-" if run.objective_cents is None else f"{run.objective_cents}"
        took = f"{run.seconds:.1f} | {run.gigabytes:.2f} | {run.ended}"
        rows.append(f"| {run.rival} | {objective} | {share:.3f} | {gap} | {took} |")
    return [*rows, ""]


def growth(runs: list[Run]) -> list[str]:
    """How times grow with size, each as a table and the exponent of a power of the number of needs."""
    measured = {
        "all columns": [(run.needs, run.columns_seconds) for run in runs],
        f"the engine's {GOOD_PART} of what it saves in the end": [
            (run.needs, run.seconds_to(GOOD_PART)) for run in runs if run.rival == "engine"
        ],
    }
    told = []
    for what, pairs in measured.items():
        points = [(needs, seconds) for needs, seconds in pairs if needs and seconds]
        if points:
            told.append(f"Seconds to {what}: {', '.join(f'{needs}: {seconds:.2f}' for needs, seconds in points)}.")
        if (power := exponent(points)) is not None:
            told.append(f"They grow with the {power:.2f}th power of the number of needs.")
    return told


def exponent(points: list[tuple[int, float]]) -> float | None:
    """The power by which seconds grow with size, by least squares on logarithms; None of a single size."""
    if len({size for size, _ in points}) < 2:
        return None
    logs = [(log(size), log(seconds)) for size, seconds in points]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    slope: float = sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)
    return slope


if __name__ == "__main__":
    main()
