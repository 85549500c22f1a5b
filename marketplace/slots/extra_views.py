"""Pages of extra sessions: the price before asking or joining, the way out, and the provider's answer."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import Conflict, Rejected
from marketplace.filters import subject_words
from marketplace.slots import extra_facts, extra_prices, extras, queries
from marketplace.slots.forms import ExtraForm, SeatForm
from marketplace.slots.models import Membership, Slot
from marketplace.web import actor, allow, id_from, now, today

blueprint = Blueprint("extras", __name__)


@blueprint.route("/gruppi/<slot_id>/incontro-in-piu", methods=["GET", "POST"])
@allow(Role.FAMILY)
def ask(slot_id: str) -> ResponseReturnValue:
    """First the day and the hours, then the price, then the tap that asks."""
    _proposal, mine = queries.get_own_session(db.session, actor(), id_from(slot_id))
    form, seen = ExtraForm(), SeatForm()
    instead_of = id_from(request.args["invece"]) if "invece" in request.args else None
    quote, missed = None, None
    if instead_of is not None:
        place = db.session.get_one(Membership, (actor().municipality_id, mine.membership_id))
        missed = extra_prices.quote_absence(db.session, now(), place, instead_of)
    if form.validate_on_submit():
        wanted = (mine.membership_id, form.held_on.data, form.hours())
        try:
            quote = extra_prices.quote_extra(db.session, actor(), now(), *wanted, instead_of)
        except Rejected as refusal:
            fields = {one.name: one for one in form}
            field = fields.get(refusal.field, form.held_on)
            field.errors = [*field.errors, _(refusal.message, **refusal.values)]
        if quote is not None and "chiedi" in request.form and seen.validate():
            made = extras.ask_extra(db.session, actor(), now(), *wanted, seen.cap_cents.data, instead_of)
            flash(_("Chiesto. Il professionista risponde entro un giorno: fino ad allora non paghi niente."), "success")
            return redirect(url_for("extras.show", extra_id=made.id), code=303)
    slot = db.session.get_one(Slot, (actor().municipality_id, mine.slot.slot_id))
    page = render_template(
        "slots/extra_ask.html",
        mine=mine,
        form=form,
        quote=quote,
        missed=missed,
        is_shared=slot.mode != "round",
        subjects=subjects(),
    )
    return page, 422 if form.errors else 200


@blueprint.get("/incontri-in-piu/<extra_id>")
@allow(Role.FAMILY)
def show(extra_id: str) -> str:
    """One extra session, for the families of its group."""
    extra = extra_facts.get_extra(db.session, actor(), now(), id_from(extra_id))
    return render_template("slots/extra.html", extra=extra, subjects=subjects())


@blueprint.post("/incontri-in-piu/<extra_id>/<membership_id>/entra")
@allow(Role.FAMILY)
def join(extra_id: str, membership_id: str) -> ResponseReturnValue:
    """Come too, at the price that was shown."""
    form = SeatForm()
    if not form.validate():
        raise Conflict(extras.CHANGED_PRICE)
    extras.join_extra(db.session, actor(), now(), id_from(extra_id), id_from(membership_id), form.cap_cents.data)
    flash(_("Ci sei: l'incontro in più è nel tuo calendario."), "success")
    return redirect(url_for("extras.show", extra_id=extra_id), code=303)


@blueprint.post("/incontri-in-piu/<extra_id>/<membership_id>/esci")
@allow(Role.FAMILY)
def step_out(extra_id: str, membership_id: str) -> ResponseReturnValue:
    """Give the seat back."""
    extras.step_out(db.session, actor(), now(), id_from(extra_id), id_from(membership_id))
    flash(_("Non vieni più a questo incontro in più, e non lo paghi."), "success")
    return redirect(url_for("extras.show", extra_id=extra_id), code=303)


@blueprint.get("/lavoro/incontri-in-piu")
@allow(Role.PROVIDER)
def list_asked() -> str:
    """The extra sessions that wait for the provider."""
    asked = extra_facts.list_asked(db.session, actor(), now())
    return render_template("slots/extra_asked.html", asked=asked, subjects=subjects())


@blueprint.post("/lavoro/incontri-in-piu/<extra_id>/<any(accetta, rifiuta):reply>")
@allow(Role.PROVIDER)
def answer(extra_id: str, reply: str) -> ResponseReturnValue:
    """The provider's yes or no."""
    accepted = reply == "accetta"
    extras.answer_extra(db.session, actor(), now(), id_from(extra_id), accepted)
    flash(
        _("Hai accettato: l'incontro in più è nella tua settimana.")
        if accepted
        else _("Hai detto di no: lo diciamo alla famiglia."),
        "success",
    )
    return redirect(url_for("extras.list_asked"), code=303)


def subjects() -> dict[str, str]:
    """The municipality's subjects: code -> word."""
    return subject_words(get_policy(db.session, actor().municipality_id, today()).subjects)
