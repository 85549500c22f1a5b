"""The officer's page on the addresses that are told of changes: register, see what was not taken, send again."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.accounts.models import Role
from marketplace.api import webhooks
from marketplace.api.forms import WebhookForm
from marketplace.db import db
from marketplace.errors import MarketplaceError
from marketplace.failures import show_on
from marketplace.sealed import keyring
from marketplace.web import actor, allow, id_from, now
from marketplace.words import N_

blueprint = Blueprint("webhooks", __name__, url_prefix="/comune/notifiche")
SHOWN_ONCE = "new webhook"  # of the session: which address, and its secret, sealed
REASONS = {
    "TLS": N_("Il certificato non è valido per quel nome"),
    "timeout": N_("Non ha risposto in tempo"),
    "connection": N_("Ha chiuso la connessione"),
    "DNS": N_("Il nome non esiste"),
    "address": N_("Il nome porta a una rete privata"),
}


@blueprint.route("", methods=["GET", "POST"])
@allow(Role.OFFICER)
def list_all() -> ResponseReturnValue:
    """The addresses, what was not taken, and a new address."""
    form = WebhookForm()
    form.events.choices = [(name, _(words)) for name, words in webhooks.EVENTS.items()]
    if form.validate_on_submit():
        try:
            hook, secret = webhooks.register_webhook(db.session, actor(), now(), form.url.data, form.events.data)
        except MarketplaceError as error:
            show_on(form, error, "url")
        else:
            session[SHOWN_ONCE] = [str(hook.id), urlsafe_b64encode(keyring.seal(secret.encode())).decode()]
            return redirect(url_for("webhooks.show_new"), code=303)
    found = webhooks.list_webhooks(db.session, actor())
    page = render_template(
        "api/webhooks.html",
        form=form,
        hooks=found,
        events=webhooks.EVENTS,
        troubled=webhooks.list_troubled(db.session, actor()),
        hosts={one.id: one.url for one in found},
        reasons=REASONS,
    )
    return page, 422 if form.errors else 200


@blueprint.get("/nuova")
@allow(Role.OFFICER)
def show_new() -> ResponseReturnValue:
    """The secret of the address that was just registered: the first time only."""
    hook_id, sealed = session.pop(SHOWN_ONCE, (None, ""))
    hook = next((one for one in webhooks.list_webhooks(db.session, actor()) if str(one.id) == hook_id), None)
    if hook is None:
        flash(_("Il segreto si vede una volta sola: se non l'hai copiato, togli l'indirizzo e rifallo."), "error")
        return redirect(url_for("webhooks.list_all"), code=303)
    answer = make_response(
        render_template("api/new_webhook.html", hook=hook, secret=keyring.open(urlsafe_b64decode(sealed)).decode())
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.post("/<webhook_id>/togli")
@allow(Role.OFFICER)
def end(webhook_id: str) -> ResponseReturnValue:
    """Tell the address nothing more."""
    webhooks.end_webhook(db.session, actor(), now(), id_from(webhook_id))
    flash(_("Indirizzo tolto: non gli mandiamo più nulla."), "success")
    return redirect(url_for("webhooks.list_all"), code=303)


@blueprint.post("/avvisi/<delivery_id>/ripeti")
@allow(Role.OFFICER)
def replay(delivery_id: str) -> ResponseReturnValue:
    """Send it once more."""
    found: UUID = id_from(delivery_id)
    webhooks.replay_delivery(db.session, actor(), now(), found)
    flash(_("Lo mandiamo di nuovo: tra poco qui vedi com'è andata."), "success")
    return redirect(url_for("webhooks.list_all"), code=303)
