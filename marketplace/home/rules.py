"""The officer writes a programme's rule and sees what it would have cost before anybody is bound by it.

The trial is a job: the page waits for it, and its outcome has an address of its own.
"""

from datetime import timedelta

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from billing.rules import Rule
from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import MarketplaceError, NotFound
from marketplace.failures import show_on
from marketplace.filters import day
from marketplace.i18n import language
from marketplace.statements import trials
from marketplace.statements.simulation import Simulation
from marketplace.vouchers import wording
from marketplace.vouchers.forms import BANDS_MAX, RuleForm
from marketplace.vouchers.models import Programme, ProgrammeRule, RuleTrial
from marketplace.vouchers.programmes import get_programme
from marketplace.vouchers.rules import list_rules, publish_rule, withdraw_rule
from marketplace.web import actor, allow, id_from, now, today

blueprint = Blueprint("rules", __name__)


@blueprint.route("/comune/programmi/<programme_id>/regola", methods=["GET", "POST"])
@allow(Role.OFFICER)
def write(programme_id: str) -> ResponseReturnValue:
    """Write a rule, have it tried on last year's meetings, then publish it from a date."""
    programme = get_programme(db.session, actor().municipality_id, id_from(programme_id))
    form = _form(programme)
    rule = form.rule(programme.name) if form.validate_on_submit() else None
    if rule is not None and "pubblica" in request.form:
        published = _publish(programme, rule, form)
        if published is not None:
            return published
    elif rule is not None:
        trial = trials.ask_trial(db.session, actor(), now(), programme.id, rule)
        return redirect(url_for("rules.show_trial", programme_id=programme.id, trial_id=trial.id), code=303)
    found = None if rule is None else trials.find_outcome(db.session, actor(), programme.id, rule)
    return _page(programme, form, rule, found), 422 if form.errors else 200


@blueprint.get("/comune/programmi/<programme_id>/prove/<trial_id>")
@allow(Role.OFFICER)
def show_trial(programme_id: str, trial_id: str) -> ResponseReturnValue:
    """A trial: that it runs, that it failed, or what the rule would have cost, above the rule."""
    programme, trial = _programme_and_trial(programme_id, trial_id)
    is_part = "HX-Request" in request.headers
    found = trials.outcome_of(trial)
    if found is None:
        page = "vouchers/_trying.html" if is_part else "vouchers/trying.html"
        stands = trials.standing(db.session, trial)
        return render_template(page, programme=programme, trial=trial, standing=stands)
    if is_part:
        return Response(headers={"HX-Redirect": request.path})
    return _page(programme, RuleForm.of(trial.as_rule), trial.as_rule, found)


@blueprint.post("/comune/programmi/<programme_id>/prove/<trial_id>/ripeti")
@allow(Role.OFFICER)
def repeat_trial(programme_id: str, trial_id: str) -> ResponseReturnValue:
    """Try once more what failed."""
    programme, trial = _programme_and_trial(programme_id, trial_id)
    trials.repeat_trial(db.session, actor(), trial.id)
    return redirect(url_for("rules.show_trial", programme_id=programme.id, trial_id=trial.id), code=303)


def _programme_and_trial(programme_id: str, trial_id: str) -> tuple[Programme, RuleTrial]:
    programme = get_programme(db.session, actor().municipality_id, id_from(programme_id))
    trial = trials.get_trial(db.session, actor(), id_from(trial_id))
    if trial.programme_id != programme.id:
        raise NotFound
    return programme, trial


def _page(programme: Programme, form: RuleForm, rule: Rule | None, found: Simulation | None) -> str:
    """The form, below what the rule would have cost; publishing is offered beside that only."""
    return render_template(
        "vouchers/rule.html",
        form=form,
        programme=programme,
        bands_max=BANDS_MAX,
        simulation=found,
        trials=trials.list_trials(db.session, actor(), programme.id),
        band_names=[] if rule is None else wording.band_names(rule),
        sentences=[] if rule is None else wording.rule_sentences(rule),
        first_day=today() + timedelta(days=1),
        notice_days=get_policy(db.session, programme.municipality_id, today()).notice_days,
    )


def _form(programme: Programme) -> RuleForm:
    """Open on the newest version that counts or will."""
    newest = next((one for one in _versions(programme) if not one.during.isempty), None)
    return RuleForm() if newest is None else RuleForm.of(newest.as_rule)


def _versions(programme: Programme) -> list[ProgrammeRule]:
    return list(list_rules(db.session, programme.municipality_id, programme.id))


def _publish(programme: Programme, rule: Rule, form: RuleForm) -> ResponseReturnValue | None:
    if form.valid_from.data is None:
        form.valid_from.errors = [_("Scrivi da quando vale")]
        return None
    try:
        publish_rule(db.session, actor(), now(), today(), programme.id, rule, form.valid_from.data)
    except MarketplaceError as error:
        show_on(form, error, "valid_from")
        return None
    flash(_("Regola pubblicata: vale da %(day)s.", day=day(form.valid_from.data, locale=language())), "success")
    return redirect(url_for("vouchers.change", programme_id=programme.id), code=303)


@blueprint.post("/comune/programmi/<programme_id>/regola/ritira")
@allow(Role.OFFICER)
def withdraw(programme_id: str) -> ResponseReturnValue:
    """After the notice only the percentage counts again."""
    programme = get_programme(db.session, actor().municipality_id, id_from(programme_id))
    days = get_policy(db.session, programme.municipality_id, today()).notice_days
    on = today() + timedelta(days=days)
    withdraw_rule(db.session, actor(), now(), today(), programme.id, on)
    flash(_("Regola ritirata: vale fino al giorno prima di %(day)s.", day=day(on, locale=language())), "success")
    return redirect(url_for("vouchers.change", programme_id=programme.id), code=303)


@blueprint.get("/comune/programmi/<programme_id>/regole/<int:number>.json")
@allow(Role.OFFICER)
def download(programme_id: str, number: int) -> Response:
    """A version as `python -m billing subsidy` reads it."""
    programme = get_programme(db.session, actor().municipality_id, id_from(programme_id))
    found = next((one for one in _versions(programme) if one.number == number), None)
    if found is None:
        raise NotFound
    answer = jsonify(found.rule)
    answer.headers["Content-Disposition"] = f"attachment; filename=regola-{programme.code}-{number}.json"
    return answer
