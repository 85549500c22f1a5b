"""The console of payments: every page that does something first says which postings it will make."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role, Shown
from marketplace.db import db
from marketplace.households.models import Household
from marketplace.statements import contests, deeds, troubles, wording
from marketplace.statements.forms import ContestAnswerForm, GiveBackForm
from marketplace.statements.give_backs import REFUND, REVERSAL
from marketplace.statements.models import ContestState, Payment, Payout, Statement
from marketplace.statements.posting import Deed
from marketplace.statements.preview import say
from marketplace.statements.queries import ContestFacts, subject_of_contest
from marketplace.web import actor, allow, id_from, now, shows
from marketplace.words import N_

blueprint = Blueprint("console", __name__, url_prefix="/comune")

TITLES = {
    "riprova": N_("Riprova l'addebito"),
    "sollecito": N_("Manda la lettera di sollecito"),
    "stralcio": N_("Passa il debito al fondo di garanzia"),
    "rimborso": N_("Rimborsa un credito"),
}


@blueprint.get("/pagamenti")
@allow(Role.OFFICER, Role.OPERATOR)
def payments() -> str:
    """What failed, what went back, who could not be paid, which lines are contested."""
    city = actor().municipality_id
    waiting, gone = troubles.list_open(db.session, city), troubles.list_gone(db.session, city)
    contested = contests.list_contests(db.session, city, state=ContestState.OPEN)
    shows(Shown.PAYMENTS, [*(one.household_id for one in waiting), *(one.household_id for one in gone)])
    shows(Shown.CONTEST, (one.household.id for one in contested))
    return render_template(
        "statements/console.html",
        open_payments=waiting,
        gone=gone,
        stuck=troubles.list_stuck(db.session, city),
        overpaid=troubles.list_overpaid(db.session, city),
        contested=contested,
        failure_words=wording.FAILURES,
        payout_failures=wording.PAYOUT_FAILURES,
        gone_words=wording.GONE,
    )


@blueprint.get("/pagamenti/<payment_id>")
@allow(Role.OFFICER, Role.OPERATOR)
def payment(payment_id: str) -> str:
    """One payment: how it stands, what the ledger has of its family, what can be done."""
    found = _payment(payment_id)
    return render_template("statements/payment.html", **_facts(found), form=GiveBackForm())


def _facts(found: Payment) -> dict[str, Any]:
    return {
        "payment": found,
        "statement": db.session.get_one(Statement, (found.municipality_id, found.statement_id)),
        "household": db.session.get_one(Household, (found.municipality_id, found.household_id)),
        "movements": troubles.list_movements(db.session, found),
        "event_words": wording.EVENTS,
        "refundable_cents": REFUND.most_cents(db.session, found),
        "can": _possible(found),
        "titles": TITLES,
        "reason": wording.failure(found) if found.failure else "",
    }


def _preview(found: Payment, name: str) -> Deed:
    if name == "riprova":
        return deeds.preview_retry(db.session, found)
    if name == "sollecito":
        return deeds.preview_reminder(db.session, found)
    return deeds.preview_write_off(db.session, now(), found)


def _possible(found: Payment) -> list[str]:
    """The deeds that this payment's state allows now."""
    possible = []
    was_reminded = db.session.get_one(Statement, (found.municipality_id, found.statement_id)).reminded_at is not None
    for name in ("riprova", *(() if was_reminded else ("sollecito",)), "stralcio"):
        with suppress(deeds.NotOpen, deeds.NotYet):
            _preview(found, name)
            possible.append(name)
    return possible


@blueprint.get("/pagamenti/<payment_id>/<any(riprova, sollecito, stralcio):name>")
@allow(Role.OFFICER, Role.OPERATOR)
def preview(payment_id: str, name: str) -> str:
    """What a deed will post, and the button that does it."""
    found = _payment(payment_id)
    back = url_for("console.payment", payment_id=found.id)
    return say(TITLES[name], _preview(found, name), request.path, _above(), back=back)


@blueprint.post("/pagamenti/<payment_id>/<any(riprova, sollecito):name>")
@allow(Role.OFFICER, Role.OPERATOR)
def push(payment_id: str, name: str) -> ResponseReturnValue:
    """Try again, or send the letter."""
    found = _payment(payment_id)
    {"riprova": deeds.retry, "sollecito": deeds.remind}[name](db.session, actor(), now(), found)
    flash(_("Fatto."), "success")
    return redirect(url_for("console.payment", payment_id=found.id), code=303)


@blueprint.post("/pagamenti/<payment_id>/stralcio")
@allow(Role.OFFICER)
def write_off(payment_id: str) -> ResponseReturnValue:
    """The fund takes over."""
    found = _payment(payment_id)
    deeds.write_off(db.session, actor(), now(), found, request.form.get("visto", ""))
    flash(_("Fatto: il debito è del fondo di garanzia."), "success")
    return redirect(url_for("console.payment", payment_id=found.id), code=303)


@blueprint.get("/pagamenti/<payment_id>/rimborso")
@allow(Role.OFFICER)
def preview_refund(payment_id: str) -> ResponseReturnValue:
    """What a refund of this amount will post."""
    found = _payment(payment_id)
    form = GiveBackForm(request.args)
    if not form.validate():
        return render_template("statements/payment.html", **_facts(found), form=form), 422
    deed = REFUND.preview(db.session, found, form.cents)
    back = url_for("console.payment", payment_id=found.id)
    return say(TITLES["rimborso"], deed, request.path, _above(), {**form.kept, "chiave": str(uuid4())}, back)


@blueprint.post("/pagamenti/<payment_id>/rimborso")
@allow(Role.OFFICER)
def refund(payment_id: str) -> ResponseReturnValue:
    """Have Stripe give it back, once for each key."""
    found = _payment(payment_id)
    form = GiveBackForm(request.form)
    if not form.validate():
        return render_template("statements/payment.html", **_facts(found), form=form), 422
    key = id_from(request.form.get("chiave", ""))
    REFUND.ask(db.session, actor(), now(), found, form.cents, form.motivo.data or "", key)
    flash(_("Rimborso chiesto: qui vedi quando è fatto."), "success")
    return redirect(url_for("console.payments"), code=303)


@blueprint.get("/compensi/<payout_id>/riprendi")
@allow(Role.OFFICER)
def preview_reversal(payout_id: str) -> str:
    """What taking back all that was too much will post."""
    payout = _payout(payout_id)
    cents = REVERSAL.most_cents(db.session, payout)
    deed = REVERSAL.preview(db.session, payout, cents)
    kept = {"importo": str(cents), "motivo": _("Compenso oltre il dovuto"), "chiave": str(uuid4())}
    return say(N_("Riprendi un compenso"), deed, request.path, _above(), kept)


@blueprint.post("/compensi/<payout_id>/riprendi")
@allow(Role.OFFICER)
def reverse(payout_id: str) -> ResponseReturnValue:
    """Have Stripe take it back, once for each key."""
    payout = _payout(payout_id)
    cents, key = request.form.get("importo", type=int) or 0, id_from(request.form.get("chiave", ""))
    REVERSAL.ask(db.session, actor(), now(), payout, cents, request.form.get("motivo", "")[:300], key)
    flash(_("Richiesta inviata: qui vedi quando è fatta."), "success")
    return redirect(url_for("console.payments"), code=303)


@blueprint.get("/contestazioni/<contest_id>")
@allow(Role.OFFICER)
def contest(contest_id: str) -> str:
    """A contested line: what the family says, what was recorded, and what each answer will post."""
    found = _contest(contest_id)
    return render_template(
        "statements/contest.html", one=found, form=ContestAnswerForm(), lines=wording.explain(found.line)
    )


@blueprint.post("/contestazioni/<contest_id>")
@allow(Role.OFFICER)
def decide(contest_id: str) -> ResponseReturnValue:
    """The officer's decision."""
    found = _contest(contest_id)
    form = ContestAnswerForm(request.form)
    if not form.validate():
        return _contest_page(found, form), 422
    contests.decide_contest(
        db.session, actor(), now(), found.contest_id, form.outcome, form.risposta.data or "", form.presence
    )
    flash(_("Decisione registrata: la famiglia lo sa."), "success")
    return redirect(url_for("console.payments"), code=303)


def _contest(contest_id: str) -> ContestFacts:
    found = subject_of_contest(db.session, actor().municipality_id, id_from(contest_id))
    shows(Shown.CONTEST, [found.household_id])
    return found


def _contest_page(found: ContestFacts, form: ContestAnswerForm) -> str:
    return render_template("statements/contest.html", one=found, form=form, lines=wording.explain(found.line))


def _payment(payment_id: str) -> Payment:
    found = deeds.get_payment(db.session, actor().municipality_id, id_from(payment_id))
    shows(Shown.PAYMENTS, [found.household_id])
    return found


def _payout(payout_id: str) -> Payout:
    return deeds.get_payout(db.session, actor().municipality_id, id_from(payout_id))


def _above() -> tuple[str, str]:
    return _("Pagamenti"), url_for("console.payments")
