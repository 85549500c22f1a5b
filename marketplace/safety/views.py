"""The page on which anybody reports a danger, and the officer's pages that answer."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.failures import show_on
from marketplace.filters import moment
from marketplace.i18n import language
from marketplace.providers.models import Accreditation
from marketplace.safety import operations as safety
from marketplace.safety.forms import AnswerForm, DangerForm
from marketplace.web import actor, allow, id_from, now, public

blueprint = Blueprint("safety", __name__)


@blueprint.route("/segnala-un-pericolo", methods=["GET", "POST"])
@public
def danger() -> ResponseReturnValue:
    """Whom to call when somebody is in danger, and a report that an officer answers within four hours."""
    form = DangerForm(safety.list_nearby_providers(db.session, actor()))
    if form.validate_on_submit():
        try:
            until = safety.report_danger(db.session, actor(), now(), form.report_id(), form.seen())
        except safety.TooMany as refusal:
            show_on(form, refusal)
        else:
            received = _("Segnalazione ricevuta. Un ufficio del Comune la legge e risponde entro %(moment)s.")
            flash(received % {"moment": moment(until, language())}, "success")
            return redirect(url_for("safety.danger"), code=303)
    return render_template("safety/danger.html", form=form), 422 if form.errors else 200


@blueprint.get("/comune/segnalazioni")
@allow(Role.OFFICER)
def list_all() -> str:
    """Reports that wait for an answer, and those answered."""
    waiting, answered = safety.list_cases(db.session, actor())
    return render_template("safety/list.html", waiting=waiting, answered=answered, now=now())


@blueprint.route("/comune/segnalazioni/<report_id>", methods=["GET", "POST"])
@allow(Role.OFFICER)
def show(report_id: str) -> ResponseReturnValue:
    """One report, its answers, and one more."""
    case = safety.get_case(db.session, actor(), id_from(report_id))
    working = [
        one
        for one in safety.list_nearby_providers(db.session, actor())
        if one.accreditation == Accreditation.ACCREDITED
    ]
    form = AnswerForm(working, provider=str(case.report.provider_id or ""))
    suspending = "sospendi" in request.form
    if form.validate_on_submit():
        if suspending and not form.provider.data:
            form.provider.errors = [_("Scegli chi sospendere.")]
        else:
            safety.answer_danger(
                db.session, actor(), now(), case.report.id, form.words.data or "", form.suspended(suspending)
            )
            flash(_("Sospeso: le famiglie sono avvisate.") if suspending else _("Risposta registrata."), "success")
            return redirect(url_for("safety.list_all"), code=303)
    page = render_template("safety/show.html", case=case, form=form, working=working, now=now())
    return page, 422 if form.errors else 200
