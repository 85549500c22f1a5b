"""The officer corrects a wrong ISEE, after seeing what the decision will do."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.db import db
from marketplace.errors import NotFound, Rejected
from marketplace.failures import show_on
from marketplace.households.means_tests import list_means_tests
from marketplace.households.models import Household
from marketplace.statements.means_corrections import correct_means_test
from marketplace.vouchers.forms import CorrectionForm
from marketplace.web import actor, allow, id_from, now, shows, today

blueprint = Blueprint("means", __name__)


@blueprint.route("/comune/isee/famiglie/<household_id>", methods=["GET", "POST"])
@allow(Role.OFFICER)
def correct(household_id: str) -> ResponseReturnValue:
    """A family's means tests, and the right ISEE from a day on."""
    city = actor().municipality_id
    household = db.session.get(Household, (city, id_from(household_id)))
    if household is None:
        raise NotFound
    shows(Shown.MEANS_TEST, [household.id])
    form = CorrectionForm()
    if form.validate_on_submit():
        try:
            correct_means_test(
                db.session, actor(), now(), today(), household.id, form.isee.data or 0, form.from_day.data,
                form.reason.data, form.attestation.data or "",
            )  # fmt: skip
        except Rejected as error:
            show_on(form, error, "from_day")
        else:
            flash(_("ISEE corretto: la differenza va nel prossimo estratto conto della famiglia."), "success")
            return redirect(url_for("vouchers.means_tests"), code=303)
    page = render_template(
        "vouchers/correction.html",
        form=form,
        household=household,
        tests=list_means_tests(db.session, city, [household.id]).get(household.id, []),
        last_day=today(),
    )
    return page, 422 if form.errors else 200
