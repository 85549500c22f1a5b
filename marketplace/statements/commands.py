"""`close-month` closes, `audit` prints one line for each difference in the books: they are right if it prints none."""

from collections.abc import Callable
from datetime import date, datetime

from sqlmodel import Session, col, select

from billing.ledger import STRIPE_CLEARING
from marketplace.accounts.models import Actor, Municipality, Role
from marketplace.db import Scope, set_scope
from marketplace.errors import NotFound
from marketplace.filters import euros
from marketplace.statements.audit import audit
from marketplace.statements.models import Posting
from marketplace.statements.nightly import at_stripe
from marketplace.statements.operations import close_month
from marketplace.words import N_

STRIPE_IS_SILENT = N_(
    "Stripe non risponde: i suoi movimenti non si possono confrontare (--without-stripe controlla tutto il resto)"
)


class UnknownMunicipality(NotFound):
    """No municipality has this code here."""

    default = N_("Qui non c'è nessun Comune con il codice %(code)s.")


def close_city_month(
    session: Session, now: datetime, municipality_id: str, month: date, say: Callable[[str], None]
) -> None:
    """Close a month from the command line, and say what it added up to."""
    if session.get(Municipality, municipality_id) is None:
        raise UnknownMunicipality(code=municipality_id)
    set_scope(session, Scope(municipality_id))
    by = Actor(municipality_id, Role.OFFICER, reason="marketplace close-month")
    closing = close_month(session, by, now, municipality_id, month)
    session.commit()
    for name, value in closing.totals.items():
        say(f"{name}: {euros(value) if name.endswith('_cents') else value}")


def audit_books(
    session: Session,
    municipality_id: str | None,
    say: Callable[[str], None],
    note: Callable[[str], None],
    with_stripe: bool = True,
) -> int:
    """Audit one municipality, or all; `say` gets each difference, `note` what is no difference. The exit status."""
    known = session.exec(select(Municipality).order_by(col(Municipality.id))).all()
    chosen = [one for one in known if municipality_id in (None, one.id)]
    if municipality_id is not None and not chosen:
        raise UnknownMunicipality(code=municipality_id)
    movements = at_stripe() if with_stripe else None
    found = 0
    for municipality in chosen:
        session.rollback()
        set_scope(session, Scope(municipality.id))
        for difference in audit(session, municipality.id, movements):
            say(f"{municipality.id} {difference.check}: {difference.row}: {difference.detail}")
            found += 1
        if with_stripe and movements is None and _has_moved_money(session, municipality.id):
            say(f"{municipality.id} {STRIPE_IS_SILENT}")
            found += 1
    if not with_stripe:
        note(N_("I movimenti di Stripe non sono stati confrontati."))
    if not found:
        note(N_("I conti tornano."))
    return 1 if found else 0


def _has_moved_money(session: Session, municipality_id: str) -> bool:
    mine = select(Posting.id).where(Posting.municipality_id == municipality_id, Posting.account == str(STRIPE_CLEARING))
    return session.exec(mine.limit(1)).first() is not None
