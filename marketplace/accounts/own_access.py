"""What the pages of one's own access share: every change of how somebody gets in is on record, and told by e-mail."""

from datetime import timedelta
from typing import Any, Final, cast
from uuid import UUID

from flask import Response, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security import current_user

from marketplace.accounts.models import User
from marketplace.accounts.operations import record
from marketplace.accounts.set_up_codes import may_set_up
from marketplace.accounts.signing import signed_in_here
from marketplace.db import db
from marketplace.errors import Rejected
from marketplace.messages.models import Kind
from marketplace.messages.operations import Recipient, tell
from marketplace.pages import own_path
from marketplace.web import actor, now
from marketplace.words import N_

CHANGED: Final = N_("È cambiato il modo in cui entri in Condiviso")
CHANGES: Final = {
    "set_up_second_step": N_("Hai attivato i due passaggi: per entrare serve anche il codice del telefono."),
    "give_set_up_code": N_("Hai usato il codice di attivazione: ora puoi attivare i due passaggi."),
    "take_away_second_step": N_("Hai tolto i due passaggi: per entrare basta di nuovo il link o la password."),
    "make_recovery_codes": N_("Hai fatto nuovi codici di riserva: quelli di prima non valgono più."),
    "end_sessions": N_("Hai chiuso l'accesso su tutti gli altri dispositivi."),
    "add_passkey": N_("Hai aggiunto una passkey: con quella si entra senza link e senza password."),
    "tie_identity": N_("Hai collegato SPID o CIE: ora entri anche così."),
    "take_up_household": N_(
        "Una persona è entrata con SPID o CIE: ha il codice fiscale della tua famiglia e può agire per lei."
    ),
    "remove_passkey": N_("Hai tolto una passkey: con quella non si entra più."),
}
NOT_YOU: Final = N_("%(what)s\n\nSe non sei stata o stato tu, apri %(url)s e avvisa subito il Comune.")
FRESH: Final = timedelta(minutes=15)


def me() -> User:
    """Who is signed in."""
    return cast(User, current_user._get_current_object())


def is_fresh() -> bool:
    """Whether one signed in a moment ago: an open browser left alone must not give away the account for good."""
    here = signed_in_here()
    return here is not None and now() - here.started_at <= FRESH


def may_set_up_here() -> bool:
    """Whether this browser may set up a second step: whoever must have one needs more than the mailbox for it."""
    here = signed_in_here()
    return here is not None and may_set_up(db.session, here)


def note(action: str) -> None:
    """The change stands in the audit log, and its owner is told by e-mail."""
    user, by = me(), actor()
    if not by.municipality_id:
        raise Rejected(_("Qui non c'è ancora nessun Comune: prima va creato con «marketplace import»."))
    record(db.session, by, now(), action, "user_account", user.id)
    tell_of(user, action, user.id)


def tell_of(user: User, action: str, subject: UUID) -> None:
    """Tell somebody by e-mail of a change that concerns how people get in."""
    tell(
        db.session,
        actor().municipality_id,
        now(),
        Recipient(user.email, user.locale),
        key=f"{action}:{user.id}:{subject}:{now().isoformat()}",
        subject=CHANGED,
        body=NOT_YOU,
        values={"what": _(CHANGES[action]), "url": url_for("second_step.access", _external=True)},
        kind=Kind.URGENT,
    )


def wanted_or_home(wanted: str | None) -> str:
    """The page that somebody wanted before signing in, if it is ours."""
    return own_path(wanted) if wanted else url_for("accounts.home")


def onward(wanted: str | None) -> ResponseReturnValue:
    """Lead there."""
    return redirect(wanted_or_home(wanted), code=303)


def private(template: str, status: int = 200, **values: Any) -> Response:
    """A page that no browser keeps."""
    answer = make_response(render_template(template, **values), status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
