"""The bank's page: its files in, what they matched, what waits for somebody, and what the treasury pays on."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from billing.bank import MAX_BYTES
from marketplace.accounts.models import Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.slots.calendar import local_day
from marketplace.statements import bank, wording
from marketplace.statements.forms import BankFileForm, LineForm
from marketplace.statements.payouts import to_top_up_cents
from marketplace.web import actor, allow, id_from, now

blueprint = Blueprint("treasury", __name__, url_prefix="/comune/banca")


@blueprint.get("")
@allow(Role.OFFICER)
def show() -> str:
    """What came in and is nobody's yet, and what goes out by bank."""
    return _page(BankFileForm())


def _page(form: BankFileForm) -> str:
    city = actor().municipality_id
    return render_template(
        "statements/bank.html",
        form=form,
        unmatched=bank.list_unmatched(db.session, city),
        why=wording.UNMATCHED,
        payouts=bank.list_payouts_by_bank(db.session, city),
        to_top_up=to_top_up_cents(db.session, city),
        policy=get_policy(db.session, city, local_day(now())),
    )


@blueprint.post("")
@allow(Role.OFFICER)
def read() -> ResponseReturnValue:
    """Read a file in; the same file again changes nothing."""
    form = BankFileForm()
    if not form.validate():
        return _page(form), 422
    try:
        taken = bank.take_file(db.session, actor(), now(), form.file.data.read(MAX_BYTES + 1))
    except bank.BadBankFile as refused:
        db.session.rollback()
        form.file.errors = [_(refused.message) % refused.values]
        return _page(form), 422
    said = _("Movimenti nuovi: %(new)s, abbinati: %(matched)s. Già letti: %(known)s.")
    flash(said % {"new": taken.new, "matched": taken.matched, "known": taken.known}, "success")
    return redirect(url_for("treasury.show"), code=303)


@blueprint.post("/movimenti/<line_id>")
@allow(Role.OFFICER)
def credit(line_id: str) -> ResponseReturnValue:
    """Say whose a line is, by a statement's number."""
    form = LineForm(request.form)
    if not form.validate():
        raise bank.UnknownStatement
    bank.credit_line(db.session, actor(), now(), id_from(line_id), form.year, form.number)
    flash(_("Registrato: il bonifico è della famiglia di quell'estratto."), "success")
    return redirect(url_for("treasury.show"), code=303)


@blueprint.post("/compensi")
@allow(Role.OFFICER)
def pay() -> ResponseReturnValue:
    """The treasury has paid what is due by bank."""
    bank.record_payouts_by_bank(db.session, actor(), now())
    flash(_("Bonifici registrati."), "success")
    return redirect(url_for("treasury.show"), code=303)
