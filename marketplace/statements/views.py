"""Money's pages: a family's statements, a provider's earnings, a municipality's months and its register."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from billing.answers import GatewayError, GatewayUnavailableError
from billing.gateway import Gateway
from billing.webhooks import ForgedEventError, read_event
from marketplace.accounts.models import Municipality, Role, Shown
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import Conflict, MarketplaceError, NotFound
from marketplace.households.models import Household
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements import (
    bank,
    contests,
    documents,
    events,
    gateways,
    methods,
    operations,
    payments,
    queries,
    settlements,
    troubles,
    wording,
)
from marketplace.statements.audit import audit
from marketplace.statements.earnings import get_earnings
from marketplace.statements.forms import ContestForm, month_from, month_name
from marketplace.statements.models import Statement
from marketplace.statements.nightly import at_stripe, last_check
from marketplace.web import actor, allow, id_from, now, public, shows
from marketplace.words import N_

blueprint = Blueprint("statements", __name__)
PDF = "application/pdf"
CSV = "text/csv; charset=utf-8"


class PaymentsUnreachable(MarketplaceError):
    """The payment service does not answer."""

    status = 503
    default = N_("Il servizio dei pagamenti non risponde. Non è stato addebitato nulla: riprova tra qualche minuto.")


@blueprint.app_context_processor
def words() -> dict[str, Any]:
    """What templates about money call."""
    return {"explain": wording.explain, "month_name": month_name, "method_words": wording.method}


def today() -> date:
    """The city's date at this request."""
    return local_day(now())


def subjects() -> dict[str, str]:
    """The municipality's names of topics."""
    return get_policy(db.session, actor().municipality_id, today()).subjects


def gateway() -> Gateway:
    """The payment service; raises PaymentsUnreachable where there is none."""
    try:
        return gateways.gateway()
    except GatewayUnavailableError as error:
        raise PaymentsUnreachable from error


@contextmanager
def answering() -> Iterator[None]:
    """Within, a payment service that refuses or is silent becomes a page that says so."""
    try:
        yield
    except GatewayError as error:
        raise PaymentsUnreachable from error


def household() -> Household:
    """The family of this request."""
    return db.session.get_one(Household, (actor().municipality_id, actor().household_id))


def download(body: bytes, media_type: str, name: str) -> Response:
    """A file to keep, never shown in place."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(body, content_type=media_type, headers=headers)


# Families ----------------------------------------------------------------------------------------


@blueprint.get("/estratti")
@allow(Role.FAMILY)
def statements() -> str:
    """A family's statements and how it pays."""
    mine = household()
    listed = queries.list_statements(db.session, mine.municipality_id, mine.id)
    has_method = bool(mine.stripe_payment_method_id)
    return render_template(
        "statements/statements.html",
        household=mine,
        rows=[(one, wording.standing(one, queries.telling(found), today(), has_method)) for one, found in listed],
    )


@blueprint.get("/estratti/<month>")
@allow(Role.FAMILY)
def statement(month: str) -> str:
    """One month, every line explained."""
    mine = household()
    facts = queries.get_statement(db.session, mine.municipality_id, mine.id, month_from(month))
    return render_template(
        "statements/statement.html",
        household=mine,
        facts=facts,
        standing=wording.standing(facts.statement, facts.payment, today(), bool(mine.stripe_payment_method_id)),
        totals=documents.totals(facts),
        total_rows=[(label, cents, "") for label, cents in documents.totals(facts)[:-1]],
        titles=[wording.subject_name(group.topic, subjects()) for group in facts.groups],
        may_contest=contests.may_contest(facts.statement, facts.first_payment, today()),
        transfer=_transfer(facts.statement),
        pagopa=get_policy(db.session, mine.municipality_id, today()).pagopa_creditor,
    )


def _transfer(statement: Statement) -> dict[str, str] | None:
    """Where to pay by bank, where the municipality has an account for it."""
    policy = get_policy(db.session, statement.municipality_id, today())
    if not policy.iban:
        return None
    return {"iban": policy.iban, "payee": policy.payee, "reference": bank.statement_reference(statement)}


@blueprint.get("/estratti/<month>/contesta/<line_id>")
@allow(Role.FAMILY)
def contest(month: str, line_id: str) -> str:
    """A line, why it costs what it costs, and the question what is wrong with it."""
    return _contest_page(month, line_id, ContestForm())


@blueprint.post("/estratti/<month>/contesta/<line_id>")
@allow(Role.FAMILY)
def send_contest(month: str, line_id: str) -> ResponseReturnValue:
    """The family's no to a line."""
    form = ContestForm()
    if not form.validate():
        return _contest_page(month, line_id, form), 422
    contests.contest_line(db.session, actor(), now(), id_from(line_id), form.motivo.data)
    flash(_("Ricevuto: questa riga aspetta una decisione e non la addebitiamo. Il resto sì."), "success")
    return redirect(url_for("statements.statement", month=month), code=303)


def _contest_page(month: str, line_id: str, form: ContestForm) -> str:
    mine = household()
    facts = queries.get_statement(db.session, mine.municipality_id, mine.id, month_from(month))
    line = next((one for one in facts.lines if one.line_id == id_from(line_id)), None)
    if line is None:
        raise NotFound
    may = contests.may_contest(facts.statement, facts.first_payment, today()) and line.contest_state is None
    return render_template("statements/contest_line.html", facts=facts, line=line, form=form, may_contest=may)


@blueprint.get("/estratti/<month>.pdf")
@allow(Role.FAMILY)
def statement_pdf(month: str) -> Response:
    """One month on paper."""
    mine = household()
    facts = queries.get_statement(db.session, mine.municipality_id, mine.id, month_from(month))
    city = db.session.get_one(Municipality, mine.municipality_id).name
    payer = f"{mine.given_name} {mine.family_name}"
    pdf = documents.statement_pdf(facts, payer, mine.address, city, subjects(), today())
    return download(pdf, PDF, f"estratto-{month}.pdf")


@blueprint.post("/estratti/<month>/paga")
@allow(Role.FAMILY)
def pay(month: str) -> ResponseReturnValue:
    """Collect now on the saved method; without one, or where the bank wants the family itself, on the hosted page."""
    mine = household()
    facts = queries.get_statement(db.session, mine.municipality_id, mine.id, month_from(month))
    here = url_for("statements.statement", month=month, _external=True)
    payment = facts.payment
    if payment is None or not wording.standing(facts.statement, payment, today()).can_pay:
        raise Conflict
    if mine.stripe_payment_method_id and not payment.failure:
        payments.pay_now(db.session, mine.municipality_id, now(), payment)
        flash(_("Stiamo incassando: tra poco qui vedi com'è andata."), "success")
        return redirect(here, code=303)
    with answering():
        page = methods.open_payment_page(db.session, now(), gateway(), payment, here, here)
    return redirect(page.url, code=303)


@blueprint.post("/estratti/come-pago")
@allow(Role.FAMILY)
def choose_method() -> ResponseReturnValue:
    """To the hosted page where a card or an account is saved."""
    done = url_for("statements.method_saved", _external=True) + "?pagina={CHECKOUT_SESSION_ID}"
    cancelled = url_for("statements.statements", _external=True)
    with answering():
        page = methods.open_setup_page(db.session, actor(), now(), gateway(), done, cancelled)
    return redirect(page.url, code=303)


@blueprint.get("/estratti/come-pago/fatto")
@allow(Role.FAMILY)
def method_saved() -> ResponseReturnValue:
    """Back from the hosted page: what was saved there counts from now on, whether or not its event has come."""
    mine = household()
    with answering():
        saved = gateway().find_saved_method(request.args.get("pagina", ""))
    if saved is not None and saved.customer_id == mine.stripe_customer_id:
        methods.save_method(db.session, mine.municipality_id, now(), mine.id, saved)
        flash(_("Fatto: da ora paghi con la %(method)s.", method=wording.method(mine.stripe_method_label)), "success")
    return redirect(url_for("statements.statements"), code=303)


# Providers ---------------------------------------------------------------------------------------


@blueprint.get("/lavoro/compensi")
@allow(Role.PROVIDER)
def earnings() -> str:
    """What a provider earned, what is on its way, what it has had."""
    who = actor()
    chosen = request.args.get("mese")
    assert who.provider_id is not None
    return render_template(
        "statements/earnings.html",
        provider=db.session.get_one(Provider, (who.municipality_id, who.provider_id)),
        earnings=get_earnings(db.session, who.municipality_id, who.provider_id, month_from(chosen) if chosen else None),
        subjects=subjects(),
        subject_name=wording.subject_name,
    )


@blueprint.post("/lavoro/compensi/conto")
@allow(Role.PROVIDER)
def open_account() -> ResponseReturnValue:
    """To the hosted page where a provider says where it is paid."""
    here = url_for("statements.earnings", _external=True)
    with answering():
        address = methods.open_onboarding_page(db.session, actor(), gateway(), here, here)
    return redirect(address, code=303)


# Officers ----------------------------------------------------------------------------------------


@blueprint.get("/comune/rendiconti")
@allow(Role.OFFICER)
def months() -> str:
    """Months to close, closed months, and what needs somebody."""
    city = actor().municipality_id
    open_months = queries.list_open_months(db.session, city, today())
    closings = queries.list_closings(db.session, city)
    return render_template(
        "statements/months.html",
        open_months=[(one, operations.is_closing(db.session, city, one.month)) for one in open_months],
        closings=[(one, settlements.find_settlement(db.session, one)) for one in closings],
        waiting=operations.list_waiting(db.session, city, today()),
        troubles=len(troubles.list_open(db.session, city)),
        this_month=today().replace(day=1),
    )


@blueprint.get("/comune/rendiconti/<month>")
@allow(Role.OFFICER)
def month_page(month: str) -> str:
    """A closed month: totals, what the municipality owes, its transfers; an open one: the question before closing."""
    chosen, city = month_from(month), actor().municipality_id
    closing = operations.find_closing(db.session, city, chosen)
    if closing is None:
        operations.check_month(chosen, now())
        found = [one for one in queries.list_open_months(db.session, city, today()) if one.month == chosen]
        running = operations.is_closing(db.session, city, chosen)
        return render_template(
            "statements/close.html", month=chosen, open_month=found[0] if found else None, running=running
        )
    settlement = settlements.find_settlement(db.session, closing)
    return render_template(
        "statements/month.html",
        closing=closing,
        settlement=settlement,
        owed=settlements.owed_by_municipality(db.session, city, chosen),
        reference=bank.month_reference(city, chosen),
        payouts=settlements.list_bank_payouts(db.session, settlement) if settlement else [],
    )


@blueprint.post("/comune/rendiconti/<month>/chiudi")
@allow(Role.OFFICER)
def close_month(month: str) -> ResponseReturnValue:
    """Close a month, by a job."""
    city, chosen = actor().municipality_id, month_from(month)
    if operations.find_closing(db.session, city, chosen) is None:
        operations.request_closing(db.session, actor(), now(), city, chosen)
    return redirect(url_for("statements.month_page", month=month), code=303)


@blueprint.get("/comune/rendiconti/<month>.csv")
@allow(Role.OFFICER)
def month_csv(month: str) -> Response:
    """A closed month's lines."""
    closing = operations.get_closing(db.session, actor().municipality_id, month_from(month))
    lines = queries.month_lines(db.session, closing.municipality_id, closing.month)
    shows(Shown.PAYMENTS, (line.household_id for line in lines))
    return download(documents.month_csv(lines), CSV, f"rendiconto-{month}.csv")


@blueprint.get("/comune/rendiconti/<month>/bonifici.csv")
@allow(Role.OFFICER)
def payouts_csv(month: str) -> Response:
    """The bank transfers to providers of a settled month."""
    closing = operations.get_closing(db.session, actor().municipality_id, month_from(month))
    settlement = settlements.find_settlement(db.session, closing)
    if settlement is None:
        raise NotFound
    payouts = settlements.list_bank_payouts(db.session, settlement)
    return download(documents.payouts_csv(payouts), CSV, f"bonifici-{month}.csv")


@blueprint.get("/comune/registro")
@allow(Role.OFFICER)
def register() -> str:
    """The ledger's balances, and on request whether everything agrees."""
    city = actor().municipality_id
    checked = "controlla" in request.args
    return render_template(
        "statements/register.html",
        totals=queries.account_totals(db.session, city),
        checked=checked,
        differences=list(audit(db.session, city, at_stripe())) if checked else [],
        last=last_check(db.session, city),
    )


# Stripe ------------------------------------------------------------------------------------------


@blueprint.post("/stripe/eventi")
@public
def take_event() -> ResponseReturnValue:
    """A webhook: believed by its signature alone, kept, and handled by a job."""
    secret = current_app.config["SETTINGS"].stripe_webhook_secret
    if not secret:
        raise NotFound
    try:
        event = read_event(request.get_data(), request.headers.get("Stripe-Signature"), secret, now())
    except ForgedEventError:
        return Response(status=400)
    events.receive_event(db.session, event, now())
    return Response(status=204)
