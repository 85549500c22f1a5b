"""Words for people are marked here where Flask may not be imported; the edge translates them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from babel.support import NullTranslations, Translations

CATALOGUES = Path(__file__).parent / "translations"


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for a marked, untranslated string
    """Mark `text` (Italian) for the catalogues and return it untouched."""
    return text


def in_language(text: str, locale: str, values: Mapping[str, Any] | None = None) -> str:
    """The msgid `text` in `locale` (Italian where the catalogue lacks it), its %(name)s places filled from `values`."""
    translated = str(_catalogue(locale).gettext(text))
    return translated % values if values else translated


@cache
def _catalogue(locale: str) -> NullTranslations:
    return Translations.load(str(CATALOGUES), [locale])
