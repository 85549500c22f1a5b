"""How somebody wants e-mail: once a day or at once, with or without the optional messages; the way out by a link."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security import current_user

from marketplace.accounts.models import Role
from marketplace.accounts.operations import record
from marketplace.db import db
from marketplace.households.addresses import addresses_of
from marketplace.messages import choices
from marketplace.web import actor, allow, now, public

blueprint = Blueprint("mail", __name__, url_prefix="/avvisi")


def addresses() -> list[str]:
    """One's own; an operator's is that of the family for which it acts."""
    household_id = actor().on_behalf_of
    if household_id is None:
        return [current_user.email]
    known = addresses_of(db.session, {actor().municipality_id}, [household_id])[household_id]
    return [one.email for one in known if one.email]


@blueprint.route("", methods=["GET", "POST"])
@allow(Role.FAMILY, Role.PROVIDER, Role.OPERATOR, Role.OFFICER)
def choose() -> ResponseReturnValue:
    """How often, and what."""
    mine, who = addresses(), actor().municipality_id
    if request.method == "POST":
        for email in mine:
            daily, silent = request.form.get("quando") == "ogni-giorno", "facoltativi" not in request.form
            choices.choose_mail(db.session, who, now(), email, is_daily=daily, no_optional=silent)
        record(db.session, actor(), now(), "choose_mail", "mail_choice")
        flash(_("Salvato."), "success")
        return redirect(url_for("mail.choose"), code=303)
    chosen = choices.find_choice(db.session, who, mine[0]) if mine else None
    return render_template("households/mail.html", addresses=mine, chosen=chosen)


@blueprint.route("/basta/<secret>", methods=["GET", "POST"])
@public
def stop(secret: str) -> ResponseReturnValue:
    """No more optional messages, without sign-in: a page with the button, and the one click of a mail program."""
    done = request.method == "POST"
    if done:
        choices.stop_optional(db.session, now(), secret)
    else:
        choices.check_secret(secret)
    page = make_response(render_template("households/stop.html", done=done))
    page.cache_control.no_store = True
    return page
