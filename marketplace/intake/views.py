"""The officer's page on a city's files: upload, look at what each row would do, then bring it in or throw it away."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.intake import uploads
from marketplace.intake.forms import UploadForm
from marketplace.intake.models import UploadState
from marketplace.intake.report import write_report
from marketplace.intake.tables import KINDS
from marketplace.places.queries import has_register
from marketplace.web import actor, allow, id_from, now

blueprint = Blueprint("intake", __name__, url_prefix="/comune/importa")

CITY = ZoneInfo("Europe/Rome")
LATE = timedelta(minutes=5)
"""A check that takes longer has gone wrong."""


def today() -> date:
    """The city's date at this request: what expired before it has expired."""
    return now().astimezone(CITY).date()


@blueprint.route("", methods=["GET", "POST"])
@allow(Role.OFFICER)
def upload() -> ResponseReturnValue:
    """Hand in files; a job checks them, and nothing goes in yet."""
    form = UploadForm()
    if form.validate_on_submit():
        checked = uploads.take_upload(db.session, actor(), now(), form.sources())
        return redirect(url_for("intake.show", upload_id=checked.id), code=303)
    listed = uploads.list_uploads(db.session, actor())
    page = render_template(
        "intake/upload.html",
        form=form,
        columns=[(kind.name, ", ".join(kind.compulsory), ", ".join(kind.optional)) for kind in KINDS],
        uploads=listed,
        names=uploads.names_of(db.session, actor(), listed),
        has_register=has_register(db.session, actor().municipality_id),
    )
    return page, 422 if form.errors else 200


@blueprint.get("/<upload_id>")
@allow(Role.OFFICER)
def show(upload_id: str) -> ResponseReturnValue:
    """An upload: that it is being checked, then what was found in it, each bad cell in its row."""
    found = uploads.get_upload(db.session, actor(), id_from(upload_id))
    is_part = "HX-Request" in request.headers
    if found.state is UploadState.CHECKING:
        page = "intake/_checking.html" if is_part else "intake/checking.html"
        names = uploads.names_of(db.session, actor(), [found])[found.id]
        return render_template(page, upload=found, names=names, is_late=now() - found.created_at > LATE)
    if is_part:
        return Response(headers={"HX-Redirect": url_for("intake.show", upload_id=found.id)})
    return render_template("intake/show.html", upload=found, files=uploads.files_of(found), translate=_)


@blueprint.post("/<upload_id>/conferma")
@allow(Role.OFFICER)
def commit(upload_id: str) -> ResponseReturnValue:
    """Bring the good rows in."""
    uploads.commit_upload(db.session, actor(), now(), today(), id_from(upload_id))
    flash(_("Fatto: le righe senza errori sono dentro."), "success")
    return redirect(url_for("intake.show", upload_id=upload_id), code=303)


@blueprint.post("/<upload_id>/scarta")
@allow(Role.OFFICER)
def discard(upload_id: str) -> ResponseReturnValue:
    """Throw the files away."""
    uploads.discard_upload(db.session, actor(), now(), id_from(upload_id))
    flash(_("I file sono stati scartati: non è cambiato nulla."), "success")
    return redirect(url_for("intake.upload"), code=303)


@blueprint.get("/<upload_id>/rapporto.csv")
@allow(Role.OFFICER)
def report(upload_id: str) -> ResponseReturnValue:
    """Every finding, as a spreadsheet."""
    found = uploads.get_upload(db.session, actor(), id_from(upload_id))
    findings = [finding for file in uploads.files_of(found) for finding in file.findings]
    answer = make_response(write_report(findings, _))
    answer.headers["Content-Type"] = "text/csv; charset=utf-8"
    answer.headers["Content-Disposition"] = 'attachment; filename="rapporto.csv"'
    return answer
