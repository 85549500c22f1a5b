"""A municipality has one round at work at a time, and starts none that could serve nobody."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from marketplace.accounts.models import Actor, Role
from marketplace.accounts.operations import record
from marketplace.accounts.policy import get_policy
from marketplace.errors import CONFLICTS, Conflict, Forbidden, NotFound, Rejected
from marketplace.needs.models import Need, NeedState
from marketplace.providers.models import Accreditation, Provider
from marketplace.rounds.jobs import solve_soon
from marketplace.rounds.models import Round, RoundState
from marketplace.slots.calendar import local_day
from marketplace.vouchers.ranking import rank_needs
from marketplace.words import N_

AT_WORK = (RoundState.PREPARING, RoundState.SOLVING, RoundState.SOLVED)
NO_NEEDS = N_("Non c'è nessuna esigenza in attesa: un abbinamento non avrebbe nulla da fare.")
NO_PROVIDERS = N_("Non c'è nessun professionista accreditato: accreditane almeno uno, poi avvia l'abbinamento.")
WAITS = N_("C'è già un abbinamento calcolato: proponilo o scartalo, poi avviane un altro.")
DISCARDED = N_("Scartato per ricalcolare.")


def start_round(session: Session, by: Actor, now: datetime, seconds: int | None = None, seed: int = 0) -> Round:
    """Start a round (state `preparing`; its job is deferred in this transaction) that may solve for `seconds`.

    `seconds` None: the municipality's policy. Forbidden but for officers; Rejected without open needs or accredited
    providers; Conflict while another is at work (of two officers at once the second meets `one_active_round`).
    """
    require_officer(by)
    if (at_work := find_round_at_work(session, by.municipality_id)) is not None:
        raise Conflict(WAITS if at_work.state == RoundState.SOLVED else CONFLICTS["one_active_round"])
    if not _has_open_needs(session, by.municipality_id):
        raise Rejected(NO_NEEDS)
    today = local_day(now)
    if not _has_accredited(session, by.municipality_id, today):
        raise Rejected(NO_PROVIDERS)
    rank_needs(session, by.municipality_id, now, today)
    found = Round(
        municipality_id=by.municipality_id,
        started_by=by.user_id,
        started_at=now,
        seconds_limit=seconds or get_policy(session, by.municipality_id, today).round_seconds,
        seed=seed,
    )
    session.add(found)
    session.flush()
    record(session, by, now, "start_round", "round", found.id, seconds=found.seconds_limit, seed=seed)
    solve_soon(session, found)
    return found


def discard_round(session: Session, by: Actor, now: datetime, round_id: UUID) -> Round:
    """Give up a round that has not been proposed, so that another may be started; its plan is kept. Twice is once."""
    require_officer(by)
    found = get_round(session, by.municipality_id, round_id, lock=True)
    if found.state == RoundState.FAILED:
        return found
    if found.state not in AT_WORK:
        raise Conflict
    found.state, found.failure = RoundState.FAILED, DISCARDED
    session.flush()
    record(session, by, now, "discard_round", "round", found.id)
    return found


def get_round(session: Session, municipality_id: str, round_id: UUID, *, lock: bool = False) -> Round:
    """A round of the municipality, as it is now (`lock`: and stays until the transaction ends). Raises NotFound."""
    found = session.get(Round, (municipality_id, round_id), with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    return found


def find_round_at_work(session: Session, municipality_id: str) -> Round | None:
    """The round that is being prepared or solved, or that waits to be proposed."""
    return session.exec(
        select(Round).where(Round.municipality_id == municipality_id, col(Round.state).in_(AT_WORK))
    ).first()


def list_rounds(session: Session, municipality_id: str, limit: int = 20) -> list[Round]:
    """The newest rounds first, without their instances and plans."""
    newest = rounds_of(municipality_id).order_by(col(Round.started_at).desc(), col(Round.id).desc())
    return list(session.exec(newest.limit(limit)))


def rounds_of(municipality_id: str) -> SelectOfScalar[Round]:
    """A municipality's rounds, without their instances and plans."""
    rows = select(Round).options(defer(Round.instance_gz), defer(Round.plan_gz))  # type: ignore[arg-type]
    return rows.where(Round.municipality_id == municipality_id)


def require_officer(by: Actor) -> None:
    """Rounds are the officers' business. Raises Forbidden."""
    if by.role != Role.OFFICER:
        raise Forbidden


def _has_open_needs(session: Session, municipality_id: str) -> bool:
    return bool(
        session.exec(
            select(Need.id).where(Need.municipality_id == municipality_id, Need.state == NeedState.OPEN).limit(1)
        ).first()
    )


def _has_accredited(session: Session, municipality_id: str, on: date) -> bool:
    return bool(
        session.exec(
            select(Provider.id)
            .where(
                Provider.municipality_id == municipality_id,
                Provider.accreditation == Accreditation.ACCREDITED,
                col(Provider.certificate_expires) >= on,
            )
            .limit(1)
        ).first()
    )


def households_asking(session: Session, municipality_id: str, codes: Collection[str]) -> list[UUID]:
    """Whose needs these are, by the codes that an instance has."""
    mine = (Need.municipality_id == municipality_id, col(Need.code).in_(codes))
    return list(session.exec(select(Need.household_id).where(*mine)))
