"""How long it takes to ask around a plan: `python -m tests.benchmarks.around instance.json plan.json [--asked N]`.

`offers` is asked for as many new needs, copies of the instance's own; the first call, which indexes the plan, is told
apart. `check` and reading are told too, so that a whole command can be foreseen.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import matching
from matching.check import check
from matching.formats import read_instance, read_plan
from matching.instance import Instance, Need


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what is asked around a plan.")
    parser.add_argument("instance")
    parser.add_argument("plan")
    parser.add_argument("--asked", type=int, default=500, metavar="N", help="for how many new needs (500)")
    options = parser.parse_args()
    instance, seconds = timed(lambda: read_instance(options.instance))
    tell(f"read the instance: {seconds:.2f} s, {len(instance.needs)} needs")
    plan, seconds = timed(lambda: read_plan(options.plan))
    tell(f"read the plan: {seconds:.2f} s, {len(plan.slots)} slots")
    faults, seconds = timed(lambda: check(instance, plan))
    tell(f"check: {seconds:.2f} s, {len(faults)} faults")
    asked = newcomers(instance, options.asked + 1)
    _, seconds = timed(lambda: matching.offers(instance, plan, next(asked)))
    tell(f"offers, the first call: {seconds:.2f} s")
    wall, work, found = [], [], 0
    for need in asked:
        begun = time.process_time()
        offered, seconds = timed(lambda need=need: matching.offers(instance, plan, need))
        wall.append(seconds)
        work.append(time.process_time() - begun)
        found += bool(offered)
    tell(f"offers: {described(wall)} of wall clock, {described(work)} of CPU; {found} needs were offered something")


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def timed(deed: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    found = deed()
    return found, time.perf_counter() - begun


def newcomers(instance: Instance, count: int) -> Iterator[Need]:
    """New needs like some that the instance has, the same ones in every run."""
    likes = random.Random(3).choices(list(instance.needs.values()), k=count)
    return (replace(one, id=f"new {number}", person=None) for number, one in enumerate(likes))


def described(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"p50 {1000 * middle:.1f} ms, p99 {1000 * late:.1f} ms"


if __name__ == "__main__":
    main()
