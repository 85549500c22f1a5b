"""A provider who cannot hold a meeting moves it or asks colleagues, and they take what fits them."""

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.errors import Rejected
from marketplace.home.forms import AwayForm
from marketplace.home.work import subjects
from marketplace.slots import moving, substitutes
from marketplace.web import actor, allow, id_from, now, today

blueprint = Blueprint("substitutes", __name__)


@blueprint.get("/lavoro/sostituzioni")
@allow(Role.PROVIDER)
def list_all() -> str:
    """Meetings of colleagues who are away that the provider could hold."""
    found = substitutes.list_searches(db.session, actor(), now())
    return render_template("home/substitutes.html", searches=found, subjects=subjects())


@blueprint.post("/lavoro/sostituzioni/<meeting_id>")
@allow(Role.PROVIDER)
def take(meeting_id: str) -> ResponseReturnValue:
    """Hold one of them."""
    substitutes.take_over(db.session, actor(), now(), id_from(meeting_id))
    flash(gettext("L'incontro è tuo: lo trovi nella tua settimana. Le famiglie ricevono un messaggio."), "success")
    return redirect(url_for("work.week"), code=303)


@blueprint.post("/lavoro/presenze/<meeting_id>/sostituto")
@allow(Role.PROVIDER)
def seek(meeting_id: str) -> ResponseReturnValue:
    """Ask colleagues to hold one meeting."""
    substitutes.seek_substitute(db.session, actor(), now(), id_from(meeting_id))
    flash(gettext("Abbiamo scritto a chi può tenere l'incontro. Se nessuno può, le famiglie non pagano."), "success")
    return redirect(url_for("work.attendance", meeting_id=meeting_id), code=303)


@blueprint.post("/lavoro/presenze/<meeting_id>/sposta")
@allow(Role.PROVIDER)
def move(meeting_id: str) -> ResponseReturnValue:
    """Hold one meeting on another day of its week."""
    try:
        day = date.fromisoformat(request.form.get("giorno", ""))
    except ValueError as error:
        raise Rejected(moving.NOT_THEN) from error
    moving.move_meeting(db.session, actor(), now(), id_from(meeting_id), day)
    flash(gettext("Spostato. Le famiglie ricevono un messaggio: chi quel giorno non può non paga."), "success")
    return redirect(url_for("work.week", settimana=day.isoformat()), code=303)


@blueprint.route("/lavoro/assenza", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def away() -> ResponseReturnValue:
    """Ask colleagues to hold all meetings of some days."""
    form = AwayForm(today(), data={"first": today(), "last": today()})
    if form.validate_on_submit():
        count = substitutes.seek_for_days(db.session, actor(), now(), form.first.data, form.last.data)
        flash(
            ngettext(
                "Cerchiamo chi tenga %(num)s incontro. Ti scriviamo appena c'è.",
                "Cerchiamo chi tenga %(num)s incontri. Ti scriviamo per ognuno.",
                count,
            )
            if count
            else gettext("In quei giorni non hai incontri per cui ci sia tempo di cercare."),
            "success" if count else "error",
        )
        return redirect(url_for("work.week", settimana=form.first.data.isoformat()), code=303)
    return render_template("home/away.html", form=form), 422 if form.errors else 200
