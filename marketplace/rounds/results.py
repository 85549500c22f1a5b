"""What a round did, read from the instance and the plan it keeps: counts, money, reasons, where offer is missing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from billing.split import split_slot
from marketplace.rounds.accessibility import accessibility
from marketplace.rounds.standing import Json
from marketplace.words import N_
from matching.distance import distance_km

REASONS: Mapping[str, str] = {
    "no_provider": N_("Nessun professionista accreditato offre questo servizio a queste persone"),
    "too_far": N_("Nessun luogo e nessun professionista entro la distanza"),
    "no_common_time": N_("Nessun orario in comune con un professionista"),
    "group_too_small": N_("Mancano altre famiglie per fare il gruppo"),
    "too_expensive": N_("Nessun gruppo sta sotto il prezzo massimo della famiglia"),
    "budget_exhausted": N_("Il budget del buono non basta"),
    "not_worth_it": N_("Costerebbe più di quanto vale nel piano"),
    "outcompeted": N_("Posti e orari sono andati ad altre esigenze"),
}
STEPS: Mapping[str, tuple[Any, ...]] = {
    "price_cents_per_hour": (100, 200, 500),
    "seats": (1,),
    "travel_km": (0.5, 1.0),
    "windows_minutes": (30,),
}
CELL_DEGREES = 0.009  # about a kilometre from north to south: coarse enough that no home can be told
FEW = 5
SIGMA_KM, REACH_KM = 1.0, 3.0  # most families go one or two kilometres
FAR_DEGREES = 0.06  # more than REACH_KM in any direction, up to 60 degrees north


@dataclass(frozen=True, slots=True)
class Money:
    """Cents a week; `alone_cents` is what the same sessions would cost without sharing."""

    cost_cents: int
    subsidy_cents: int
    alone_cents: int
    seat_minutes: int

    @property
    def families_cents(self) -> int:
        """What the families pay."""
        return self.cost_cents - self.subsidy_cents

    @property
    def mean_cents_per_hour(self) -> int:
        """Mean price of one seat for an hour in the groups, before vouchers."""
        return round(self.cost_cents * 60 / self.seat_minutes) if self.seat_minutes else 0

    @property
    def mean_alone_cents_per_hour(self) -> int:
        """The same without sharing."""
        return round(self.alone_cents * 60 / self.seat_minutes) if self.seat_minutes else 0


@dataclass(frozen=True, slots=True)
class Change:
    """A verified change of at most `amount` (kind and unit as in matching.md), and how many needs it would serve."""

    kind: str
    amount: Any
    day: int | None
    needs: int


@dataclass(frozen=True, slots=True)
class Unserved:
    """A need without a place: its code, why, and the smallest change (None: none found) that would have served it."""

    need: str
    service: str
    reason: str
    change: Change | None


@dataclass(frozen=True, slots=True)
class Area:
    """A square of the map: how many needs in it were served and how many not, and the offer within reach.

    `offered`: hours a week that professionals around offer for each hour that families ask for (`accessibility`).
    """

    lat: float
    lon: float
    served: int
    unserved: int
    offered: float


@dataclass(frozen=True, slots=True)
class Result:
    """A round's result; slots that stood before it are counted in the money and budgets only."""

    needs: int
    served: int
    slots: int
    money: Money
    budgets: tuple[tuple[str, int, int], ...]
    reasons: tuple[tuple[str, int], ...]
    changes: tuple[Change, ...]
    unserved: tuple[Unserved, ...]
    areas: tuple[Area, ...]
    services: tuple[tuple[str, int, int], ...]
    objective_cents: int
    bound_cents: int | None
    gap: float | None
    is_optimal: bool
    seconds: float
    seed: int


def read_result(instance: Json, plan: Json) -> Result:
    """The result of a plan (plan/1) for an instance (instance/1)."""
    standing = {member["need"] for slot in instance["pinned"] for member in slot["members"]}
    pinned_slots = {slot["id"] for slot in instance["pinned"]}
    asking = {need["id"]: need for need in instance["needs"] if need["id"] not in standing}
    unserved = {one["need"]: one for one in plan["unserved"]}
    served = [need for need in asking if need not in unserved]
    return Result(
        needs=len(asking),
        served=len(served),
        slots=sum(slot["id"] not in pinned_slots for slot in plan["slots"]),
        money=_money(instance, plan),
        budgets=_budgets(instance, plan),
        reasons=tuple(
            (reason, count)
            for reason in REASONS
            if (count := sum(one["reason"] == reason for one in unserved.values()))
        ),
        changes=_changes(unserved.values()),
        unserved=tuple(_unserved(one, asking[code]["service"]) for code, one in sorted(unserved.items())),
        areas=areas_of(instance, plan),
        services=tuple(
            (service, sum(asking[need]["service"] == service for need in served), total)
            for service, total in sorted(Counter(need["service"] for need in asking.values()).items())
        ),
        objective_cents=plan["objective_cents"],
        bound_cents=plan.get("bound_cents"),
        gap=plan.get("gap"),
        is_optimal=plan["status"] == "OPTIMAL",
        seconds=plan["seconds"],
        seed=plan["seed"],
    )


def _money(instance: Json, plan: Json) -> Money:
    needs = {need["id"]: need for need in instance["needs"]}
    venues = {venue["id"]: venue["cost_cents_per_hour"] for venue in instance["venues"]}
    rates = {
        (provider["id"], offer["service"]): offer
        for provider in instance["providers"]
        for offer in sorted(provider["offers"], key=lambda one: -one["rate_cents_per_hour"])
    }
    cost = subsidy = alone = seat_minutes = 0
    for slot in plan["slots"]:
        offer = rates[slot["provider"], slot["service"]]
        venue = venues.get(slot["place"].get("venue"), 0)
        cost += slot["cost_cents"]
        for member in slot["members"]:
            seats = needs[member["need"]]["seats"]
            subsidy += member["subsidy_cents"]
            seat_minutes += seats * (member["end"] - member["start"])
            alone += split_slot(
                offer["rate_cents_per_hour"],
                offer["extra_seat_cents_per_hour"],
                venue,
                offer["minutes_min"],
                [(member["start"], member["end"], seats)],
            )[0]
    return Money(cost, subsidy, alone, seat_minutes)


def _budgets(instance: Json, plan: Json) -> tuple[tuple[str, int, int], ...]:
    """(programme, used, budget) in cents a week."""
    programme_of = {need["id"]: need["subsidy"]["programme"] for need in instance["needs"] if need["subsidy"]}
    used: Counter[str] = Counter()
    for slot in plan["slots"]:
        for member in slot["members"]:
            if member["subsidy_cents"]:
                used[programme_of[member["need"]]] += member["subsidy_cents"]
    return tuple((one["id"], used[one["id"]], one["weekly_budget_cents"]) for one in instance["programmes"])


def _changes(unserved: Iterable[Json]) -> tuple[Change, ...]:
    """How many needs each step of a change would serve, smaller steps counted in; the small ones first."""
    found: dict[tuple[str, int | None], list[Any]] = defaultdict(list)
    for one in unserved:
        change = _change(one)
        if change is not None:
            found[change.kind, change.day].append(change.amount)
    return tuple(
        Change(kind, most, day, count)
        for (kind, day), amounts in sorted(found.items(), key=lambda one: (-len(one[1]), str(one[0])))
        for most, count in _steps(kind, amounts)
    )


def _steps(kind: str, amounts: list[Any]) -> Iterator[tuple[Any, int]]:
    """(at most, how many) for each step that serves more needs than the one before it."""
    before = 0
    for most in (*STEPS[kind], max(amounts)):
        count = sum(amount <= most for amount in amounts)
        if count > before:
            yield most, count
            before = count


def _change(unserved: Json) -> Change | None:
    """The verified change of one need."""
    change = dict((unserved.get("detail") or {}).get("change") or {})
    day = change.pop("day", None)
    return next((Change(kind, amount, day, 1) for kind, amount in change.items() if kind in STEPS), None)


def _unserved(unserved: Json, service: str) -> Unserved:
    return Unserved(unserved["need"], service, unserved["reason"], _change(unserved))


def areas_of(instance: Json, plan: Json, service: str | None = None) -> tuple[Area, ...]:
    """The squares of a plan's needs, of one service or of all; none with fewer than FEW: no home can be told."""
    standing = {member["need"] for slot in instance["pinned"] for member in slot["members"]}
    asking = [need for need in instance["needs"] if need["id"] not in standing and service in (None, need["service"])]
    unserved = {one["need"] for one in plan["unserved"]}
    squares: dict[tuple[int, int], list[Json]] = defaultdict(list)
    for need in asking:
        squares[round(need["lat"] / CELL_DEGREES), round(need["lon"] / CELL_DEGREES)].append(need)
    offered = _offered(sorted(squares), squares, _working(instance, service))
    return tuple(
        Area(
            square[0] * CELL_DEGREES,
            square[1] * CELL_DEGREES,
            sum(need["id"] not in unserved for need in squares[square]),
            sum(need["id"] in unserved for need in squares[square]),
            offered[square],
        )
        for square in sorted(squares)
        if len(squares[square]) >= FEW
    )


def _working(instance: Json, service: str | None) -> list[Json]:
    return [one for one in instance["providers"] if any(service in (None, offer["service"]) for offer in one["offers"])]


def _offered(
    squares: list[tuple[int, int]], asking: Mapping[tuple[int, int], list[Json]], providers: list[Json]
) -> dict[tuple[int, int], float]:
    """Hours offered around each square for each hour asked for."""
    asked = [sum(need["sessions"] * need["minutes"] for need in asking[square]) / 60 for square in squares]
    hours = [
        min(one["minutes_max_per_week"], sum(window["end"] - window["start"] for window in one["windows"])) / 60
        for one in providers
    ]
    km = [[_km(lat * CELL_DEGREES, lon * CELL_DEGREES, one) for one in providers] for lat, lon in squares]
    return dict(zip(squares, accessibility(asked, hours, km, SIGMA_KM, REACH_KM), strict=True))


def _km(lat: float, lon: float, provider: Json) -> float:
    """How far a provider is; infinitely, where that is plain without working it out."""
    if abs(lat - provider["lat"]) > FAR_DEGREES or abs(lon - provider["lon"]) > FAR_DEGREES:
        return inf
    return distance_km(lat, lon, provider["lat"], provider["lon"])
