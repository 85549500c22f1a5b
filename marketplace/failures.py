"""What went wrong becomes a page in plain words that says what to do; a defect is logged and told without its trace."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, current_app, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from marketplace.errors import MarketplaceError
from marketplace.i18n import API, language
from marketplace.pages import own_path
from marketplace.web import PUBLIC, access_of
from marketplace.words import N_


@dataclass(frozen=True, slots=True)
class Advice:
    """What happened and what to do about it, as msgids."""

    title: str
    text: str


FAILURES: Final[Mapping[int, Advice]] = {
    400: Advice(
        N_("La richiesta non è completa"),
        N_("Torna indietro, controlla quello che hai scritto e invia di nuovo."),
    ),
    401: Advice(
        N_("Manca una chiave valida"),
        N_("Serve una chiave valida: creane una nella pagina «Chiavi per i programmi»."),
    ),
    403: Advice(
        N_("Questa pagina non è per te"),
        N_("Il ruolo con cui hai fatto l'accesso non può aprirla. Se hai più ruoli, esci e rientra con l'altro."),
    ),
    404: Advice(
        N_("Questa pagina non c'è"),
        N_("Forse l'indirizzo è scritto male, o quello che cerchi è stato tolto. Riparti dalla pagina iniziale."),
    ),
    405: Advice(
        N_("Da qui non si può fare"),
        N_("Torna alla pagina di prima e usa i suoi pulsanti."),
    ),
    409: Advice(
        N_("Nel frattempo qualcosa è cambiato"),
        N_("Torna indietro, ricarica la pagina e guarda come stanno le cose. Non abbiamo cambiato niente."),
    ),
    412: Advice(
        N_("Nel frattempo qualcosa è cambiato"),
        N_("Nel frattempo è cambiato: leggi di nuovo e guarda come stanno le cose."),
    ),
    413: Advice(
        N_("Il file è troppo grande"),
        N_("Può pesare al massimo 12 MB. Fanne uno più piccolo e invialo di nuovo."),
    ),
    422: Advice(
        N_("C'è qualcosa da correggere"),
        N_("Torna indietro e controlla i dati. Non abbiamo cambiato niente."),
    ),
    429: Advice(
        N_("Troppe richieste in poco tempo"),
        N_("Aspetta un minuto e riprova."),
    ),
    500: Advice(
        N_("Qualcosa non ha funzionato"),
        N_("È colpa nostra. Riprova tra qualche minuto: quello che avevi già inviato è al sicuro."),
    ),
    503: Advice(
        N_("Un servizio che usiamo non risponde"),
        N_("Riprova tra qualche minuto. Non abbiamo cambiato niente."),
    ),
}
EXPIRED: Final = Advice(
    N_("La pagina è rimasta aperta troppo a lungo"),
    N_("Torna indietro, ricarica la pagina e invia di nuovo. Non abbiamo cambiato niente."),
)


def _answer(status: int, advice: Advice, reason: str = "") -> ResponseReturnValue:
    title, text = gettext(advice.title), reason or gettext(advice.text)
    if request.path.startswith(API):
        return _problem(status, title, text)
    if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
        return jsonify(error=title, message=text), status
    return render_template("errors/error.html", status=status, title=title, text=text, back=_page_before()), status


def _problem(status: int, title: str, text: str) -> ResponseReturnValue:
    """What went wrong for a program (RFC 9457)."""
    answer = jsonify(type="about:blank", title=title, status=status, detail=text)
    answer.mimetype = "application/problem+json"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Language"] = language()
    answer.vary.add("Accept-Language")
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer, status


def _page_before() -> str:
    """The page of ours from which a form was sent, where the work goes on; empty for any other request."""
    before = urlsplit(request.referrer or "")
    if request.method != "POST" or before.netloc != request.host:
        return ""
    return own_path(f"{before.path}?{before.query}")


def words_of(error: MarketplaceError) -> str:
    """The refusal's own sentence, in the reader's language."""
    return str(gettext(error.message, **error.values))


def show_on(form: FlaskForm, error: MarketplaceError, otherwise: str = "") -> None:
    """Say a refusal beside the field that it is about, else beside `otherwise`, else above the whole form."""
    field = form._fields.get(error.field or otherwise)
    if field is None:
        form.form_errors.append(words_of(error))
    else:
        field.errors = [words_of(error)]


def refused(error: MarketplaceError) -> ResponseReturnValue:
    """A rule said no: its own sentence, with its status."""
    answer = make_response(_answer(error.status, FAILURES[error.status], words_of(error)))
    if error.wait_seconds is not None:
        answer.headers["Retry-After"] = str(error.wait_seconds)
    return answer


def expired(_: CSRFError) -> ResponseReturnValue:
    """The form's token is missing or of another session: what our own page sent can be sent again after sign-in."""
    typed = _typed()
    if not typed:
        return _answer(400, EXPIRED)
    is_public = access_of(current_app, request.endpoint or "") == PUBLIC
    return render_template("errors/expired.html", typed=typed, is_public=is_public), 400


def _typed() -> list[tuple[str, str]]:
    """The fields that came from a page of ours; none from another site, with a file, or with a password among them."""
    is_ours = urlsplit(request.headers.get("Origin", "")).netloc == request.host
    if not is_ours or request.files or any("password" in name for name in request.form):
        return []
    return [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]


def failed_request(error: HTTPException) -> ResponseReturnValue:
    """The server's own statuses; headers such as Allow are kept, redirects pass."""
    status = error.code or 500
    if status < 400:
        return error.get_response()
    advice = FAILURES.get(status, FAILURES[500 if status >= 500 else 400])
    answer = make_response(_answer(status, advice))
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer


def defect(_: Exception) -> ResponseReturnValue:
    """A defect, which Flask has logged with its trace; where even the frame cannot be drawn, bare words."""
    try:
        return _answer(500, FAILURES[500])
    except Exception:
        current_app.logger.exception("the error page failed too")
        return f"{FAILURES[500].title}. {FAILURES[500].text}", 500, {"Content-Type": "text/plain; charset=utf-8"}


def init_failures(app: Flask) -> None:
    """Answer every failure with a page."""
    app.register_error_handler(MarketplaceError, refused)
    app.register_error_handler(CSRFError, expired)
    app.register_error_handler(HTTPException, failed_request)
    app.register_error_handler(500, defect)
