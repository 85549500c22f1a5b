"""The demo's start page signs in with one click; it is refused wherever anything real could be behind it."""

from uuid import UUID, uuid4

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlmodel import col, select

from marketplace.accounts.models import Appointment, Municipality, User, Way
from marketplace.accounts.signing import sign_in_as
from marketplace.db import db
from marketplace.errors import Forbidden, NotFound
from marketplace.messages.operations import list_sent
from marketplace.slots.sms_answers import answer_by_sms
from marketplace.web import actor, now, public
from marketplace.words import N_

blueprint = Blueprint("demo", __name__, url_prefix="/demo")
PEOPLE_DOMAIN = "@demo.invalid"


class NotADemo(Forbidden):
    """Production, or a database that holds a municipality which the demo did not make."""

    default = N_("Qui la dimostrazione è spenta: ci sono Comuni veri.")


@blueprint.before_request
def only_in_a_demo() -> None:
    """Refuse unless every municipality here was made by the demo."""
    if not is_demo():
        raise NotADemo


def is_demo() -> bool:
    """Whether this is a demo, and every municipality here was made by it."""
    real = select(Municipality.id).where(col(Municipality.is_demo).is_(False)).limit(1)
    return current_app.config["SETTINGS"].demo and db.session.exec(real).first() is None


@blueprint.app_context_processor
def start_page_section() -> dict[str, object]:
    """`demo_people()` for the public start page: the people to be with one click, or nothing outside a demo."""
    return {"demo_people": _people}


def _people() -> str:
    if not is_demo():
        return ""
    people = db.session.exec(
        select(Appointment, User)
        .join(User, col(User.id) == Appointment.user_id)
        .where(col(User.email).endswith(PEOPLE_DOMAIN), col(Appointment.ended_at).is_(None))
        .order_by(col(Appointment.created_at), col(Appointment.id))
    ).all()
    return Markup(render_template("demo/people.html", people=people))  # noqa: S704 - our own template, escaped


@blueprint.post("/entra/<uuid:appointment_id>")
@public
def sign_in(appointment_id: UUID) -> ResponseReturnValue:
    """Sign in as one of the demo's people."""
    appointment = db.session.get(Appointment, appointment_id)
    user = db.session.get(User, appointment.user_id) if appointment else None
    if appointment is None or user is None or not user.email.endswith(PEOPLE_DOMAIN):
        raise NotFound
    sign_in_as(user, Way.DEMO, is_strong=True)  # these people are invented, and so have no phone
    session["appointment"] = str(appointment.id)
    return redirect("/inizio", code=303)


@blueprint.get("/posta")
@public
def mailbox() -> str:
    """The e-mails and SMS that this installation has sent, for want of a mail server and a provider."""
    return render_template("demo/mailbox.html", letters=list_sent(db.session, actor().municipality_id))


@blueprint.post("/sms")
@public
def reply() -> ResponseReturnValue:
    """An SMS that somebody sends back."""
    number, words = request.form.get("number", ""), request.form.get("text", "")
    answer_by_sms(db.session, now(), actor().municipality_id, number, words, str(uuid4()))
    return redirect(url_for("demo.mailbox"), code=303)
