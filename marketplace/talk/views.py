"""Pages of a group's messages: the members' and the professional's are one, and the officer's who decides."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.failures import show_on
from marketplace.filters import subject_words
from marketplace.providers.operations import get_provider
from marketplace.talk import feedback, operations
from marketplace.talk.forms import ComplaintForm, FeedbackForm, WriteForm
from marketplace.web import actor, allow, id_from, now, shows, today

blueprint = Blueprint("talk", __name__)


@blueprint.route("/gruppi/<slot_id>/messaggi", methods=["GET", "POST"])
@allow(Role.FAMILY)
def of_family(slot_id: str) -> ResponseReturnValue:
    """What the group says, and one more message."""
    return _talk(id_from(slot_id))


@blueprint.route("/lavoro/gruppi/<slot_id>/messaggi", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def of_provider(slot_id: str) -> ResponseReturnValue:
    """The same, for who holds the group."""
    return _talk(id_from(slot_id))


def _talk(slot_id: UUID) -> ResponseReturnValue:
    form = WriteForm()
    talk = operations.read_talk(db.session, actor(), now(), slot_id)
    if form.validate_on_submit():
        try:
            operations.write(db.session, actor(), now(), slot_id, form.message_id(), form.words.data or "")
        except operations.TooMuch as refusal:
            show_on(form, refusal)
        else:
            flash(_("Messaggio inviato: chi è nel gruppo lo legge qui."), "success")
            return redirect(_page_of(slot_id), code=303)
    page = render_template("talk/talk.html", talk=talk, form=form, subjects=_subjects())
    return page, 422 if form.errors else 200


@blueprint.route("/gruppi/messaggi/<message_id>/segnala", methods=["GET", "POST"])
@allow(Role.FAMILY, Role.PROVIDER)
def complain(message_id: str) -> ResponseReturnValue:
    """Hide a message until an officer has decided."""
    form = ComplaintForm()
    slot_id, said = operations.find_said(db.session, actor(), now(), id_from(message_id))
    if form.validate_on_submit():
        operations.complain(db.session, actor(), now(), said.message_id, form.why.data or "")
        flash(_("Grazie. Il messaggio è nascosto a tutti: il Comune lo legge e decide."), "success")
        return redirect(_page_of(slot_id), code=303)
    page = render_template("talk/complain.html", said=said, form=form, back=_page_of(slot_id))
    return page, 422 if form.errors else 200


@blueprint.route("/gruppi/<slot_id>/parere", methods=["GET", "POST"])
@allow(Role.FAMILY)
def rate(slot_id: str) -> ResponseReturnValue:
    """How the oldest month of a group that waits for a word went."""
    wanted = id_from(slot_id)
    waiting = [one for one in feedback.list_to_rate(db.session, actor(), now()) if one.slot_id == wanted]
    if not waiting:
        raise NotFound(feedback.NOTHING_TO_RATE)
    form, month = FeedbackForm(), waiting[0].month
    if form.validate_on_submit():
        stars, words = int(form.stars.data or 0), form.words.data or ""
        feedback.rate(db.session, actor(), now(), wanted, month, stars, words)
        flash(_("Grazie: il tuo parere è registrato."), "success")
        return redirect(url_for("family.today_page"), code=303)
    page = render_template("talk/rate.html", form=form, one=waiting[0], subjects=_subjects())
    return page, 422 if form.errors else 200


@blueprint.get("/comune/pareri/<provider_id>")
@allow(Role.OFFICER)
def of_one(provider_id: str) -> str:
    """What families said of a professional."""
    provider = get_provider(db.session, actor(), id_from(provider_id))
    return render_template(
        "talk/feedback.html",
        provider=provider,
        rating=feedback.rating_of(db.session, actor().municipality_id, provider.id),
        said=feedback.list_feedback(db.session, actor(), provider.id),
    )


@blueprint.get("/comune/messaggi")
@allow(Role.OFFICER)
def list_to_check() -> str:
    """Messages that somebody complained about."""
    cases = operations.list_to_check(db.session, actor())
    return render_template("talk/cases.html", cases=cases, subjects=_subjects())


@blueprint.get("/comune/messaggi/<message_id>")
@allow(Role.OFFICER)
def check(message_id: str) -> str:
    """One of them."""
    case = operations.get_case(db.session, actor(), id_from(message_id))
    shows(Shown.WORDS, [case.message.household_id])
    return render_template("talk/case.html", case=case, subjects=_subjects())


@blueprint.post("/comune/messaggi/<message_id>/<any(mostra, togli):what>")
@allow(Role.OFFICER)
def decide(message_id: str, what: str) -> ResponseReturnValue:
    """Show it again, or never more."""
    operations.decide(db.session, actor(), now(), id_from(message_id), keep=what == "mostra")
    done = _("Il messaggio si legge di nuovo.") if what == "mostra" else _("Tolto: nessuno lo legge più.")
    flash(done, "success")
    return redirect(url_for("talk.list_to_check"), code=303)


def _page_of(slot_id: UUID) -> str:
    name = "talk.of_family" if actor().role == Role.FAMILY else "talk.of_provider"
    return url_for(name, slot_id=slot_id)


def _subjects() -> dict[str, str]:
    return subject_words(get_policy(db.session, actor().municipality_id, today()).subjects)
