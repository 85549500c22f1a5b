"""The page before a deed: it shows what the deed posts, each line with its account's name, and writes nothing."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import render_template
from flask_babel import gettext as _
from sqlmodel import Session, col, select

from billing.ledger import Account, Kind, moved_cents
from marketplace.db import Row, db
from marketplace.households.models import Household
from marketplace.places.models import Venue
from marketplace.providers.models import Provider
from marketplace.statements.posting import Deed
from marketplace.vouchers.models import Programme
from marketplace.web import actor
from marketplace.words import N_

NAMES = {
    Kind.STRIPE_CLEARING: N_("Conto dei pagamenti online"),
    Kind.STRIPE_FEES: N_("Commissioni dei pagamenti online"),
    Kind.PLATFORM_FEES: N_("Commissioni del servizio"),
    Kind.GUARANTEE: N_("Fondo di garanzia"),
    Kind.BANK: N_("Banca"),
}
OWNERS: dict[Kind, tuple[type[Row], Any]] = {
    Kind.FAMILY: (Household, Household.family_name),
    Kind.PROVIDER: (Provider, Provider.name),
    Kind.VENUE: (Venue, Venue.name),
    Kind.PROGRAMME: (Programme, Programme.name),
}


def say(
    title: str, deed: Deed, action: str, above: tuple[str, str], kept: dict[str, str] | None = None, back: str = ""
) -> str:
    """The page of a deed; `title` is a msgid, `above` the words and address of the page that led here.

    `kept` are the answers that its button sends again, beside the deed's mark.
    """
    names = account_names(db.session, actor().municipality_id, _accounts(deed))
    postings = [(names[one.account], one.amount_cents) for entry in deed.entries for one in entry.postings]
    return render_template(
        "statements/deed.html",
        title=title,
        deed=deed,
        postings=postings,
        total_cents=sum(moved_cents(entry) for entry in deed.entries),
        action=action,
        above=above,
        back=back or above[1],
        kept=(kept or {}) | {"visto": deed.mark},
    )


def _accounts(deed: Deed) -> set[Account]:
    return {one.account for entry in deed.entries for one in entry.postings}


def account_names(session: Session, municipality_id: str, accounts: Iterable[Account]) -> dict[Account, str]:
    """Accounts as people know them, with one query for each kind of owner, whatever their number."""
    owned: dict[Kind, list[Account]] = {}
    names: dict[Account, str] = {}
    for account in accounts:
        if account.kind in OWNERS:
            owned.setdefault(account.kind, []).append(account)
        else:
            names[account] = str(_(NAMES[account.kind]))
    for kind, listed in owned.items():
        names |= _owner_names(session, municipality_id, kind, listed)
    return names


def _owner_names(session: Session, municipality_id: str, kind: Kind, accounts: list[Account]) -> dict[Account, str]:
    owner, name = OWNERS[kind]
    ids = [UUID(one.owner) for one in accounts]
    rows = session.exec(
        select(owner.id, name).where(owner.municipality_id == municipality_id, col(owner.id).in_(ids))
    ).all()
    named = {Account(kind, str(owner_id)): words for owner_id, words in rows}
    return {one: _("Famiglia %(name)s", name=words) for one, words in named.items()} if kind is Kind.FAMILY else named
