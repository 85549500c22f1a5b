"""`python -m tests.benchmarks.matching`: this engine beside its rivals on the same cities, as a table and a chart.

Each run is a process of its own; its memory is the most that it and its children held, pages in common counted once.
"""

import argparse
import multiprocessing
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
from tests.benchmarks.rivals import RIVALS

KB_A_GB = 1 << 20
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

    def captured(self, bound_cents: int) -> float:
        """How much of the value that any plan could have is taken."""
        objective = self.unserved_cents if self.objective_cents is None else self.objective_cents
        most = self.unserved_cents - bound_cents
        return (self.unserved_cents - objective) / most if most else 1.0


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
        runs = [measure(name, source, rival, options.seconds) for rival in options.rivals]
        groups.append(runs)
        sys.stdout.write("\n".join(lines(runs)) + "\n")
        sys.stdout.flush()
    growth = _growth([run for runs in groups for run in runs if run.rival == "engine"])
    if growth:
        sys.stdout.write(growth + "\n")
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
    parser.add_argument("--chart", type=Path, help="where the chart goes (SVG)")
    return parser


def measure(city: str, source: Path | tuple[str, int, int], rival: str, seconds: float) -> Run:
    """One run in a process of its own."""
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(source, rival, seconds, there))
    process.start()
    there.close()
    most = 0
    while not here.poll(POLL_SECONDS) and process.is_alive():
        most = max(most, _proportional_kb(process.pid or 0))
    needs, unserved, objective, bound, took = here.recv() if here.poll() else (0, 0, None, None, 0.0)
    process.join()
    return Run(city, needs, rival, unserved, objective, bound, took, most / KB_A_GB)


def _run(source: Path | tuple[str, int, int], rival: str, seconds: float, answer: Connection) -> None:
    instance = read_instance(source) if isinstance(source, Path) else instance_from_json(make_city(*source))
    begun = time.monotonic()
    objective, bound = RIVALS[rival](instance, seconds)
    took = time.monotonic() - begun
    answer.send((len(instance.needs), objective_cents(instance, ()), objective, bound, took))


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
    rows = [f"| {runs[0].city} | objective | captured | gap | seconds | GB |", "|---|---|---|---|---|---|"]
    for run, share in _shares(runs):
        gap = "-"
        if run.objective_cents and run.bound_cents is not None:
            gap = f"{(run.objective_cents - run.bound_cents) / run.objective_cents:.4f}"
        objective = "-" if run.objective_cents is None else f"{run.objective_cents}"
        rows.append(f"| {run.rival} | {objective} | {share:.3f} | {gap} | {run.seconds:.1f} | {run.gigabytes:.2f} |")
    return [*rows, ""]


def _growth(runs: list[Run]) -> str:
    """How time grows with size, as the exponent of a power, by least squares on logarithms."""
    points = [(log(run.needs), log(run.seconds)) for run in runs if run.needs and run.seconds]
    if len({x for x, _ in points}) < 2:
        return ""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return f"Time grows with the {slope:.2f}th power of the number of needs."


if __name__ == "__main__":
    main()
