"""The command line: `solve` writes a plan, `check` says what is wrong with one; a fault is a line, not a traceback."""

import argparse
import math
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from matching.check import check
from matching.fields import Faults
from matching.formats import read_instance, read_plan, write_plan

if TYPE_CHECKING:
    from matching.progress import Progress

READING_PART = 0.5
"""`--seconds` begin with the command: reading takes its time from the search, up to this part of it."""
VALID, INVALID, REFUSED = 0, 1, 2
"""Exit statuses: all is well; the plan is not valid, or could not be written; the input is not what it must be."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # ids may hold letters that the terminal does not know
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        status = _solve(options) if options.command == "solve" else _check(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our lines has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INVALID
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m matching", description="Group needs into shared slots.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="solve|check")
    solving = commands.add_parser("solve", help="find a plan for an instance")
    solving.add_argument("instance", help="instance/1 as .json or .json.gz")
    solving.add_argument("--out", required=True, metavar="PLAN", help="where the plan goes (.json or .json.gz)")
    solving.add_argument("--seconds", type=_seconds, default=60.0, metavar="S", help="how long to search (60)")
    solving.add_argument("--seed", type=_whole(0), default=0, metavar="K", help="same seed, same plan (0)")
    solving.add_argument("--workers", type=_whole(1), default=2, metavar="W", help="cores to use (2)")
    checking = commands.add_parser("check", help="say what is wrong with a plan, a line each")
    checking.add_argument("instance", help="instance/1 as .json or .json.gz")
    checking.add_argument("plan", help="plan/1 as .json or .json.gz")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError
    return seconds


class _whole:  # noqa: N801 - argparse shows the name
    """A whole number from `low` to what a solver takes as a seed."""

    def __init__(self, low: int) -> None:
        self._low = low

    def __call__(self, text: str) -> int:
        number = int(text)
        if not self._low <= number < 2**31:
            raise ValueError
        return number

    def __repr__(self) -> str:
        return f"whole number from {self._low}"


def _solve(options: argparse.Namespace) -> int:
    if (reason := _unwritable(Path(options.out))) is not None:
        return _print([f"{options.out}: {reason}"], INVALID)
    begun = time.monotonic()
    try:
        instance = read_instance(options.instance)
        from matching.solve import solve

        seconds = options.seconds - min(time.monotonic() - begun, READING_PART * options.seconds)
        plan = solve(instance, seconds=seconds, seed=options.seed, workers=options.workers, progress=_show_progress)
    except Faults as faults:
        return _print(faults.lines, REFUSED)
    try:
        write_plan(plan, options.out)
    except OSError as error:
        return _print([f"{options.out}: {error.strerror or error}"], INVALID)
    served = len(instance.needs) - len(plan.unserved)
    bound = "no bound" if plan.bound_cents is None else f"bound {plan.bound_cents}"
    served_of = f"{served} of {len(instance.needs)} needs served"
    return _print([f"{plan.status}: {served_of}, objective {plan.objective_cents} cents, {bound}"], VALID)


def _unwritable(out: Path) -> str | None:
    """Why nothing can be written there: better said before the search than after it."""
    if out.is_dir():
        return "is a directory"
    if not out.parent.is_dir():
        return "no such directory"
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        return "permission denied"
    return None


def _show_progress(progress: "Progress") -> None:
    bound = "" if progress.bound_cents is None else f", bound {progress.bound_cents}"
    sys.stderr.write(
        f"{progress.seconds:7.1f} s: {progress.served} served, objective {progress.objective_cents}{bound}\n"
    )


def _check(options: argparse.Namespace) -> int:
    faults: list[str] = []
    instance = plan = None
    try:
        instance = read_instance(options.instance)
    except Faults as found:
        faults.extend(f"form: instance: {line}" for line in found.lines)
    try:
        plan = read_plan(options.plan)
    except Faults as found:
        faults.extend(f"form: {line}" for line in found.lines)
    if instance is not None and plan is not None:
        faults.extend(check(instance, plan))
    if not faults:
        sys.stderr.write("valid\n")
    return _print(faults, INVALID if faults else VALID)


def _print(lines: Iterable[str], status: int) -> int:
    for line in lines:
        print(" ".join(line.splitlines()))
    return status


if __name__ == "__main__":
    sys.exit(main())
