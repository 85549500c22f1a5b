"""The keys of one's own programs: made and shown once, listed by name, ended by their owner."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_security import current_user

from marketplace.accounts import tokens
from marketplace.accounts.forms import TokenForm
from marketplace.accounts.models import Role
from marketplace.db import db
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, tell
from marketplace.sealed import keyring
from marketplace.web import actor, allow, id_from, now
from marketplace.words import N_

blueprint = Blueprint("tokens", __name__, url_prefix="/accesso/chiavi")
OWNERS = (Role.FAMILY, Role.PROVIDER, Role.OFFICER)
SHOWN_ONCE = "new key"  # of the session: which key, and its text, sealed
NEW_KEY = N_("C'è una nuova chiave per entrare in Condiviso al posto tuo")
NOT_YOU = N_(
    "È stata creata una chiave con cui un programma entra al posto tuo.\n\n"
    "Se non sei stata o stato tu, chiudila su %(url)s e avvisa subito il Comune."
)


@blueprint.route("", methods=["GET", "POST"])
@allow(*OWNERS)
def list_all() -> ResponseReturnValue:
    """The keys that hold, and a new one."""
    form = TokenForm()
    form.scopes.choices = [(scope, _(words)) for scope, words in tokens.scopes_of(actor().role).items()]
    form.days.choices = [(days, ngettext("%(num)s giorno", "%(num)s giorni", days)) for days in tokens.DAYS]
    if form.validate_on_submit():
        token, text = tokens.make_token(db.session, actor(), now(), form.name.data, form.scopes.data, form.days.data)
        _tell_owner(token.id)
        session[SHOWN_ONCE] = [str(token.id), urlsafe_b64encode(keyring.seal(text.encode())).decode()]
        return redirect(url_for("tokens.show_new"), code=303)
    found = tokens.list_tokens(db.session, actor(), now())
    status = 422 if form.errors else 200
    return render_template("accounts/tokens.html", form=form, tokens=found, scopes=tokens.SCOPES), status


@blueprint.get("/nuova")
@allow(*OWNERS)
def show_new() -> ResponseReturnValue:
    """The key that was just made: the first time only."""
    token_id, sealed = session.pop(SHOWN_ONCE, (None, ""))
    mine = tokens.list_tokens(db.session, actor(), now())
    token = next((one for one in mine if str(one.id) == token_id), None)
    if token is None:
        flash(_("Una chiave si vede una volta sola: se non l'hai copiata, chiudila e creane un'altra."), "error")
        return redirect(url_for("tokens.list_all"), code=303)
    text = keyring.open(urlsafe_b64decode(sealed)).decode()
    answer = make_response(render_template("accounts/new_token.html", token=token, text=text))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _tell_owner(token_id: UUID) -> None:
    """By e-mail: whoever found a browser open could have made the key."""
    tell(
        db.session,
        actor().municipality_id,
        now(),
        Recipient(current_user.email, current_user.locale),
        key=f"new-key:{token_id}",
        subject=NEW_KEY,
        body=NOT_YOU,
        values={"url": url_for("tokens.list_all", _external=True)},
        kind=Kind.URGENT,
    )


@blueprint.post("/<token_id>/chiudi")
@allow(*OWNERS)
def end(token_id: str) -> ResponseReturnValue:
    """The key opens nothing any more."""
    tokens.end_token(db.session, actor(), now(), id_from(token_id))
    flash(_("Chiave chiusa: il programma che la usava non entra più."), "success")
    return redirect(url_for("tokens.list_all"), code=303)
