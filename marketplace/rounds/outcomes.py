"""Why a need had no place in the last round, in words, and the smallest change that was tried and would have helped."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
STEPS: Final[Mapping[str, str]] = {
    "windows_minutes": "quando",
    "travel_km": "dove",
    "price_cents_per_hour": "dove",
    "seats": "cosa",
}


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

    @property
    def step(self) -> str:
        """The step of the need in which that change is made."""
        return next((STEPS[name] for name in self.change if name in STEPS), "quando")


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
