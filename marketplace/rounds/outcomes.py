"""Why a need had no place in the last round, in words, and the smallest change that was tried and would have helped."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import Session, col, select

from marketplace.needs.models import Need
from marketplace.rounds.models import Round
from marketplace.words import N_

REASONS: Final[Mapping[str, str]] = {
    "no_provider": N_("Nessun professionista accreditato offre oggi questo servizio per te."),
    "too_far": N_("I professionisti e i luoghi adatti sono più lontani di quanto puoi andare."),
    "no_common_time": N_("Nessun professionista adatto ha orari in comune con i tuoi."),
    "group_too_small": N_("Per formare un gruppo mancano ancora altre famiglie."),
    "too_expensive": N_("Il prezzo più basso possibile supera il tuo limite."),
    "budget_exhausted": N_("Il budget dei buoni del Comune per queste settimane è finito."),
    "not_worth_it": N_("Un posto per te solo sarebbe costato troppo: serve un gruppo."),
    "outcompeted": N_("I posti che andavano bene per te sono andati ad altre famiglie."),
}
DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last round said of a need; `change` (matching.md) was verified by solving again."""

    at: datetime
    reason: str
    detail: Mapping[str, Any]

    @property
    def words(self) -> str:
        """The reason's msgid."""
        return REASONS[self.reason]

    @property
    def change(self) -> Mapping[str, Any]:
        """The verified change, empty where none was found."""
        found = self.detail.get("change")
        return found if isinstance(found, dict) else {}


def with_change(answers: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Of a need's answers (as a draft holds them) those that a verified change alters, as they are with it.

    Longer hours are given at both ends of the day's windows: the round tried each end, and one was enough.
    """
    changed: dict[str, Any] = {}
    if more := change.get("windows_minutes"):
        changed["windows"] = [
            {
                "day": one["day"],
                "start": max(0, one["start"] - more),
                "end": min(DAY_MINUTES, one["end"] + more),
            }
            if one["day"] == change["day"]
            else dict(one)
            for one in answers["windows"]
        ]
    if more := change.get("travel_km"):
        changed["travel_km_max"] = str(Decimal(answers["travel_km_max"]) + Decimal(str(more)))
    if more := change.get("price_cents_per_hour"):
        changed["price_max_cents_per_hour"] = answers["price_max_cents_per_hour"] + more
    if more := change.get("seats"):
        changed["group_max"] = answers["group_max"] + more
    return changed


def find_outcome(session: Session, need: Need) -> Outcome | None:
    """Why `need` was left without a place by the newest round that was proposed; None if it was not in it."""
    newest = session.exec(
        select(Round.solved_at, Round.plan_gz)
        .where(Round.municipality_id == need.municipality_id, col(Round.proposed_at).is_not(None))
        .order_by(col(Round.proposed_at).desc())
        .limit(1)
    ).first()
    if newest is None or newest[0] is None or newest[1] is None:
        return None
    plan = json.loads(gzip.decompress(newest[1]))
    for unserved in plan["unserved"]:
        if unserved["need"] == need.code and unserved["reason"] in REASONS:
            return Outcome(newest[0], unserved["reason"], unserved.get("detail") or {})
    return None
