"""The frame around every page: assets, languages, failures, the words of plain pages."""

import gzip
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from marketplace.errors import Conflict
from marketplace.pages import own_path
from marketplace.web import Application, public

FIRST_VISIT_KB = 250
PAGES = (
    "/",
    "/domande-frequenti",
    "/segnala-un-pericolo",
    "/segnala-un-disservizio",
    "/privacy",
    "/note-legali",
    "/accessibilita",
)


def asset_url(app: Application, name: str) -> str:
    with app.test_request_context():
        address = app.jinja_env.globals["asset"](name)  # type: ignore[operator]
    return str(address)


@pytest.mark.parametrize("path", PAGES)
def test_plain_pages_have_one_heading_and_the_footer_s_links(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.text.count("<h1") == 1
    assert 'lang="it"' in answer.text
    for element in ("faq", "report-inefficiency", "privacy-policy-link", "legal-notes", "accessibility-link"):
        assert f'data-element="{element}"' in answer.text
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert "None" not in answer.text


def test_a_first_visit_stays_small(client: FlaskClient, app: Application) -> None:
    sent = len(gzip.compress(client.get("/").data))
    names = ("css/bootstrap-italia.min.css", "css/condiviso.css", "js/htmx.js", "js/condiviso.js", "icon.svg")
    fonts = ("fonts/titillium-regular.woff2", "fonts/titillium-600.woff2", "fonts/titillium-700.woff2")
    for name in names + fonts:
        sent += len(client.get(asset_url(app, name), headers={"Accept-Encoding": "gzip"}).data)
    assert sent <= FIRST_VISIT_KB * 1000


def test_assets_are_compressed_once_and_kept_for_ever(client: FlaskClient, app: Application) -> None:
    address = asset_url(app, "css/condiviso.css")
    squeezed = client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in squeezed.vary
    assert "immutable" in squeezed.headers["Cache-Control"]
    plain = client.get(address)
    assert "Content-Encoding" not in plain.headers
    assert plain.data == gzip.decompress(squeezed.data)


def test_an_old_address_is_answered_but_not_kept(client: FlaskClient) -> None:
    answer = client.get("/assets/0123456789ab/css/condiviso.css")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["x.css", "../words.py", "%2e%2e/words.py", "css/", ""])
def test_nothing_but_the_shelf_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/assets/0123456789ab/{name}").status_code == 404


def test_the_language_is_kept_and_the_person_stays_on_the_page(client: FlaskClient) -> None:
    answer = client.get("/lingua/en?next=/privacy?a=1")
    assert (answer.status_code, answer.location) == (303, "/privacy?a=1")
    assert 'lang="en"' in client.get("/privacy").text
    client.get("/lingua/it")
    assert 'lang="it"' in client.get("/privacy").text
    assert client.get("/lingua/fr").status_code == 404


@pytest.mark.parametrize(
    "address",
    ["https://example.org", "//example.org", "/\\example.org", "\\\\example.org", "x", "", None, "javascript:1"],
)
def test_the_switch_leads_nowhere_else(address: str | None) -> None:
    assert own_path(address) == "/"


def test_failures_are_pages_that_say_what_to_do(client: FlaskClient, app: Application) -> None:
    @public
    def refuse() -> str:
        raise Conflict("Il gruppo è al completo: qualcuno è arrivato prima.")

    @public
    def break_down() -> str:
        raise ZeroDivisionError

    app.add_url_rule("/pieno", view_func=refuse)
    app.add_url_rule("/invia", view_func=refuse, endpoint="send", methods=["POST"])
    app.add_url_rule("/guasto", view_func=break_down)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    missing = client.get("/non-c-e")
    assert (missing.status_code, "Questa pagina non c&#39;è" in missing.text) == (404, True)
    full = client.get("/pieno")
    assert (full.status_code, "al completo" in full.text) == (409, True)
    for before, back in (("/gruppi/1?pagina=2", "/gruppi/1?pagina=2"), ("//altrove.it/x", "/")):
        turned = client.post("/invia", headers={"Referer": f"http://localhost{before}"}).text
        assert f'href="{back}" >Torna alla pagina di prima' in turned
    assert "pagina di prima" not in client.post("/invia", headers={"Referer": "http://altrove.it/"}).text
    broken = client.get("/guasto")
    assert (broken.status_code, "Riprova tra qualche minuto" in broken.text) == (500, True)
    assert "ZeroDivision" not in broken.text
    wrong = client.post("/privacy")
    assert (wrong.status_code, "GET" in wrong.headers["Allow"]) == (405, True)
    assert client.get("/pieno", headers={"Accept": "application/json"}).get_json()["message"].startswith("Il gruppo")


def test_a_form_of_another_session_says_how_to_go_on(client: FlaskClient, app: Application) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    answer = client.post("/entra", data={"email": "a@example.org"})
    assert answer.status_code == 400
    assert "aperta troppo a lungo" in answer.text


def test_what_was_typed_when_the_session_ended_is_sent_again(app: Application) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    own = {"Origin": "http://localhost"}
    page = app.test_client().post("/esigenze/nuova/dove?da=riepilogo", data={"price": 'dodici "e"'}, headers=own)
    assert page.status_code == 400
    assert 'name="price" value="dodici &#34;e&#34;"' in page.text
    assert 'action="/esigenze/nuova/dove?da=riepilogo"' in page.text
    assert "altra scheda" in page.text
    open_to_all = app.test_client().post("/segnala-un-pericolo", data={"words": "Fumo"}, headers=own)
    assert 'value="Fumo"' in open_to_all.text
    assert "altra scheda" not in open_to_all.text


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({"cap_cents": "100"}, {"Origin": "https://evil.example"}),
        ({"cap_cents": "100"}, {}),
        ({"password": "segreta", "email": "a@b.it"}, {"Origin": "http://localhost"}),
    ],
)
def test_nothing_of_another_site_and_no_password_is_offered_again(
    app: Application, data: dict[str, str], headers: dict[str, str]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    answer = app.test_client().post("/entra/password", data=data, headers=headers)
    assert answer.status_code == 400
    assert "Invia di nuovo" not in answer.text
    assert "segreta" not in answer.text


def test_pages_may_run_and_style_by_our_own_files_alone(client: FlaskClient) -> None:
    rules = dict(rule.split(" ", 1) for rule in client.get("/privacy").headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert client.get("/privacy").headers["X-Frame-Options"] == "DENY"


def test_it_can_be_installed(client: FlaskClient) -> None:
    told = client.get("/manifest.webmanifest")
    assert told.mimetype == "application/manifest+json"
    assert (told.get_json()["start_url"], told.get_json()["lang"]) == ("/inizio", "it")
    for icon in told.get_json()["icons"]:
        assert client.get(icon["src"]).mimetype == icon["type"]


def test_what_is_kept_for_days_without_network_is_there(client: FlaskClient) -> None:
    script = client.get("/worker.js")
    assert script.headers["Cache-Control"] == "no-cache"
    kept = re.findall(r'"(/(?:assets/[^"]+|senza-rete))"', script.text)
    assert len(kept) > 5
    for address in kept:
        assert client.get(address).status_code == 200, address


def test_every_page_that_a_template_links_to_exists(app: Application) -> None:
    named = re.compile(r"""url_for\(\s*["'](\w+\.\w+)["']""")
    templates = Path(app.root_path, str(app.template_folder))
    missing = {
        (path.name, endpoint)
        for path in templates.rglob("*.html")
        for endpoint in named.findall(path.read_text())
        if endpoint not in app.view_functions and not endpoint.startswith("demo.")  # no pages but in a demo
    }
    assert not missing
