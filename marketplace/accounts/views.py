"""Sign-in and registration by link or password, and the choice of role; nobody learns who has an account."""

from datetime import timedelta
from typing import cast
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_security import current_user
from flask_security.utils import hash_password, verify_and_update_password
from uuid_utils.compat import uuid7

from marketplace.accounts import sign_in, signing
from marketplace.accounts.forms import LinkForm, PasswordForm, RegistrationForm
from marketplace.accounts.models import Role, User, Way
from marketplace.accounts.throttle import count_attempt, forget_attempts
from marketplace.db import db
from marketplace.errors import Rejected
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, tell
from marketplace.pages import own_path
from marketplace.web import actor, client_address, id_from, list_appointments, now, public, signed_in
from marketplace.words import N_

blueprint = Blueprint("accounts", __name__)

HOMES = {
    Role.FAMILY: "/oggi",
    Role.PROVIDER: "/lavoro",
    Role.OFFICER: "/comune",
    Role.OPERATOR: "/sportello",
    Role.ADMINISTRATOR: "/gestione",
}
LINK_SUBJECT = N_("Il tuo link per entrare in Condiviso")
LINK_BODY = N_(
    "Per entrare apri questo link entro %(minutes)s minuti e premi «Entra»:\n\n%(url)s\n\n"
    "Se non l'hai chiesto tu, non fare niente: senza questo link nessuno entra."
)
PASSWORDS = 10
PASSWORDS_FROM_ONE = 100  # a school or a library has one address for many people
PASSWORD_TIME = timedelta(minutes=15)
LINKS_FROM_ONE = 60
WAIT_OR_LINK = N_("Troppe password sbagliate: entra con un link via e-mail, oppure riprova tra %(minutes)s minuti.")
# Verified in place of an unknown account's password, so that both answers take the same time.
NOBODYS_PASSWORD = "nessuno"  # noqa: S105


@blueprint.route("/entra", methods=["GET", "POST"])
@public
def enter() -> ResponseReturnValue:
    """Ask for a link by e-mail."""
    form = LinkForm(wanted=request.args.get("next", ""))
    if form.validate_on_submit():
        return _send_link(form.email.data, wanted=form.wanted.data)
    return render_template("accounts/enter.html", form=form), 422 if form.errors else 200


@blueprint.route("/registrati", methods=["GET", "POST"])
@public
def register() -> ResponseReturnValue:
    """Make an account; it exists once its link is used."""
    form = RegistrationForm(wanted=request.args.get("next", ""))
    if form.validate_on_submit():
        password_hash = hash_password(form.password.data) if form.password.data else None
        return _send_link(form.email.data, form.name.data, password_hash, form.wanted.data)
    return render_template("accounts/register.html", form=form), 422 if form.errors else 200


def _send_link(email: str, name: str = "", password_hash: str | None = None, wanted: str = "") -> ResponseReturnValue:
    if not actor().municipality_id:
        raise Rejected(_("Qui non c'è ancora nessun Comune: prima va creato con «marketplace import»."))
    count_attempt(db.session, now(), "link from", client_address(), LINKS_FROM_ONE, timedelta(hours=1))
    token = sign_in.make_link(db.session, now(), email, name, password_hash, own_path(wanted) if wanted else "")
    locale = get_locale()
    tell(
        db.session,
        actor().municipality_id,
        now(),
        Recipient(sign_in.folded(email), locale.language if locale else "it"),
        key=f"sign-in:{uuid7()}",
        subject=LINK_SUBJECT,
        body=LINK_BODY,
        values={"minutes": sign_in.LINK_MINUTES, "url": url_for("accounts.use_link", token=token, _external=True)},
        kind=Kind.URGENT,
    )
    return redirect(url_for("accounts.link_sent"), code=303)


@blueprint.get("/entra/inviato")
@public
def link_sent() -> str:
    """Say that the link is on its way."""
    return render_template("accounts/link_sent.html", minutes=sign_in.LINK_MINUTES)


@blueprint.get("/entra/link/<token>")
@public
def show_link(token: str) -> str:
    """Show what the link does; opening it does nothing yet (mail scanners open links too)."""
    link = sign_in.get_link(db.session, now(), token)
    return render_template("accounts/use_link.html", token=token, email=link.email)


@blueprint.post("/entra/link/<token>", endpoint="use_link")
@public
def use_link(token: str) -> ResponseReturnValue:
    """Sign in, and make the account if it is new."""
    locale = get_locale()
    link = sign_in.get_link(db.session, now(), token)
    user = sign_in.use_link(db.session, now(), token, locale.language if locale else "it")
    return _welcome(user, Way.LINK, link.wanted)


@blueprint.route("/entra/password", methods=["GET", "POST"])
@public
def enter_with_password() -> ResponseReturnValue:
    """Sign in by password; a wrong one and an unknown address are answered alike, and may not be guessed for long."""
    form = PasswordForm(wanted=request.args.get("next", ""))
    if form.validate_on_submit():
        email = sign_in.folded(form.email.data)
        count_attempt(db.session, now(), "password", email, PASSWORDS, PASSWORD_TIME, WAIT_OR_LINK)
        count_attempt(db.session, now(), "password from", client_address(), PASSWORDS_FROM_ONE, PASSWORD_TIME)
        user = sign_in.find_user(db.session, email)
        if user is not None and user.password and verify_and_update_password(form.password.data, user) and user.active:
            forget_attempts(db.session, "password", email)
            return _welcome(user, Way.PASSWORD, form.wanted.data)
        if user is None or not user.password:
            hash_password(form.password.data)
        form.form_errors.append(_("E-mail o password non sono giuste. Puoi sempre entrare con un link."))
    return render_template("accounts/password.html", form=form), 422 if form.is_submitted() else 200


def _welcome(user: User, way: Way, wanted: str) -> ResponseReturnValue:
    signing.sign_in_as(user, way)
    return redirect(own_path(wanted) if wanted else url_for("accounts.home"), code=303)


@blueprint.post("/esci")
@public
def leave() -> ResponseReturnValue:
    """Sign out and forget everything of the session."""
    signing.leave()
    flash(_("Sei fuori dal tuo account. A presto."), "success")
    return redirect("/", code=303)


@blueprint.get("/inizio")
@signed_in
def home() -> ResponseReturnValue:
    """Lead everybody to the start page of the role; who has none yet chooses what to be."""
    role = actor().role
    return redirect(HOMES[role] if role else url_for("accounts.choose"), code=303)


@blueprint.get("/benvenuto")
@signed_in
def choose() -> ResponseReturnValue:
    """For a new account: am I a family or a professional? For an old one: which of my roles?"""
    mine = list_appointments(cast(UUID, current_user.id))
    return render_template("accounts/choose.html", appointments=mine, homes=HOMES)


@blueprint.post("/ruolo/<appointment_id>")
@signed_in
def act_as(appointment_id: str) -> ResponseReturnValue:
    """Act in another of one's own roles."""
    wanted = id_from(appointment_id)
    for appointment in list_appointments(cast(UUID, current_user.id)):
        if appointment.id == wanted:
            session["appointment"] = str(appointment.id)
            return redirect(HOMES[appointment.role], code=303)
    raise Rejected(_("Questo ruolo non è tuo, o non lo è più."))
