"""Style, script and fonts, ours and those of packages: one changed byte changes every address, so all keep for ever."""

import gzip
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import distribution
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from flask import Blueprint, Flask, Response, abort, current_app, request, url_for
from markupsafe import Markup, escape

from marketplace.theme import trim, words_of

OWN: Final = Path(__file__).parent / "static"
THEME: Final = "bootstrap_italia_template/static"
LEAFLET: Final = "xstatic/pkg/leaflet/data"
FONT: Final = f"{THEME}/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin"
STYLE: Final = "css/bootstrap-italia.min.css"
OWN_STYLE: Final = "css/condiviso.css"  # the sheets of static/css, joined in the order of their names
PACKAGED: Final = {
    STYLE: ("design-django-theme", f"{THEME}/css/bootstrap-italia.min.css"),
    "fonts/titillium-regular.woff2": ("design-django-theme", f"{FONT}-regular.woff2"),
    "fonts/titillium-600.woff2": ("design-django-theme", f"{FONT}-600.woff2"),
    "fonts/titillium-700.woff2": ("design-django-theme", f"{FONT}-700.woff2"),
    "js/htmx.js": ("django-htmx", "django_htmx/static/django_htmx/htmx-2.min.js"),
    "leaflet/leaflet.css": ("xstatic-leaflet", f"{LEAFLET}/leaflet.css"),
    "leaflet/leaflet.js": ("xstatic-leaflet", f"{LEAFLET}/leaflet.js"),
}
SPRITE: Final = ("design-django-theme", f"{THEME}/svg/sprites.svg")
KEEP_SECONDS: Final = 365 * 24 * 3600
SVG: Final = "{http://www.w3.org/2000/svg}"

blueprint = Blueprint("assets", __name__)


@dataclass(frozen=True)
class Asset:
    """A file as it is sent; text is compressed once, when first asked for."""

    content: bytes
    mimetype: str

    @cached_property
    def compressed(self) -> bytes | None:
        is_text = self.mimetype.startswith("text/") or self.mimetype in {"application/manifest+json", "image/svg+xml"}
        return gzip.compress(self.content, 9, mtime=0) if is_text else None


@dataclass(frozen=True)
class Shelf:
    """Every file that may be asked for, the version of them all, and the icons."""

    assets: dict[str, Asset]
    version: str
    icons: dict[str, str]


def _packaged(package: str, path: str) -> bytes:
    return Path(str(distribution(package).locate_file(path))).read_bytes()


def _mimetype(name: str) -> str:
    if name.endswith(".webmanifest"):
        return "application/manifest+json"
    return guess_type(name)[0] or "application/octet-stream"


def read_icons(sprite: bytes) -> dict[str, str]:
    """The drawings of a sprite by name without `it-`: the markup inside each symbol."""
    ET.register_namespace("", "http://www.w3.org/2000/svg")
    root = ET.fromstring(sprite)  # noqa: S314 - a file of an installed package
    return {
        symbol.attrib["id"].removeprefix("it-"): "".join(
            ET.tostring(part, encoding="unicode").replace(' xmlns="http://www.w3.org/2000/svg"', "") for part in symbol
        )
        for symbol in root.iter(f"{SVG}symbol")
    }


def _sources(templates: Path) -> Iterator[Path]:
    """Every file of ours that may name a class."""
    yield from templates.rglob("*.html")
    yield from OWN.rglob("*.js")
    yield from OWN.parent.glob("*.py")


def read_shelf(templates: Path) -> Shelf:
    """Read every file once; the theme is trimmed to what the pages under `templates` use."""
    files = {name: _packaged(*where) for name, where in PACKAGED.items()}
    files[STYLE] = trim(files[STYLE].decode(), words_of(_sources(templates))).encode()
    own = {path.relative_to(OWN).as_posix(): path.read_bytes() for path in sorted(OWN.rglob("*")) if path.is_file()}
    sheets = [own.pop(name) for name in list(own) if name.startswith("css/")]
    files |= own | {OWN_STYLE: b"\n".join(sheets)}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name] + b"\0")
    assets = {name: Asset(content, _mimetype(name)) for name, content in files.items()}
    return Shelf(assets, digest.hexdigest()[:12], read_icons(_packaged(*SPRITE)))


@cache
def _shelf_of(templates: Path) -> Shelf:
    return read_shelf(templates)


def _shelf() -> Shelf:
    """The shelf, filled when the first page asks: a command or a worker that draws none does not wait for it."""
    return _shelf_of(Path(current_app.root_path, str(current_app.template_folder)).resolve())


@blueprint.get("/assets/<version>/<path:name>")
def serve_asset(version: str, name: str) -> Response:
    """One file, compressed when the browser takes gzip; an old version's address is answered but not kept."""
    shelf = _shelf()
    asset = shelf.assets.get(name)
    if asset is None:
        abort(404)
    squeezed = asset.compressed if request.accept_encodings["gzip"] else None
    answer = Response(squeezed or asset.content, mimetype=asset.mimetype)
    if squeezed:
        answer.content_encoding = "gzip"
    answer.vary.add("Accept-Encoding")
    if version == shelf.version:
        answer.cache_control.public = True
        answer.cache_control.max_age = KEEP_SECONDS
        answer.cache_control.immutable = True
    else:
        answer.cache_control.no_cache = True
    return answer


def asset(name: str) -> str:
    """The address of a file, for templates; a KeyError for a name that no shelf has."""
    shelf = _shelf()
    if name not in shelf.assets:
        raise KeyError(name)
    return url_for("assets.serve_asset", version=shelf.version, name=name)


def icon(name: str, style: str = "", label: str = "") -> Markup:
    """A drawing of the theme, in the page itself: `icon("calendar", "icon-sm")`; without `label` it is decoration."""
    meaning = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    drawing = Markup(_shelf().icons[name])  # noqa: S704 - read from the theme's own sprite
    return Markup('<svg class="icon {}" viewBox="0 0 24 24" focusable="false" {}>{}</svg>').format(
        escape(style), meaning, drawing
    )


def init_assets(app: Flask) -> None:
    """Serve the shelf and give templates `asset()` and `icon()`."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(asset=asset, icon=icon)
