"""One's own access: the second step of signing in, and where one is signed in; a change asks for a code."""

import io
from uuid import UUID

import segno
from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from marketplace.accounts import passkeys, second_step, sessions, set_up_codes
from marketplace.accounts.forms import CodeForm, SetUpCodeForm, SetUpForm
from marketplace.accounts.identity import find_identity
from marketplace.accounts.models import User
from marketplace.accounts.own_access import may_set_up_here, me, note, onward, private, wanted_or_home
from marketplace.accounts.signing import signed_in_here
from marketplace.db import db
from marketplace.failures import show_on
from marketplace.web import first_step, id_from, now, signed_in

blueprint = Blueprint("second_step", __name__, url_prefix="/accesso")


@blueprint.get("")
@signed_in
def access() -> ResponseReturnValue:
    """How one gets in, and where one is."""
    user, here = me(), signed_in_here()
    return private(
        "accounts/access.html",
        user=user,
        here=here,
        sessions=sessions.list_sessions(db.session, now(), user.id),
        second_step=second_step.find_authenticator(db.session, user.id),
        codes_left=second_step.count_recovery_codes(db.session, user.id),
        passkeys=passkeys.list_passkeys(db.session, user.id),
        is_compulsory=second_step.is_compulsory(db.session, user.id),
        identity=find_identity(db.session, user.id),
    )


@blueprint.route("/codice", methods=["GET", "POST"])
@first_step
def give() -> ResponseReturnValue:
    """The second step: a code from the phone, or a recovery code."""
    form, here = CodeForm(wanted=request.args.get("next", "")), signed_in_here()
    if here is None or here.is_strong:
        return redirect(url_for("accounts.home"), code=303)
    if form.validate_on_submit():
        if second_step.check_code(db.session, now(), here.user_id, form.code.data):
            here.is_strong = True
            return onward(form.wanted.data)
        show_on(form, second_step.WrongCode(field="code"))
    return show_step(form, here.user_id)


def show_step(form: CodeForm, user_id: UUID) -> ResponseReturnValue:
    """Ask for what this person has: a code, a passkey, or either."""
    return private(
        "accounts/code.html",
        422 if form.errors else 200,
        form=form,
        has_code=second_step.find_authenticator(db.session, user_id) is not None,
        has_passkey=passkeys.has_passkey(db.session, user_id),
    )


@blueprint.route("/due-passaggi", methods=["GET", "POST"])
@signed_in
def set_up() -> ResponseReturnValue:
    """Read a QR code with the phone, write the first code; then the recovery codes, once."""
    user = me()
    if second_step.find_authenticator(db.session, user.id) is not None:
        return redirect(url_for("second_step.access"), code=303)
    if not may_set_up_here():
        return redirect(url_for("second_step.begin", next=request.args.get("next")))
    form = SetUpForm(wanted=request.args.get("next", ""))
    if form.validate_on_submit():
        try:
            codes = second_step.set_up(db.session, now(), user.id, form.secret.data, form.code.data)
        except second_step.WrongCode as error:
            show_on(form, error)
        else:
            _strengthen(user)
            return private("accounts/recovery_codes.html", codes=codes, onward=wanted_or_home(form.wanted.data))
    if len(form.secret.data or "") != second_step.SECRET_LENGTH:
        form.secret.data = second_step.new_secret()
    secret = form.secret.data
    shown = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    drawing = _drawn(second_step.address_of(secret, user.email))
    status = 422 if form.errors else 200
    return private(
        "accounts/set_up.html",
        status,
        form=form,
        drawing=drawing,
        shown=shown,
        is_compulsory=second_step.is_compulsory(db.session, user.id),
    )


@blueprint.route("/attiva", methods=["GET", "POST"])
@signed_in
def begin() -> ResponseReturnValue:
    """Who must have two steps first gives a code that did not come by e-mail."""
    form, here = SetUpCodeForm(wanted=request.args.get("next", "")), signed_in_here()
    if here is None or may_set_up_here():
        return redirect(url_for("second_step.set_up", next=form.wanted.data or None), code=303)
    if form.validate_on_submit():
        if set_up_codes.give_set_up_code(db.session, now(), here, form.code.data):
            note("give_set_up_code")
            return redirect(url_for("second_step.set_up", next=form.wanted.data or None), code=303)
        show_on(form, set_up_codes.WrongSetUpCode(field="code"))
    return private("accounts/begin_second_step.html", 422 if form.errors else 200, form=form)


@blueprint.route("/codici-di-riserva", methods=["GET", "POST"])
@signed_in
def recovery_codes() -> ResponseReturnValue:
    """New recovery codes, for a code."""
    form = CodeForm()
    if form.validate_on_submit() and _is_right(form):
        codes = second_step.make_recovery_codes(db.session, me().id)
        note("make_recovery_codes")
        return private("accounts/recovery_codes.html", codes=codes, onward=url_for("second_step.access"))
    return private("accounts/confirm.html", 422 if form.errors else 200, form=form, what="codes")


@blueprint.route("/togli", methods=["GET", "POST"])
@signed_in
def take_away() -> ResponseReturnValue:
    """No second step any more, for a code; never for those who must have one."""
    if second_step.is_compulsory(db.session, me().id):
        raise second_step.Compulsory
    form = CodeForm()
    if form.validate_on_submit() and _is_right(form):
        second_step.take_away(db.session, me().id)
        note("take_away_second_step")
        flash(_("Fatto: per entrare basta di nuovo il link o la password."), "success")
        return redirect(url_for("second_step.access"), code=303)
    return private("accounts/confirm.html", 422 if form.errors else 200, form=form, what="away")


@blueprint.post("/sessioni/<session_id>/chiudi")
@signed_in
def end_one(session_id: str) -> ResponseReturnValue:
    """Sign out on one device."""
    sessions.end_session(db.session, now(), me().id, id_from(session_id))
    flash(_("Fatto: su quel dispositivo non c'è più nessun accesso aperto."), "success")
    return redirect(url_for("second_step.access"), code=303)


@blueprint.post("/sessioni/chiudi-tutte")
@signed_in
def end_all() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    here = signed_in_here()
    sessions.end_sessions(db.session, now(), me().id, but=here.id if here else None)
    note("end_sessions")
    flash(_("Fatto: sei dentro solo da qui."), "success")
    return redirect(url_for("second_step.access"), code=303)


def _strengthen(user: User) -> None:
    """The second step counts here from now on; wherever else one was signed in, it is asked for anew."""
    here = signed_in_here()
    if here is not None:
        sessions.end_sessions(db.session, now(), user.id, but=here.id)
        here.is_strong = True
    set_up_codes.forget_set_up_code(db.session, user.id)
    note("set_up_second_step")


def _is_right(form: CodeForm) -> bool:
    right = second_step.check_code(db.session, now(), me().id, form.code.data)
    if not right:
        show_on(form, second_step.WrongCode(field="code"))
    return right


def _drawn(text: str) -> Markup:
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        picture, kind="svg", scale=5, border=4, xmldecl=False, svgclass="qr", lineclass=None, light="#fff"
    )
    return Markup(picture.getvalue().decode())  # noqa: S704 - drawn by us from our own text
