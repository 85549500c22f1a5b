"""The administrator's list of jobs that have failed for good."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.operating.dead_letters import list_dead_letters, retry_all, retry_dead_letter
from marketplace.web import actor, allow, now

blueprint = Blueprint("operating", __name__, url_prefix="/gestione")


@blueprint.get("/lavori")
@allow(Role.ADMINISTRATOR)
def dead_letters() -> str:
    """What failed for good, and where."""
    return render_template("operating/jobs.html", dead=list_dead_letters(db.session, actor().municipality_id))


@blueprint.post("/lavori/<int(max=9223372036854775807):job_id>/riprova")
@allow(Role.ADMINISTRATOR)
def retry(job_id: int) -> ResponseReturnValue:
    """Have one done again."""
    retry_dead_letter(db.session, actor(), now(), job_id)
    flash(_("Il lavoro è di nuovo in coda."), "success")
    return redirect(url_for("operating.dead_letters"), 303)


@blueprint.post("/lavori/riprova")
@allow(Role.ADMINISTRATOR)
def retry_every() -> ResponseReturnValue:
    """Have all done again."""
    count = retry_all(db.session, actor(), now())
    flash(ngettext("%(num)d lavoro è di nuovo in coda.", "%(num)d lavori sono di nuovo in coda.", count), "success")
    return redirect(url_for("operating.dead_letters"), 303)
