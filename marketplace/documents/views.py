"""Documents' pages: a family's, a provider's and what it says of its tax, a municipality's numbers."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from billing.libretto import Cap
from marketplace.accounts.models import Municipality, Role, Shown
from marketplace.accounts.policy import Policy, get_policy
from marketplace.db import db
from marketplace.documents import fatturapa, notices, operations, paper, queries, settlement
from marketplace.documents.forms import TaxProfileForm
from marketplace.documents.issuing import certificate_so_far
from marketplace.documents.libretto import libretto_uses
from marketplace.documents.models import Document, DocumentKind
from marketplace.households.models import Household
from marketplace.providers.models import Provider
from marketplace.slots.calendar import local_day
from marketplace.statements.forms import month_from
from marketplace.statements.models import MonthClosing
from marketplace.statements.operations import get_closing
from marketplace.statements.queries import get_statement
from marketplace.statements.settlements import find_settlement, owed_by_municipality
from marketplace.web import actor, allow, id_from, now, shows
from marketplace.words import N_

blueprint = Blueprint("documents", __name__)
PDF = "application/pdf"
CAPS = {
    Cap.WORKER: N_("Compensi di un professionista, da tutte le famiglie"),
    Cap.USER: N_("Compensi pagati da una famiglia, a tutti"),
    Cap.PAIR: N_("Compensi tra una famiglia e un professionista"),
    Cap.PAIR_HOURS: N_("Ore tra una famiglia e un professionista"),
}


@blueprint.app_context_processor
def words() -> dict[str, Any]:
    """What templates about documents call."""
    return {"document_title": paper.title_of, "libretto_words": CAPS}


def city_name() -> str:
    """The municipality's name."""
    return db.session.get_one(Municipality, actor().municipality_id).name


def policy() -> Policy:
    """The municipality's rules of today."""
    return get_policy(db.session, actor().municipality_id, today())


def today() -> date:
    """The city's date at this request."""
    return local_day(now())


def download(body: bytes, media_type: str, name: str) -> Response:
    """A file to keep, never shown in place."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(body, content_type=media_type, headers=headers)


def household() -> Household:
    """The family of this request."""
    return db.session.get_one(Household, (actor().municipality_id, actor().household_id))


def older_than() -> UUID | None:
    """The document below which the list goes on."""
    return id_from(request.args["prima"]) if "prima" in request.args else None


@blueprint.get("/documenti")
@allow(Role.FAMILY)
def mine() -> str:
    """A family's receipts, credit notes and certificates."""
    city, who = actor().municipality_id, actor().household_id
    return render_template(
        "documents/mine.html",
        household=household(),
        documents=queries.list_documents(db.session, city, household_id=who, before=older_than()),
        page_size=queries.LISTED_MAX,
        year=today().year,
        caps=libretto_uses(db.session, city, today().year, household_id=who),
    )


@blueprint.get("/documenti/<document_id>.pdf")
@allow(Role.FAMILY, Role.PROVIDER, Role.OFFICER)
def document_pdf(document_id: str) -> Response:
    """A document on paper, for whom it is about and for the municipality: row-level security says who that is."""
    document = queries.get_document(db.session, actor().municipality_id, id_from(document_id))
    shows(Shown.DOCUMENTS, [document.household_id])
    pdf = paper.document_pdf(document, city_name(), policy().subjects)
    return download(pdf, PDF, f"{document.kind.value}-{document.year}-{document.number}.pdf")


@blueprint.get("/documenti/certificazione-provvisoria.pdf")
@allow(Role.FAMILY)
def certificate_so_far_pdf() -> Response:
    """This year's payments up to today."""
    facts = certificate_so_far(db.session, household(), now())
    sheet = paper.certificate(facts, city_name(), _(paper.TITLES[DocumentKind.CERTIFICATE]), today())
    return download(paper.print_sheet(sheet), PDF, f"certificazione-provvisoria-{today().year}.pdf")


@blueprint.get("/estratti/<month>/avviso.pdf")
@allow(Role.FAMILY)
def notice_pdf(month: str) -> Response:
    """The pagoPA notice of a statement."""
    who = household()
    facts = get_statement(db.session, who.municipality_id, who.id, month_from(month))
    pdf = notices.notice_pdf(facts, who, policy(), city_name())
    return download(pdf, PDF, f"avviso-{month}.pdf")


@blueprint.get("/lavoro/documenti")
@allow(Role.PROVIDER)
def issued() -> str:
    """What a provider issued, and the notes of what it was paid."""
    city, who = actor().municipality_id, actor().provider_id
    assert who is not None
    return render_template(
        "documents/issued.html",
        profile=queries.find_tax_profile(db.session, city, who),
        documents=queries.list_documents(db.session, city, provider_id=who, before=older_than()),
        page_size=queries.LISTED_MAX,
        year=today().year,
        caps=libretto_uses(db.session, city, today().year, provider_id=who),
    )


@blueprint.get("/lavoro/documenti/<document_id>.xml")
@allow(Role.PROVIDER)
def invoice_xml(document_id: str) -> Response:
    """A receipt as the electronic invoice that its issuer sends."""
    document = queries.get_document(db.session, actor().municipality_id, id_from(document_id))
    body = fatturapa.invoice_xml(document, city_name(), policy().postal_code)
    return download(body, "application/xml", fatturapa.file_name(document))


@blueprint.get("/lavoro/dati-fiscali")
@allow(Role.PROVIDER)
def tax_profile() -> str:
    """What a provider's documents say of it."""
    city, who = actor().municipality_id, actor().provider_id
    assert who is not None
    profile = queries.find_tax_profile(db.session, city, who)
    return _tax_page(TaxProfileForm.of(db.session.get_one(Provider, (city, who)), profile))


@blueprint.post("/lavoro/dati-fiscali")
@allow(Role.PROVIDER)
def save_tax_profile() -> ResponseReturnValue:
    """Keep it from now on; documents that were issued stay as they are."""
    form = TaxProfileForm()
    if not form.validate():
        return _tax_page(form), 422
    operations.save_tax_profile(db.session, actor(), now(), **form.said())
    flash(_("Salvato: le ricevute si fanno da sole, quando le famiglie pagano."), "success")
    return redirect(url_for("documents.issued"), code=303)


def _tax_page(form: TaxProfileForm) -> str:
    return render_template("documents/tax_profile.html", form=form)


@blueprint.get("/comune/documenti")
@allow(Role.OFFICER)
def of_the_city() -> str:
    """Every issuer's numbers, who still has to say how it stands with tax, and the newest documents."""
    city = actor().municipality_id
    documents = queries.list_documents(db.session, city, before=older_than())
    shows(Shown.DOCUMENTS, (one.household_id for one in documents))
    return render_template(
        "documents/city.html",
        numbered=queries.list_numbered(db.session, city),
        without=queries.list_without_profile(db.session, city),
        documents=documents,
        page_size=queries.LISTED_MAX,
        caps=[found for found in libretto_uses(db.session, city, today().year) if found[0].is_near],
        payer=_payer,
    )


@blueprint.get("/comune/rendiconti/<month>.pdf")
@allow(Role.OFFICER)
def settlement_pdf(month: str) -> Response:
    """A closed month's report on paper."""
    closing = _closing(month)
    settled = find_settlement(db.session, closing)
    owed = sum(owed_by_municipality(db.session, closing.municipality_id, closing.month).values())
    words = _("Versato il %(day)s", day=f"{settled.settled_at:%d/%m/%Y}") if settled else ""
    sheet = settlement.report_sheet(settlement.settlement_report(db.session, closing), city_name(), owed, words)
    return download(paper.print_sheet(sheet), PDF, f"rendiconto-{month}.pdf")


@blueprint.get("/comune/rendiconti/<month>/conti.csv")
@allow(Role.OFFICER)
def settlement_csv(month: str) -> Response:
    """A closed month's report for a spreadsheet."""
    body = settlement.report_csv(settlement.settlement_report(db.session, _closing(month)))
    return download(body, "text/csv; charset=utf-8", f"rendiconto-{month}-conti.csv")


def _closing(month: str) -> MonthClosing:
    return get_closing(db.session, actor().municipality_id, month_from(month))


def _payer(document: Document) -> str:
    facts = document.facts
    payer = facts.get("payer")
    return f"{payer['family_name']} {payer['given_name']}" if payer else facts["payee"]["name"]
