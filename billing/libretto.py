"""Who works by Libretto Famiglia stays within three caps a calendar year: near one, both sides are told beforehand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TITLE_CENTS = 1000
NET_OF_TITLE_CENTS = 800
WARNING_PERCENT = 80


class Cap(StrEnum):
    """What is capped: a worker over all its users, a user over all its workers, a pair in money and in hours."""

    WORKER = "worker"
    USER = "user"
    PAIR = "pair"
    PAIR_HOURS = "pair_hours"


CAPS: Final[Mapping[Cap, int]] = {
    Cap.WORKER: 500_000,
    Cap.USER: 1_000_000,
    Cap.PAIR: 250_000,
    Cap.PAIR_HOURS: 280 * 60,
}
"""Net cents, and minutes for the hours. Source: D.L. 50/2017, art. 54-bis, as in force in 2026."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker did for a user in a calendar year."""

    worker: str
    user: str
    cost_cents: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a cap is used: net cents or minutes; `worker` or `user` is empty where the cap is over all."""

    cap: Cap
    worker: str
    user: str
    used: int

    @property
    def limit(self) -> int:
        return CAPS[self.cap]

    @property
    def percent(self) -> int:
        """Whole per cent, rounded down."""
        return self.used * 100 // self.limit

    @property
    def is_near(self) -> bool:
        """From 80 per cent on."""
        return self.used * 100 >= self.limit * WARNING_PERCENT

    @property
    def is_over(self) -> bool:
        return self.used > self.limit


def titles(cost_cents: int, minutes: int) -> int:
    """How many titles of 10 euros pay a cost; a title is for an hour at most."""
    return max(-(-cost_cents // TITLE_CENTS), -(-minutes // 60))


def uses(worked: Iterable[Worked]) -> list[Use]:
    """Every cap that the work of a year touches, the fullest first; a title is 8 euros net for its worker."""
    sums: dict[tuple[Cap, str, str], int] = {}
    for one in worked:
        net = titles(one.cost_cents, one.minutes) * NET_OF_TITLE_CENTS
        for cap, worker, user, amount in (
            (Cap.WORKER, one.worker, "", net),
            (Cap.USER, "", one.user, net),
            (Cap.PAIR, one.worker, one.user, net),
            (Cap.PAIR_HOURS, one.worker, one.user, one.minutes),
        ):
            key = cap, worker, user
            sums[key] = sums.get(key, 0) + amount
    found = [Use(*key, used) for key, used in sums.items()]
    return sorted(found, key=lambda use: (-use.used * 100 // use.limit, use.cap, use.worker, use.user))
