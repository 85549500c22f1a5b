"""What the last rounds did for each service, in figures that anybody may read: means and counts of many families."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from billing.money import round_half_up
from billing.split import split_slot
from marketplace.rounds.models import Round
from marketplace.rounds.solving import unpacked
from marketplace.rounds.standing import Json

ROUNDS = 3
FEW = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over the needs of one service: `needs` that waited, `served`; cents of their sessions and seat-minutes."""

    needs: int = 0
    served: int = 0
    alone_cents: int = 0
    shared_cents: int = 0
    subsidy_cents: int = 0
    seat_minutes: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.needs + other.needs,
            self.served + other.served,
            self.alone_cents + other.alone_cents,
            self.shared_cents + other.shared_cents,
            self.subsidy_cents + other.subsidy_cents,
            self.seat_minutes + other.seat_minutes,
        )

    @property
    def can_be_told(self) -> bool:
        """Whether enough families are behind the means that none of them is told."""
        return self.served >= FEW

    def an_hour(self, cents: int) -> int:
        """`cents` (one of its sums) as the mean for one seat and one hour."""
        return round_half_up(cents * 60, self.seat_minutes)

    @property
    def alone_cents_per_hour(self) -> int:
        """What an hour would have cost without a group."""
        return self.an_hour(self.alone_cents)

    @property
    def shared_cents_per_hour(self) -> int:
        """What an hour costs in the group, before vouchers."""
        return self.an_hour(self.shared_cents)

    @property
    def net_cents_per_hour(self) -> int:
        """What families pay for an hour, after vouchers."""
        return self.an_hour(self.shared_cents - self.subsidy_cents)


def figures_of_last_rounds(session: Session, municipality_id: str, service: str) -> Figures:
    """The sums over the newest rounds whose proposals were sent."""
    newest = session.exec(
        select(Round.id)
        .where(Round.municipality_id == municipality_id, col(Round.proposed_at).is_not(None))
        .order_by(col(Round.proposed_at).desc())
        .limit(ROUNDS)
    ).all()
    return sum((_figures(session, municipality_id, one).get(service, Figures()) for one in newest), Figures())


_known: dict[tuple[str, UUID], dict[str, Figures]] = {}


def _figures(session: Session, municipality_id: str, round_id: UUID) -> dict[str, Figures]:
    """A round's figures; its plan never changes, so they are read once."""
    key = (municipality_id, round_id)
    if key not in _known:
        found = session.get_one(Round, key)
        assert found.instance_gz is not None
        assert found.plan_gz is not None
        _known[key] = figures_of(unpacked(found.instance_gz), unpacked(found.plan_gz))
    return _known[key]


def figures_of(instance: Json, plan: Json) -> dict[str, Figures]:
    """By service, the figures of a plan's new members (instance/1, plan/1); standing ones were told before."""
    standing = {member["need"] for slot in instance["pinned"] for member in slot["members"]}
    asking = {need["id"]: need for need in instance["needs"] if need["id"] not in standing}
    unserved = {one["need"] for one in plan["unserved"]}
    asked = Counter(need["service"] for need in asking.values())
    served = Counter(need["service"] for code, need in asking.items() if code not in unserved)
    money = {service: Figures(asked[service], served[service]) for service in asked}
    for service, one in _members(instance, plan, asking):
        money[service] += one
    return money


def _members(instance: Json, plan: Json, asking: Json) -> Iterable[tuple[str, Figures]]:
    venues = {venue["id"]: venue["cost_cents_per_hour"] for venue in instance["venues"]}
    offers = {
        (provider["id"], offer["service"]): offer
        for provider in instance["providers"]
        for offer in sorted(provider["offers"], key=lambda one: -one["rate_cents_per_hour"])
    }
    for slot in plan["slots"]:
        offer = offers.get((slot["provider"], slot["service"]))
        for member in slot["members"]:
            need = asking.get(member["need"])
            if need is None or offer is None:
                continue
            alone, _ = split_slot(
                offer["rate_cents_per_hour"],
                offer["extra_seat_cents_per_hour"],
                venues.get(slot["place"].get("venue"), 0),
                offer["minutes_min"],
                [(member["start"], member["end"], need["seats"])],
            )
            minutes = need["seats"] * (member["end"] - member["start"])
            yield slot["service"], Figures(0, 0, alone, member["share_cents"], member["subsidy_cents"], minutes)
