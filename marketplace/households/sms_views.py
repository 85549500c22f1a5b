"""A family's page on SMS: its number, the code that came there, and the way back to e-mail."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.accounts.throttle import TooMany
from marketplace.db import db
from marketplace.errors import Rejected
from marketplace.failures import show_on
from marketplace.households import sms
from marketplace.households.forms import SmsCodeForm, SmsNumberForm
from marketplace.households.operations import get_household
from marketplace.i18n import language
from marketplace.web import actor, allow, now

blueprint = Blueprint("sms", __name__, url_prefix="/profilo/sms")


@blueprint.route("", methods=["GET", "POST"])
@allow(Role.FAMILY)
def number() -> ResponseReturnValue:
    """The number; a code is sent there."""
    known = sms.find_number(db.session, actor())
    form = SmsNumberForm(number=known.number if known else get_household(db.session, actor()).phone)
    if form.validate_on_submit():
        try:
            sms.ask_code(db.session, actor(), now(), form.number.data or "", language())
        except (Rejected, TooMany) as refusal:
            show_on(form, refusal)
        else:
            return redirect(url_for("sms.confirm"), code=303)
    page = render_template("households/sms.html", form=form, known=known)
    return page, 422 if form.errors else 200


@blueprint.route("/codice", methods=["GET", "POST"])
@allow(Role.FAMILY)
def confirm() -> ResponseReturnValue:
    """The code that came back."""
    known = sms.find_number(db.session, actor())
    if known is None or known.verified_at is not None:
        return redirect(url_for("sms.number"), code=303)
    form = SmsCodeForm()
    if form.validate_on_submit():
        try:
            sms.confirm_number(db.session, actor(), now(), form.code.data or "")
        except (Rejected, TooMany) as refusal:
            show_on(form, refusal)
        else:
            flash(_("Fatto: da ora ti scriviamo per SMS."), "success")
            return redirect(url_for("households.profile"), code=303)
    page = render_template("households/sms_code.html", form=form, known=known)
    return page, 422 if form.errors else 200


@blueprint.post("/smetti")
@allow(Role.FAMILY)
def stop() -> ResponseReturnValue:
    """By e-mail again."""
    sms.stop_sms(db.session, actor(), now())
    flash(_("Fatto: ti scriviamo di nuovo per e-mail. Il numero è cancellato."), "success")
    return redirect(url_for("households.profile"), code=303)
