"""Which language a page speaks: Italian unless the person chose another; hours are always the city's (Europe/Rome)."""

from typing import Final

from flask import Flask, g, request
from flask_babel import Babel, get_locale
from flask_security import current_user

LANGUAGES: Final = {"it": "Italiano", "en": "English"}
COOKIE: Final = "lingua"
API: Final = "/api/"  # where programs ask: with a key, never with cookies


def select_locale() -> str:
    """The cookie's choice, else the signed-in person's, else Italian; a program's first what it accepts."""
    if request.path.startswith(API):
        accepted = request.accept_languages.best_match(LANGUAGES) if request.accept_languages else None
        if accepted:
            return accepted
        return g.owners_language if g.get("owners_language") in LANGUAGES else "it"
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    own = getattr(current_user, "locale", None)
    return own if own in LANGUAGES else "it"


def language() -> str:
    """The language of what is being drawn now: `it` or `en`."""
    locale = get_locale()
    return locale.language if locale is not None else "it"


def init_i18n(app: Flask) -> None:
    """Set up gettext, and give `language()` and `languages` to templates."""
    app.config.setdefault("BABEL_DEFAULT_LOCALE", "it")
    app.config.setdefault("BABEL_DEFAULT_TIMEZONE", "Europe/Rome")
    Babel(app, locale_selector=select_locale)
    app.jinja_env.globals.update(language=language, languages=LANGUAGES)
