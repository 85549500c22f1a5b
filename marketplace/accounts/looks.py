"""Whoever of the staff is shown a family's data leaves a row that the family reads: what, when, in which role and why.

The reason is the page's own (to verify an ISEE, to collect a payment), or at the desk that given when the work began.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert
from sqlmodel import Session, col, select

from marketplace.accounts.models import Actor, Look, Role, Shown
from marketplace.accounts.policy import get_policy
from marketplace.accounts.sessions import STAFF
from marketplace.jobs import every, job
from marketplace.words import N_

ROME: Final = ZoneInfo("Europe/Rome")
DAYS_A_MONTH: Final = 31  # rather a few days too long than one too short
LISTED_DAYS_MAX: Final = 100
WHAT: Final = {
    Shown.PAGES: N_("Le tue pagine"),
    Shown.CONTACTS: N_("Nome e indirizzo"),
    Shown.MEANS_TEST: N_("Nome e ISEE"),
    Shown.RANKING: N_("Posto in graduatoria"),
    Shown.PAYMENTS: N_("Nome e pagamenti"),
    Shown.CONTEST: N_("La tua contestazione"),
    Shown.DOCUMENTS: N_("Ricevute e certificazioni"),
    Shown.WORDS: N_("Un messaggio di gruppo"),
    Shown.NEEDS: N_("Le tue esigenze"),
    Shown.HOME: N_("Le tue esigenze e il punto sulla mappa, senza nome"),
}
WHY: Final = {
    Shown.PAGES: N_("Assistenza"),
    Shown.CONTACTS: N_("Ricerca della famiglia da aiutare"),
    Shown.MEANS_TEST: N_("Verifica dell'ISEE"),
    Shown.RANKING: N_("Graduatoria dei buoni"),
    Shown.PAYMENTS: N_("Controllo dei pagamenti"),
    Shown.CONTEST: N_("Decisione sulla contestazione"),
    Shown.DOCUMENTS: N_("Controllo dei documenti"),
    Shown.WORDS: N_("Controllo di un messaggio segnalato"),
    Shown.NEEDS: N_("Controllo degli abbinamenti"),
    Shown.HOME: N_("Controllo degli abbinamenti"),
}
WHO: Final = {
    Role.OFFICER.value: N_("Ufficio del Comune"),
    Role.OPERATOR.value: N_("Sportello"),
    Role.ADMINISTRATOR.value: N_("Gestione tecnica"),
    None: N_("Gestione tecnica, con un comando"),
}


@dataclass(frozen=True, slots=True)
class DayOfLooks:
    """What one office was shown on a day for one reason: `times`, the last at `last_at`; words are msgids."""

    day: date
    who: str
    what: str
    why: str
    reason: str
    times: int
    last_at: datetime


def note_looks(session: Session, by: Actor, now: datetime, shown: Shown, households: Iterable[UUID | None]) -> None:
    """One row for each family of which the staff sees something; families and professionals leave none.

    A command passes an actor without a role, and its name as the reason.
    """
    role = Role.OPERATOR if by.on_behalf_of is not None else by.role
    if role is not None and role not in STAFF:
        return
    rows: list[dict[str, Any]] = [
        {
            "municipality_id": by.municipality_id,
            "household_id": household_id,
            "at": now,
            "user_id": by.user_id,
            "role": role,
            "shown": shown,
            "reason": by.reason or "",
        }
        for household_id in sorted({one for one in households if one is not None})
    ]
    if rows:
        session.flush()
        session.connection().execute(insert(Look), rows)


def list_looks(session: Session, municipality_id: str, household_id: UUID) -> list[DayOfLooks]:
    """Who saw a family's data, the newest day first: rows of the same day, office and reason are one."""
    looks = session.exec(
        select(Look)
        .where(Look.municipality_id == municipality_id, Look.household_id == household_id)
        .order_by(col(Look.at).desc(), col(Look.id).desc())
    )
    found: dict[tuple[date, str | None, Shown, str], list[datetime]] = {}
    for look in looks:
        day = look.at.astimezone(ROME).date()
        found.setdefault((day, look.role, look.shown, look.reason), []).append(look.at)
    return [
        DayOfLooks(day, WHO[role], WHAT[shown], WHY[shown], reason, len(times), max(times))
        for (day, role, shown, reason), times in found.items()
    ]


def forget_looks(session: Session, municipality_id: str, now: datetime) -> None:
    """Take away what is older than the municipality keeps it."""
    months = get_policy(session, municipality_id, now.astimezone(ROME).date()).looks_kept_months
    over = now - timedelta(days=months * DAYS_A_MONTH)
    session.connection().execute(delete(Look).where(col(Look.municipality_id) == municipality_id, col(Look.at) < over))


@job("accounts.forget_looks")
def forget_at_night(session: Session, municipality_id: str, now: datetime, **_: Any) -> None:
    """Every night."""
    forget_looks(session, municipality_id, now)


every("17 3 * * *", forget_at_night)
