"""The officer's pages on programmes and on means tests that wait to be verified."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.db import db
from marketplace.errors import MarketplaceError
from marketplace.failures import show_on
from marketplace.households.inps import can_ask
from marketplace.households.jobs import request_lookup
from marketplace.providers.forms import SERVICES
from marketplace.vouchers import programmes
from marketplace.vouchers.alerts import list_alerts
from marketplace.vouchers.forms import ProgrammeForm
from marketplace.vouchers.ranking import list_ranking
from marketplace.vouchers.rules import list_rules
from marketplace.vouchers.wording import rule_sentences
from marketplace.web import actor, allow, id_from, now, shows, today

blueprint = Blueprint("vouchers", __name__)
SHOWN_MAX = 20


@blueprint.get("/comune/programmi")
@allow(Role.OFFICER)
def list_all() -> str:
    """All programmes."""
    found = programmes.list_programmes(db.session, actor().municipality_id)
    return render_template("vouchers/programmes.html", programmes=found, services=SERVICES)


@blueprint.route("/comune/programmi/nuovo", methods=["GET", "POST"])
@allow(Role.OFFICER)
def add() -> ResponseReturnValue:
    """A new programme."""
    form = ProgrammeForm()
    if form.validate_on_submit():
        try:
            programmes.add_programme(db.session, actor(), now(), form.rule())
        except MarketplaceError as error:
            show_on(form, error, "code")
        else:
            flash(_("Programma creato: vale dal prossimo abbinamento."), "success")
            return redirect(url_for("vouchers.list_all"), code=303)
    return render_template("vouchers/programme.html", form=form, programme=None, weeks=[]), 422 if form.errors else 200


@blueprint.route("/comune/programmi/<programme_id>", methods=["GET", "POST"])
@allow(Role.OFFICER)
def change(programme_id: str) -> ResponseReturnValue:
    """A programme: its rule, and what is left of its weeks."""
    programme = programmes.get_programme(db.session, actor().municipality_id, id_from(programme_id))
    form = ProgrammeForm.of(programme)
    if form.validate_on_submit():
        try:
            programmes.change_programme(db.session, actor(), now(), today(), programme.id, form.rule())
        except MarketplaceError as error:
            show_on(form, error, "budget")
        else:
            flash(_("Regola salvata: vale dal prossimo abbinamento. Chi ha già un posto tiene la sua."), "success")
            return redirect(url_for("vouchers.change", programme_id=programme.id), code=303)
    monday = today() - timedelta(days=today().weekday())
    versions = [one for one in list_rules(db.session, programme.municipality_id, programme.id) if one.during]
    ranking = list_ranking(db.session, programme)
    shows(Shown.RANKING, (household.id for _rank, household in ranking))
    page = render_template(
        "vouchers/programme.html",
        form=form,
        programme=programme,
        weeks=programmes.list_weeks(db.session, programme, monday),
        alerts=list_alerts(db.session, programme.municipality_id, now(), programme.id),
        ranking=ranking,
        rules=versions,
        sentences=rule_sentences(versions[0].as_rule) if versions else [],
    )
    return page, 422 if form.errors else 200


@blueprint.post("/comune/programmi/<programme_id>/chiudi")
@allow(Role.OFFICER)
def end(programme_id: str) -> ResponseReturnValue:
    """No new vouchers of this programme."""
    programmes.end_programme(db.session, actor(), now(), id_from(programme_id))
    flash(_("Programma chiuso: nessun buono nuovo; quelli promessi restano."), "success")
    return redirect(url_for("vouchers.list_all"), code=303)


@blueprint.get("/comune/isee")
@allow(Role.OFFICER)
def means_tests() -> str:
    """Declared means tests, oldest first."""
    name = request.args.get("famiglia", "")
    waiting = programmes.list_declared(db.session, actor().municipality_id)
    families = programmes.find_families(db.session, actor().municipality_id, name)
    seen = [*(one.household_id for one in waiting[:SHOWN_MAX]), *(one.household_id for one in families)]
    shows(Shown.MEANS_TEST, seen)
    return render_template(
        "vouchers/means_tests.html",
        waiting=waiting,
        shown_max=SHOWN_MAX,
        can_ask=can_ask(),
        name=name,
        families=families,
    )


@blueprint.post("/comune/isee/inps")
@allow(Role.OFFICER)
def ask_inps_for_all() -> ResponseReturnValue:
    """Look up at INPS whatever waits and was not looked up yet."""
    for one in programmes.list_declared(db.session, actor().municipality_id):
        if one.answer is None:
            request_lookup(db.session, actor(), now(), one.means_test_id)
    flash(_("Domande inviate all'INPS: le risposte compaiono qui tra poco."), "success")
    return redirect(url_for("vouchers.means_tests"), code=303)


@blueprint.post("/comune/isee/<means_test_id>/inps")
@allow(Role.OFFICER)
def ask_inps(means_test_id: str) -> ResponseReturnValue:
    """Look a declared ISEE up at INPS."""
    request_lookup(db.session, actor(), now(), id_from(means_test_id))
    flash(_("Domanda inviata all'INPS: la risposta compare qui tra poco."), "success")
    return redirect(url_for("vouchers.means_tests"), code=303)


@blueprint.post("/comune/isee/<means_test_id>/<any(verificato, respinto):outcome>")
@allow(Role.OFFICER)
def decide_means_test(means_test_id: str, outcome: str) -> ResponseReturnValue:
    """The officer has seen the certificate, or it does not agree."""
    programmes.decide_means_test(db.session, actor(), now(), id_from(means_test_id), outcome == "verificato")
    flash(_("Decisione registrata."), "success")
    return redirect(url_for("vouchers.means_tests"), code=303)
