"""Condiviso: families' needs become shared slots; `create_app` is the only place where the rooms are put together."""

from flask_security import FSQLALiteUserDatastore, RoleMixin, Security
from flask_security.utils import aware_utcnow
from flask_wtf import CSRFProtect

from marketplace import pages
from marketplace.accounts.models import User
from marketplace.assets import init_assets
from marketplace.config import Settings
from marketplace.db import db
from marketplace.failures import init_failures
from marketplace.filters import init_filters
from marketplace.i18n import init_i18n
from marketplace.navigation import init_navigation
from marketplace.sealed import keyring
from marketplace.web import Application, template_globals


def create_app(settings: Settings, database_url: str) -> Application:
    """The web application on the database at `database_url` (as the role `app`)."""
    keyring.unlock(list(settings.keys))
    app = Application("marketplace", template_folder="../templates", static_folder=None)
    app.config.update(
        SECRET_KEY=settings.keys[0],
        SECRET_KEY_FALLBACKS=list(settings.keys[1:]),
        SETTINGS=settings,
        SQLALCHEMY_ENGINES={"default": database_url},
        MAX_CONTENT_LENGTH=12 * 1024 * 1024,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.production,
        WTF_CSRF_TIME_LIMIT=None,
        **security_settings(settings),
    )
    db.init_app(app)
    CSRFProtect(app)
    Security(app, FSQLALiteUserDatastore(db, User, RoleMixin))
    for give in (init_i18n, init_filters, init_assets, init_navigation, init_failures):
        give(app)
    app.context_processor(template_globals)
    register_rooms(app)
    return app


def security_settings(settings: Settings) -> dict[str, object]:
    """Flask-Security's configuration."""
    return {
        "SECURITY_PASSWORD_SALT": settings.keys[-1],
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_DATETIME_FACTORY": aware_utcnow,
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_REGISTERABLE": False,
        "SECURITY_SEND_REGISTER_EMAIL": False,
        "SECURITY_TRACKABLE": False,
    }


def register_rooms(app: Application) -> None:
    """Every room's pages and handlers."""
    app.register_blueprint(pages.blueprint)


__all__ = ["create_app"]
