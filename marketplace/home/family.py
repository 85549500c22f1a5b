"""A family's start page and its vouchers: the most urgent thing first, and what of the Comune's money is its own."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import func
from sqlmodel import col, select

from marketplace.accounts.looks import list_looks
from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.filters import subject_words
from marketplace.home import farewell
from marketplace.home.forms import FarewellForm
from marketplace.home.own_data import own_data
from marketplace.households import operations as households
from marketplace.households.means_tests import counting_on, list_means_tests
from marketplace.households.models import Household
from marketplace.needs import drafts
from marketplace.needs import operations as needs
from marketplace.needs.models import Need, NeedState, Service
from marketplace.rounds.estimate import find_programme
from marketplace.slots import agenda, queries
from marketplace.statements.models import Statement, StatementState
from marketplace.talk.feedback import list_to_rate
from marketplace.vouchers.models import HoldState, Programme, VoucherHold, VoucherRank
from marketplace.vouchers.ranking import newest_ranks
from marketplace.vouchers.rules import find_rule, list_decisions
from marketplace.vouchers.wording import rule_sentences
from marketplace.web import actor, allow, now, today

blueprint = Blueprint("family", __name__)

DAYS_AHEAD = 7
WEEKS_AHEAD = 12


@dataclass(frozen=True, slots=True)
class Voucher:
    """What a programme gives the family for one service; cents of its own needs, weeks to come and past together."""

    service: Service
    programme: Programme | None
    held_cents: int
    used_cents: int
    rule: tuple[str, ...] = ()


@blueprint.get("/oggi")
@allow(Role.FAMILY)
def today_page() -> str:
    """What to do now, and what comes next."""
    municipality_id, household_id = actor().municipality_id, household()
    mine = needs.list_needs(db.session, actor())
    proposals = queries.list_proposals(db.session, municipality_id, household_id)
    policy = get_policy(db.session, municipality_id, today())
    return render_template(
        "home/family.html",
        household=households.get_household(db.session, actor()),
        to_answer=[one for one in proposals if one.state == "proposed" and one.deadline >= now()],
        waiting=[one for one in proposals if one.state == "accepted"],
        meetings=coming_meetings(household_id),
        due=list_due(household_id),
        to_rate=list_to_rate(db.session, actor(), now()),
        draft=drafts.find_draft(db.session, actor()),
        open_needs=[one for one in mine if one.state == NeedState.OPEN],
        has_needs=bool(mine),
        has_place=any(one.state == NeedState.SERVED for one in mine),
        people={one.id: one.name for one in households.list_people(db.session, actor())},
        subjects=subject_words(policy.subjects),
        now=now(),
    )


def household() -> UUID:
    """The family of this request."""
    found = actor().household_id
    assert found is not None
    return found


def coming_meetings(household_id: UUID) -> list[agenda.MeetingFacts]:
    """Those of the next days, or else the next one."""
    found = agenda.list_household_meetings(
        db.session, actor().municipality_id, household_id, today(), today() + timedelta(weeks=WEEKS_AHEAD)
    )
    to_come = [one for one in found if one.ends_at > now()]
    soon = [one for one in to_come if one.held_on <= today() + timedelta(days=DAYS_AHEAD)]
    return soon or to_come[:1]


def list_due(household_id: UUID) -> Sequence[Statement]:
    """Statements that wait for money, the overdue first."""
    return db.session.exec(
        select(Statement)
        .where(
            Statement.municipality_id == actor().municipality_id,
            Statement.household_id == household_id,
            col(Statement.state).in_((StatementState.CLOSED, StatementState.OVERDUE)),
            Statement.total_cents > 0,
        )
        .order_by(col(Statement.state).desc(), col(Statement.month))
    ).all()


@blueprint.get("/profilo/chi-ha-visto")
@allow(Role.FAMILY)
def who_saw() -> str:
    """Who of the staff saw the family's data, when and why."""
    kept = get_policy(db.session, actor().municipality_id, today()).looks_kept_months
    looks = list_looks(db.session, actor().municipality_id, household())
    return render_template("home/looks.html", looks=looks, months=kept)


@blueprint.get("/profilo/dati.json")
@allow(Role.FAMILY)
def download_own_data() -> Response:
    """All that is kept of the family, to take away."""
    answer = jsonify(own_data(db.session, actor()))
    answer.headers["Content-Disposition"] = "attachment; filename=condiviso-dati.json"
    return answer


@blueprint.route("/profilo/lascia", methods=["GET", "POST"])
@allow(Role.FAMILY)
def leave_service() -> ResponseReturnValue:
    """What leaving means, what it still waits for, and the tap."""
    form = FarewellForm()
    if form.validate_on_submit():
        farewell.say_farewell(db.session, actor(), now())
        flash(_("Hai chiesto di lasciare il servizio. Qui vedi che cosa manca."), "success")
        return redirect(url_for("family.leave_service"), code=303)
    city, mine = actor().municipality_id, household()
    page = render_template(
        "home/farewell.html",
        form=form,
        asked=farewell.find_farewell(db.session, city, mine),
        waits=farewell.waits_for(db.session, city, mine, now()),
    )
    return page, 422 if form.errors else 200


@blueprint.post("/profilo/lascia/annulla")
@allow(Role.FAMILY)
def stay() -> ResponseReturnValue:
    """The family stays after all."""
    farewell.take_back(db.session, actor(), now())
    flash(
        _("Resti con noi. I gruppi che hai lasciato restano lasciati: puoi pubblicare una nuova esigenza."), "success"
    )
    return redirect(url_for("households.profile"), code=303)


@blueprint.get("/buoni")
@allow(Role.FAMILY)
def vouchers() -> str:
    """Am I entitled, to how much, and how much is left."""
    mine = households.get_household(db.session, actor())
    tests = list_means_tests(db.session, mine.municipality_id, [mine.id]).get(mine.id, [])
    counting = counting_on(tests, today())
    return render_template(
        "home/vouchers.html",
        vouchers=list_vouchers(),
        means_test=counting,
        newest=households.find_means_test(db.session, actor()),
        ranks=_ranks(mine),
        decisions=list_decisions(db.session, mine.municipality_id, mine.id),
        today=today(),
    )


def _ranks(mine: Household) -> list[tuple[Need, VoucherRank]]:
    """The newest rank of each of the family's open needs."""
    found = newest_ranks(db.session, mine.municipality_id, mine.id)
    needs_of_mine = needs.list_needs(db.session, actor())
    return [(one, found[one.id]) for one in needs_of_mine if one.state == NeedState.OPEN and one.id in found]


def list_vouchers() -> list[Voucher]:
    """One for each service, with what was held and used for the family's own needs."""
    mine = households.get_household(db.session, actor())
    sums: dict[Service, dict[HoldState, int]] = defaultdict(dict)
    for service, state, held, used in db.session.exec(
        select(Need.service, VoucherHold.state, func.sum(VoucherHold.held_cents), func.sum(VoucherHold.committed_cents))
        .join(Need, (col(Need.municipality_id) == VoucherHold.municipality_id) & (col(Need.id) == VoucherHold.need_id))
        .where(Need.municipality_id == mine.municipality_id, Need.household_id == mine.id)
        .group_by(Need.service, VoucherHold.state)
    ):
        sums[Service(service)][HoldState(state)] = int(used if state == HoldState.COMMITTED else held)
    return [_voucher(mine, service, sums[service]) for service in Service]


def _voucher(mine: Household, service: Service, sums: dict[HoldState, int]) -> Voucher:
    programme = find_programme(db.session, mine, service, today())
    version = find_rule(db.session, mine.municipality_id, programme.id, today()) if programme else None
    return Voucher(
        service,
        programme,
        sums.get(HoldState.HELD, 0),
        sums.get(HoldState.COMMITTED, 0),
        tuple(rule_sentences(version.as_rule)) if version else (),
    )
