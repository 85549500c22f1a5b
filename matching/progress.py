"""How a search is told to end, and how it tells where it stands."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the search stands: `bound_cents` is proved or None, `proof` says how, `gap` is as in a plan."""

    seconds: float
    served: int
    objective_cents: int
    bound_cents: int | None
    gap: float | None
    proof: str | None = None


Listener = Callable[[Progress], None]


@dataclass
class Watch:
    """The time that a search has; SIGINT inside `with` ends it and all around it early, and is then forgotten."""

    limit_seconds: float
    begun: float = field(default_factory=time.monotonic)
    interrupted: bool = False
    _before: Any = None

    def __enter__(self) -> "Watch":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        around = getattr(self._before, "__self__", None)
        if isinstance(around, Watch):
            around._interrupt(number, frame)

    @property
    def seconds(self) -> float:
        """How long the search has taken."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> float:
        """The seconds that are left; none after an interruption."""
        return 0.0 if self.interrupted else max(0.0, self.limit_seconds - self.seconds)


def gap_between(objective_cents: int, bound_cents: int | None) -> float | None:
    """`(objective - bound) / objective`, 0 for an objective of 0; None without a bound."""
    if bound_cents is None:
        return None
    return (objective_cents - bound_cents) / objective_cents if objective_cents else 0.0
