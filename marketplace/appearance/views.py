"""The officer's page on the municipality's look, and the style sheet that every page of its own asks for."""

from flask import Blueprint, Flask, Response, abort, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.appearance.colours import VERSION, sheet_of
from marketplace.appearance.forms import COLOUR, AppearanceForm
from marketplace.appearance.models import Appearance
from marketplace.appearance.operations import change_appearance, find_appearance
from marketplace.db import db
from marketplace.errors import MarketplaceError
from marketplace.failures import show_on
from marketplace.web import actor, allow, now, public

KEEP_SECONDS = 365 * 24 * 3600

blueprint = Blueprint("appearance", __name__)


@blueprint.route("/comune/aspetto", methods=["GET", "POST"])
@allow(Role.OFFICER)
def change() -> ResponseReturnValue:
    """The colour and the words of the municipality; the page itself shows them."""
    form = AppearanceForm.of(find_appearance(db.session, actor().municipality_id))
    if form.validate_on_submit():
        try:
            change_appearance(db.session, actor(), now(), form.colour.data, form.texts)
        except MarketplaceError as error:
            show_on(form, error, "colour")
        else:
            flash(_("Salvato: da ora le pagine del Comune sono così."), "success")
            return redirect(url_for("appearance.change"), code=303)
    return render_template("appearance/change.html", form=form), 422 if form.errors else 200


@blueprint.get("/aspetto/<version>/<colour>.css")
@public
def style(version: str, colour: str) -> Response:
    """The sheet of a colour (rrggbb): nothing else is in it, so any may be asked for; kept if of this version."""
    if not COLOUR.match(f"#{colour}"):
        abort(404)
    answer = Response(sheet_of(f"#{colour}"), mimetype="text/css")
    answer.cache_control.public = True
    answer.cache_control.max_age = KEEP_SECONDS if version == VERSION else 0
    return answer


def appearance() -> Appearance | None:
    """The look of the municipality of this request, read once; for templates."""
    if "appearance" not in g:
        who = g.get("actor")
        g.appearance = find_appearance(db.session, who.municipality_id) if who and who.municipality_id else None
    found: Appearance | None = g.appearance
    return found


def style_of(colour: str) -> str:
    """The address of a colour's sheet; for templates."""
    return url_for("appearance.style", version=VERSION, colour=colour.removeprefix("#"))


@blueprint.record_once
def give_to_templates(state: object) -> None:
    """Templates ask `appearance()`."""
    app: Flask = state.app  # type: ignore[attr-defined]
    app.jinja_env.globals.update(appearance=appearance, style_of=style_of)
