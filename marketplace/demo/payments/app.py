"""The stand-in's address space: the API under /v1, two hosted pages, and the switches under /interruttori."""

import html
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from marketplace.demo.payments import behaviour, hosted
from marketplace.demo.payments.behaviour import Body, StripeFault, invalid
from marketplace.demo.payments.parameters import ParameterError, read_parameters
from marketplace.demo.payments.store import SWITCHES, Store

LOOPBACK = {"127.0.0.1", "::1"}
READABLE = {
    "customers": "customer",
    "setup_intents": "setup_intent",
    "payment_methods": "payment_method",
    "checkout/sessions": "checkout.session",
    "accounts": "account",
    "transfers": "transfer",
    "refunds": "refund",
    "charges": "charge",
    "disputes": "dispute",
    "topups": "topup",
}


def create_app(store: Store) -> Flask:
    """The stand-in over one store; answers nobody but this machine."""
    app = Flask(__name__)

    @app.before_request
    def refuse_strangers() -> Response | None:
        if request.remote_addr not in LOOPBACK:
            return Response("loopback only", 403)
        return None

    _add_api(app, store)
    _add_pages(app, store)
    _add_switches(app, store)
    return app


def _add_api(app: Flask, store: Store) -> None:
    def base_url() -> str:
        return request.host_url.rstrip("/")

    calls: dict[str, Callable[[Body, str], Body]] = {
        "/v1/customers": lambda params, _: behaviour.create_customer(store, params),
        "/v1/checkout/sessions": lambda params, _: hosted.create_session(store, params, base_url()),
        "/v1/payment_intents": lambda params, _: behaviour.create_intent(store, params),
        "/v1/payment_intents/{id}/confirm": lambda params, key: behaviour.confirm_intent(store, key, params),
        "/v1/refunds": lambda params, _: behaviour.create_refund(store, params),
        "/v1/transfers": lambda params, _: behaviour.create_transfer(store, params),
        "/v1/transfers/{id}/reversals": lambda params, key: behaviour.reverse_transfer(store, key, params),
        "/v1/accounts": lambda params, _: hosted.create_account(store, params),
        "/v1/account_links": lambda params, _: hosted.create_account_link(store, params, base_url()),
    }
    for path, call in calls.items():

        def post(path: str = path, call: Callable[[Body, str], Body] = call, object_id: str = "") -> AnyResponse:
            return _answer(
                store, lambda: call(read_parameters(f"POST {path}", request.get_data(as_text=True)), object_id)
            )

        app.add_url_rule(path.replace("{id}", "<object_id>"), path, post, methods=["POST"])
    for segment, kind in READABLE.items():

        def read(object_id: str, kind: str = kind) -> AnyResponse:
            return _answer(store, lambda: behaviour.get(store, kind, object_id))

        app.add_url_rule(f"/v1/{segment}/<object_id>", f"read {kind}", read)

    @app.get("/v1/payment_intents/<object_id>")
    def payment_intent(object_id: str) -> AnyResponse:
        query = request.query_string.decode()
        return _answer(
            store,
            lambda: behaviour.read_intent(store, object_id, read_parameters("GET /v1/payment_intents/{id}", query)),
        )

    @app.get("/v1/balance_transactions")
    def balance_transactions() -> AnyResponse:
        query = request.query_string.decode()
        return _answer(
            store, lambda: behaviour.list_balance(store, read_parameters("GET /v1/balance_transactions", query))
        )

    @app.errorhandler(404)
    def unknown(error: Exception) -> tuple[Response, int]:
        fault = invalid("url_invalid", f"Unrecognized request URL ({request.method}: {request.path}).")
        return jsonify(fault.body()), 404


def _answer(store: Store, call: Callable[[], Body]) -> AnyResponse:
    """One call: checked key, replayed answer for a known idempotency key, the deed and its answer kept together."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind not in {"Bearer", "Basic"} or not secret.startswith("sk_test_"):
        return _json(
            StripeFault(401, "invalid_request_error", "api_key_invalid", "Invalid API Key provided").body(), 401
        )
    key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
    fingerprint = f"{request.method} {request.path} {request.get_data(as_text=True)}"
    with store.transaction():
        kept = store.find_answer(key) if key else None
        if kept:
            if kept[0] != fingerprint:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                return _json(StripeFault(400, "idempotency_error", "idempotency_key_in_use", message).body(), 400)
            replay = _json(kept[2], kept[1])
            replay.headers["Idempotent-Replayed"] = "true"
            return replay
        body, status = _perform(call)
        if key and status in {200, 402}:
            store.keep_answer(key, fingerprint, status, body)
        hangs_up = request.method == "POST" and store.count_down("hang_up_next")
    if hangs_up:
        time.sleep(float(store.switch("hang_up_seconds")))
    return _json(body, status)


def _perform(call: Callable[[], Body]) -> tuple[Body, int]:
    try:
        return call(), 200
    except ParameterError as error:
        return invalid(error.code, str(error), error.param).body(), 400
    except StripeFault as fault:
        return fault.body(), fault.status


def _json(body: Any, status: int) -> AnyResponse:
    response = jsonify(body)
    response.status_code = status
    return response


def _add_switches(app: Flask, store: Store) -> None:
    @app.get("/interruttori")
    def show() -> Response:
        return jsonify({name: store.switch(name) for name in SWITCHES})

    @app.post("/interruttori")
    def change() -> tuple[Response, int]:
        wanted = request.get_json()
        for name, value in wanted.items():
            if name not in SWITCHES or type(value) not in {type(SWITCHES[name]), int, float}:
                return jsonify({"error": f"unknown switch or value: {name}"}), 400
        with store.transaction():
            for name, value in wanted.items():
                store.set_switch(name, value)
        return show(), 200


PAGE = """<!doctype html><html lang="it"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:1.1rem/1.5 sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}}
label{{display:block;padding:.6rem 0}}
button,a.b{{font:inherit;padding:.7rem 1.2rem;min-height:44px;background:#06c;color:#fff;border:0;text-decoration:none}}
.n{{border-left:4px solid #a66300;padding:.5rem 1rem;background:#fff8e6}}</style></head><body><main>
<h1>{title}</h1><p class="n">Pagina di prova: fa le veci di quella di Stripe. Non scrivere dati veri.</p>
{body}</main></body></html>"""

LABELS = {
    "visa": "Carta di prova che paga (Visa, finisce per 4242)",
    "declined": "Carta di prova che viene rifiutata (finisce per 0341)",
    "no_funds": "Carta di prova senza fondi (finisce per 9995)",
    "authenticate": "Carta di prova che chiede ogni volta l'autenticazione (finisce per 3184)",
    "disputed": "Carta di prova con contestazione (finisce per 0259)",
    "iban": "Conto di prova che paga (IBAN, finisce per 3456)",
    "iban_bounces": "Conto di prova che respinge l'addebito (IBAN, finisce per 4321)",
}


def _page(title: str, body: str) -> str:
    return PAGE.format(title=html.escape(title), body=body)


def _add_pages(app: Flask, store: Store) -> None:
    @app.get("/pagina/<session_id>")
    def setup_page(session_id: str) -> str | tuple[str, int]:
        session = store.find("checkout.session", session_id)
        if session is None:
            return _page("Pagina non trovata", "<p>Questo indirizzo non vale più.</p>"), 404
        choices = "".join(
            f'<label><input type="radio" name="method" value="{name}"{" checked" if name == "visa" else ""}> '
            f"{html.escape(label)}</label>"
            for name, label in LABELS.items()
        )
        cancel = html.escape(session.get("cancel_url") or session["success_url"])
        pays = session["mode"] == "payment"
        return _page(
            "Paga" if pays else "Salva come vuoi pagare",
            f'<form method="post"><fieldset><legend>Scegli</legend>{choices}</fieldset>'
            f'<p><button>{"Paga" if pays else "Salva"}</button> <a href="{cancel}">Annulla</a></p></form>',
        )

    @app.post("/pagina/<session_id>")
    def save_method(session_id: str) -> AnyResponse | tuple[str, int]:
        choice = request.form.get("method", "")
        if choice not in hosted.METHODS or store.find("checkout.session", session_id) is None:
            return _page("Scegli come pagare", "<p>Torna indietro e scegli.</p>"), 422
        try:
            with store.transaction():
                session = hosted.complete_session(store, session_id, choice)
        except StripeFault as refused:
            return _page("Pagamento rifiutato", f"<p>{html.escape(refused.message)} Torna indietro.</p>"), 402
        return redirect(_http(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session_id), 303)

    @app.get("/conto/<link_id>")
    def onboarding_page(link_id: str) -> str | tuple[str, int]:
        if store.find("account_link", link_id) is None:
            return _page("Pagina non trovata", "<p>Questo indirizzo non vale più.</p>"), 404
        return _page(
            "Il conto su cui ricevi i compensi",
            '<form method="post"><p>Qui Stripe chiede documento, IBAN e dati fiscali.</p>'
            "<button>Conferma</button></form>",
        )

    @app.post("/conto/<link_id>")
    def onboard(link_id: str) -> AnyResponse | tuple[str, int]:
        link = store.find("account_link", link_id)
        if link is None:
            return _page("Pagina non trovata", "<p>Questo indirizzo non vale più.</p>"), 404
        with store.transaction():
            hosted.complete_onboarding(store, link["account"])
        return redirect(_http(link["return_url"]), 303)


def _http(url: str) -> str:
    """The address itself where it is http(s), else nowhere."""
    return url if urlsplit(url).scheme in {"http", "https"} else "/"
