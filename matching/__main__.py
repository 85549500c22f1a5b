"""The command line: `solve` writes a plan, `check` says what is wrong with one, `explain` why a need is where it is.

`reopen` makes the plan anew after some changes. A fault is a line, not a traceback.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from matching.check import check
from matching.fields import Faults, shown
from matching.formats import read_instance, read_plan, write_instance, write_plan
from matching.progress import Watch

if TYPE_CHECKING:
    from matching.instance import Instance
    from matching.plan import Plan
    from matching.progress import Progress

READING_PART = 0.5
"""`--seconds` begin with the command: reading takes its time from the search, up to this part of it."""
INTERRUPTED_SECONDS = 1.0
"""What a search has that was interrupted before it began."""
WORKERS_MAX = 256
"""Each worker is a thread and a process: a slip of the finger must not fill the machine."""
VALID, INVALID, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: all is well; the plan is not valid, or could not be written; the input is not what it must be; Ctrl-C
came when there was no search."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started us: they hear nothing, and get the status
        devnull = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends
        sys.stdout, sys.stderr = sys.stdout or devnull, sys.stderr or devnull
    for stream in (sys.stdout, sys.stderr):  # ids may hold letters that the terminal does not know
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    try:
        status = COMMANDS[options.command](options)
        sys.stdout.flush()
    except KeyboardInterrupt:  # a search is not ended so, but by its watch
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our lines has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INVALID
    except OSError as error:  # files answer for themselves: what is left is our own output, on a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with suppress(OSError):
            sys.stderr.write(f"the answer could not be written: {error.strerror or error}\n")
        return INVALID
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m matching", description="Group needs into shared slots.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="solve|check|explain|reopen")
    solving = commands.add_parser("solve", help="find a plan for an instance")
    solving.add_argument("instance", help="instance/1 as .json or .json.gz")
    solving.add_argument(
        "--apart", action="store_true", help="solve parts that have nothing in common apart, each in S seconds"
    )
    _add_search(solving)
    checking = commands.add_parser("check", help="say what is wrong with a plan, a line each")
    checking.add_argument("instance", help="instance/1 as .json or .json.gz")
    checking.add_argument("plan", help="plan/1 as .json or .json.gz")
    explaining = commands.add_parser("explain", help="say why needs are served as they are, or not at all")
    explaining.add_argument("instance", help="instance/1 as .json or .json.gz")
    explaining.add_argument("plan", help="plan/1 as .json or .json.gz")
    explaining.add_argument("needs", nargs="*", metavar="NEED", help="ids of needs (all)")
    reopening = commands.add_parser("reopen", help="make the plan anew after changes; the rest stays")
    reopening.add_argument("instance", help="instance/1 as .json or .json.gz")
    reopening.add_argument("plan", help="the plan that stands")
    reopening.add_argument("changes", help='{"gone": [need ids], "ill": [provider ids], "new": [needs]}')
    reopening.add_argument("--instance-out", required=True, metavar="INSTANCE", help="where the new instance goes")
    reopening.add_argument(
        "--disturbance-cents", type=_whole(0), metavar="C", help="move a confirmed member where it saves more (never)"
    )
    _add_search(reopening)
    return parser


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, metavar="PLAN", help="where the plan goes (.json or .json.gz)")
    parser.add_argument("--seconds", type=_seconds, default=60.0, metavar="S", help="how long to search (60)")
    parser.add_argument("--seed", type=_whole(0), default=0, metavar="K", help="same seed, same plan (0)")
    parser.add_argument(
        "--progress", action="store_true", help="say on stderr how it goes (JSON lines unless a terminal)"
    )
    parser.add_argument("--workers", type=_whole(1, WORKERS_MAX), default=2, metavar="W", help="cores to use (2)")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError
    return seconds


class _whole:  # noqa: N801 - argparse shows the name
    """A whole number from `low` to `high`, by default what a solver takes as a seed."""

    def __init__(self, low: int, high: int = 2**31 - 1) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        number = int(text)
        if not self._low <= number <= self._high:
            raise ValueError
        return number

    def __repr__(self) -> str:
        return f"whole number from {self._low} to {self._high}"


def _solve(options: argparse.Namespace) -> int:
    if (reason := _unwritable(Path(options.out))) is not None:
        return _print([f"{options.out}: {reason}"], INVALID)
    with Watch(options.seconds) as watch:  # an interruption while reading ends the search early, none harms the writing
        try:
            instance = read_instance(options.instance)
            plan = _planned(instance, options, watch)
        except Faults as faults:
            return _print(faults.lines, REFUSED)
        try:
            write_plan(plan, options.out)
        except OSError as error:
            return _print([f"{options.out}: {error.strerror or error}"], INVALID)
    served = len(instance.needs) - len(plan.unserved)
    bound = "no bound" if plan.bound_cents is None else f"bound {plan.bound_cents} (proved by: {plan.proof})"
    served_of = f"{served} of {len(instance.needs)} needs served"
    return _print([f"{plan.status}: {served_of}, objective {plan.objective_cents} cents, {bound}"], VALID)


def _planned(instance: "Instance", options: argparse.Namespace, watch: Watch) -> "Plan":
    """The plan in what the watch has left, or at once if it was interrupted."""
    from matching.apart import solve_apart
    from matching.solve import solve

    seconds = max(watch.limit_seconds - watch.seconds, READING_PART * watch.limit_seconds)
    if watch.interrupted:
        seconds = min(seconds, INTERRUPTED_SECONDS)
    plan_of = solve_apart if options.apart else solve
    listener = _show_progress if options.progress else None
    return plan_of(instance, seconds=seconds, seed=options.seed, workers=options.workers, progress=listener)


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
    """One line that is drawn again on a terminal, a JSON line otherwise."""
    if not sys.stderr.isatty():
        sys.stderr.write(json.dumps({"event": "progress", **asdict(progress)}) + "\n")
        return
    bound = "" if progress.bound_cents is None else f", bound {progress.bound_cents}, gap {progress.gap:.4f}"
    line = f"{progress.seconds:7.1f} s: {progress.served} served, objective {progress.objective_cents}{bound}"
    sys.stderr.write(f"\r{line}\x1b[K")


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


def _explain(options: argparse.Namespace) -> int:
    try:
        instance, plan = read_instance(options.instance), read_plan(options.plan)
    except Faults as faults:
        return _print(faults.lines, REFUSED)
    if wrong := check(instance, plan):
        return _print(wrong, INVALID)
    if unknown := [name for name in options.needs if name not in instance.needs]:
        return _print((f"unknown need {shown(name)}" for name in unknown), REFUSED)
    from matching.telling import tell

    return _print(tell(instance, plan, options.needs or list(instance.needs)), VALID)


def _reopen(options: argparse.Namespace) -> int:
    for out in (options.out, options.instance_out):
        if (reason := _unwritable(Path(out))) is not None:
            return _print([f"{out}: {reason}"], INVALID)
    try:
        instance, plan = read_instance(options.instance), read_plan(options.plan)
        if wrong := check(instance, plan):
            return _print(wrong, INVALID)
        from matching.reopening import read_changes, reopen

        again = reopen(
            instance,
            plan,
            read_changes(options.changes, instance),
            seconds=options.seconds,
            seed=options.seed,
            workers=options.workers,
            disturbance_cents=options.disturbance_cents,
            progress=_show_progress if options.progress else None,
        )
    except Faults as faults:
        return _print(faults.lines, REFUSED)
    try:
        write_instance(again.instance, options.instance_out)
        write_plan(again.plan, options.out)
    except OSError as error:
        return _print([f"{options.out}: {error.strerror or error}"], INVALID)
    served = len(again.instance.needs) - len(again.plan.unserved)
    return _print(
        [
            f"{served} of {len(again.instance.needs)} needs served, objective {again.plan.objective_cents} cents,"
            f" {len(again.moved)} moved or left out: {', '.join(again.moved) or 'nobody'}"
        ],
        VALID,
    )


def _print(lines: Iterable[str], status: int) -> int:
    for line in lines:
        print(" ".join(line.splitlines()))
    return status


COMMANDS = {"solve": _solve, "check": _check, "explain": _explain, "reopen": _reopen}


if __name__ == "__main__":
    sys.exit(main())
