"""Signing in with a passkey, as both steps at once, and one's own passkeys: named, seen, removed."""

import secrets
from datetime import timedelta
from typing import Final

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts import passkeys, second_step, signing
from marketplace.accounts.forms import CodeForm, LinkForm, NewPasskeyForm, PasskeyForm
from marketplace.accounts.models import User, Way
from marketplace.accounts.own_access import is_fresh, may_set_up_here, me, note, onward, private
from marketplace.accounts.second_step_views import show_step
from marketplace.accounts.sessions import device_of
from marketplace.accounts.set_up_codes import forget_set_up_code
from marketplace.accounts.signing import signed_in_here
from marketplace.accounts.throttle import count_attempt
from marketplace.db import db
from marketplace.errors import NotFound, Rejected
from marketplace.failures import show_on
from marketplace.web import client_address, first_step, id_from, now, public, signed_in

blueprint = Blueprint("passkeys", __name__)
BROWSER: Final = "passkeys"  # of the session: which browser a challenge was made for
TRIES_FROM_ONE: Final = 100  # a school or a library has one address for many people
ASKED_FROM_ONE: Final = 600
TRIES_WITHIN: Final = timedelta(minutes=15)


@blueprint.app_context_processor
def where_they_work() -> dict[str, object]:
    """`passkeys_at()`: "" where this page may use passkeys, else the address that may, None if none does."""
    return {"passkeys_at": _address}


@blueprint.post("/entra/passkey/domanda")
@public
def ask() -> Response:
    """A new challenge for signing in; the same for whoever asks."""
    count_attempt(db.session, now(), "passkey asked from", client_address(), ASKED_FROM_ONE, TRIES_WITHIN)
    return _options(passkeys.ask(db.session, now(), _site(), _browser()))


@blueprint.post("/entra/passkey")
@public
def enter() -> ResponseReturnValue:
    """Sign in, in both steps; whatever is wrong is said in the same words."""
    sent = PasskeyForm()
    found = _recognise(sent)
    if isinstance(found, User):
        signing.sign_in_as(found, Way.PASSKEY, is_strong=True)
        return onward(sent.wanted.data)
    form = LinkForm(formdata=None, wanted=sent.wanted.data)
    show_on(form, found)
    return render_template("accounts/enter.html", form=form), 422


@blueprint.post("/accesso/passkey/conferma")
@first_step
def confirm() -> ResponseReturnValue:
    """The second step, by a passkey of the person who has taken the first."""
    sent, here = PasskeyForm(), signed_in_here()
    if here is None or here.is_strong:
        return redirect(url_for("accounts.home"), code=303)
    found = _recognise(sent)
    if isinstance(found, User) and found.id == here.user_id:
        here.is_strong = True
        return onward(sent.wanted.data)
    form = CodeForm(formdata=None, wanted=sent.wanted.data)
    show_on(form, passkeys.NotThisPasskey() if isinstance(found, User) else found)
    return show_step(form, here.user_id)


@blueprint.route("/accesso/passkey", methods=["GET", "POST"])
@signed_in
def add() -> ResponseReturnValue:
    """Add one, soon after signing in; where two steps are compulsory it is one of them."""
    if not is_fresh():
        return private("accounts/sign_in_again.html", onward=url_for("passkeys.add"))
    if not may_set_up_here():
        return redirect(url_for("second_step.begin", next=url_for("passkeys.add")))
    form = NewPasskeyForm(name=device_of(request.user_agent.string), wanted=request.args.get("next", ""))
    if form.validate_on_submit():
        made = passkeys.add_passkey(
            db.session, now(), _site(), _browser(), me(), form.name.data, form.credential.data or ""
        )
        if not isinstance(made, Rejected):
            here = signed_in_here()
            if here is not None:
                here.is_strong = True
            forget_set_up_code(db.session, me().id)
            note("add_passkey")
            flash(_("Fatto: la prossima volta entri con questa passkey."), "success")
            return onward(form.wanted.data or url_for("second_step.access"))
        show_on(form, made)
    return private("accounts/add_passkey.html", 422 if form.errors else 200, form=form)


@blueprint.post("/accesso/passkey/domanda")
@signed_in
def ask_for_new() -> Response:
    """A new challenge for one's own new passkey."""
    if not is_fresh():
        raise Rejected(_("Per sicurezza entra di nuovo, poi aggiungi la passkey."))
    count_attempt(db.session, now(), "passkey asked by", str(me().id), ASKED_FROM_ONE, TRIES_WITHIN)
    return _options(passkeys.ask_for_new(db.session, now(), _site(), _browser(), me()))


@blueprint.route("/accesso/passkey/<passkey_id>/togli", methods=["GET", "POST"])
@signed_in
def remove(passkey_id: str) -> ResponseReturnValue:
    """Remove one, soon after signing in; whoever must have two steps keeps one."""
    user = me()
    passkey = passkeys.get_passkey(db.session, user.id, id_from(passkey_id))
    if not is_fresh():
        return private("accounts/sign_in_again.html", onward=url_for("passkeys.remove", passkey_id=passkey_id))
    is_last = len(passkeys.list_passkeys(db.session, user.id)) == 1
    has_code = second_step.find_authenticator(db.session, user.id) is not None
    if is_last and not has_code and second_step.is_compulsory(db.session, user.id):
        raise second_step.Compulsory(passkeys.LAST)
    form = PasskeyForm()
    if form.validate_on_submit():
        passkeys.remove_passkey(db.session, passkey)
        note("remove_passkey")
        flash(_("Fatto: con quella passkey non si entra più. Toglila anche dal dispositivo."), "success")
        return redirect(url_for("second_step.access"), code=303)
    return private("accounts/remove_passkey.html", form=form, passkey=passkey)


def _recognise(sent: PasskeyForm) -> User | Rejected:
    count_attempt(db.session, now(), "passkey from", client_address(), TRIES_FROM_ONE, TRIES_WITHIN)
    return passkeys.recognise(db.session, now(), _site(), _browser(), sent.credential.data or "")


def _find_site() -> passkeys.Site | None:
    return passkeys.site_of(db.session, current_app.config["SETTINGS"].base_url)


def _site() -> passkeys.Site:
    site = _find_site()
    if site is None:
        raise NotFound
    return site


def _address() -> str | None:
    site = _find_site()
    if site is None:
        return None
    return "" if site.serves(request.host) else site.origins[0]


def _browser() -> str:
    """What this browser alone knows; a challenge that another one asked for does not count here."""
    if BROWSER not in session:
        session[BROWSER] = secrets.token_urlsafe(16)
    return str(session[BROWSER])


def _options(text: str) -> Response:
    answer = Response(text, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
