"""Start pages of those who serve the city: officer and administrator."""

from datetime import date, timedelta

from flask import Blueprint, render_template
from sqlalchemy import func
from sqlmodel import col, select

from marketplace.accounts.models import Municipality, Role
from marketplace.db import db
from marketplace.health import state_of
from marketplace.needs.models import Need, NeedState
from marketplace.providers.models import Accreditation, Provider
from marketplace.rounds.operations import find_round_at_work, list_rounds
from marketplace.safety.operations import list_cases
from marketplace.statements.models import Statement, StatementState
from marketplace.statements.months import first_day
from marketplace.statements.operations import count_waiting, find_closing
from marketplace.talk.operations import count_to_check
from marketplace.vouchers.programmes import count_declared
from marketplace.web import actor, allow, now, today

blueprint = Blueprint("office", __name__)


@blueprint.get("/comune")
@allow(Role.OFFICER)
def officer() -> str:
    """What waits for the officer, the most urgent first."""
    municipality_id = actor().municipality_id
    month = first_day(first_day(today()) - timedelta(days=1))
    return render_template(
        "home/officer.html",
        in_danger=list_cases(db.session, actor())[0],
        to_check=count_to_check(db.session, actor()),
        applications=_count_providers(municipality_id, (Accreditation.APPLIED, Accreditation.IN_REVIEW)),
        expiring=_count_providers(municipality_id, (Accreditation.ACCREDITED,), today() + timedelta(days=30)),
        declared=count_declared(db.session, municipality_id),
        at_work=find_round_at_work(db.session, municipality_id),
        last_round=next(iter(list_rounds(db.session, municipality_id, limit=1)), None),
        open_needs=_count_open(municipality_id),
        month=month,
        month_is_closed=find_closing(db.session, municipality_id, month) is not None,
        unrecorded=count_waiting(db.session, municipality_id, today()),
        overdue=_count_overdue(municipality_id),
    )


def _count_providers(municipality_id: str, states: tuple[Accreditation, ...], expiring_by: date | None = None) -> int:
    """How many are in these states; with a day, of those whose certificate has ended by it."""
    query = select(func.count()).where(
        Provider.municipality_id == municipality_id, col(Provider.accreditation).in_(states)
    )
    if expiring_by is not None:
        query = query.where(col(Provider.certificate_expires) <= expiring_by)
    return db.session.exec(query).one()


def _count_open(municipality_id: str) -> int:
    return db.session.exec(
        select(func.count()).where(Need.municipality_id == municipality_id, Need.state == NeedState.OPEN)
    ).one()


def _count_overdue(municipality_id: str) -> int:
    return db.session.exec(
        select(func.count()).where(
            Statement.municipality_id == municipality_id, Statement.state == StatementState.OVERDUE
        )
    ).one()


@blueprint.get("/gestione")
@allow(Role.ADMINISTRATOR)
def administrator() -> str:
    """Whether the platform works; no family's data."""
    municipalities = db.session.exec(select(Municipality).order_by(col(Municipality.name))).all()
    return render_template("home/administrator.html", state=state_of(now()), municipalities=municipalities)
