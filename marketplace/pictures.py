"""The geometry of the pictures, in the units of their view box: whoever draws only places what stands here.

Widths are a phone's (340), so that words in a picture are as large as those beside it; on wider screens it grows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from marketplace.hours import Windowed

WIDTH: Final = 340
GUTTER: Final = 38
HOUR: Final = 14
HEADER: Final = 22
ROW: Final = 44
PLOT_HEIGHT: Final = 180
NICE_STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of kind `kind` (an ink of the style sheet) that says `text`."""

    x: float
    y: float
    width: float
    height: float
    kind: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A value and where it stands on its axis."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Week:
    """Seven columns (0 is Monday) `column` wide from `GUTTER` on; `hours` are ticks in minutes down the side."""

    width: float
    height: float
    column: float
    days: tuple[Tick, ...]
    hours: tuple[Tick, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """One row for each value: its words at (`x`=0, `y`), its bar below."""

    width: float
    height: float
    rows: tuple[tuple[str, str, Block], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Curves as `points` of a polyline, with ticks on both axes."""

    width: float
    height: float
    left: float
    bottom: float
    curves: tuple[tuple[str, str], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def week(layers: Sequence[Iterable[Windowed]]) -> Week:
    """The hours of a week; each of `layers` has its own ink, the later ones lie on top and are narrower."""
    found = [(kind, window) for kind, layer in enumerate(layers) for window in layer]
    first = min((window.start // 60 for _, window in found), default=8)
    last = max((-(-window.end // 60) for _, window in found), default=20)
    first, last = max(0, min(first, 8)), min(24, max(last, 20))
    column = (WIDTH - GUTTER) / 7

    def down(minutes: float) -> float:
        return HEADER + (minutes / 60 - first) * HOUR

    blocks = tuple(
        Block(
            x=round(GUTTER + window.day * column + 2 + 5 * kind, 2),
            y=down(window.start),
            width=round(column - 4 - 10 * kind, 2),
            height=down(window.end) - down(window.start),
            kind=kind,
        )
        for kind, window in found
    )
    return Week(
        width=WIDTH,
        height=down(last * 60) + 6,
        column=round(column, 2),
        days=tuple(Tick(round(GUTTER + (day + 0.5) * column, 2), day) for day in range(7)),
        hours=tuple(Tick(down(hour * 60), hour * 60) for hour in range(first, last + 1, 2)),
        blocks=blocks,
    )


def bars(values: Sequence[tuple[str, float, str]], most: float = 0) -> Bars:
    """Horizontal bars from 0 to `most` (or the largest value) for (label, value >= 0, the value in words)."""
    largest = max([most, *(value for _, value, _ in values)]) or 1
    rows = tuple(
        (label, words, Block(0, ROW * place + 20, round(WIDTH * value / largest, 2), 16, place % 4))
        for place, (label, value, words) in enumerate(values)
    )
    return Bars(WIDTH, ROW * len(values) or ROW, rows)


def lines(series: Sequence[tuple[str, Sequence[tuple[float, float]]]], steps: bool = False) -> Lines:
    """Curves of (x, y) points over common axes; with `steps` a value holds until the next point.

    The axis of values need not begin at 0 where all curves stay far from it: its ticks say so.
    """
    points = [point for _, curve in series for point in curve]
    left, top, bottom = 62, 10, PLOT_HEIGHT
    across = _ticks([x for x, _ in points] or [0, 1], 4)
    up = _ticks([y for _, y in points] or [0, 1], 4)
    x_low, x_span = across[0], (across[-1] - across[0])
    y_low, y_span = up[0], (up[-1] - up[0])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(left + (x - x_low) / x_span * (WIDTH - left - 14), 2),
            round(bottom - (y - y_low) / y_span * (bottom - top), 2),
        )

    def path(curve: Sequence[tuple[float, float]]) -> str:
        placed: list[tuple[float, float]] = []
        for x, y in curve:
            at = place(x, y)
            if steps and placed:
                placed.append((at[0], placed[-1][1]))
            placed.append(at)
        return " ".join(f"{x},{y}" for x, y in placed)

    return Lines(
        width=WIDTH,
        height=PLOT_HEIGHT + 30,
        left=left,
        bottom=bottom,
        curves=tuple((name, path(curve)) for name, curve in series),
        across=tuple(Tick(place(value, y_low)[0], value) for value in across),
        up=tuple(Tick(place(x_low, value)[1], value) for value in up),
    )


def _ticks(values: Sequence[float], wanted: int) -> list[float]:
    """Round numbers that span `values`, about `wanted` steps; at least two, and 0 where it is near."""
    low, high = min(values), max(values)
    if 0 < low < (high - low) or low == high > 0:
        low = 0
    if low == high:
        high = low + 1
    rough = (high - low) / wanted
    magnitude = 10.0 ** _exponent(rough)
    step = next(nice * magnitude for nice in NICE_STEPS if nice * magnitude >= rough * 0.999)
    start = int(low // step)
    count = int(-(-(high - start * step) // step))
    return [float(f"{(start + place) * step:.10g}") for place in range(max(count, 1) + 1)]


def _exponent(number: float) -> int:
    """The power of ten just below `number`."""
    return int(f"{number:e}".split("e")[1])
