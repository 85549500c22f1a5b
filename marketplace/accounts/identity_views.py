"""SPID and CIE: the way to a provider and back, and our own statement for the federations."""

import secrets
from typing import Final

from flask import Blueprint, Response, current_app, flash, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlmodel import Session

from marketplace.accounts import identity, openid, signing
from marketplace.accounts.federation import CALLBACK, WELL_KNOWN, Federations, Provider, ProviderDown, own_statement
from marketplace.accounts.forms import LinkForm
from marketplace.accounts.identity_keys import Keys, read_keys
from marketplace.accounts.models import Actor, IdentityRequest, User
from marketplace.accounts.own_access import is_fresh, me, note, onward, private, tell_of
from marketplace.accounts.passkey_views import TRIES_FROM_ONE, TRIES_WITHIN
from marketplace.accounts.second_step import is_compulsory
from marketplace.accounts.throttle import count_attempt
from marketplace.db import db
from marketplace.errors import MarketplaceError, NotFound, Rejected
from marketplace.failures import show_on
from marketplace.pages import own_path
from marketplace.web import actor, client_address, now, public, signed_in

blueprint = Blueprint("identity", __name__)
BROWSER: Final = "identity"  # of the session: which browser asked
EXTENSION: Final = "identity federations"


@blueprint.app_context_processor
def who_is_offered() -> dict[str, object]:
    """`identity_providers()`: (number, way, name) of each provider that one may choose."""
    return {"identity_providers": _offered}


@blueprint.get(WELL_KNOWN)
@public
def statement() -> Response:
    """Our Entity Configuration."""
    known = _federations()
    text = own_statement(now(), known.settings, known.us, _keys(known))
    return Response(text, mimetype="application/entity-statement+jwt")


@blueprint.post("/entra/identita/<int:number>")
@public
def begin(number: int) -> ResponseReturnValue:
    """Ask a provider who this is."""
    return _leave_for(number, request.form.get("wanted", ""), is_tying=False)


@blueprint.post("/accesso/identita/<int:number>")
@signed_in
def tie(number: int) -> ResponseReturnValue:
    """Ask a provider who this is, to tie it to the account: soon after signing in, in two steps where these are due."""
    here = signing.signed_in_here()
    if not is_fresh() or here is None or (is_compulsory(db.session, me().id) and not here.is_strong):
        return private("accounts/sign_in_again.html", onward=url_for("second_step.access"))
    return _leave_for(number, url_for("second_step.access"), is_tying=True)


@blueprint.get(CALLBACK)
@public
def back() -> ResponseReturnValue:
    """Back from a provider: the question is spent whatever was answered, then the answer is looked at."""
    known, state = _federations(), request.args.get("state", "")
    count_attempt(db.session, now(), "identity from", client_address(), TRIES_FROM_ONE, TRIES_WITHIN)
    wanted = ""
    try:
        asked = identity.take_question(db.session, now(), str(session.get(BROWSER, "")), state)
        db.session.commit()  # it stays spent, and no connection waits for the provider
        wanted = asked.wanted
        user = _answered(known, asked)
    except (ProviderDown, Rejected, identity.KnownEmail, identity.AnotherPerson) as problem:
        db.session.rollback()
        return _refused(problem, wanted)
    if asked.user_id is not None:
        flash(_("Fatto: la prossima volta entri anche con SPID o CIE."), "success")
        note("tie_identity")
        return onward(wanted)
    signing.sign_in_as(user, identity.way_of(asked), is_strong=True)
    return onward(wanted)


def _answered(known: Federations, asked: IdentityRequest) -> User:
    """Whose account it is, by what the provider proves."""
    provider = known.provider(now(), asked.issuer)
    _check_issuer(provider)
    code = request.args.get("code", "")
    if not code:
        raise openid.NotProved
    person = _asked_again(known, provider, asked, code)
    by, mine = actor(), _still(db.session, asked)
    if mine is not None:
        return identity.tie(db.session, by, now(), mine, person)
    locale = get_locale()
    user, is_new = identity.recognise(db.session, by, now(), person, locale.language if locale else "it")
    for other in identity.list_others(db.session, user.id) if is_new else []:
        tell_of(other, "take_up_household", user.id)
    return user


def _asked_again(known: Federations, provider: Provider, asked: IdentityRequest, code: str) -> openid.Person:
    return openid.ask_who(now(), provider, known.us, _keys(known), code, asked.nonce, asked.verifier)


def _check_issuer(provider: Provider) -> None:
    """Another provider's answer to this one's question is refused (RFC 9207)."""
    named = request.args.get("iss")
    is_due = provider.metadata.get("authorization_response_iss_parameter_supported") is True
    if (named or is_due) and named != provider.issuer:
        raise openid.NotProved


def _still(opened: Session, asked: IdentityRequest) -> User | None:
    """The account to which the answer is tied: only while the same person is signed in here."""
    if asked.user_id is None:
        return None
    here = signing.signed_in_here()
    if here is None or here.user_id != asked.user_id:
        raise openid.NotProved
    return opened.get_one(User, asked.user_id)


def _leave_for(number: int, wanted: str, is_tying: bool) -> ResponseReturnValue:
    known = _federations()
    if not 0 <= number < len(known.offered):
        raise NotFound
    count_attempt(db.session, now(), "identity from", client_address(), TRIES_FROM_ONE, TRIES_WITHIN)
    if not actor().municipality_id:
        raise Rejected(_("Qui non c'è ancora nessun Comune: prima va creato con «marketplace import»."))
    way, issuer = known.offered[number]
    try:
        provider = known.provider(now(), issuer)
    except ProviderDown as problem:
        return _refused(problem, wanted)
    question, locale = openid.new_question(), get_locale()
    session[BROWSER] = session.get(BROWSER) or secrets.token_urlsafe(16)
    by = actor() if is_tying else Actor(actor().municipality_id)
    path = own_path(wanted) if wanted else ""
    identity.keep_question(db.session, now(), str(session[BROWSER]), question, way, issuer, path, by)
    language = locale.language if locale else "it"
    address = openid.address_of(now(), provider, known.us, _keys(known), question, language)
    # A page that goes on by itself, no redirect: browsers count that as where our form ends, which form-action bars.
    return private("accounts/to_provider.html", address=address, name=provider.name)


def _refused(problem: MarketplaceError, wanted: str) -> ResponseReturnValue:
    form = LinkForm(formdata=None, wanted=wanted)
    show_on(form, problem)
    return render_template("accounts/enter.html", form=form), problem.status


def _federations() -> Federations:
    found = current_app.extensions.get(EXTENSION)
    if not isinstance(found, Federations):
        raise NotFound
    return found


def _keys(known: Federations) -> Keys:
    try:
        return read_keys(known.settings.keys)
    except FileNotFoundError:
        raise NotFound from None


def _offered() -> list[tuple[int, str, str]]:
    found = current_app.extensions.get(EXTENSION)
    return (
        [(number, way, found.name_of(issuer)) for number, (way, issuer) in enumerate(found.offered)]
        if isinstance(found, Federations)
        else []
    )
