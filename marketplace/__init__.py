"""Condiviso: families' needs become shared slots; `create_app` is the only place where the rooms are put together."""

from datetime import UTC, datetime

from flask_security import FSQLALiteUserDatastore, RoleMixin, Security
from flask_security.utils import aware_utcnow
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from billing.gateway import Gateway
from marketplace import health, metrics, pages
from marketplace.accounts import identity_views as identity
from marketplace.accounts import passkey_views as passkeys
from marketplace.accounts import second_step_views as second_step
from marketplace.accounts import token_views as tokens
from marketplace.accounts import views as accounts
from marketplace.accounts.federation import Federations
from marketplace.accounts.identity import find_households_by
from marketplace.accounts.identity_keys import make_keys
from marketplace.accounts.models import User
from marketplace.accounts.pepper import PasswordPepper
from marketplace.accounts.policy import quiet_hours
from marketplace.accounts.signing import init_signing
from marketplace.api import hook_views as webhooks
from marketplace.api import views as api
from marketplace.api.posting import Poster
from marketplace.api.webhooks import post_by
from marketplace.appearance import views as appearance
from marketplace.assets import init_assets
from marketplace.config import Settings
from marketplace.db import db
from marketplace.demo import views as demo
from marketplace.documents import letter_views as letters
from marketplace.documents import views as documents
from marketplace.documents.operations import issue_soon
from marketplace.failures import init_failures
from marketplace.filters import init_filters
from marketplace.headers import init_headers
from marketplace.home import (
    desk,
    family,
    means,
    needs,
    office,
    prices,
    public_places,
    rules,
    substitutes,
    wizard,
    work,
)
from marketplace.home import views as home
from marketplace.households import mail_views as mail
from marketplace.households import sms_views as sms_pages
from marketplace.households import views as households
from marketplace.households.identities import find_by_tax_code
from marketplace.households.inps import Inps, ask_through
from marketplace.i18n import init_i18n
from marketplace.intake import views as intake
from marketplace.logs import init_request_log
from marketplace.messages.operations import Folder, Smtp, links_to, quiet_by, send_by, send_sms_by
from marketplace.messages.sms import SmsFolder, SmsGateway
from marketplace.metrics import init_metrics
from marketplace.navigation import init_navigation
from marketplace.operating import views as operating
from marketplace.places import views as places
from marketplace.providers import views as providers
from marketplace.providers.operations import when_stopped
from marketplace.rounds import gaps
from marketplace.rounds import views as rounds
from marketplace.safety import views as safety
from marketplace.sealed import keyring
from marketplace.slots import extra_views as extras
from marketplace.slots import invitation_views as invitations
from marketplace.slots import sms_views as sms_answers
from marketplace.slots import views as slots
from marketplace.slots.stopping import stop_provider
from marketplace.statements import console, flow_views, treasury
from marketplace.statements import views as statements
from marketplace.statements.gateways import pay_through
from marketplace.statements.payments import when_paid
from marketplace.talk import views as talk
from marketplace.vouchers import views as vouchers
from marketplace.web import Application, template_globals

ROOMS = (
    health,
    metrics,
    operating,
    pages,
    accounts,
    second_step,
    passkeys,
    identity,
    tokens,
    appearance,
    places,
    households,
    sms_pages,
    mail,
    providers,
    vouchers,
    slots,
    extras,
    invitations,
    sms_answers,
    safety,
    talk,
    rounds,
    gaps,
    statements,
    console,
    treasury,
    flow_views,
    documents,
    letters,
    home,
    prices,
    public_places,
    wizard,
    needs,
    family,
    work,
    substitutes,
    desk,
    office,
    rules,
    means,
    intake,
    webhooks,
    api,
)


def create_app(settings: Settings, database_url: str) -> Application:
    """The web application on the database at `database_url` (as the role `app`)."""
    keyring.unlock(list(settings.keys))
    app = Application("marketplace", template_folder="../templates", static_folder=None)
    app.config.update(
        SECRET_KEY=settings.keys[0],
        SECRET_KEY_FALLBACKS=list(settings.keys[1:]),
        SETTINGS=settings,
        SQLALCHEMY_ENGINES={"default": {"url": database_url, "pool_pre_ping": True}},  # the server may have restarted
        MAX_CONTENT_LENGTH=12 * 1024 * 1024,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.production,
        WTF_CSRF_TIME_LIMIT=None,
        **security_settings(settings),
    )
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    db.init_app(app)
    CSRFProtect(app)
    Security(app, FSQLALiteUserDatastore(db, User, RoleMixin), register_blueprint=False)
    for give in (
        *(init_request_log, init_metrics, init_signing, init_i18n, init_filters, init_assets, init_navigation),
        *(init_failures, init_headers),
    ):
        give(app)
    app.context_processor(template_globals)
    register_rooms(app)
    send_by(transport_of(settings), settings.email_sender)
    send_sms_by(sms_transport_of(settings))
    post_by(Poster(local=settings.local_webhooks))
    links_to(settings.base_url)
    quiet_by(quiet_hours)
    pay_through(gateway_of(settings))
    ask_through(Inps(settings.inps) if settings.inps else None)
    find_households_by(find_by_tax_code)
    if settings.identity:
        make_keys(settings.identity.keys, datetime.now(UTC))
        app.extensions[identity.EXTENSION] = Federations(settings.identity, settings.base_url)
    when_stopped(stop_provider)
    when_paid(issue_soon)
    return app


def security_settings(settings: Settings) -> dict[str, object]:
    """Flask-Security's configuration."""
    return {
        "SECURITY_PASSWORD_SALT": PasswordPepper("of the database"),
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_DATETIME_FACTORY": aware_utcnow,
        "SECURITY_JOIN_USER_ROLES": False,
    }


def transport_of(settings: Settings) -> Folder | Smtp:
    """The mail server, or without one the folder that stands in for it."""
    return Smtp(settings.smtp_url) if settings.smtp_url else Folder(settings.var / "mail")


def sms_transport_of(settings: Settings) -> SmsFolder | SmsGateway:
    """The provider of SMS, or without one the folder that stands in for it."""
    return SmsGateway(settings.sms.url, settings.sms.token) if settings.sms else SmsFolder(settings.var / "sms")


def gateway_of(settings: Settings) -> Gateway | None:
    """Stripe, or the stand-in at the given address; None where neither is set up."""
    key = settings.stripe_secret_key or ("sk_test_local" if settings.stripe_base_address else None)
    return Gateway(key, base_url=settings.stripe_base_address) if key else None


def register_rooms(app: Application) -> None:
    """Every room's pages and handlers."""
    for room in ROOMS:
        app.register_blueprint(room.blueprint)
    app.extensions["csrf"].exempt(statements.take_event)  # it is believed by Stripe's signature
    app.extensions["csrf"].exempt(sms_answers.take_sms)  # by the provider's
    app.extensions["csrf"].exempt(mail.stop)  # by the seal of its link: mail programs have no cookie
    app.extensions["csrf"].exempt(api.blueprint)  # a key in a header is no cookie
    if app.config["SETTINGS"].demo:
        app.register_blueprint(demo.blueprint)


__all__ = ["create_app"]
