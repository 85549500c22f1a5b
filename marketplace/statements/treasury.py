"""What a bank did: its files in, what they matched, what waits for somebody, what the treasury had and paid on."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from billing.bank import MAX_BYTES
from marketplace.accounts.models import Role, Shown
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import NotFound
from marketplace.slots.calendar import local_day
from marketplace.statements import bank, settlements, wording
from marketplace.statements.forms import BankFileForm, LineForm, month_from
from marketplace.statements.models import Settlement
from marketplace.statements.operations import get_closing
from marketplace.statements.payouts import to_top_up_cents
from marketplace.statements.preview import say
from marketplace.web import actor, allow, id_from, now, shows
from marketplace.words import N_

blueprint = Blueprint("treasury", __name__, url_prefix="/comune")


@blueprint.get("/banca")
@allow(Role.OFFICER)
def show() -> str:
    """What came in and is nobody's yet, and what goes out by bank."""
    return _page(BankFileForm())


def _page(form: BankFileForm) -> str:
    city, today = actor().municipality_id, local_day(now())
    return render_template(
        "statements/bank.html",
        form=form,
        unmatched=bank.list_unmatched(db.session, city),
        why=wording.UNMATCHED,
        payouts=bank.list_payouts_by_bank(db.session, city),
        to_top_up=to_top_up_cents(db.session, city),
        policy=get_policy(db.session, city, today),
        today=today,
    )


def _here() -> tuple[str, str]:
    return _("Banca"), url_for("treasury.show")


@blueprint.post("/banca")
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


@blueprint.get("/banca/movimenti/<line_id>")
@allow(Role.OFFICER)
def preview_credit(line_id: str) -> str:
    """What saying that a line is of a statement's family will post."""
    form = LineForm(request.args)
    if not form.validate():
        raise bank.UnknownStatement
    city = actor().municipality_id
    deed = bank.preview_credit(db.session, city, id_from(line_id), form.year, form.number)
    shows(Shown.PAYMENTS, [bank.household_of(db.session, city, form.year, form.number)])
    return say(N_("Abbina un bonifico"), deed, request.path, _here(), {"estratto": form.estratto.data or ""})


@blueprint.post("/banca/movimenti/<line_id>")
@allow(Role.OFFICER)
def credit(line_id: str) -> ResponseReturnValue:
    """Say whose a line is, by a statement's number."""
    form = LineForm(request.form)
    if not form.validate():
        raise bank.UnknownStatement
    bank.credit_line(db.session, actor(), now(), id_from(line_id), form.year, form.number, _shown())
    flash(_("Registrato: il bonifico è della famiglia di quell'estratto."), "success")
    return redirect(url_for("treasury.show"), code=303)


@blueprint.get("/banca/compensi")
@allow(Role.OFFICER)
def preview_pay() -> str:
    """What recording the transfers that are due will post."""
    deed = bank.preview_payouts_by_bank(db.session, actor().municipality_id, local_day(now()))
    return say(N_("Registra i compensi pagati"), deed, request.path, _here())


@blueprint.post("/banca/compensi")
@allow(Role.OFFICER)
def pay() -> ResponseReturnValue:
    """The treasury has paid what is due by bank."""
    bank.record_payouts_by_bank(db.session, actor(), now(), _shown())
    flash(_("Bonifici registrati."), "success")
    return redirect(url_for("treasury.show"), code=303)


def _month(month: str) -> tuple[str, str]:
    return _("Rendiconto"), url_for("statements.month_page", month=month)


@blueprint.get("/rendiconti/<month>/versamento")
@allow(Role.OFFICER)
def preview_settlement(month: str) -> str:
    """What recording the municipality's transfer for a month will post."""
    closing = get_closing(db.session, actor().municipality_id, month_from(month))
    deed = settlements.preview_settlement(db.session, closing)
    return say(N_("Registra il versamento del Comune"), deed, request.path, _month(month))


@blueprint.post("/rendiconti/<month>/versamento")
@allow(Role.OFFICER)
def settle_month(month: str) -> ResponseReturnValue:
    """Record that the municipality's transfer came in."""
    closing = get_closing(db.session, actor().municipality_id, month_from(month))
    settlements.settle_month(db.session, actor(), now(), closing, _shown())
    flash(_("Versamento registrato: ora si possono pagare i professionisti."), "success")
    return redirect(url_for("statements.month_page", month=month), code=303)


@blueprint.get("/rendiconti/<month>/bonifici")
@allow(Role.OFFICER)
def preview_payouts(month: str) -> str:
    """What recording a settled month's transfers to providers will post."""
    deed = settlements.preview_bank_payouts(db.session, _settlement(month))
    return say(N_("Registra i bonifici ai professionisti"), deed, request.path, _month(month))


@blueprint.post("/rendiconti/<month>/bonifici")
@allow(Role.OFFICER)
def record_payouts(month: str) -> ResponseReturnValue:
    """Record that the treasury paid the providers."""
    settlements.record_bank_payouts(db.session, actor(), now(), _settlement(month), _shown())
    flash(_("Bonifici registrati."), "success")
    return redirect(url_for("statements.month_page", month=month), code=303)


def _settlement(month: str) -> Settlement:
    closing = get_closing(db.session, actor().municipality_id, month_from(month))
    settlement = settlements.find_settlement(db.session, closing)
    if settlement is None:
        raise NotFound
    return settlement


def _shown() -> str:
    """The mark of the deed that the page before showed; empty, which no deed has, where none was."""
    return request.form.get("visto", "")
