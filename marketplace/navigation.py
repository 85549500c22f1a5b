"""What each role finds in the header: only pages that this installation has, in the order in which they are needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Flask, current_app, g, request

from marketplace.words import N_

Entry = tuple[str, str]

MENUS: Final[Mapping[str, Sequence[Entry]]] = {
    "nobody": (
        ("/", N_("Servizi")),
        ("/quanto-costa", N_("Quanto costa")),
        ("/luoghi", N_("Luoghi")),
        ("/domande-frequenti", N_("Domande frequenti")),
    ),
    "family": (
        ("/oggi", N_("Oggi")),
        ("/esigenze", N_("Esigenze")),
        ("/gruppi", N_("Gruppi")),
        ("/estratti", N_("Estratti conto")),
        ("/buoni", N_("Buoni")),
        ("/profilo", N_("Profilo")),
    ),
    "provider": (
        ("/lavoro", N_("Lavoro")),
        ("/lavoro/proposte", N_("Proposte")),
        ("/lavoro/offerte", N_("Offerte")),
        ("/lavoro/orari", N_("Orari")),
        ("/lavoro/compensi", N_("Compensi")),
        ("/lavoro/accreditamento", N_("Accreditamento")),
    ),
    "officer": (
        ("/comune", N_("In scadenza")),
        ("/comune/segnalazioni", N_("Segnalazioni")),
        ("/comune/importa", N_("Importa")),
        ("/comune/accreditamenti", N_("Accreditamenti")),
        ("/comune/isee", N_("ISEE")),
        ("/comune/programmi", N_("Programmi")),
        ("/comune/abbinamenti", N_("Abbinamenti")),
        ("/comune/mappa", N_("Mappa")),
        ("/comune/rendiconti", N_("Rendiconti")),
        ("/comune/pagamenti", N_("Pagamenti")),
        ("/comune/banca", N_("Banca")),
        ("/comune/registro", N_("Registro")),
        ("/comune/notifiche", N_("Avvisi ai programmi")),
    ),
    "operator": (
        ("/sportello", N_("Sportello")),
        ("/sportello/lettere", N_("Lettere")),
        ("/sportello/tagliandi", N_("Tagliandi")),
        ("/comune/pagamenti", N_("Pagamenti")),
        ("/luoghi", N_("Luoghi")),
        ("/eventi", N_("Eventi")),
    ),
    "administrator": (
        ("/gestione", N_("Gestione")),
        ("/gestione/lavori", N_("Lavori")),
    ),
}


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the header: `is_here` is this very page, `is_current` this page or one below it."""

    label: str
    url: str
    is_here: bool
    is_current: bool


def navigation() -> list[Link]:
    """The header's links for whoever makes this request."""
    role = getattr(g.get("actor"), "role", None)
    known = {rule.rule for rule in current_app.url_map.iter_rules()}
    entries = [(path, label) for path, label in MENUS[role or "nobody"] if path in known]
    here = request.path.rstrip("/") or "/"
    above = [path for path, _ in entries if here == path or (path != "/" and here.startswith(f"{path}/"))]
    current = max(above, key=len, default=None)
    return [Link(label, path, here == path, path == current) for path, label in entries]


def init_navigation(app: Flask) -> None:
    """Give templates `navigation()`."""
    app.jinja_env.globals["navigation"] = navigation
