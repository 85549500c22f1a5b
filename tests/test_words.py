"""Both languages are whole: every Italian sentence on screen has its English one, with the same places to fill."""

import re
import tomllib
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from marketplace.words import CATALOGUES

ROOT = Path(__file__).parents[1]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None, "N_": None}
PLACES = re.compile(r"%\((\w+)\)|\{(\w+)\}")


def words_on_screen() -> set[str | tuple[str, ...]]:
    """The message ids of code and templates, as `make messages` finds them."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [
        (pattern, one["method"])
        for one in mappings
        for pattern in ([one["pattern"]] if isinstance(one["pattern"], str) else one["pattern"])
    ]
    found: set[str | tuple[str, ...]] = set()
    for folder in ("marketplace", "templates"):
        patterns = [(pattern.split("/", 1)[1], method) for pattern, method in methods if pattern.startswith(folder)]
        for _file, _line, message, _comments, _context in extract_from_dir(ROOT / folder, patterns, keywords=KEYWORDS):
            found.add(message)
    return found


@pytest.fixture(scope="module")
def english() -> dict[str, str | tuple[str, ...]]:
    """The English catalogue: the first form of each id, and its translation."""
    with (CATALOGUES / "en/LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale="en")
    return {one.id if isinstance(one.id, str) else one.id[0]: one.string for one in catalogue if one.id}


def test_every_sentence_has_its_english_one(english: dict[str, str | tuple[str, ...]]) -> None:
    words = words_on_screen()
    assert len(words) > 1000
    first = {message if isinstance(message, str) else message[0] for message in words}
    missing = [one for one in first if not english.get(one) or not all(english[one])]
    assert not missing


def test_translations_fill_the_same_places(english: dict[str, str | tuple[str, ...]]) -> None:
    for italian, translated in english.items():
        if isinstance(translated, str):
            assert sorted(PLACES.findall(italian)) == sorted(PLACES.findall(translated)), italian
