"""The officer writes a programme's rule and sees what it would have cost before anybody is bound by it."""

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
from marketplace.statements.simulation import simulate
from marketplace.vouchers import wording
from marketplace.vouchers.forms import BANDS_MAX, RuleForm
from marketplace.vouchers.models import Programme, ProgrammeRule
from marketplace.vouchers.programmes import get_programme
from marketplace.vouchers.rules import list_rules, publish_rule, withdraw_rule
from marketplace.web import actor, allow, id_from, now, today

blueprint = Blueprint("rules", __name__)


@blueprint.route("/comune/programmi/<programme_id>/regola", methods=["GET", "POST"])
@allow(Role.OFFICER)
def write(programme_id: str) -> ResponseReturnValue:
    """Write a rule, try it on last year's meetings, then publish it from a date."""
    programme = get_programme(db.session, actor().municipality_id, id_from(programme_id))
    form = _form(programme)
    rule = form.rule(programme.name) if form.validate_on_submit() else None
    if rule is not None and "pubblica" in request.form:
        published = _publish(programme, rule, form)
        if published is not None:
            return published
    page = render_template(
        "vouchers/rule.html",
        form=form,
        programme=programme,
        bands_max=BANDS_MAX,
        simulation=None if rule is None else simulate(db.session, programme, rule, today()),
        band_names=[] if rule is None else wording.band_names(rule),
        sentences=[] if rule is None else wording.rule_sentences(rule),
        first_day=today() + timedelta(days=1),
        notice_days=get_policy(db.session, programme.municipality_id, today()).notice_days,
    )
    return page, 422 if form.errors else 200


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
