"""A family's needs: where each stands, what comes next, who acts, and what may still be changed."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import Conflict
from marketplace.filters import subject_words
from marketplace.households import operations as households
from marketplace.needs import drafts
from marketplace.needs import operations as needs
from marketplace.needs.models import Need, NeedState
from marketplace.rounds import joining
from marketplace.rounds.estimate import count_neighbours, estimate
from marketplace.rounds.operations import find_round_at_work
from marketplace.rounds.outcomes import find_outcome, with_change
from marketplace.slots.queries import find_proposal_of_need
from marketplace.web import actor, allow, id_from, now, today

blueprint = Blueprint("need_pages", __name__)

VERIFIED = "verificato"
STEP_PAGES = {"cosa": "wizard.what", "quando": "wizard.when", "dove": "wizard.where"}


@blueprint.get("/esigenze")
@allow(Role.FAMILY)
def list_all() -> str:
    """What the family asked for."""
    people = {one.id: one.name for one in households.list_people(db.session, actor())}
    mine = needs.list_needs(db.session, actor())
    return render_template(
        "needs/list.html",
        active=[one for one in mine if one.state in (NeedState.OPEN, NeedState.PROPOSED, NeedState.SERVED)],
        past=[one for one in mine if one.state in (NeedState.WITHDRAWN, NeedState.EXPIRED)],
        people=people,
        draft=drafts.find_draft(db.session, actor()),
        subjects=subjects(),
    )


@blueprint.get("/esigenze/<need_id>")
@allow(Role.FAMILY)
def show(need_id: str) -> str:
    """One need and what is next."""
    need = needs.get_need(db.session, actor(), id_from(need_id))
    waiting = need.state == NeedState.OPEN
    wish = drafts.wish_of(drafts.answers_of(need))
    assert wish is not None
    household = households.get_household(db.session, actor())
    person = households.get_person(db.session, actor(), need.person_id)
    return render_template(
        "needs/show.html",
        need=need,
        wish=wish,
        person=person,
        subjects=subjects(),
        proposal=find_proposal_of_need(db.session, need.municipality_id, need.id),
        outcome=find_outcome(db.session, need) if waiting else None,
        is_in_round=waiting and _is_in_round(need),
        estimate=estimate(db.session, household, person, wish, today()) if waiting else None,
        neighbours=count_neighbours(db.session, household, need.service) if waiting else None,
        means_test=households.find_means_test(db.session, actor()),
        policy=get_policy(db.session, need.municipality_id, today()),
    )


def _is_in_round(need: Need) -> bool:
    """Whether the round at work can hold this need: one published after its start waits for the next."""
    at_work = find_round_at_work(db.session, need.municipality_id)
    return at_work is not None and need.created_at <= at_work.started_at


@blueprint.get("/esigenze/<need_id>/posti")
@allow(Role.FAMILY)
def openings(need_id: str) -> ResponseReturnValue:
    """The groups that stand and that the need could join now."""
    need = needs.get_need(db.session, actor(), id_from(need_id))
    if need.state != NeedState.OPEN:
        return redirect(url_for("need_pages.show", need_id=need.id), code=303)
    found = joining.list_openings(db.session, actor(), now(), need.id)
    return render_template("needs/openings.html", need=need, openings=found, subjects=subjects())


@blueprint.post("/esigenze/<need_id>/posti/<slot_id>")
@allow(Role.FAMILY)
def join(need_id: str, slot_id: str) -> ResponseReturnValue:
    """Have a proposal for one of them; it is answered on its own page."""
    need = needs.get_need(db.session, actor(), id_from(need_id))
    try:
        proposal = joining.propose_to_join(db.session, actor(), now(), need.id, id_from(slot_id))
    except Conflict as error:
        return back_to(need, error)
    return redirect(url_for("slots.show_proposal", proposal_id=proposal.id), code=303)


@blueprint.post("/esigenze/<need_id>/cambia")
@allow(Role.FAMILY)
def change(need_id: str) -> ResponseReturnValue:
    """Begin to change a need that waits; `passo` names a page, or asks for the change that the last round verified."""
    need = needs.get_need(db.session, actor(), id_from(need_id))
    try:
        needs.draft_from_need(db.session, actor(), now(), need.id)
    except Conflict as error:
        return back_to(need, error)
    step = request.form.get("passo", "")
    outcome = find_outcome(db.session, need) if step == VERIFIED else None
    if outcome is not None:
        drafts.save_draft(db.session, actor(), now(), with_change(drafts.answers_of(need), outcome.change))
    return redirect(url_for(STEP_PAGES.get(step, "wizard.summary")), code=303)


@blueprint.post("/esigenze/<need_id>/ritira")
@allow(Role.FAMILY)
def withdraw(need_id: str) -> ResponseReturnValue:
    """Ask no longer."""
    need = needs.get_need(db.session, actor(), id_from(need_id))
    try:
        needs.withdraw_need(db.session, actor(), now(), need.id)
    except Conflict as error:
        return back_to(need, error)
    flash(_("Esigenza ritirata. Puoi pubblicarne un'altra quando vuoi."), "success")
    return redirect(url_for("need_pages.list_all"), code=303)


def back_to(need: Need, error: Conflict) -> ResponseReturnValue:
    """The need's page, with what stood in the way."""
    flash(_(error.message), "error")
    return redirect(url_for("need_pages.show", need_id=need.id), code=303)


def subjects() -> dict[str, str]:
    """The municipality's subjects: code -> word."""
    return subject_words(get_policy(db.session, actor().municipality_id, today()).subjects)
