"""Pages of plain words, the same for everybody, and the switch of language."""

from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from marketplace.assets import asset
from marketplace.i18n import COOKIE, language
from marketplace.web import public

YEAR_SECONDS: Final = 365 * 24 * 3600
SHELL: Final = (
    "css/bootstrap-italia.min.css",
    "css/condiviso.css",
    "fonts/titillium-regular.woff2",
    "fonts/titillium-600.woff2",
    "fonts/titillium-700.woff2",
    "js/htmx.js",
    "js/condiviso.js",
    "icon.svg",
)

blueprint = Blueprint("pages", __name__)


@blueprint.get("/domande-frequenti")
@public
def questions() -> str:
    """What people ask first."""
    return render_template("pages/questions.html")


@blueprint.get("/segnala-un-disservizio")
@public
def inefficiency() -> str:
    """Whom to tell that the service does not work."""
    return render_template("pages/inefficiency.html")


@blueprint.get("/privacy")
@public
def privacy() -> str:
    """The notice of the law on personal data."""
    return render_template("pages/privacy.html")


@blueprint.get("/note-legali")
@public
def legal() -> str:
    """Terms of use and licence."""
    return render_template("pages/legal.html")


@blueprint.get("/accessibilita")
@public
def accessibility() -> str:
    """The declaration of accessibility, and how to report a barrier."""
    return render_template("pages/accessibility.html")


@blueprint.get("/senza-rete")
@public
def offline() -> str:
    """What an installed copy shows where there is no network."""
    return render_template("pages/offline.html")


@blueprint.get("/manifest.webmanifest")
@public
def manifest() -> Response:
    """What a phone needs to put the service among its applications."""
    icons = [
        {"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
        {"src": asset("icon-maskable.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "maskable"},
    ]
    answer = jsonify(
        id="/",
        name=_("Condiviso"),
        short_name=_("Condiviso"),
        description=_("Aiuto per la famiglia, in piccoli gruppi"),
        lang=language(),
        start_url="/inizio",
        scope="/",
        display="standalone",
        background_color="#ffffff",
        theme_color="#0059b3",
        icons=icons,
    )
    answer.content_type = "application/manifest+json"
    return answer


@blueprint.get("/worker.js")
@public
def worker() -> Response:
    """The service worker; a new version of any file makes a new one."""
    files = ["/senza-rete", *(asset(name) for name in SHELL)]
    script = render_template("pages/worker.js", version=asset("icon.svg").split("/")[2], files=files)
    answer = Response(script, mimetype="text/javascript")
    answer.cache_control.no_cache = True
    return answer


def own_path(address: str | None) -> str:
    """The path and query of an address of this site; `/` for anything that would lead elsewhere."""
    parts = urlsplit((address or "").replace("\\", "/"))
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or parts.path.startswith("//"):
        return "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")


@blueprint.get("/lingua/<any(it, en):code>")
@public
def choose_language(code: str) -> ResponseReturnValue:
    """Keep the language for a year in a cookie and go back to the page (`next`)."""
    answer = make_response(redirect(own_path(request.args.get("next")), code=303))
    answer.set_cookie(COOKIE, code, max_age=YEAR_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer
