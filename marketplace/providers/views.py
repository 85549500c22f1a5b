"""A provider's pages about itself (application, offers, hours) and the officer's pages that decide on it."""

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from marketplace.accounts.models import Municipality, Role
from marketplace.accounts.policy import get_policy
from marketplace.db import db
from marketplace.errors import MarketplaceError, NotFound
from marketplace.failures import show_on
from marketplace.hours import editor_of, read_editor
from marketplace.providers import operations as providers
from marketplace.providers.details import Profile
from marketplace.providers.forms import DOCUMENTS, SERVICES, DecisionForm, DocumentForm, OfferForm, ProfileForm
from marketplace.providers.models import Accreditation, DocumentKind, ProviderDocument
from marketplace.web import actor, allow, id_from, list_appointments, now, signed_in, today
from matching.instance import Window

blueprint = Blueprint("providers", __name__)

WAITING = (Accreditation.APPLIED, Accreditation.IN_REVIEW)
KNOWN = (Accreditation.ACCREDITED, Accreditation.SUSPENDED, Accreditation.EXPIRED)


@blueprint.get("/lavoro/accreditamento")
@signed_in
def application() -> ResponseReturnValue:
    """What the application still needs, and where it stands."""
    if actor().role != Role.PROVIDER:
        return redirect(url_for("providers.profile"), code=303)
    provider = providers.get_own(db.session, actor())
    return render_template(
        "providers/application.html",
        provider=provider,
        tasks=providers.tasks_of(db.session, provider, today()),
        documents=providers.list_documents(db.session, provider),
        decisions=providers.list_decisions(db.session, provider),
        kinds=DOCUMENTS,
        editable=provider.accreditation in providers.EDITABLE,
    )


@blueprint.route("/lavoro/accreditamento/dati", methods=["GET", "POST"])
@signed_in
def profile() -> ResponseReturnValue:
    """Who the provider is; the first time it begins the application."""
    venues = providers.list_venues(db.session, actor().municipality_id)
    own = providers.get_own(db.session, actor()) if actor().role == Role.PROVIDER else None
    if own is None:
        form = ProfileForm(venues, languages=["it"], name=current_user.name, email=current_user.email)
    else:
        form = ProfileForm.of(own, venues, [str(link.venue_id) for link in providers.list_venue_links(db.session, own)])
    municipality = db.session.get_one(Municipality, actor().municipality_id)
    home = form.find_home(db.session, municipality) if form.validate_on_submit() else None
    if home is not None:
        try:
            return _keep(form.profile(home), new=own is None)
        except MarketplaceError as error:
            show_on(form, error)
    return render_template("providers/profile.html", form=form, provider=own), 422 if form.errors else 200


def _keep(profile: Profile, new: bool) -> ResponseReturnValue:
    if new:
        provider = providers.apply_as_provider(db.session, actor(), now(), profile)
        user_id = actor().user_id
        assert user_id is not None
        session["appointment"] = next(
            str(one.id) for one in list_appointments(user_id) if one.provider_id == provider.id
        )
    else:
        providers.change_profile(db.session, actor(), now(), profile)
        flash(_("Salvato."), "success")
    return redirect(url_for("providers.application"), code=303)


@blueprint.route("/lavoro/accreditamento/documenti", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def documents() -> ResponseReturnValue:
    """Hand in a document."""
    form = DocumentForm(kind=request.args.get("tipo"))
    if form.validate_on_submit():
        try:
            providers.add_document(
                db.session,
                actor(),
                now(),
                DocumentKind(form.kind.data),
                form.file.data.filename or "",
                form.file.data.read(),
                form.expires.data,
            )
        except MarketplaceError as error:
            show_on(form, error, "file")
        else:
            flash(_("Documento ricevuto."), "success")
            return redirect(url_for("providers.application"), code=303)
    return render_template("providers/document.html", form=form), 422 if form.errors else 200


@blueprint.post("/lavoro/accreditamento/invia")
@allow(Role.PROVIDER)
def submit() -> ResponseReturnValue:
    """Send the application to the office."""
    providers.submit_application(db.session, actor(), now(), today())
    flash(_("Domanda inviata: l'ufficio ti risponde entro 30 giorni."), "success")
    return redirect(url_for("providers.application"), code=303)


@blueprint.route("/lavoro/offerte", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def offers() -> ResponseReturnValue:
    """What the provider offers, and one more."""
    subjects = get_policy(db.session, actor().municipality_id, today()).subjects
    form = OfferForm(subjects, data=OFFER_START) if request.method == "GET" else OfferForm(subjects)
    if form.validate_on_submit():
        try:
            providers.add_offer(db.session, actor(), now(), form.terms(), today())
        except MarketplaceError as error:
            show_on(form, error, "rate")
        else:
            flash(_("Offerta aggiunta: vale dal prossimo abbinamento."), "success")
            return redirect(url_for("providers.offers"), code=303)
    provider = providers.get_own(db.session, actor())
    page = render_template(
        "providers/offers.html",
        form=form,
        offers=providers.list_offers(db.session, provider),
        services=SERVICES,
        topics={code: word for word, code in subjects.items()},
    )
    return page, 422 if form.errors else 200


OFFER_START = {
    "level_min": "1",
    "level_max": "13",
    "age_min": 0,
    "age_max": 18,
    "seats_min": 1,
    "seats_max": 4,
    "minutes_min": "60",
}


@blueprint.post("/lavoro/offerte/<offer_id>/togli")
@allow(Role.PROVIDER)
def remove_offer(offer_id: str) -> ResponseReturnValue:
    """Take an offer back."""
    providers.remove_offer(db.session, actor(), now(), id_from(offer_id))
    flash(_("Offerta tolta. I gruppi in corso tengono il loro prezzo."), "success")
    return redirect(url_for("providers.offers"), code=303)


@blueprint.route("/lavoro/orari", methods=["GET", "POST"])
@allow(Role.PROVIDER)
def weekly_hours() -> ResponseReturnValue:
    """The hours of the provider's week."""
    if request.method == "POST":
        editor = read_editor(request.form.to_dict(flat=False))
        if not editor.stays and not editor.errors:
            windows = [{"day": one.day, "start": one.start, "end": one.end} for one in editor.windows]
            providers.set_hours(db.session, actor(), now(), windows)
            flash(_("Orari salvati: valgono dal prossimo abbinamento. I gruppi in corso tengono i loro."), "success")
            return redirect(url_for("providers.weekly_hours"), code=303)
        return render_template("providers/hours.html", editor=editor), 200 if editor.stays else 422
    provider = providers.get_own(db.session, actor())
    return render_template("providers/hours.html", editor=editor_of(Window(**one) for one in provider.windows))


@blueprint.get("/comune/accreditamenti")
@allow(Role.OFFICER)
def applications() -> str:
    """Who waits for a decision, longest first; then all who were accredited."""
    municipality_id = actor().municipality_id
    return render_template(
        "providers/applications.html",
        waiting=providers.list_providers(db.session, municipality_id, WAITING),
        known=providers.list_providers(db.session, municipality_id, KNOWN),
        today=today(),
    )


@blueprint.route("/comune/accreditamenti/<provider_id>", methods=["GET", "POST"])
@allow(Role.OFFICER)
def decide(provider_id: str) -> ResponseReturnValue:
    """One application: what was handed in, what was decided, and the next step."""
    provider = providers.get_provider(db.session, actor(), id_from(provider_id))
    given = providers.list_documents(db.session, provider)
    certificate = next((one.expires for one in given if one.kind == DocumentKind.CRIMINAL_RECORD), None)
    form = DecisionForm(certificate_expires=provider.certificate_expires or certificate)
    steps = providers.OFFICER_STEPS.get(provider.accreditation, ())
    if form.validate_on_submit():
        wanted = next((step for step in steps if step.value == request.form.get("decisione")), None)
        if wanted is not None:
            try:
                providers.decide(
                    db.session, actor(), now(), provider.id, wanted, form.reason.data or "", form.expires()
                )
            except MarketplaceError as error:
                show_on(form, error, "reason")
            else:
                flash(_("Decisione registrata."), "success")
                return redirect(url_for("providers.applications"), code=303)
    page = render_template(
        "providers/decide.html",
        form=form,
        provider=provider,
        hours=[Window(**one) for one in provider.windows],
        steps=[step.value for step in steps],
        tasks=providers.tasks_of(db.session, provider, today()),
        documents=given,
        offers=providers.list_offers(db.session, provider),
        decisions=providers.list_decisions(db.session, provider),
        kinds=DOCUMENTS,
        services=SERVICES,
    )
    return page, 422 if form.errors else 200


@blueprint.get("/lavoro/documenti/<document_id>")
@allow(Role.PROVIDER, Role.OFFICER)
def document(document_id: str) -> Response:
    """A document, to its provider and to officers, as a download."""
    found = db.session.get(ProviderDocument, (actor().municipality_id, id_from(document_id)))
    mine: UUID | None = actor().provider_id
    if found is None or (actor().role == Role.PROVIDER and found.provider_id != mine):
        raise NotFound
    answer = Response(found.content, content_type=found.media_type)
    answer.headers.set("Content-Disposition", "attachment", filename=found.file_name)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
