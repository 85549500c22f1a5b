"""Pages of plain words, the same for everybody, and the switch of language."""

from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from marketplace.i18n import COOKIE
from marketplace.web import public

YEAR_SECONDS: Final = 365 * 24 * 3600

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
