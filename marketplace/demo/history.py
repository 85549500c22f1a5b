"""The demo's past: a first round, two months of meetings, closed months; then more families, and a round to decide on.

Every step looks first at what is there, so that a demo killed while it was made goes on where it stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from marketplace.accounts.models import Appointment, Role
from marketplace.accounts.sign_in import add_user, appoint
from marketplace.db import Scope, set_scope
from marketplace.demo.city import DOMAIN, FAMILIES, REGGIO_EMILIA, add_families, find_demo, make_city
from marketplace.demo.play import accept_all, play_month
from marketplace.households.models import Household
from marketplace.needs.models import Need
from marketplace.providers.models import Provider
from marketplace.rounds.commands import run_round
from marketplace.rounds.models import Round, RoundState
from marketplace.slots.calendar import local_day
from marketplace.slots.models import Membership, Proposal, ProposalState, Slot
from marketplace.statements.commands import close_city_month
from marketplace.statements.models import Statement
from marketplace.statements.months import first_day, morning_of, next_month
from marketplace.words import N_

SEED = 7

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How many families come before the first and before the second round, and how long each of these may take."""

    first_families: int = 180
    families: int = FAMILIES
    first_seconds: int = 10
    second_seconds: int = 20


WHOLE = Size()


def make_demo(session: Session, now: datetime, say: Say, size: Size = WHOLE) -> None:
    """The whole demo in a database of its own; what exists already is left as it is."""
    begun = morning_of(first_day(first_day(local_day(now)) - timedelta(days=1)) - timedelta(days=10)) + timedelta(
        hours=8
    )
    if find_demo(session) is None:
        say(N_("Creo la città di prova: famiglie, professionisti, luoghi ..."))
        set_scope(session, Scope())
        make_city(session, begun, SEED, size.first_families)
        session.commit()
    set_scope(session, Scope(REGGIO_EMILIA))
    if not _rounds(session):
        say(N_("Faccio il primo abbinamento ..."))
        run_round(session, begun, REGGIO_EMILIA, size.first_seconds, SEED, True, lambda line: None)
    if _rounds(session)[0].state == RoundState.PROPOSED:
        accept_all(session, begun + timedelta(hours=20), REGGIO_EMILIA)
    if len(_rounds(session)) == 1:
        _live_until(session, now, begun, say)
        say(N_("Arrivano altre famiglie: secondo abbinamento ..."))
        _more_families(session, now, size)
        run_round(session, now, REGGIO_EMILIA, size.second_seconds, SEED, True, lambda line: None)
    _appoint_people(session, now)
    session.commit()


def _rounds(session: Session) -> list[Round]:
    return list(
        session.exec(select(Round).where(Round.municipality_id == REGGIO_EMILIA).order_by(col(Round.started_at)))
    )


def _live_until(session: Session, now: datetime, begun: datetime, say: Say) -> None:
    """The meetings of each month up to today; every month that is over is closed but the last, left to the officer."""
    month, today = first_day(local_day(begun)), local_day(now)
    while month <= today:
        say(N_("Passa il mese di %(month)s ...") % {"month": f"{month:%m/%Y}"})
        play_month(session, REGGIO_EMILIA, month, SEED, until=today)
        following = next_month(month)
        if next_month(following) <= today:
            close_city_month(session, morning_of(following), REGGIO_EMILIA, month, lambda line: None)
        month = next_month(month)


def _more_families(session: Session, now: datetime, size: Size) -> None:
    """The families that come after the first round (once: the codes of their needs tell)."""
    last = select(Need.id).where(Need.municipality_id == REGGIO_EMILIA, Need.code == f"B{size.families}")
    if session.exec(last).first() is None:
        add_families(session, now, range(size.first_families, size.families), SEED)
        session.commit()


def _appoint_people(session: Session, now: datetime) -> None:
    """Who can sign in: two families to decide on what saves most, one in a running group, a provider with groups."""
    known = select(Appointment.id).where(Appointment.municipality_id == REGGIO_EMILIA, Appointment.role == Role.FAMILY)
    if session.exec(known).first() is not None:
        return
    saved = func.coalesce(Proposal.alone_cents, Proposal.share_cents) - Proposal.share_cents
    deciding = (
        select(Proposal.household_id)
        .where(
            Proposal.municipality_id == REGGIO_EMILIA,
            Proposal.state == ProposalState.PROPOSED,
            Proposal.subsidy_cents > 0,
        )
        .order_by(saved.desc(), col(Proposal.id))
    )
    billed = select(Statement.household_id).where(Statement.municipality_id == REGGIO_EMILIA)
    shared = select(Membership.slot_id).group_by(col(Membership.slot_id)).having(func.count() > 1)
    running = (
        select(Membership.household_id)
        .where(
            Membership.municipality_id == REGGIO_EMILIA,
            Membership.state == ProposalState.CONFIRMED,
        )
        .order_by(
            col(Membership.household_id).in_(billed).desc(),
            col(Membership.slot_id).in_(shared).desc(),
            col(Membership.subsidy_cents).desc(),
            col(Membership.id),
        )
    )
    first, *others = dict.fromkeys(session.exec(deciding).all()) or (None,)
    for number, household_id in enumerate((first, session.exec(running.limit(1)).first(), *others[:1]), 1):
        if household_id is not None:
            household = session.get_one(Household, (REGGIO_EMILIA, household_id))
            name = f"{household.given_name} {household.family_name}"
            user = add_user(session, now, f"famiglia{number}@{DOMAIN}", name)
            appoint(session, now, user.id, REGGIO_EMILIA, Role.FAMILY, household_id=household_id)
    busiest = (
        select(Slot.provider_id).group_by(col(Slot.provider_id)).order_by(func.count().desc(), col(Slot.provider_id))
    )
    provider_id = session.exec(busiest.limit(1)).first()
    if provider_id is not None:
        provider = session.get_one(Provider, (REGGIO_EMILIA, provider_id))
        user = add_user(session, now, f"professionista@{DOMAIN}", provider.name)
        appoint(session, now, user.id, REGGIO_EMILIA, Role.PROVIDER, provider_id=provider_id)
