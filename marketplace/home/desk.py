"""The desk: an operator finds a family, then sees and does what it would, under a banner that says for whom."""

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.db import db
from marketplace.errors import Rejected
from marketplace.households import desk as families
from marketplace.web import ACTING, actor, allow, id_from, now, shows, signed_in
from marketplace.words import N_

blueprint = Blueprint("desk", __name__)
WAYS: Final = {"sportello": N_("allo sportello"), "telefono": N_("al telefono")}


@blueprint.route("/sportello", methods=["GET", "POST"])
@allow(Role.OPERATOR)
def start() -> ResponseReturnValue:
    """Find a family: what is looked for is posted, never part of an address that stays in a history."""
    words = request.form.get("cerca", "")
    found, problems = None, []
    if request.method == "POST":
        try:
            found = families.find_families(db.session, actor(), words)
            shows(Shown.CONTACTS, (one.id for one in found))
        except Rejected as error:
            problems = [("cerca", _(error.message))]
    page = render_template(
        "home/operator.html", words=words, families=found, most=families.FOUND_MAX, problems=problems, ways=WAYS
    )
    return page, 422 if problems else 200


@blueprint.post("/sportello/<household_id>")
@allow(Role.OPERATOR)
def begin(household_id: str) -> ResponseReturnValue:
    """Act for a family until told otherwise."""
    way = request.form.get("come", "")
    household = families.begin_to_assist(db.session, actor(), now(), id_from(household_id), WAYS.get(way, ""))
    initials = f"{household.given_name[:1]}. {household.family_name[:1]}."
    session[ACTING] = {"household": str(household.id), "reason": WAYS[way], "initials": initials}
    return redirect("/oggi", code=303)


@blueprint.post("/sportello/fine")
@signed_in
def end() -> ResponseReturnValue:
    """Act for nobody any more."""
    if session.pop(ACTING, None):
        flash(_("Fatto: non agisci più per la famiglia."), "success")
    return redirect(url_for("desk.start"), code=303)
