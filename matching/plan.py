"""A plan says who meets whom, where, when and at which price; plain values, checked by `matching.check`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from matching.instance import Place

NO_PROVIDER = "no_provider"
TOO_FAR = "too_far"
NO_COMMON_TIME = "no_common_time"


@dataclass(frozen=True, slots=True)
class Member:
    """A need's part of one slot: its own times, its share of the cost and the subsidy on it."""

    need: str
    start: int
    end: int
    share_cents: int
    subsidy_cents: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One weekly occurrence with at least one member."""

    id: str
    provider: str
    service: str
    place: Place
    day: int
    start: int
    end: int
    cost_cents: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Unserved:
    """A need that no slot takes, with the first reason of matching.md that holds."""

    need: str
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """`status` is OPTIMAL (bound = objective) or FEASIBLE.

    `bound_cents` is proved or None; `proof` says how, and is no part of the file. `fairness` is what
    `matching.fairness` says of it, where the instance asks for fairness.
    """

    instance: str
    status: str
    slots: tuple[Slot, ...]
    unserved: tuple[Unserved, ...]
    objective_cents: int
    bound_cents: int | None
    gap: float | None
    seconds: float
    seed: int
    proof: str | None = None
    fairness: Mapping[str, Any] | None = None
